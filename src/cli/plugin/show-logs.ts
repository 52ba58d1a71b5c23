import type { Pod } from "../../api/core.ts";
import type { ElasticJob, ElasticJobRun } from "../../api/elastic-job.gen.ts";
import { itemLabel, itemOfLabel, labels } from "../../api/names.ts";
import { pods } from "../../api/resource.ts";
import { defaultContainer } from "../../api/default-container.ts";
import { ApiError } from "../../kube/errors.ts";
import { CommandFailure } from "./command-failure.ts";
import { openLog } from "./container-log.ts";
import { mergeLogs, mostLogs, type StampedLine } from "./log-merge.ts";
import type { LogsFlags } from "./logs.ts";
import type { Cluster, PluginContext } from "./plugin-context.ts";
import { readJob } from "./read-picture.ts";
import { isEnded, runViews } from "./run-view.ts";
import { watchJob } from "./watch-job.ts";
import { withCluster } from "./with-cluster.ts";

/** Prints the logs of a run. */
export async function showLogs(context: PluginContext, name: string, flags: LogsFlags): Promise<void> {
  await withCluster(context, flags, async (cluster) => {
    const job = await readJob(cluster, name);
    const dispatched = dispatchedRun(job, flags.run);
    if (dispatched !== undefined) await (await import("./show-item-logs.ts")).showItemLogs(context, cluster, job, dispatched, flags);
    else if (flags.follow) await followLogs(context, cluster, job, flags);
    else await printLogs(context, cluster, job, flags);
  });
}

/** The run of a fleet that is asked for: that of the name, else the newest one where the job has no pods. */
function dispatchedRun({ spec, status }: ElasticJob, wanted: string | undefined): ElasticJobRun | undefined {
  const runs = [...(status?.active ?? []).toReversed(), ...(status?.history ?? [])].filter(({ runner }) => runner !== undefined);
  if (wanted !== undefined) return runs.find(({ run }) => run === wanted);
  return spec.runnerRef === undefined ? undefined : runs[0];
}

async function printLogs(context: PluginContext, cluster: Cluster, job: ElasticJob, flags: LogsFlags): Promise<void> {
  const found = await podsOf(cluster, job);
  const run = chooseRun(job, found, flags.run);
  const chosen = choosePods(found, run, flags);
  if (chosen.length === 0) throw new CommandFailure(nothingChosen(found, run, flags));
  if (chosen.length > mostLogs)
    throw new CommandFailure(`${chosen.length} items of run ${run} have logs: choose at most ${mostLogs} with -i, such as -i 0-9`);
  const printer = linePrinter(context, flags, chosen.length > 1);
  const opened = await Promise.all(
    chosen.map(async (pod) => {
      const lines = await openLog(cluster.transport, pod, logQuery(pod, flags, false), context.signal).catch((error: unknown) => {
        // A container that has not begun, a pod that went meanwhile: the others still have something to say.
        if (!(error instanceof ApiError) || chosen.length === 1) throw error;
        context.output.note(`item ${itemLabel(itemOf(pod))}: ${error.statusObject?.message ?? error.message}`);
        return undefined;
      });
      return lines === undefined ? [] : [{ source: pod, lines }];
    }),
  );
  for await (const { source, line } of mergeLogs(opened.flat())) printer(source, line);
}

async function followLogs(context: PluginContext, cluster: Cluster, job: ElasticJob, flags: LogsFlags): Promise<void> {
  const { clock, signal, output } = context;
  const found = await podsOf(cluster, job);
  const run = chooseRun(job, found, flags.run);
  const several = flags.item === undefined ? (job.spec.sharding?.total ?? 1) > 1 || job.spec.reduce !== undefined : flags.item.size > 1;
  const printer = linePrinter(context, flags, several);
  const open = new Map<string, Promise<void>>();
  let told = false;
  const follow = async (pod: Pod) => {
    try {
      for await (const line of await openLog(cluster.transport, pod, logQuery(pod, flags, true), signal)) printer(pod, line);
    } catch (error) {
      if (signal.aborted) return;
      output.note(`item ${itemLabel(itemOf(pod))}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  await watchJob(cluster, job, { clock, signal, run }, (watched) => {
    for (const pod of choosePods(watched.pods, run, flags)) {
      const uid = pod.metadata.uid as string;
      if (open.has(uid) || !hasBegun(pod)) continue;
      if (open.size >= mostLogs) {
        if (!told) output.note(`only the first ${mostLogs} logs are followed: choose items with -i`);
        told = true;
        continue;
      }
      open.set(uid, follow(pod));
    }
    const view = runViews({ job: watched.job, pods: watched.pods }).find((each) => each.run === run);
    if (view === undefined || !view.live) return true;
    // Whoever follows some items waits for these and not for the others.
    return flags.item !== undefined && view.items.every((item) => !flags.item?.has(item.item) || isEnded(item.phase));
  });
  await Promise.all(open.values());
}

async function podsOf({ client, namespace }: Cluster, job: ElasticJob): Promise<readonly Pod[]> {
  return (await client.list<Pod>(pods, { namespace, labelSelector: `${labels.jobUid}=${job.metadata.uid}` })).items;
}

/** The run that was asked for, else the newest that has pods, those that go on before ended ones. */
function chooseRun(job: ElasticJob, found: readonly Pod[], wanted: string | undefined): string {
  const withPods = new Set(found.map((pod) => pod.metadata.labels?.[labels.run]));
  if (wanted !== undefined) return wanted;
  const run =
    runViews({ job, pods: found }).find((view) => withPods.has(view.run))?.run ??
    [...withPods]
      .filter((each) => each !== undefined)
      .sort()
      .at(-1);
  if (run !== undefined) return run;
  const { name } = job.metadata;
  throw new CommandFailure(
    `${name} has no pods, so there are no logs: kubectl nuptse why ${name} tells what it waits for; spec.podRetention says how long pods are kept`,
  );
}

/** The pods of a run in the order of their items: of each item one attempt. */
function choosePods(found: readonly Pod[], run: string, flags: LogsFlags): readonly Pod[] {
  const chosen = new Map<number, Pod>();
  for (const pod of found) {
    const item = itemOf(pod);
    if (pod.metadata.labels?.[labels.run] !== run || Number.isNaN(item)) continue;
    if (flags.item !== undefined && !flags.item.has(item)) continue;
    const attempt = attemptOf(pod);
    if (flags.attempt !== undefined && flags.attempt !== attempt) continue;
    const known = chosen.get(item);
    if (known === undefined || attemptOf(known) < attempt) chosen.set(item, pod);
  }
  return [...chosen.values()].sort((a, b) => itemOf(a) - itemOf(b));
}

function nothingChosen(found: readonly Pod[], run: string, flags: LogsFlags): string {
  const runs = [...new Set(found.flatMap((pod) => pod.metadata.labels?.[labels.run] ?? []))].sort();
  if (!runs.includes(run))
    return `run ${run} has no pods; ${runs.length === 0 ? "no run has" : `there are those of ${runs.join(", ")}`} (spec.podRetention says how many are kept)`;
  const items = found
    .filter((pod) => pod.metadata.labels?.[labels.run] === run)
    .map((pod) => `${itemLabel(itemOf(pod))}/${attemptOf(pod)}`);
  const asked = [flags.item === undefined ? "" : `item ${flags.item}`, flags.attempt === undefined ? "" : `attempt ${flags.attempt}`];
  return `run ${run} has no pod of ${asked.filter((part) => part !== "").join(", ")}; there are (item/attempt): ${items.sort().slice(0, 20).join(" ")}`;
}

const itemOf = (pod: Pod): number => itemOfLabel(pod.metadata.labels?.[labels.item]);
const attemptOf = (pod: Pod): number => Number(pod.metadata.labels?.[labels.attempt]);

function logQuery(pod: Pod, flags: LogsFlags, follow: boolean) {
  return { container: flags.container ?? defaultContainer(pod), follow, ...(flags.tail !== undefined && { tail: flags.tail }) };
}

/** A container of it runs or has run, so that its log can be opened. */
export function hasBegun(pod: Pod): boolean {
  const name = defaultContainer(pod);
  const state = pod.status?.containerStatuses?.find((status) => status.name === name)?.state;
  return state?.running !== undefined || state?.terminated !== undefined;
}

function linePrinter({ output, style }: PluginContext, flags: LogsFlags, prefixed: boolean): (pod: Pod, line: StampedLine) => void {
  return (pod, { time, text }) => {
    const prefix = prefixed ? `${style.busy(`[${itemLabel(itemOf(pod))}]`)} ` : "";
    output.result(`${prefix}${flags.timestamps && time !== "" ? `${style.dim(time)} ` : ""}${text}`);
  };
}
