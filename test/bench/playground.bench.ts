/**
 * The playground as users start it, from the bundle: how long until it is up, what it holds in memory, empty and full, and how fast pods are
 * created in it: in one process without any socket, and over HTTPS with 32 requests in flight, there beside a real API server with etcd.
 *
 * The pods of the creations are gated, so that nobody schedules or runs them. Processor time of the servers is shown beside the rates: on two
 * cores client and server share the machine, and a rate on a busy machine says little. Full = jobs that are armed and at rest, and pods that
 * run for ever, on kubelets that play them.
 *
 * Not measured: kubectl's own start, containers as processes, watches that thousands of clients hold.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { controllerRevisions, elasticJobs, pods, type Resource } from "../../src/api/resource.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { closeChildren } from "./support/child.ts";
import { BenchCluster } from "./support/cluster.ts";
import { largest, median, rounded } from "./support/figures.ts";
import { type LoadTarget, sendLoad } from "./support/loader.ts";
import { elasticJob, farAway, heldPod, podTemplate, yearlyAtSecond } from "./support/manifests.ts";
import { PlaygroundProcess } from "./support/playground-process.ts";
import { cpuSecondsOf } from "./support/process-figures.ts";
import { tell } from "./support/progress.ts";
import { sideBySide } from "./support/side-by-side.ts";

const namespace = "default";
const width = 32;
const podsPerNode = 110;
const creator = join(import.meta.dirname, "processes/creator.ts");

/** So many creations, on the wall and in the processor time of whoever serves them. */
interface Rate {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

const bench: Bench = async (words) => {
  const choice = readArguments(words, {
    starts: 5,
    pods: 15_000,
    jobs: 10_000,
    creations: 20_000,
    "warm-up": 5000,
    rounds: 3,
    "settle-seconds": 20,
    profile: "",
  });
  const profile = choice.profile ? ["--cpu-prof", `--cpu-prof-dir=${choice.profile}`] : [];
  try {
    const starts = await measuredStarts(choice.starts, choice["settle-seconds"] / 4);
    const full = await fullMemory(choice.pods, choice.jobs, choice["settle-seconds"], profile);
    const inProcess: Rate[] = [];
    for (let round = 0; round < choice.rounds; round++) {
      inProcess.push(await createdInProcess(choice.creations, choice["warm-up"], profile));
      tell(`in process: ${inProcess.at(-1)?.perSecond.toFixed(0)} pods a second`);
    }
    const { ours, theirs } = await createdOverHttps(choice.creations, choice["warm-up"], choice.rounds, profile);
    const rate = (rates: readonly Rate[], of: keyof Rate) => median(rates.map((each) => each[of]));
    return {
      name: "playground",
      figures: {
        readySeconds: rounded(median(starts.readySeconds), 2),
        readyCpuSeconds: rounded(median(starts.cpuSeconds), 2),
        emptyMegabytes: rounded(largest(starts.megabytes), 0),
        fullMegabytes: rounded(full.now, 0),
        fullPeakMegabytes: rounded(full.peak, 0),
        inProcessPerSecond: rounded(rate(inProcess, "perSecond"), 0),
        inProcessPerCpuSecond: rounded(rate(inProcess, "perCpuSecond"), 0),
        httpsPerSecond: rounded(rate(ours, "perSecond"), 0),
        httpsPerCpuSecond: rounded(rate(ours, "perCpuSecond"), 0),
        realPerSecond: rounded(rate(theirs, "perSecond"), 0),
        realPerCpuSecond: rounded(rate(theirs, "perCpuSecond"), 0),
      },
      targets: {
        readySeconds: { max: 3 },
        emptyMegabytes: { max: 150 },
        fullMegabytes: { max: 1000 },
        inProcessPerSecond: { min: 5000 },
        httpsPerSecond: { min: 2000 },
      },
      table: {
        columns: ["load", "median", "worst", "per second of processor time"],
        rows: [
          row(`process start to up, s (${choice.starts} starts)`, starts.readySeconds, 2),
          row("processor time of a start, s", starts.cpuSeconds, 2),
          row("resident memory when empty, MB", starts.megabytes, 0),
          [`with ${choice.jobs} jobs and ${choice.pods} running pods, MB (highest ever)`, full.now.toFixed(0), full.peak.toFixed(0), ""],
          rateRow(`pods created in process, a second (${choice.rounds} rounds of ${choice.creations})`, inProcess),
          rateRow(`pods created over HTTPS, ${width} in flight, a second`, ours),
          rateRow("the same in a real API server with etcd, a second", theirs),
        ],
      },
    };
  } finally {
    await closeChildren();
  }
};

async function measuredStarts(count: number, settleSeconds: number) {
  const readySeconds: number[] = [];
  const cpuSeconds: number[] = [];
  const megabytes: number[] = [];
  for (let turn = 1; turn <= count; turn++) {
    const playground = await PlaygroundProcess.start([]);
    try {
      readySeconds.push(playground.readyMs / 1000);
      cpuSeconds.push(await playground.cpuSeconds());
      await sleep(settleSeconds * 1000);
      megabytes.push((await playground.memory()).now);
      tell(`start ${turn}: up after ${readySeconds.at(-1)?.toFixed(2)} s, ${megabytes.at(-1)?.toFixed(0)} MB`);
    } finally {
      await playground.stop();
    }
  }
  return { readySeconds, cpuSeconds, megabytes };
}

/** Resident memory in MB of a playground with so many jobs at rest and pods at work. */
async function fullMemory(podCount: number, jobCount: number, settleSeconds: number, profile: readonly string[]) {
  const nodes = Math.ceil(podCount / podsPerNode) + 1;
  const playground = await PlaygroundProcess.start(["--kubelet", "stages", "--nodes", String(nodes)], profile);
  try {
    const client = await playground.client();
    const schedule = { crons: [yearlyAtSecond(farAway(Date.now()))] };
    await createAll(client, elasticJobs, jobCount, (name) => elasticJob(namespace, name, { schedule, template: podTemplate({}) }));
    await playground.until("jobs to be armed", 300_000, () => atLeast(client, controllerRevisions, jobCount));
    tell(`${jobCount} jobs are armed`);
    const template = podTemplate({}, { restartPolicy: "Always" });
    await createAll(client, pods, podCount, (name) => ({ ...template, metadata: { namespace, name } }));
    const running = { fieldSelector: "status.phase=Running" };
    await playground.until("pods to run", 300_000, () => atLeast(client, pods, podCount, running));
    tell(`${podCount} pods run`);
    await sleep(settleSeconds * 1000);
    return await playground.memory();
  } finally {
    await playground.stop();
  }
}

async function createAll(client: KubeClient, resource: Resource, count: number, body: (name: string) => unknown): Promise<void> {
  const names = Array.from({ length: count }, (_, at) => `bench-${String(at).padStart(5, "0")}`);
  await sideBySide(names, width, (name) => client.create(resource, body(name) as never));
}

/** What is missing of so many objects; they are counted by pages, so that no answer is large. */
async function atLeast(client: KubeClient, resource: Resource, wanted: number, filter: object = {}): Promise<string | undefined> {
  let count = 0;
  let token: string | undefined;
  do {
    const page = await client.list(resource, { ...filter, limit: 500, ...(token === undefined ? {} : { continue: token }) });
    count += page.items.length;
    token = page.metadata.continue;
  } while (token !== undefined && token !== "");
  return count >= wanted ? undefined : `${count} of ${wanted}`;
}

async function createdInProcess(count: number, warmUp: number, profile: readonly string[]): Promise<Rate> {
  const { stdout } = await promisify(execFile)(process.execPath, [...profile, creator, String(count), String(warmUp)]);
  const { seconds, cpuSeconds } = JSON.parse(stdout) as { readonly seconds: number; readonly cpuSeconds: number };
  return { perSecond: count / seconds, perCpuSecond: count / cpuSeconds };
}

/** One after the other in each round, so that both meet the same machine. */
async function createdOverHttps(count: number, warmUp: number, rounds: number, profile: readonly string[]) {
  const ours: Rate[] = [];
  const theirs: Rate[] = [];
  if (rounds === 0) return { ours, theirs };
  const cluster = await BenchCluster.start({ audit: false });
  const playground = await PlaygroundProcess.start(["--kubelet", "stages", "--nodes", "1", "--no-operator"], profile);
  const embedded = { plane: { logsFolder: playground.folder }, loaderKubeconfig: playground.kubeconfig };
  const { apiserver = 0, etcd = 0 } = realPids(cluster);
  try {
    const send = (target: LoadTarget, round: string, pids: readonly number[], created: number) =>
      createdBySocket(target, round, pids, created);
    await send(embedded, "warm", [playground.pid], warmUp);
    await send(cluster, "warm", [apiserver, etcd], warmUp);
    for (let round = 0; round < rounds; round++) {
      ours.push(await send(embedded, `r${round}`, [playground.pid], count));
      theirs.push(await send(cluster, `r${round}`, [apiserver, etcd], count));
      tell(`over HTTPS: ${ours.at(-1)?.perSecond.toFixed(0)} pods a second, the real server ${theirs.at(-1)?.perSecond.toFixed(0)}`);
    }
  } finally {
    await playground.stop();
    await cluster.stop();
  }
  return { ours, theirs };
}

function realPids(cluster: BenchCluster): { readonly apiserver?: number; readonly etcd?: number } {
  const pids = cluster.plane.pids();
  return { apiserver: pids["kube-apiserver"] ?? 0, etcd: pids["etcd"] ?? 0 };
}

async function createdBySocket(target: LoadTarget, round: string, pids: readonly number[], count: number): Promise<Rate> {
  const requests = Array.from({ length: count }, (_, at) => ({
    path: `/api/v1/namespaces/${namespace}/pods`,
    body: JSON.stringify(heldPod(namespace, `${round}-${String(at).padStart(6, "0")}`)),
  }));
  const cpu = async () => (await Promise.all(pids.map(cpuSecondsOf))).reduce((sum, each) => sum + each, 0);
  let before = 0;
  const load = { method: "POST", contentType: "application/json", watched: [], requests } as const;
  const begun = await sendLoad(target, round, load, async () => {
    before = await cpu();
  });
  const seconds = (Date.now() - begun) / 1000;
  return { perSecond: count / seconds, perCpuSecond: count / ((await cpu()) - before) };
}

function row(label: string, values: readonly number[], digits: number): readonly string[] {
  return [label, median(values).toFixed(digits), largest(values).toFixed(digits), ""];
}

function rateRow(label: string, rates: readonly Rate[]): readonly string[] {
  const perSecond = rates.map((rate) => rate.perSecond);
  const slowest = -largest(perSecond.map((value) => -value));
  return [label, median(perSecond).toFixed(0), slowest.toFixed(0), median(rates.map((rate) => rate.perCpuSecond)).toFixed(0)];
}

export default bench;
