/**
 * What passes through a gateway with 2,500 services beside what passes through the same HAProxy with a file that a person wrote for one service, with the
 * same six servers behind both. Rounds alternate, as which of the two begins does. Clients are as many as keep HAProxy busy; it has one thread, and the
 * clients and the servers share the machine with it, so the ratio is the figure, not the rate. Beside it: processor time of HAProxy for each request, without what its checks take while
 * nobody asks it anything.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Component } from "../../hack/control-plane/component.ts";
import { Watchdog } from "../../hack/control-plane/watchdog.ts";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { defaultTimings } from "../../src/gateway/agent.ts";
import { freeRange } from "../gateway/support/free-range.ts";
import { startGateway } from "../gateway/support/gateway.ts";
import { startInstance, type TestInstance } from "../gateway/support/instances.ts";
import { startLoad } from "../gateway/support/load.ts";
import { makeService } from "../support/builders/published-service.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { median, rounded } from "./support/figures.ts";
import { gatewaySettings, portsBeside } from "./support/gateway-settings.ts";
import { cpuSecondsOf } from "./support/process-figures.ts";
import { tell } from "./support/progress.ts";

const idleMs = 5000;

interface Round {
  /** Requests a second. */
  readonly rate: number;
  /** Microseconds of HAProxy's processor time for each. */
  readonly cost: number;
  /** Connections that were opened to the servers. */
  readonly opened: number;
  readonly failed: number;
}

const bench: Bench = async (words) => {
  const choice = readArguments(words, { services: 2500, rounds: 10, seconds: 10, clients: 32 });
  const program = await ensureHaproxy("3.0");
  const first = await freeRange(choice.services + portsBeside);
  const settings = { ...gatewaySettings(first, choice.services), threads: 1 };
  const instances = await Promise.all(Array.from({ length: 6 }, (_, index) => startInstance(`instance-${index}`)));
  const gateway = await startGateway(program, { settings, timings: defaultTimings });
  const plainPort = settings.httpsPort + 2;
  const plain = await startPlain(
    program,
    plainPort,
    instances.map(({ port }) => port),
  );
  try {
    const one = instances.slice(0, 1).map((instance) => instance.asInstance());
    await gateway.serve(
      Array.from({ length: choice.services }, (_, index) =>
        makeService({
          name: `app-${index}`,
          protocol: "HTTP",
          port: first + index,
          // The others cost checks, which are not what is measured.
          instances: index === 0 ? instances.map((instance) => instance.asInstance()) : one,
        }),
      ),
    );
    const [gatewayPid = 0] = (await gateway.haproxy.master.processes()).workers;
    const rounds = { ours: [] as Round[], plain: [] as Round[] };
    const sides = [
      { name: "ours", port: first, pid: gatewayPid },
      { name: "plain", port: plainPort, pid: plain.pid },
    ] as const;
    const idle = { ours: await idleCost(gatewayPid), plain: await idleCost(plain.pid) };
    const play = async ({ name, port, pid }: (typeof sides)[number], seconds: number) => {
      const before = openedAt(instances);
      const found = await round(port, pid, idle[name], seconds, choice.clients);
      return { ...found, opened: openedAt(instances) - before };
    };
    for (const side of sides) await play(side, 2);
    for (let count = 0; count < choice.rounds; count++) {
      for (const side of count % 2 === 0 ? sides : sides.toReversed()) {
        const found = await play(side, choice.seconds);
        rounds[side.name].push(found);
        tell(`round ${count + 1}, ${side.name}: ${found.rate.toFixed(0)} requests/s, ${found.cost.toFixed(1)} us of HAProxy each`);
      }
    }
    const ratioOf = (figure: (round: Round) => number) =>
      median(rounds.ours.map((ours, index) => figure(ours) / figure(rounds.plain[index] as Round)));
    const row = (label: string, of: readonly Round[]): readonly string[] => [
      label,
      median(of.map(({ rate }) => rate)).toFixed(0),
      median(of.map(({ cost }) => cost)).toFixed(1),
      median(of.map(({ opened }) => opened)).toFixed(0),
      String(of.reduce((sum, { failed }) => sum + failed, 0)),
    ];
    return {
      name: "gateway-throughput",
      figures: {
        rateRatio: rounded(ratioOf(({ rate }) => rate)),
        costRatio: rounded(ratioOf(({ cost }) => cost)),
        failed: [...rounds.ours, ...rounds.plain].reduce((sum, { failed }) => sum + failed, 0),
      },
      targets: { rateRatio: { min: 0.9 }, failed: { max: 0 } },
      table: {
        columns: ["", "requests/s", "HAProxy us/request", "connections opened a round", "failed"],
        rows: [row(`gateway with ${choice.services} services`, rounds.ours), row("the same HAProxy, a file by hand", rounds.plain)],
      },
    };
  } finally {
    await plain.end();
    await gateway.close();
    for (const instance of instances) instance.kill();
  }
};

/** Seconds of processor time that a process takes in a second. */
async function idleCost(pid: number): Promise<number> {
  const before = await cpuSecondsOf(pid);
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  return (((await cpuSecondsOf(pid)) - before) / idleMs) * 1000;
}

const openedAt = (instances: readonly TestInstance[]): number => instances.reduce((sum, { connections }) => sum + connections, 0);

async function round(port: number, pid: number, idle: number, seconds: number, clients: number): Promise<Omit<Round, "opened">> {
  const before = await cpuSecondsOf(pid);
  const begun = performance.now();
  const load = startLoad({ port, clients });
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const { sent, failed } = await load.stop();
  const took = (performance.now() - begun) / 1000;
  return { rate: sent / took, cost: (((await cpuSecondsOf(pid)) - before - idle * took) / sent) * 1e6, failed };
}

/** An HAProxy as a person would write it for one service. */
async function startPlain(program: string, port: number, servers: readonly number[]) {
  const folder = await mkdtemp(join(tmpdir(), "nuptse-plain-"));
  const watchdog = new Watchdog();
  watchdog.removeAtEnd(folder);
  const file = join(folder, "haproxy.cfg");
  const lines = [
    "global",
    "  maxconn 500",
    "  nbthread 1",
    "defaults",
    "  mode http",
    "  timeout client 1h",
    "  timeout server 60s",
    "  timeout connect 5s",
    "  option redispatch",
    "  option forwardfor",
    "frontend web",
    `  bind 127.0.0.1:${port}`,
    "  default_backend web",
    "backend web",
    "  balance roundrobin",
    ...servers.map((each, index) => `  server s${index} 127.0.0.1:${each} check inter 5s`),
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const component = new Component({
    name: "haproxy",
    binary: program,
    args: ["-db", "-f", file],
    logPath: join(folder, "log"),
    watchdog,
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/`)).ok,
  });
  component.launch();
  await component.ready();
  return {
    pid: component.pid ?? 0,
    async end() {
      await component.end();
      await watchdog.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export default bench;
