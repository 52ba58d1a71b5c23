import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { dump } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { freePorts } from "../../hack/control-plane/free-ports.ts";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { program } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";

const root = join(import.meta.dirname, "../..");

/** A program that heeds no TERM, with a child in its group and one that left it; it prints the ids of all three. */
const stubborn = `trap '' TERM; sleep 600 & one=$!
two=$(node -e 'const child = require("child_process").spawn("sleep", ["600"], { detached: true, stdio: "ignore" }); console.log(child.pid); child.unref()')
echo $$ $one $two; while :; do sleep 1; done`;

const pod = (name: string, command: readonly string[], spec: object = {}) =>
  dump({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    // what kubelets replace in commands, shells use as well
    spec: { ...spec, containers: [{ name: "main", image: "x", command: command.map((word) => word.replaceAll("$", "$$$$")) }] },
  });

/** The beginning of an object of our own kinds. */
const ours = (kind: string, name: string) => ({ apiVersion: "nuptse.dev/v1alpha1", kind, metadata: { name } });

describe("nuptse playground as a process", function () {
  this.timeout(120_000);
  const binaries = skipUnless(() => ensureBinaries(["kubectl"]));
  let folder: string;
  const begun: ChildProcess[] = [];
  const tools: Kubectl[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-pg-"));
  });
  afterEach(async () => {
    for (const child of begun.splice(0)) child.kill("SIGKILL");
    for (const kubectl of tools.splice(0)) await kubectl.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  interface Run {
    readonly child: ChildProcess;
    /** Its temporary folder, which nobody else uses. */
    readonly temporary: string;
    readonly kubeconfig: string;
    readonly said: () => string;
    /** Resolves when it says that it is up. */
    up(): Promise<Kubectl>;
    /** Sends a signal, or none; resolves with the exit code when it has ended. */
    ended(signal?: NodeJS.Signals): Promise<number | null>;
    /** Lets a user in, with these flags; resolves with the kubeconfig that is printed. */
    user(name: string, ...flags: readonly string[]): Promise<string>;
    /** All that is left in the folders that it was given. */
    leftOver(): Promise<readonly string[]>;
  }

  async function start(name: string, ...args: readonly string[]): Promise<Run> {
    const [temporary = "", home = "", cwd = ""] = ["tmp", "home", "cwd"].map((each) => join(folder, name, each));
    for (const each of [temporary, home, cwd]) await mkdir(each, { recursive: true });
    const kubeconfig = join(folder, `${name}.yaml`);
    const nodes = args.includes("--load") ? [] : ["--nodes", "1"];
    const playground = ["--disable-warning=ExperimentalWarning", program, "playground"];
    const PATH = [dirname(process.execPath), process.env["PATH"]].join(delimiter);
    const env = { PATH, HOME: home, TMPDIR: temporary };
    const child = spawn(process.execPath, [...playground, ...nodes, "--kubeconfig-out", kubeconfig, ...args], {
      cwd,
      env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    begun.push(child);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
    const exit = once(child, "exit");
    return {
      child,
      temporary,
      kubeconfig,
      said: () => said,
      async up() {
        await eventually("the playground to be up", timeLimits.settled, () => {
          if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
          return said.includes("the cluster is up");
        });
        const kubectl = await createKubectl(binaries().kubectl, await readFile(kubeconfig, "utf8"));
        tools.push(kubectl);
        return kubectl;
      },
      async ended(signal) {
        if (signal !== undefined) child.kill(signal);
        const [code] = await exit;
        return code as number | null;
      },
      async user(user, ...flags) {
        const words = [...playground, "user", user, ...flags, "--kubeconfig", kubeconfig];
        return (await promisify(execFile)(process.execPath, words, { cwd, env })).stdout;
      },
      async leftOver() {
        return (await Promise.all([temporary, home, cwd].map((each) => readdir(each)))).flat();
      },
    };
  }

  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  const gone = (pids: readonly number[]) => eventually("the processes to be gone", timeLimits.settled, () => !pids.some(isAlive));

  async function stubbornPod(kubectl: Kubectl): Promise<readonly number[]> {
    await kubectl.ok(["create", "-f", "-"], pod("stubborn", ["sh", "-c", stubborn]));
    await kubectl.ok(["wait", "pod/stubborn", "--for=condition=Ready", "--timeout=20s"]);
    const log = kubectl.start(["logs", "-f", "stubborn"]);
    const pids = (await log.line()).split(" ").map(Number);
    await log.stop();
    assert.deepEqual([pids.length, pids.every(isAlive)], [3, true]);
    return pids;
  }

  it("ends on Ctrl-C with all that runs in it, and leaves nothing behind", async () => {
    const run = await start("a");
    const pids = await stubbornPod(await run.up());
    assert.equal(await run.ended("SIGINT"), 0);
    await gone(pids);
    assert.deepEqual(await run.leftOver(), []);
  });
  it("so does a Ctrl-C in the middle of the start", async () => {
    const run = await start("a");
    await eventually("it to have a folder", timeLimits.settled, async () => (await readdir(run.temporary)).length > 0);
    assert.equal(await run.ended("SIGINT"), 0);
    assert.deepEqual(await run.leftOver(), []);
  });
  it("and two of them, one after the other", async () => {
    const run = await start("a");
    const pids = await stubbornPod(await run.up());
    run.child.kill("SIGINT");
    await run.ended("SIGTERM");
    await gone(pids);
    assert.deepEqual(await run.leftOver(), []);
  });
  it("kill -9 leaves no process behind either", async () => {
    const run = await start("a");
    const pids = await stubbornPod(await run.up());
    await run.ended("SIGKILL");
    await gone(pids);
  });

  it("a second one lives beside the first, and knows nothing of it", async () => {
    const [one, two] = [await start("a", "--no-operator"), await start("b", "--no-operator")];
    const [first, second] = [await one.up(), await two.up()];
    await first.ok(["create", "configmap", "mine"]);
    assert.match(await second.fails(["get", "configmap", "mine"]), /not found/);
    assert.equal(await one.ended("SIGINT"), 0);
    await second.ok(["create", "configmap", "mine"]);
    assert.equal(await two.ended("SIGINT"), 0);
    assert.deepEqual([...(await one.leftOver()), ...(await two.leftOver())], []);
  });
  it("a port that is taken is refused with its name, and nothing is left over", async () => {
    const [port = 0] = await freePorts(1);
    const one = await start("a", "--no-operator", "--port", String(port));
    await one.up();
    const two = await start("b", "--no-operator", "--port", String(port));
    assert.equal(await two.ended(), 1);
    assert.match(two.said(), new RegExp(`error: --port: something else listens on 127\\.0\\.0\\.1:${port} already`));
    assert.deepEqual(await two.leftOver(), []);
    await one.ended("SIGINT");
  });

  it("--save and --load: objects keep their UIDs and versions, kubeconfigs stay good, and containers begin anew", async () => {
    const file = join(folder, "lab.state");
    const [port = 0] = await freePorts(1);
    const one = await start("a", "--port", String(port), "--save", file, "--node-label", "disk=ssd");
    const kubectl = await one.up();
    await kubectl.ok(["create", "configmap", "kept", "--from-literal=a=b"]);
    await kubectl.ok(["create", "-f", "-"], pod("worker", ["sh", "-c", "echo begun; sleep 600"], { terminationGracePeriodSeconds: 0 }));
    await kubectl.ok(["wait", "pod/worker", "--for=condition=Ready", "--timeout=20s"]);
    const identity = (from: Kubectl) =>
      from.ok(["get", "configmap", "kept", "-o", "jsonpath={.metadata.uid} {.metadata.resourceVersion} {.data.a}"]);
    const before = await identity(kubectl);
    assert.equal(await one.ended("SIGINT"), 0);
    assert.match(one.said(), /the cluster is saved in /);

    const two = await start("b", "--port", String(port), "--load", file);
    await two.up();
    // with the kubeconfig of the first one
    assert.equal(await identity(kubectl), before);
    assert.equal(await kubectl.ok(["get", "nodes", "-L", "disk", "-o", "jsonpath={.items[*].metadata.labels.disk}"]), "ssd");
    await kubectl.ok(["wait", "pod/worker", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "--timeout=20s"]);
    await kubectl.ok(["wait", "pod/worker", "--for=condition=Ready", "--timeout=20s"]);
    assert.equal(await two.ended("SIGINT"), 0);
    assert.deepEqual(await two.leftOver(), []);
  });
  it("--save and --load: tokens of accounts and of users stay good, policies and webhooks go on judging", async () => {
    const file = join(folder, "lab.state");
    const [port = 0] = await freePorts(1);
    const one = await start("a", "--port", String(port), "--policies", "--save", file);
    const admin = await one.up();
    const words = (text: string) => text.split(" ");
    await admin.ok(words("create serviceaccount robot"));
    const token = (await admin.ok(words("create token robot --duration=1h"))).trim();
    const alice = await createKubectl(binaries().kubectl, await one.user("alice", "--role", "job-operator"));
    tools.push(alice);
    await admin.ok(words("create namespace nuptse"));
    await admin.ok(["apply", "--server-side", "--namespace=nuptse", "-f", join(root, "crds/optional/webhooks.yaml")]);

    const ask = (requestedBy: string) => dump({ ...ours("JobRequest", "ask"), spec: { jobName: "nightly", requestedBy, run: {} } });
    const template = { spec: { containers: [{ name: "main", image: "x" }] } };
    const never = dump({ ...ours("ElasticJob", "never"), spec: { schedule: { crons: ["61 * * * *"] }, template } });
    const whoami = words("auth whoami -o jsonpath={.status.userInfo.username}");
    const judged = async () => {
      assert.equal(await admin.ok([...whoami, `--token=${token}`]), "system:serviceaccount:default:robot");
      assert.equal(await alice.ok(whoami), "alice");
      assert.match(await alice.fails(words("create -f -"), ask("mallory")), /must be the name of the user who asks: alice/);
      // webhooks are served a moment after the operator leads; until then this configuration lets everything pass
      await eventually("the webhooks to judge", timeLimits.settled, async () =>
        /minute, character 1: 61 is out of range/.test((await admin.run(words("create --dry-run=server -f -"), never)).stderr),
      );
    };
    await judged();
    assert.equal(await one.ended("SIGINT"), 0);
    const two = await start("b", "--port", String(port), "--load", file);
    await two.up();
    await judged();
    assert.equal(await two.ended("SIGINT"), 0);
  });
  it("a file that cannot be loaded is refused with the reason, and nothing is left over", async () => {
    const file = join(folder, "broken.state");
    await writeFile(file, "no state\n");
    const run = await start("a", "--load", file);
    assert.equal(await run.ended(), 1);
    assert.equal(run.said(), `error: ${file}: this is no saved playground\n`);
    assert.deepEqual(await run.leftOver(), []);
  });
  it("a file that cannot be saved is told at once", async () => {
    const run = await start("a", "--save", join(folder, "nowhere", "lab.state"));
    assert.equal(await run.ended(), 1);
    assert.match(run.said(), /error: --save: .*no such file or directory/);
    assert.equal(existsSync(join(folder, "nowhere")), false);
    assert.deepEqual(await run.leftOver(), []);
  });

  it("--speed: ten minutes of the cluster's pass in a second", async () => {
    const run = await start("a", "--kubelet", "stages", "--speed", "600x");
    const kubectl = await run.up();
    const job = {
      ...ours("ElasticJob", "hourly"),
      spec: {
        schedule: { crons: ["0 0 * * * ?"] },
        template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "x" }] } },
      },
    };
    await kubectl.ok(["create", "-f", "-"], dump(job));
    // three hours
    await eventually("three runs", timeLimits.settled, async () => {
      const runs = await kubectl.ok(["get", "elasticjob", "hourly", "-o", "jsonpath={.status.history[*].phase}"]);
      return runs === "Succeeded Succeeded Succeeded";
    });
    assert.equal(await run.ended("SIGINT"), 0);
  });
  it("--break asks what, tells what became of it, and the cluster heals", async () => {
    const run = await start("a", "--kubelet", "stages", "--speed", "60x", "--break");
    await run.up();
    run.child.stdin?.write("3\n7\nlose-watch\n");
    await eventually("both to be whole again", timeLimits.settled, () =>
      ["crash-operator: another operator leads", "lose-watch: the watches are broken off"].every((line) => run.said().includes(line)),
    );
    assert.match(run.said(), /there is no "7" to break/);
    assert.equal(await run.ended("SIGINT"), 0);
  });
});
