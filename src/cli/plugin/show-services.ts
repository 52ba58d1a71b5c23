import type { EndpointSlice } from "../../api/endpoint-slice.ts";
import { endpointSlices, runnerApps } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { servicesTable, serviceViews } from "./service-view.ts";
import { withCluster } from "./with-cluster.ts";

/** Prints what RunnerApps publish. */
export async function showServices(
  { output, openCluster }: PluginContext,
  name: string | undefined,
  flags: ClusterFlags & { readonly output?: Format; readonly allNamespaces?: boolean },
): Promise<void> {
  const isEverywhere = flags.allNamespaces === true;
  const { apps, slices } = await withCluster({ openCluster }, flags, async ({ client, namespace }) => {
    const where = isEverywhere ? {} : { namespace };
    const [all, found] = await Promise.all([client.list<RunnerApp>(runnerApps, where), client.list<EndpointSlice>(endpointSlices, where)]);
    const chosen = all.items.filter(({ metadata }) => name === undefined || metadata.name === name);
    if (name !== undefined && chosen.length === 0)
      throw new CommandFailure(`there is no RunnerApp ${name}${isEverywhere ? "" : ` in the namespace ${namespace}`}`);
    return { apps: chosen, slices: found.items };
  });
  const views = serviceViews(apps, slices);
  if (flags.output === "json" || flags.output === "yaml") {
    await printValue(output, flags.output, views);
    return;
  }
  if (views.length === 0) {
    output.note("nothing is published; see docs/gateway.md");
    return;
  }
  for (const line of servicesTable(views, isEverywhere, flags.output === "wide")) output.result(line);
}
