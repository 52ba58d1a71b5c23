import type { Format } from "./cluster-options.ts";
import { historyTable } from "./history-table.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { readPicture } from "./read-picture.ts";
import { runViews } from "./run-view.ts";
import { phaseStyle } from "./style.ts";
import { withCluster } from "./with-cluster.ts";

/** Prints the runs of a job. */
export async function showHistory(context: PluginContext, name: string, flags: ClusterFlags & { readonly output?: Format }): Promise<void> {
  const { clock, output, style } = context;
  const picture = await withCluster(context, flags, (cluster) => readPicture(cluster, name, () => clock.now()));
  const runs = runViews(picture);
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
