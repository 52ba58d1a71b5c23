/**
 * From the start of the operator's process until it may fire anything: it leads, its caches are filled by consistent lists (children before
 * roots) and every ElasticJob has been looked at. Then its memory, and its share of a processor at a steady pace of runs.
 *
 * Most pods are at work in runs of 100 items, the others are kept for their logs after runs that succeeded: an operator has made them all,
 * so what is started finds what it would find. In the last part jobs fire every minute, kubelets and a scheduler without machines (another
 * process) let their pods live for a second, and clean-up is included.
 *
 * Not measured: a network between, the first start of all, in which every job is armed, and the time to pull and start an image.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { countWrites } from "../../hack/control-plane/audit.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { BenchCluster, operatorAgent } from "./support/cluster.ts";
import { largest, median, rounded } from "./support/figures.ts";
import { elasticJob, podTemplate } from "./support/manifests.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { jobsIn, jobsPath, populate } from "./support/population.ts";
import { tell } from "./support/progress.ts";
import { sideBySide } from "./support/side-by-side.ts";
import { startWorld } from "./support/world-process.ts";

const pacedNamespace = "paced";
/** The life of the lock, after which clean-up begins, and a minute for the first runs. */
const settleSeconds = 160;

const bench: Bench = async (words) => {
  const choice = readArguments(words, {
    jobs: 10_000,
    pods: 15_000,
    starts: 5,
    kills: 2,
    "runs-per-second": 12,
    "pace-seconds": 120,
    profile: "",
  });
  const paced = choice["runs-per-second"] * 60;
  const finished = Math.floor(choice.pods / 600) * 100;
  const running = Math.floor((choice.pods - finished) / 100) * 100;
  const population = { namespace: "population", idle: choice.jobs - paced - finished - running / 100, running, finished };
  if (population.idle < 0) throw new Error("there must be more jobs for so many pods and runs");
  const cluster = await BenchCluster.start();
  const { plane } = cluster;
  const start = () =>
    OperatorProcess.start({ kubeconfig: cluster.operatorKubeconfig, logsFolder: plane.logsFolder, profileFolder: choice.profile });
  let operator = await start();
  try {
    await operator.leading();
    await populate(cluster, population);
    await cluster.createNamespaces([pacedNamespace]);
    const names = Array.from({ length: paced }, (_, index) => `paced-${String(index).padStart(4, "0")}`);
    const jobs = names.map((name, index) => {
      const schedule = { crons: [`${index % 60} * * * * ?`] };
      const podRetention = { succeeded: 0, failed: 0 };
      return elasticJob(pacedNamespace, name, { suspend: true, schedule, podRetention, template: podTemplate({ runMs: 1000 }) });
    });
    await cluster.createAll(jobsPath(pacedNamespace), jobs);
    await cluster.armed(pacedNamespace, paced);
    const all = jobsIn(population) + paced;
    await operator.stop();

    const free: number[] = [];
    const memory: number[] = [];
    const idleMemory: number[] = [];
    for (let turn = 1; turn <= choice.starts; turn++) {
      operator = await start();
      free.push((await operator.leading(all)) / 1000);
      const { now, peak } = await operator.memory();
      memory.push(peak);
      idleMemory.push(now);
      tell(`start ${turn}: ready after ${free.at(-1)?.toFixed(2)} s, ${peak.toFixed(0)} MB`);
      await operator.stop();
    }
    const killed: number[] = [];
    for (let turn = 1; turn <= choice.kills; turn++) {
      operator = await start();
      await operator.leading(all);
      await sleep(5000);
      await operator.kill();
      operator = await start();
      killed.push((await operator.leading(all)) / 1000);
      tell(`start ${turn} after kill -9: ready after ${killed.at(-1)?.toFixed(2)} s`);
      await operator.stop();
    }

    operator = await start();
    await operator.leading(all);
    const world = await startWorld(plane.kubeconfig, plane.logsFolder, 3);
    let pace: { readonly cores: number; readonly runs: number; readonly writes: number; readonly peak: number };
    try {
      await sideBySide(names, 32, (name) => cluster.send("PATCH", `${jobsPath(pacedNamespace)}/${name}`, { spec: { suspend: false } }));
      await sleep(settleSeconds * 1000);
      const fromByte = await plane.auditPosition();
      const cpuBefore = await operator.cpuSeconds();
      const begun = performance.now();
      await sleep(choice["pace-seconds"] * 1000);
      const elapsed = (performance.now() - begun) / 1000;
      const cores = ((await operator.cpuSeconds()) - cpuBefore) / elapsed;
      const { peak } = await operator.memory();
      const { total, byRequest } = await countWrites(await cluster.audit({ fromByte }), operatorAgent);
      const runs = (byRequest.get("create pods") ?? 0) / elapsed;
      pace = { cores, runs, writes: total / elapsed, peak };
    } finally {
      await world.end();
    }
    const megabytes = largest([...memory, pace.peak]);
    return {
      name: "cold-start",
      figures: {
        readySeconds: rounded(median(free)),
        readySecondsWorst: rounded(largest(free)),
        readySecondsAfterKill: rounded(median(killed)),
        peakMegabytes: rounded(megabytes, 1),
        coresAtPace: rounded(pace.cores),
        runsPerSecond: rounded(pace.runs, 2),
      },
      targets: {
        readySeconds: { max: 5 },
        peakMegabytes: { max: 600 },
        coresAtPace: { max: 0.2 },
        runsPerSecond: { min: choice["runs-per-second"] * 0.97 },
      },
      table: {
        columns: [`${all} ElasticJobs, ${running} running and ${finished} finished pods`, "median", "worst"],
        rows: [
          [`process start to ready to fire, lease free, s (${free.length} starts)`, median(free).toFixed(2), largest(free).toFixed(2)],
          [
            `the same after kill -9, lease of 15 s still held, s (${killed.length} starts)`,
            median(killed).toFixed(2),
            largest(killed).toFixed(2),
          ],
          ["resident memory when ready, MB", median(idleMemory).toFixed(0), largest(idleMemory).toFixed(0)],
          ["highest resident memory until ready, MB", median(memory).toFixed(0), largest(memory).toFixed(0)],
          [`highest resident memory at ${pace.runs.toFixed(1)} runs/s, MB`, pace.peak.toFixed(0), ""],
          [`cores at ${pace.runs.toFixed(1)} runs/s and ${pace.writes.toFixed(1)} writes/s`, pace.cores.toFixed(3), ""],
        ],
      },
    };
  } finally {
    await operator.stop();
    await cluster.stop();
  }
};

export default bench;
