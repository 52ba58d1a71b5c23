/**
 * The gateway's agent beside a real HAProxy 3.0 on this machine: the first fill, one change until it has traffic, and a stream of changes.
 *
 * What there is to serve comes from lists and watches as an API server answers them, which a stub in a process of its own does as fast as it is told to:
 * whatever an API server itself takes is not in the figures. All instances are six small servers on loopback that every service shares; HAProxy checks each of its
 * servers on its own, as it would. HAProxy needs a file descriptor for each check, two for each connection and one for each port: 19,000 here.
 * The agent's memory is that of this process, with the load and the servers in it.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { defaultTimings } from "../../src/gateway/agent.ts";
import { parseInfo } from "../../src/haproxy/rules/replies.ts";
import { freeRange } from "../gateway/support/free-range.ts";
import { startGateway, type TestGateway } from "../gateway/support/gateway.ts";
import { startInstance, type TestInstance } from "../gateway/support/instances.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { largest, percentile, rounded } from "./support/figures.ts";
import { type GatewayFeed, startGatewayFeed } from "./support/gateway-feed.ts";
import { gatewaySettings, portsBeside } from "./support/gateway-settings.ts";
import { tell } from "./support/progress.ts";

const servers = 6;

const bench: Bench = async (words) => {
  const choice = readArguments(words, { services: 2500, changes: 200, churnSeconds: 60, changesPerSecond: 500 });
  const first = await freeRange(choice.services + portsBeside);
  const instances = await startInstances();
  const usual = instances.slice(0, servers);
  const spare = instances[servers] as TestInstance;
  const feed = await startGatewayFeed();
  const gateway = await startGateway(await ensureHaproxy("3.0"), {
    settings: gatewaySettings(first, choice.services),
    timings: defaultTimings,
    source: feed.source,
  });
  try {
    for (let index = 0; index < choice.services; index++) {
      feed.publish(index, first + index);
      feed.place(index, usual);
    }
    tell(`${choice.services} services of ${servers} instances are there`);
    await feed.begin();
    const begun = performance.now();
    while ((await answerOf(first + choice.services - 1)) === undefined) await sleep(5);
    const fillSeconds = (performance.now() - begun) / 1000;
    await gateway.settled();
    const reloadsOfFill = gateway.reloads.succeeded;
    tell(`filled after ${fillSeconds.toFixed(1)} s; ${choice.changes} single changes`);
    const delays = await singleChanges(feed, { first, usual, spare, ...choice });
    await gateway.settled();
    const workerMegabytes = await workerMemory(gateway);
    const agentMegabytes = process.memoryUsage.rss() / 2 ** 20;
    tell(`${choice.changesPerSecond} changes a second for ${choice.churnSeconds} s`);
    const lags = await churn(gateway, feed, { usual, spare, ...choice });
    const reloads = gateway.reloads.succeeded - reloadsOfFill;
    return {
      name: "gateway",
      figures: {
        fillSeconds: rounded(fillSeconds),
        changeP50Milliseconds: rounded(percentile(delays, 50)),
        changeP99Milliseconds: rounded(percentile(delays, 99)),
        workerMegabytes: rounded(workerMegabytes, 1),
        agentMegabytes: rounded(agentMegabytes, 1),
        churnLagP99Seconds: rounded(percentile(lags, 99)),
        churnReloads: reloads,
        failedReloads: gateway.reloads.failed,
      },
      targets: {
        fillSeconds: { max: 3 },
        changeP99Milliseconds: { max: 300 },
        workerMegabytes: { max: 160 },
        agentMegabytes: { max: 200 },
        churnLagP99Seconds: { max: 1 },
        churnReloads: { max: 0 },
        failedReloads: { max: 0 },
      },
      table: {
        columns: ["", "services", "n", "p50", "p99", "most"],
        rows: [
          row("one change until it has traffic, ms", choice.services, delays, (value) => value.toFixed(0)),
          row(`lag at ${choice.changesPerSecond} changes/s, s`, choice.services, lags, (value) => value.toFixed(3)),
        ],
      },
    };
  } finally {
    await gateway.close();
    await feed.close();
    for (const instance of instances) instance.kill();
  }
};

/** One port, as endpoints of one slice have it, on an address each. */
async function startInstances(): Promise<readonly TestInstance[]> {
  const instances = [await startInstance("instance-0")];
  while (instances.length <= servers) {
    const index = instances.length;
    instances.push(await startInstance(`instance-${index}`, `127.0.0.${index + 1}`, instances[0]?.port));
  }
  return instances;
}

async function answerOf(port: number): Promise<string | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    return response.status === 200 ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

interface Changing {
  readonly services: number;
  /** The instances of every service, and the one that comes in. */
  readonly usual: readonly TestInstance[];
  readonly spare: TestInstance;
}

/** Milliseconds until the only instance of a service is another one, as a client sees it. */
async function singleChanges(
  feed: GatewayFeed,
  { first, services, usual, spare, changes }: Changing & { readonly first: number; readonly changes: number },
): Promise<readonly number[]> {
  const delays: number[] = [];
  for (let change = 0; change < changes; change++) {
    const index = (change * 7919) % services;
    const begun = performance.now();
    feed.place(index, [spare]);
    while ((await answerOf(first + index)) !== spare.name) await sleep(1);
    delays.push(performance.now() - begun);
    feed.place(index, usual);
  }
  return delays;
}

/** The lag, looked at ten times a second. */
async function churn(
  gateway: TestGateway,
  feed: GatewayFeed,
  {
    services,
    usual,
    spare,
    churnSeconds,
    changesPerSecond,
  }: Changing & { readonly churnSeconds: number; readonly changesPerSecond: number },
): Promise<readonly number[]> {
  const lags: number[] = [];
  const step = 20;
  const changed = [...usual.slice(1), spare];
  let next = 0;
  const until = performance.now() + churnSeconds * 1000;
  for (let at = performance.now(), round = 0; at < until; at += step, round++) {
    for (let change = 0; change < (changesPerSecond * step) / 1000; change++) {
      const isEven = Math.floor(next / services) % 2 === 0;
      feed.place(next++ % services, isEven ? changed : usual);
    }
    if (round % 5 === 0) lags.push(gateway.agent.lagMs() / 1000);
    await sleep(Math.max(0, at + step - performance.now()));
  }
  await gateway.settled();
  return lags;
}

async function workerMemory(gateway: TestGateway): Promise<number> {
  const { pid } = parseInfo((await gateway.haproxy.runtime.ask(["show info"]))[0] ?? "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

const row = (name: string, services: number, values: readonly number[], shown: (value: number) => string): readonly string[] => [
  name,
  String(services),
  String(values.length),
  shown(percentile(values, 50)),
  shown(percentile(values, 99)),
  shown(largest(values)),
];

export default bench;
