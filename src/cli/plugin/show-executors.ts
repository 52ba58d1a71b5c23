import type { Pod } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { EndpointSlice } from "../../api/endpoint-slice.ts";
import { labels } from "../../api/names.ts";
import { elasticJobs, endpointSlices, pods as podResource, runnerApps } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { Format } from "./cluster-options.ts";
import { CommandFailure } from "./command-failure.ts";
import { executorsTable, executorViews } from "./executor-view.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { withCluster } from "./with-cluster.ts";

/** Prints the instances that take items, and what they have. */
export async function showExecutors(
  { output, openCluster }: PluginContext,
  name: string | undefined,
  flags: ClusterFlags & { readonly output?: Format; readonly allNamespaces?: boolean },
): Promise<void> {
  const isEverywhere = flags.allNamespaces === true;
  const views = await withCluster({ openCluster }, flags, async ({ client, namespace }) => {
    const where = isEverywhere ? {} : { namespace };
    const [apps, jobs, pods] = await Promise.all([
      client.list<RunnerApp>(runnerApps, where),
      client.list<ElasticJob>(elasticJobs, where),
      client.list<Pod>(podResource, { ...where, labelSelector: labels.app }),
    ]);
    const chosen = apps.items.filter(({ metadata }) => name === undefined || metadata.name === name);
    if (name !== undefined && chosen.length === 0)
      throw new CommandFailure(`there is no RunnerApp ${name}${isEverywhere ? "" : ` in the namespace ${namespace}`}`);
    const isOfOthers = chosen.some(({ spec }) => spec.endpoints !== undefined && spec.executor !== undefined);
    const slices = isOfOthers ? (await client.list<EndpointSlice>(endpointSlices, where)).items : [];
    return executorViews({ apps: chosen, jobs: jobs.items, pods: pods.items, slices });
  });
  if (flags.output === "json" || flags.output === "yaml") {
    await printValue(output, flags.output, views);
    return;
  }
  if (views.length === 0) {
    output.note("no instance takes items; see docs/resident.md");
    return;
  }
  for (const line of executorsTable(views, isEverywhere, flags.output === "wide")) output.result(line);
}
