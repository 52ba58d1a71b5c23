import type { Format } from "./cluster-options.ts";
import type { JobPicture } from "./job-picture.ts";
import { historyTable } from "./history-table.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { readPicture } from "./read-picture.ts";
import { type RunView, runViews } from "./run-view.ts";
import { phaseStyle } from "./style.ts";
import type { TraceFlags } from "./trace-runs.ts";
import { withCluster } from "./with-cluster.ts";

/** Prints the runs of a job. */
export async function showHistory(
  context: PluginContext,
  name: string,
  flags: ClusterFlags & TraceFlags & { readonly output?: Format },
): Promise<void> {
  const { clock, output, style } = context;
  const picture = await withCluster(context, flags, (cluster) => readPicture(cluster, name, () => clock.now()));
  const told = runViews(picture);
  const runs = inOrder(told, await onlyTraced(context, flags, picture, told));
  if (flags.output === "json" || flags.output === "yaml") {
    await printValue(output, flags.output, runs);
  } else if (flags.output === "name") {
    for (const { run } of runs) output.result(run);
  } else if (runs.length === 0) {
    output.result(`${picture.job.metadata.name} has not run yet, or spec.history keeps no runs.`);
  } else {
    const [head = "", ...rows] = historyTable(runs, picture.now, flags.output === "wide");
    output.result(head);
    // The phase is the third column; it is coloured after the columns were aligned.
    for (const row of rows) output.result(row.replace(/(?<=^\S+ +\S+ +)\S+/, (phase) => phaseStyle(style, phase)));
  }
}

/** Runs of the trace that status and pods no longer tell of. */
async function onlyTraced(
  context: PluginContext,
  flags: TraceFlags,
  { job }: Pick<JobPicture, "job">,
  told: readonly RunView[],
): Promise<readonly RunView[]> {
  if (flags.trace === undefined) return [];
  const { tracedRuns } = await import("./trace-runs.ts");
  const { namespace = "default", name } = job.metadata;
  const known = new Set(told.map(({ run }) => run));
  return (await tracedRuns(context, flags, { namespace, job: name })).filter(({ run }) => !known.has(run));
}

/** Those that go on first, then the ended ones, the newest fire time first. */
function inOrder(told: readonly RunView[], traced: readonly RunView[]): readonly RunView[] {
  if (traced.length === 0) return told;
  const ended = [...told.filter(({ live }) => !live), ...traced];
  return [...told.filter(({ live }) => live), ...ended.sort((a, b) => ((a.fireTime ?? "") < (b.fireTime ?? "") ? 1 : -1))];
}
