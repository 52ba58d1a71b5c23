/**
 * Resident jobs of one item, dispatched to the instances of fleets over HTTP: how long after its instant a run comes to its executor at a steady pace, what
 * that costs, what three kill -9 of the operator do to it, and how fast a burst of one tick is handed over and recorded.
 *
 * Executors are one process on loopback, at the addresses of pods that kubelets without machines have started; what they log is what is judged. All that fires
 * within a second fires at its begin. The pace is taken after every job has run once, since the first run of a job tells status who has its item.
 *
 * The ceiling is a plain loader that posts the same tasks to the same executors, waits for their ends, and writes one status patch for each, as large as the
 * operator's; the operator does not run meanwhile. The burst is compared from the tick to the last stored end.
 *
 * Not measured: a network between, executors that are far away or slow to answer, more than one API server, etcd with fsync.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { countWrites } from "../../hack/control-plane/audit.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { BenchCluster, operatorAgent } from "./support/cluster.ts";
import { burst, burstOfLoader } from "./support/dispatch-burst.ts";
import {
  begunTwice,
  delayRow,
  dispatchedJobs,
  type DispatchLoad,
  dispatchNamespace,
  fleetManifests,
  judgeArrivals,
  periodFor,
} from "./support/dispatch-load.ts";
import { ExecutorsProcess, type LoggedInstance } from "./support/executors-process.ts";
import { largest, median, percentile, rounded } from "./support/figures.ts";
import { appsPath, fleetsServing } from "./support/fleets.ts";
import { fullSecondAfter } from "./support/manifests.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { jobsPath } from "./support/population.ts";
import { tell } from "./support/progress.ts";
import { startWorld } from "./support/world-process.ts";

const nodes = 3;
const port = 18_080;
/** Loopback: whatever stands there is on this machine. */
const podNetwork = 127;
/** What was due is waited for so long at the most. */
const longestMs = 120_000;

const bench: Bench = async (words) => {
  const choice = readArguments(words, {
    jobs: 10_000,
    fleets: 20,
    instances: 10,
    rate: 150,
    seconds: 300,
    kills: 3,
    burst: 5000,
    "work-ms": 20,
    capacity: 60,
    profile: "",
  });
  const period = periodFor(choice.jobs, choice.rate);
  const load: DispatchLoad = { ...choice, port, period };
  if (choice.burst > choice.jobs) throw new Error("--burst cannot be more than --jobs");
  const cluster = await BenchCluster.start();
  const { plane } = cluster;
  const world = await startWorld(plane.kubeconfig, plane.logsFolder, nodes, { podNetwork });
  const start = () =>
    OperatorProcess.start({ kubeconfig: cluster.operatorKubeconfig, logsFolder: plane.logsFolder, profileFolder: choice.profile });
  let operator = await start();
  let executors: ExecutorsProcess | undefined;
  try {
    await operator.leading();
    await cluster.createNamespaces([dispatchNamespace]);
    await cluster.createAll(appsPath(dispatchNamespace), fleetManifests(load));
    await fleetsServing(cluster, choice.fleets);
    const instances = await instancesOf(cluster);
    executors = await ExecutorsProcess.start(instances, port, choice["work-ms"], plane.logsFolder);
    tell(`${choice.fleets} fleets with ${instances.length} executors`);
    const first = fullSecondAfter(20_000 + choice.jobs * 20);
    const jobs = dispatchedJobs(load, first);
    await cluster.createAll(
      jobsPath(dispatchNamespace),
      jobs.map(({ manifest }) => manifest),
    );
    await cluster.armed(dispatchNamespace, choice.jobs);
    if (Date.now() > first - 2000) throw new Error("the jobs were armed too late; is the machine very busy?");

    const from = first + (period + 5) * 1000;
    const to = from + choice.seconds * 1000;
    tell(`armed; the pace is measured from ${((from - Date.now()) / 1000).toFixed(0)} s on`);
    await sleep(from - Date.now());
    const fromByte = await plane.auditPosition();
    const cpuBefore = await operator.cpuSeconds();
    await sleep(to - Date.now());
    const cores = ((await operator.cpuSeconds()) - cpuBefore) / choice.seconds;
    const memory = [(await operator.memory()).peak];
    const { byRequest } = await countWrites(await cluster.audit({ fromByte, until: to }), operatorAgent);
    const pace = judgeArrivals(jobs, await executors.arrivals(), period, from, to);
    const p50 = percentile(pace.delays, 50);
    const p99 = percentile(pace.delays, 99);
    const patches = (byRequest.get("patch elasticjobs/status") ?? 0) / pace.delays.length;
    tell(`${(pace.delays.length / choice.seconds).toFixed(1)} runs/s: p50 ${p50} ms, p99 ${p99} ms, ${cores.toFixed(2)} cores`);

    const outages: number[] = [];
    for (let turn = 1; turn <= choice.kills; turn++) {
      // at any point of a second
      await sleep(5000 + turn * 370);
      await operator.kill();
      const killedAt = performance.now();
      operator = await start();
      await operator.leading(choice.jobs);
      outages.push((performance.now() - killedAt) / 1000);
      memory.push((await operator.memory()).peak);
      tell(`kill -9, turn ${turn}: ready to dispatch after ${outages.at(-1)?.toFixed(1)} s`);
      await sleep(15_000);
    }
    const until = Date.now();
    const judge = async (since: number) => judgeArrivals(jobs, (await executors?.arrivals()) ?? [], period, since, until);
    while ((await judge(first)).missing > 0 && Date.now() < until + longestMs) await sleep(5000);
    const all = await judge(first);
    const shaken = await judge(to);
    memory.push((await operator.memory()).peak);
    tell(`${all.delays.length} fire times, ${all.missing} missing`);

    const together = await burst(cluster, executors, jobs, choice.burst);
    memory.push((await operator.memory()).peak);
    const seconds = [together.seconds, together.recordedSeconds].map((value) => value.toFixed(2));
    tell(`burst: at executors after ${seconds[0]} s, recorded after ${seconds[1]} s, ${together.patches} patches`);
    const arrivals = await executors.arrivals();
    await operator.stop();
    const loaderSeconds = await burstOfLoader(cluster, instances, port, choice.burst);
    tell(`the loader: ${loaderSeconds.toFixed(2)} s`);

    const ranks = together.lags.flatMap(({ isPreferred }, index) => (isPreferred ? [index / together.lags.length] : []));
    const lagsOf = (wanted: boolean) => together.lags.flatMap(({ lag, isPreferred }) => (isPreferred === wanted ? [lag] : []));
    return {
      name: "dispatch",
      figures: {
        runsPerSecond: rounded(pace.delays.length / choice.seconds, 1),
        p50Milliseconds: rounded(p50),
        p99Milliseconds: rounded(p99),
        cores: rounded(cores),
        peakMegabytes: rounded(largest(memory), 1),
        patchesPerRun: rounded(patches, 2),
        missing: all.missing + together.missing,
        twice: begunTwice(arrivals),
        repeatedRequests: arrivals.filter(({ what }) => what === "again").length,
        early: all.early,
        outageSeconds: rounded(largest(outages), 1),
        burstSeconds: rounded(together.seconds, 2),
        burstRecordedSeconds: rounded(together.recordedSeconds, 2),
        burstPatchesPerRun: rounded(together.patches / choice.burst, 2),
        // 0 = the first, 1 = the last; 0.5 = no matter which
        rankOfPreferred: rounded(median(ranks), 2),
        loaderSeconds: rounded(loaderSeconds, 2),
        shareOfLoader: rounded(loaderSeconds / together.recordedSeconds, 2),
      },
      targets: {
        runsPerSecond: { min: Math.min(choice.rate, choice.jobs / period) * 0.97 },
        p50Milliseconds: { max: 10 },
        p99Milliseconds: { max: 50 },
        cores: { max: 1 },
        peakMegabytes: { max: 600 },
        missing: { max: 0 },
        twice: { max: 0 },
        early: { max: 0 },
        burstSeconds: { max: 15 },
        shareOfLoader: { min: 0.5 },
      },
      table: {
        columns: ["from its instant to the executor, ms", "runs", "p50", "p90", "p99", "most"],
        rows: [
          delayRow(`${choice.jobs} jobs on ${instances.length} instances, ${choice.seconds} s`, pace.delays),
          delayRow(
            `the same with ${choice.kills} kill -9, each ${largest(outages).toFixed(0)} s without an operator at most`,
            shaken.delays,
          ),
          delayRow(`${choice.burst} of one tick`, [...lagsOf(true), ...lagsOf(false)]),
          delayRow("of them those of priority 10", lagsOf(true)),
          delayRow("and the others", lagsOf(false)),
        ],
      },
    };
  } finally {
    await operator.stop();
    await executors?.end();
    await world.end();
    await cluster.stop();
  }
};

/** All pods of fleets that have an address. */
async function instancesOf(cluster: BenchCluster): Promise<readonly LoggedInstance[]> {
  const pods = await cluster.list(`/api/v1/namespaces/${dispatchNamespace}/pods`);
  return pods.flatMap(({ metadata, status }) => {
    const address = status?.["podIP"];
    return typeof address === "string" ? [{ id: metadata["uid"] ?? "", address }] : [];
  });
}

export default bench;
