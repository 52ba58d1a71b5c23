/**
 * The gateway's agent beside a real HAProxy 3.0 on this machine: the first fill, one change until it has traffic, and a stream of changes.
 *
 * What there is to serve comes from this process, as informers would hand it over, so the API server and its watches are not in the figures.
 * All instances are six small servers on loopback that every service shares; HAProxy checks each of its servers on its own, as it would.
 * HAProxy needs a file descriptor for each check, two for each connection and one for each port: 19,000 here.
 * The agent's memory is that of this process, with the load and the six servers in it.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { parseInfo } from "../../src/haproxy/rules/replies.ts";
import type { Instance, PublishedService } from "../../src/haproxy/rules/published-service.ts";
import { freeRange } from "../gateway/support/free-range.ts";
import { startGateway, type TestGateway } from "../gateway/support/gateway.ts";
import { startInstance, type TestInstance } from "../gateway/support/instances.ts";
import { makeService } from "../support/builders/published-service.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { largest, percentile, rounded } from "./support/figures.ts";
import { tell } from "./support/progress.ts";

const servers = 6;

const bench: Bench = async (words) => {
  const choice = readArguments(words, { services: 2500, changes: 200, churnSeconds: 60, changesPerSecond: 500 });
  const first = await freeRange(choice.services + 200);
  const pool = { first, last: first + choice.services + 99 };
  const instances = await Promise.all(Array.from({ length: servers + 1 }, (_, index) => startInstance(`instance-${index}`)));
  const gateway = await startGateway(await ensureHaproxy("3.0"), {
    settings: {
      pools: [pool],
      httpPort: pool.last + 1,
      httpsPort: pool.last + 2,
      metricsBind: `127.0.0.1:${pool.last + 3}`,
      sparePorts: 50,
      maxConnections: 500,
    },
    timings: { gatherMs: 100, reloadGapMs: 5000, probeMs: 1000, fileDelayMs: 1000, resyncMs: 60_000 },
  });
  try {
    const services = Array.from({ length: choice.services }, (_, index) =>
      serviceOf(index, pool.first + index, instances.slice(0, servers)),
    );
    tell(`${choice.services} services of ${servers} instances are offered`);
    const begun = performance.now();
    gateway.offer(services);
    const last = services.at(-1) as PublishedService;
    while ((await answerOf(last.port)) === undefined) await sleep(5);
    const fillSeconds = (performance.now() - begun) / 1000;
    await gateway.settled();
    const reloadsOfFill = gateway.reloads.succeeded;
    tell(`filled after ${fillSeconds.toFixed(1)} s; ${choice.changes} single changes`);
    const delays = await singleChanges(gateway, services, instances, choice.changes);
    await gateway.settled();
    const workerMegabytes = await workerMemory(gateway);
    const agentMegabytes = process.memoryUsage.rss() / 2 ** 20;
    tell(`${choice.changesPerSecond} changes a second for ${choice.churnSeconds} s`);
    const lags = await churn(gateway, services, instances, choice.churnSeconds, choice.changesPerSecond);
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
    for (const instance of instances) instance.kill();
  }
};

function serviceOf(index: number, port: number, instances: readonly TestInstance[]): PublishedService {
  return makeService({ name: `app-${index}`, protocol: "HTTP", port, instances: instances.map((instance) => inService(instance, index)) });
}

/** Instances are shared; as servers they are their service's own. */
function inService(instance: TestInstance, index: number): Instance {
  return { ...instance.asInstance(), pod: `app-${index}-${instance.name}` };
}

async function answerOf(port: number): Promise<string | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    return response.status === 200 ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

/** Milliseconds until the only instance of a service is another one, as a client sees it. */
async function singleChanges(
  gateway: TestGateway,
  services: PublishedService[],
  instances: readonly TestInstance[],
  count: number,
): Promise<readonly number[]> {
  const delays: number[] = [];
  for (let change = 0; change < count; change++) {
    const index = (change * 7919) % services.length;
    const old = services[index] as PublishedService;
    const instance = instances[servers] as TestInstance;
    services[index] = { ...old, instances: [inService(instance, index)] };
    const begun = performance.now();
    gateway.offer([...services]);
    while ((await answerOf(old.port)) !== instance.name) await sleep(1);
    delays.push(performance.now() - begun);
    services[index] = old;
  }
  return delays;
}

/** The lag, looked at ten times a second. */
async function churn(
  gateway: TestGateway,
  services: PublishedService[],
  instances: readonly TestInstance[],
  seconds: number,
  perSecond: number,
): Promise<readonly number[]> {
  const lags: number[] = [];
  const step = 20;
  const spare = instances[servers] as TestInstance;
  const original = [...services];
  let next = 0;
  const until = performance.now() + seconds * 1000;
  for (let at = performance.now(), round = 0; at < until; at += step, round++) {
    for (let change = 0; change < (perSecond * step) / 1000; change++) {
      const index = next++ % services.length;
      const old = original[index] as PublishedService;
      const isOut = services[index] !== old;
      services[index] = isOut ? old : { ...old, instances: [...old.instances.slice(1), inService(spare, index)] };
    }
    gateway.offer([...services]);
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
