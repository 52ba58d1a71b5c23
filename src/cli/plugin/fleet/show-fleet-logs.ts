import type { Pod } from "../../../api/core.ts";
import { defaultContainer } from "../../../api/default-container.ts";
import { annotations } from "../../../api/names.ts";
import { pods, runnerApps } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { ApiError } from "../../../kube/errors.ts";
import { UsageError } from "../../command-context.ts";
import { CommandFailure } from "../command-failure.ts";
import { openLog } from "../container-log.ts";
import { mergeLogs, mostLogs, type StampedLine } from "../log-merge.ts";
import type { LogsFlags } from "../logs.ts";
import type { Cluster, PluginContext } from "../plugin-context.ts";
import { hasBegun } from "../show-logs.ts";
import { watchWork } from "../watch-work.ts";
import { withCluster } from "../with-cluster.ts";
import { podsOfApp, readApp } from "./app-name.ts";
import { isOf } from "./fleet-picture.ts";

/** Prints the logs of a fleet's instances. */
export async function showFleetLogs(context: PluginContext, name: string, flags: LogsFlags): Promise<void> {
  if (flags.run !== undefined || flags.attempt !== undefined) throw new UsageError("--run and --attempt are for jobs: a fleet has neither");
  if (flags.previous === true && flags.follow === true) throw new UsageError("--previous: what has ended cannot be followed; leave out -f");
  await withCluster(context, flags, async (cluster) => {
    const app = await readApp(cluster, name);
    if (flags.follow === true) await followLogs(context, cluster, app, flags);
    else await printLogs(context, cluster, app, flags);
  });
}

async function printLogs(context: PluginContext, cluster: Cluster, app: RunnerApp, flags: LogsFlags): Promise<void> {
  const { namespace } = cluster;
  const { items } = await cluster.client.list<Pod>(pods, { namespace, labelSelector: podsOfApp(app) });
  const chosen = chosenPods(app, items, flags);
  if (chosen.length === 0) {
    const which = flags.item === undefined ? "no pods" : `no pod of instance ${flags.item}`;
    throw new CommandFailure(`${app.metadata.name} has ${which}, so there are no logs: kubectl nuptse why ra/${app.metadata.name}`);
  }
  if (chosen.length > mostLogs)
    throw new CommandFailure(`${app.metadata.name} has ${chosen.length} pods: choose at most ${mostLogs} with -i, such as -i 0-9`);
  const printer = linePrinter(context, flags, chosen.length > 1);
  const opened = await Promise.all(
    chosen.map(async (pod) => {
      const lines = await openLog(cluster.transport, pod, logQuery(pod, flags, false), context.signal).catch((error: unknown) => {
        // One that has not begun, or has not been started again: the others still have something to say.
        if (!(error instanceof ApiError) || chosen.length === 1) throw error;
        context.output.note(`${nameOf(pod)}: ${error.statusObject?.message ?? error.message}`);
        return undefined;
      });
      return lines === undefined ? [] : [{ source: pod, lines }];
    }),
  );
  for await (const { source, line } of mergeLogs(opened.flat())) printer(source, line);
}

/** Goes on until the app is deleted or suspended; instances that come are followed too. */
async function followLogs(context: PluginContext, cluster: Cluster, app: RunnerApp, flags: LogsFlags): Promise<void> {
  const { clock, signal, output } = context;
  const printer = linePrinter(context, flags, (app.spec.replicas ?? 1) > 1 && flags.item?.size !== 1);
  /** By container and start: one that is started again has a new log. */
  const open = new Set<string>();
  const following: Promise<void>[] = [];
  let told = false;
  const follow = async (pod: Pod, flagsOfIt: LogsFlags) => {
    try {
      for await (const line of await openLog(cluster.transport, pod, logQuery(pod, flagsOfIt, true), signal)) printer(pod, line);
    } catch (error) {
      if (signal.aborted) return;
      output.note(`${nameOf(pod)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  await watchWork(cluster, app, { clock, signal, resource: runnerApps, labelSelector: podsOfApp(app) }, (watched) => {
    const chosen = chosenPods(app, watched.pods, flags).filter((pod) => hasBegun(pod) && pod.metadata.deletionTimestamp === undefined);
    for (const pod of chosen) {
      const { restartCount = 0 } = pod.status?.containerStatuses?.find(({ name }) => name === containerOf(pod, flags)) ?? {};
      const key = `${pod.metadata.uid} ${restartCount}`;
      if (open.has(key)) continue;
      if (open.size >= mostLogs && !told) output.note(`only the first ${mostLogs} logs are followed: choose instances with -i`);
      told ||= open.size >= mostLogs;
      if (told) continue;
      open.add(key);
      following.push(follow(pod, flags));
    }
    return watched.root.spec.suspend === true && watched.pods.length === 0;
  });
  await Promise.all(following);
}

function chosenPods(app: RunnerApp, found: readonly Pod[], { item }: LogsFlags): readonly Pod[] {
  return found
    .filter((pod) => isOf(app, pod) && (item === undefined || item.has(numberOf(pod))))
    .sort((a, b) => numberOf(a) - numberOf(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
}

const numberOf = ({ metadata }: Pod): number => Number(metadata.annotations?.[annotations.instance]);
const nameOf = (pod: Pod): string => `${numberOf(pod)} ${pod.metadata.name}`;
const containerOf = (pod: Pod, { container }: LogsFlags): string => container ?? defaultContainer(pod);

function logQuery(pod: Pod, flags: LogsFlags, follow: boolean) {
  return {
    container: containerOf(pod, flags),
    follow,
    ...(flags.tail !== undefined && { tail: flags.tail }),
    ...(flags.previous === true && { previous: true }),
  };
}

/** Each line with the number of the instance and the name of its pod, where there are several. */
function linePrinter({ output, style }: PluginContext, flags: LogsFlags, prefixed: boolean): (pod: Pod, line: StampedLine) => void {
  return (pod, { time, text }) => {
    const prefix = prefixed ? `${style.busy(`[${nameOf(pod)}]`)} ` : "";
    output.result(`${prefix}${flags.timestamps && time !== "" ? `${style.dim(time)} ` : ""}${text}`);
  };
}
