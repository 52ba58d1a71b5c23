/**
 * The same changes of instances, one after the other under load, in two ways on the same HAProxy: ours, over its socket, and the classic one of confd and its
 * like, a file rendered anew and a reload for each change. For each change until it has traffic; failed requests; memory of all of HAProxy's processes.
 *
 * The classic file has a frontend with a port of its own for each service, as those have; connections that are reused are closed by a reload when they are
 * idle, unless the file says otherwise, which is left at its default there. Clients hold two uploads each, so that workers of before a reload linger.
 */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { readFileSync, readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Component } from "../../hack/control-plane/component.ts";
import { Watchdog } from "../../hack/control-plane/watchdog.ts";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { defaultTimings } from "../../src/gateway/agent.ts";
import { createMasterSocket, type MasterSocket } from "../../src/haproxy/master-socket.ts";
import { freeRange } from "../gateway/support/free-range.ts";
import { startGateway } from "../gateway/support/gateway.ts";
import { startInstance, type TestInstance } from "../gateway/support/instances.ts";
import { type LoadResult, loadText, startLoad } from "../gateway/support/load.ts";
import { makeService } from "../support/builders/published-service.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { largest, median, percentile, rounded } from "./support/figures.ts";
import { gatewaySettings, portsBeside } from "./support/gateway-settings.ts";
import { tell } from "./support/progress.ts";

/** One of the two ways. */
interface Side {
  readonly name: string;
  /** Of the master, whose children are all that there is. */
  readonly pid: number;
  /** Gives the service `index` these instances; resolves when it has been said. */
  change(index: number, instances: readonly TestInstance[]): Promise<void>;
  portOf(index: number): number;
}

interface Outcome {
  readonly delays: readonly number[];
  readonly load: LoadResult;
  readonly megabytes: number;
}

/** What is held open through one of the changes. */
const uploadsPerChange = 2;
const mostAttempts = 100;

const bench: Bench = async (words) => {
  const choice = readArguments(words, { services: 2500, servers: 6, changes: 30, clients: 8 });
  const program = await ensureHaproxy("3.0");
  const first = await freeRange(choice.services + portsBeside);
  const instances = await Promise.all(Array.from({ length: choice.servers + 1 }, (_, index) => startInstance(`instance-${index}`)));
  const usual = instances.slice(0, choice.servers);
  try {
    const ours = await withGateway(program, first, choice.services, usual, (side) => play(side, instances, choice));
    const classic = await withClassic(program, first, choice.services, usual, (side) => play(side, instances, choice));
    const row = (name: string, { delays, load, megabytes }: Outcome): readonly string[] => [
      name,
      percentile(delays, 50).toFixed(0),
      largest(delays).toFixed(0),
      String(load.sent),
      String(load.failed),
      megabytes.toFixed(0),
    ];
    return {
      name: "gateway-reloads",
      figures: {
        changeMilliseconds: rounded(median(ours.delays)),
        classicChangeMilliseconds: rounded(median(classic.delays)),
        failed: ours.load.failed,
        classicFailed: classic.load.failed,
        megabytes: rounded(ours.megabytes, 1),
        classicMegabytes: rounded(classic.megabytes, 1),
      },
      targets: { failed: { max: 0 } },
      table: {
        columns: [
          `${choice.changes} changes, ${choice.services} x ${choice.servers} servers`,
          "ms p50",
          "ms most",
          "requests",
          "failed",
          "MB at most",
        ],
        rows: [row("over the socket", ours), row("a file and a reload for each", classic)],
      },
    };
  } finally {
    for (const instance of instances) instance.kill();
  }
};

/** Makes the changes, one after the other, while clients reuse connections to a service that does not change. */
async function play(
  { name, pid, change, portOf }: Side,
  instances: readonly TestInstance[],
  {
    services,
    servers,
    changes,
    clients,
  }: { readonly services: number; readonly servers: number; readonly changes: number; readonly clients: number },
): Promise<Outcome> {
  const load = startLoad({ port: portOf(0), clients, posts: true });
  const delays: number[] = [];
  const uploads: Socket[] = [];
  let megabytes = 0;
  const spare = instances[servers] as TestInstance;
  for (let count = 0; count < changes; count++) {
    const index = 1 + ((count * 7919) % (services - 1));
    uploads.push(...Array.from({ length: uploadsPerChange }, () => upload(portOf(0))));
    const begun = performance.now();
    await change(index, [spare]);
    while ((await answerOf(portOf(index))) !== spare.name) await sleep(2);
    delays.push(performance.now() - begun);
    megabytes = Math.max(megabytes, memoryBelow(pid));
    await sleep(200);
  }
  const result = await load.stop();
  for (const socket of uploads) socket.destroy();
  tell(`${name}: ${loadText("load", result).trim()}; ${percentile(delays, 50).toFixed(0)} ms a change, ${megabytes.toFixed(0)} MB`);
  return { delays, load: result, megabytes };
}

/** The master refuses connections for a moment while it starts itself anew. */
async function reloaded(master: MasterSocket): ReturnType<MasterSocket["reload"]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await master.reload();
    } catch (error) {
      if (attempt === mostAttempts) throw error;
      await sleep(20);
    }
  }
}

/** A request whose body does not end. */
function upload(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000\r\n\r\nbegin");
  return socket;
}

async function answerOf(port: number): Promise<string | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    return response.status === 200 ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

/** Resident memory of a process and its children, in MB. */
function memoryBelow(pid: number): number {
  let kilobytes = 0;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const status = readFileSync(`/proc/${entry}/status`, "utf8");
      if (Number(entry) === pid || new RegExp(`^PPid:\\t${pid}$`, "m").test(status))
        kilobytes += Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    } catch {
      // It has ended meanwhile.
    }
  }
  return kilobytes / 1024;
}

async function withGateway(
  program: string,
  first: number,
  count: number,
  usual: readonly TestInstance[],
  use: (side: Side) => Promise<Outcome>,
): Promise<Outcome> {
  const settings = { ...gatewaySettings(first, count), hardStopAfterSeconds: 600 };
  const gateway = await startGateway(program, { settings, timings: defaultTimings });
  const serviceOf = (index: number, instances: readonly TestInstance[]) =>
    makeService({
      name: `app-${index}`,
      protocol: "HTTP",
      port: first + index,
      instances: instances.map((each) => ({ ...each.asInstance(), pod: `app-${index}-${each.name}` })),
    });
  try {
    const services = Array.from({ length: count }, (_, index) => serviceOf(index, usual));
    await gateway.serve(services);
    const { master } = await gateway.haproxy.master.processes();
    return await use({
      name: "ours",
      pid: master,
      portOf: (index) => first + index,
      change(index, instances) {
        services[index] = serviceOf(index, instances);
        gateway.offer([...services]);
        return Promise.resolve();
      },
    });
  } finally {
    await gateway.close();
  }
}

async function withClassic(
  program: string,
  first: number,
  count: number,
  usual: readonly TestInstance[],
  use: (side: Side) => Promise<Outcome>,
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "nuptse-classic-"));
  const watchdog = new Watchdog();
  watchdog.removeAtEnd(folder);
  const file = join(folder, "haproxy.cfg");
  const socket = join(folder, "master.sock");
  const master = createMasterSocket({ path: socket, clock: createSystemClock() });
  const backends = Array.from({ length: count }, () => usual);
  const write = async () => {
    const services = backends.flatMap((instances, index) => [
      `listen app-${index}`,
      `  bind 127.0.0.1:${first + index}`,
      ...instances.map((each) => `  server app-${index}-${each.name} 127.0.0.1:${each.port} check inter 5s`),
    ]);
    const head = [
      ...["global", "  maxconn 500", "  nbthread 2", "  hard-stop-after 600s"],
      ...["defaults", "  mode http", "  balance roundrobin", "  option redispatch", "  retries 3"],
      ...["  timeout client 1h", "  timeout server 60s", "  timeout connect 5s"],
    ];
    await writeFile(`${file}.new`, `${[...head, ...services].join("\n")}\n`);
    await rename(`${file}.new`, file);
  };
  await write();
  const component = new Component({
    name: "haproxy",
    binary: program,
    args: ["-W", "-S", `${socket},mode,600`, "-f", file],
    logPath: join(folder, "log"),
    watchdog,
    isReady: async () => (await answerOf(first)) !== undefined,
  });
  component.launch();
  try {
    await component.ready();
    return await use({
      name: "classic",
      pid: component.pid ?? 0,
      portOf: (index) => first + index,
      async change(index, instances) {
        backends[index] = instances;
        await write();
        const { succeeded, log } = await reloaded(master);
        if (!succeeded) throw new Error(`the reload failed: ${log}`);
      },
    });
  } finally {
    await component.end();
    await watchdog.close();
    await rm(folder, { recursive: true, force: true });
  }
}

export default bench;
