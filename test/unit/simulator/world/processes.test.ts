import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { configMaps, endpointSlices, pods, secrets, services } from "../../../../src/api/resource.ts";
import { createSystemClock } from "../../../../src/base/clock.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import type { LogLine } from "../../../../src/simulator/apiserver/http/log-source.ts";
import { createWorld, type World } from "../../../../src/simulator/world/world.ts";
import { type Loose, SimulatedCluster } from "./simulated-cluster.ts";

const clock = createSystemClock();
const forever = new AbortController().signal;

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let round = 0; round < 1_000; round++) {
    if (holds()) return;
    await clock.sleep(10);
  }
  assert.fail(`waited in vain: ${what}`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A zombie that nobody reaps in a container without init is as dead as can be.
  return !/^State:\s+Z/m.test(existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, "utf8") : "");
}

async function textOf(lines: unknown): Promise<string> {
  const result: string[] = [];
  for await (const line of lines as AsyncIterable<LogLine>) result.push(line.line);
  return result.join("\n");
}

interface Case {
  readonly name: string;
  readonly container: Record<string, unknown>;
  readonly spec?: Record<string, unknown>;
  readonly wantPhase: string;
  readonly wantExit: number;
  readonly wantReason: string;
  readonly wantMessage?: string | RegExp;
  readonly wantLog?: string;
}

const sh = (script: string) => ({ command: ["sh", "-c", script] });

const cases: readonly Case[] = [
  {
    name: "exit 0 is Succeeded, and both streams are in the log",
    container: sh("echo out; echo err >&2; printf end"),
    wantPhase: "Succeeded",
    wantExit: 0,
    wantReason: "Completed",
    wantLog: "end|err|out",
  },
  { name: "a code other than 0 is Failed", container: sh("exit 7"), wantPhase: "Failed", wantExit: 7, wantReason: "Error" },
  {
    name: "death of a signal is 128 and its number",
    container: sh("kill -KILL $$$$"),
    wantPhase: "Failed",
    wantExit: 137,
    wantReason: "Error",
  },
  {
    name: "a command that does not exist is a StartError",
    container: { command: ["no-such-program"] },
    wantPhase: "Failed",
    wantExit: 128,
    wantReason: "StartError",
    wantMessage: /exec: "no-such-program": executable file not found in \$PATH$/,
  },
  {
    name: "a path that does not exist is a StartError",
    container: { command: ["/no/such/program"] },
    wantPhase: "Failed",
    wantExit: 128,
    wantReason: "StartError",
    wantMessage: /no such file or directory$/,
  },
  {
    name: "a container without a command cannot run here",
    container: {},
    wantPhase: "Failed",
    wantExit: 128,
    wantReason: "StartError",
    wantMessage: /has no command/,
  },
  {
    name: "the termination message comes from the file that NUPTSE_RESULT_FILE names",
    container: { ...sh('printf 42 > "$NUPTSE_RESULT_FILE"'), env: [{ name: "NUPTSE_RESULT_FILE", value: "/dev/termination-log" }] },
    wantPhase: "Succeeded",
    wantExit: 0,
    wantReason: "Completed",
    wantMessage: "42",
  },
  {
    name: "the path itself may stand in the command, and its own place may differ",
    container: { ...sh("echo ok > /tmp/result-here"), terminationMessagePath: "/tmp/result-here" },
    wantPhase: "Succeeded",
    wantExit: 0,
    wantReason: "Completed",
    wantMessage: "ok\n",
  },
  {
    name: "a message over 4,096 bytes is cut without half a character",
    // 4,095 bytes, then a character of two bytes
    container: sh('head -c 4095 /dev/zero | tr "\\0" a > /dev/termination-log; printf "\\303\\251rest" >> /dev/termination-log'),
    wantPhase: "Succeeded",
    wantExit: 0,
    wantReason: "Completed",
    wantMessage: "a".repeat(4095),
  },
  {
    name: "FallbackToLogsOnError gives the end of the log",
    container: { ...sh("echo one; echo two; exit 1"), terminationMessagePolicy: "FallbackToLogsOnError" },
    wantPhase: "Failed",
    wantExit: 1,
    wantReason: "Error",
    wantMessage: "one\ntwo\n",
  },
  {
    name: "the environment holds values, expansions, fields, ConfigMaps and Secrets",
    container: {
      command: ["sh", "-c", 'echo "$A $B $C $NAME $NODE $LABEL $CM $SECRET $P_all $MISSING $HOSTNAME"', "$(A)"],
      envFrom: [{ prefix: "P_", configMapRef: { name: "settings" } }, { configMapRef: { name: "absent", optional: true } }],
      env: [
        { name: "A", value: "a" },
        { name: "B", value: "$(A)$(NOT)$$(A)" },
        { name: "C", value: "$(P_all)" },
        { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
        { name: "LABEL", valueFrom: { fieldRef: { fieldPath: "metadata.labels['nuptse.dev/job']" } } },
        { name: "CM", valueFrom: { configMapKeyRef: { name: "settings", key: "all" } } },
        { name: "SECRET", valueFrom: { secretKeyRef: { name: "keys", key: "token" } } },
        { name: "MISSING", valueFrom: { configMapKeyRef: { name: "settings", key: "none", optional: true } } },
      ],
    },
    wantPhase: "Succeeded",
    wantExit: 0,
    wantReason: "Completed",
    wantLog: "a a$(NOT)$(A) every p n1 nightly every s3cret every  p",
  },
  {
    name: "args follow the command",
    container: { command: ["printf", "%s-%s"], args: ["a", "b c"] },
    wantPhase: "Succeeded",
    wantExit: 0,
    wantReason: "Completed",
    wantLog: "a-b c",
  },
  {
    name: "activeDeadlineSeconds ends it with TERM",
    container: sh("sleep 60"),
    spec: { activeDeadlineSeconds: 1 },
    wantPhase: "Failed",
    wantExit: 143,
    wantReason: "Error",
  },
  {
    name: "OnFailure starts it again in the same directory",
    container: sh("if [ -e mark ]; then echo second; else touch mark; exit 3; fi"),
    spec: { restartPolicy: "OnFailure" },
    wantPhase: "Succeeded",
    wantExit: 0,
    wantReason: "Completed",
    wantLog: "second",
  },
  {
    name: "init containers run first, in order",
    container: sh("cat order"),
    spec: {
      initContainers: [
        { name: "i1", image: "x", ...sh("sleep 0.05; echo 1 >> order") },
        { name: "i2", image: "x", ...sh("echo 2 >> order") },
      ],
    },
    wantPhase: "Succeeded",
    wantExit: 0,
    wantReason: "Completed",
    wantLog: "1|2",
  },
];

describe("containers as processes", () => {
  let dataDir: string;
  let cluster: SimulatedCluster;
  let world: World;
  beforeEach(async () => {
    dataDir = mkdtempSync(join(tmpdir(), "nuptse-world-"));
    cluster = new SimulatedCluster(clock);
    world = await createWorld({
      client: cluster.client,
      clock,
      random: createSeededRandom(1),
      nodes: [{ name: "n1" }],
      kubelet: { kind: "process", dataDir },
      timing: { teardownMs: 10 },
      schedulerDelayMs: 0,
    });
  });
  afterEach(async () => {
    await world.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const add = (container: Record<string, unknown>, spec: Record<string, unknown> = {}, name = "p") => {
    const metadata = { namespace: "shop", name, labels: { "nuptse.dev/job": "nightly" } };
    return cluster.client.create(pods, {
      metadata,
      spec: { restartPolicy: "Never", ...spec, containers: [{ name: "main", image: "x", ...container }] },
    } as never);
  };
  const pod = () => cluster.object("pods", "p", "shop");
  const running = () => until("running", () => pod()?.status.containerStatuses?.[0].state.running !== undefined);
  const over = () => until("the end of the pod", () => ["Succeeded", "Failed"].includes(pod()?.status.phase));
  const log = (options: object = {}) => world.logs.open("shop", "p", "main", { signal: forever, ...options });

  for (const tc of cases) {
    it(tc.name, async () => {
      await cluster.client.create(configMaps, { metadata: { namespace: "shop", name: "settings" }, data: { all: "every" } } as never);
      await cluster.client.create(secrets, { metadata: { namespace: "shop", name: "keys" }, data: { token: "czNjcmV0" } } as never);
      await add(tc.container, tc.spec);
      await over();
      const { exitCode, reason, message } = pod().status.containerStatuses[0].state.terminated;
      assert.deepEqual([pod().status.phase, exitCode, reason], [tc.wantPhase, tc.wantExit, tc.wantReason]);
      if (tc.wantMessage instanceof RegExp) assert.match(message, tc.wantMessage);
      else assert.equal(message, tc.wantMessage);
      if (tc.wantLog !== undefined) {
        const text = await textOf(await log());
        // The two streams of a program are two pipes: their order is not known.
        assert.equal(text.split("\n").sort().join("|"), tc.wantLog);
      }
    });
  }

  it("a ConfigMap is mounted: its files are where environment, command and args say", async () => {
    const metadata = { namespace: "shop", name: "files" };
    await cluster.client.create(configMaps, { metadata, data: { one: "1\n", two: "2\n", three: "3\n" } } as never);
    const items = [
      { key: "one", path: "a" },
      { key: "two", path: "deep/b" },
    ];
    await add(
      {
        ...sh('cat "$FILE" /mnt/items/deep/b /mnt/all/three; ls /mnt/items'),
        env: [{ name: "FILE", value: "/mnt/items/a" }],
        volumeMounts: [
          { name: "items", mountPath: "/mnt/items" },
          { name: "all", mountPath: "/mnt/all/" },
        ],
      },
      {
        volumes: [
          { name: "items", configMap: { name: "files", items } },
          { name: "all", configMap: { name: "files" } },
        ],
      },
    );
    await over();
    assert.equal(await textOf(await log()), "1\n2\n3\na\ndeep");
  });

  it("pods that are told their address have one of their own, and the others share one", async () => {
    const told = {
      ...sh('test "$IP" != 127.0.0.1 && sleep 60'),
      env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    };
    const addressOf = (name: string): string => cluster.object("pods", name, "shop").status?.podIP ?? "";
    for (const [name, container] of [
      ["one", told],
      ["two", told],
      ["plain", sh("sleep 60")],
    ] as const) {
      await add(container, {}, name);
      await until(`${name} runs`, () => cluster.object("pods", name, "shop").status?.phase === "Running");
    }
    assert.equal(addressOf("plain"), "127.0.0.1");
    if (process.platform !== "linux") return;
    assert.match(addressOf("one"), /^127\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/);
    assert.notEqual(addressOf("one"), addressOf("two"));
  });

  it("of the Services that RunnerApps publish a program is told where they lead here", async () => {
    const labels = { "nuptse.dev/service": "my-base" };
    const spec = { ports: [{ port: 7000, protocol: "TCP" }] };
    await cluster.client.create(services, { metadata: { namespace: "shop", name: "my-base", labels }, spec } as never);
    await cluster.client.create(endpointSlices, {
      metadata: { namespace: "shop", name: "my-base-nuptse-ipv4", labels: { ...labels, "kubernetes.io/service-name": "my-base" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.63.0.1"], conditions: { ready: true } }],
      ports: [{ name: "", port: 21_007, protocol: "TCP" }],
    } as never);
    const script = sh('echo "$MY_BASE_SERVICE_HOST $MY_BASE_SERVICE_PORT" > /dev/termination-log');
    await add(script, {}, "asks");
    await add(script, { enableServiceLinks: false }, "does-not");
    const messageOf = (name: string): string | undefined =>
      cluster.object("pods", name, "shop").status?.containerStatuses?.[0]?.state?.terminated?.message;
    await until("both have ended", () => messageOf("asks") !== undefined && messageOf("does-not") !== undefined);
    assert.deepEqual([messageOf("asks"), messageOf("does-not")], ["127.63.0.1 21007\n", " \n"]);
  });

  it("a missing ConfigMap waits with the reason, and starts when it is there", async () => {
    await add({ ...sh("echo $X"), env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "late", key: "x" } } }] });
    const waiting = () => pod()?.status.containerStatuses?.[0].state.waiting;
    await until("waiting", () => waiting()?.reason === "CreateContainerConfigError");
    assert.equal(waiting().message, 'configmap "late" not found');
    await cluster.client.create(configMaps, { metadata: { namespace: "shop", name: "late" }, data: { x: "1" } } as never);
    await over();
    assert.equal(await textOf(await log()), "1");
  });

  it("deletion sends TERM, and what ignores it is killed with its children after the grace", async () => {
    await add({ ...sh("trap 'echo heard' TERM; sleep 300 & echo $!; while :; do sleep 0.05; done") }, { terminationGracePeriodSeconds: 1 });
    await running();
    let child = 0;
    const stop = new AbortController();
    for await (const { line } of (await log({ follow: true, signal: stop.signal })) as AsyncIterable<LogLine>) {
      child = Number(line);
      break;
    }
    assert.ok(isAlive(child));
    await cluster.client.delete(pods, { namespace: "shop", name: "p" });
    await until("gone", () => pod() === undefined);
    assert.match(cluster.log.at(-1) ?? "", /DELETED Failed deleting unready:PodFailed main:Error\(137\)/);
    await until("child dead", () => !isAlive(child));
  });

  it("a program that exits 0 on TERM ends Succeeded, and its directory goes with the pod", async () => {
    await add(sh("trap 'exit 0' TERM; while :; do sleep 0.05; done"));
    await running();
    await clock.sleep(200);
    await cluster.client.delete(pods, { namespace: "shop", name: "p" });
    await until("gone", () => pod() === undefined);
    assert.match(cluster.log.at(-1) ?? "", /DELETED Succeeded deleting/);
    await until("directory gone", () => readdirSync(join(dataDir, "pods")).length === 0);
  });

  it("following a log gives what was and what comes, until the container ends", async () => {
    await add(sh("echo 1; echo 2; while [ ! -e go ]; do sleep 0.02; done; echo 3"));
    await running();
    const seen: string[] = [];
    for await (const { line } of (await log({ follow: true })) as AsyncIterable<LogLine>) {
      seen.push(line);
      if (line === "2") {
        const [directory = ""] = readdirSync(join(dataDir, "pods"));
        writeFileSync(join(dataDir, "pods", directory, "work", "go"), "");
      }
    }
    assert.deepEqual(seen, ["1", "2", "3"]);
    assert.equal(await textOf(await log({ tailLines: 2 })), "2\n3");
  });

  it("previous is the log before the last restart; a container that is not there yet has none", async () => {
    await add(sh("if [ -e mark ]; then echo second; else echo first; touch mark; exit 3; fi"), { restartPolicy: "OnFailure" });
    await over();
    assert.equal(await textOf(await log({ previous: true })), "first");
    const missing: Loose = await world.logs.open("shop", "p", "other", { signal: forever });
    assert.deepEqual([missing.kind, missing.code], ["Status", 400]);
  });

  it("what a program leaves behind goes with it, also what left its group", async () => {
    const daemon = `require("child_process").spawn("sleep", ["300"], { detached: true, stdio: "ignore" })`;
    await add(sh(`sleep 300 & echo $!; exec node -e 'const child = ${daemon}; console.log(child.pid); child.unref()'`));
    await over();
    const pids = (await textOf(await log({}))).split("\n").map(Number);
    assert.equal(pids.length, 2);
    await until("all gone", () => pids.every((pid) => !isAlive(pid)));
  });

  it("a program that prints without end is stopped by its deletion, and fills no disk", async () => {
    await add(sh("yes"), { terminationGracePeriodSeconds: 0 });
    await running();
    await until("the log to be full once", () => readdirSync(dirname(logFile(dataDir))).includes("0.log.1"));
    // others have their turn meanwhile: a pod comes and goes
    await cluster.client.create(pods, {
      metadata: { namespace: "shop", name: "other" },
      spec: { restartPolicy: "Never", containers: [{ name: "main", image: "x", ...sh("echo hello") }] },
    } as never);
    await until("the other pod to be done", () => cluster.object("pods", "other", "shop")?.status.phase === "Succeeded");
    const sizes = readdirSync(dirname(logFile(dataDir))).map((name) => statSync(join(dirname(logFile(dataDir)), name)).size);
    assert.ok(Math.max(...sizes) < 14_000_000, String(sizes));
    await cluster.client.delete(pods, { namespace: "shop", name: "p" });
    await until("gone", () => pod() === undefined);
  });

  it("nothing survives the end of the world", async () => {
    await add(sh("echo $$$$; sleep 300"));
    await running();
    await until("pid", () => readFileSync(logFile(dataDir), "utf8").includes(" F "));
    const pid = Number(readFileSync(logFile(dataDir), "utf8").split(" ").at(-1));
    assert.ok(isAlive(pid));
    await world.close();
    assert.ok(!isAlive(pid));
  });
});

function logFile(dataDir: string): string {
  const [directory = ""] = readdirSync(join(dataDir, "pods"));
  return join(dataDir, "pods", directory, "main", "0.log");
}

describe("the process guard", () => {
  it("kills what runs when its process is killed with -9", async () => {
    const guard = new URL("../../../../src/simulator/world/process-guard.ts", import.meta.url).href;
    const script = `
      import { spawn } from "node:child_process";
      import { ProcessGuard } from ${JSON.stringify(guard)};
      const guard = new ProcessGuard("none.");
      for (let n = 0; n < 3; n++) {
        const child = spawn("sh", ["-c", "sleep 300 & wait"], { detached: true });
        guard.add(child.pid);
        if (n === 1) guard.remove(child.pid);
        console.log(child.pid);
      }
      setInterval(() => {}, 1000);`;
    const parent: ChildProcess = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    parent.stdout?.on("data", (chunk) => {
      output += chunk;
    });
    await until("three processes", () => output.trim().split("\n").length === 3);
    const [first = 0, released = 0, last = 0] = output.trim().split("\n").map(Number);
    parent.kill("SIGKILL");
    await until("the guarded ones are dead", () => !isAlive(first) && !isAlive(last));
    assert.ok(isAlive(released), "what was released is not touched");
    process.kill(-released, "SIGKILL");
  });
});
