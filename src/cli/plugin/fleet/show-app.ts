import type { Pod } from "../../../api/core.ts";
import { labels } from "../../../api/names.ts";
import { pods, runnerApps } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { UsageError } from "../../command-context.ts";
import type { Format } from "../cluster-options.ts";
import type { ClusterFlags, PluginContext } from "../plugin-context.ts";
import { printValue } from "../print.ts";
import { withCluster } from "../with-cluster.ts";
import { readFleet } from "./fleet-picture.ts";
import { fleetLines, fleetTable } from "./fleet-table.ts";
import { fleetText } from "./fleet-text.ts";
import { fleetOf, instanceView } from "./instances.ts";
import { revisionViews } from "./revision-view.ts";

type Flags = ClusterFlags & { readonly output?: Format };

/** Prints all fleets of the namespace, or of all. */
export async function showApps(context: PluginContext, flags: Flags): Promise<void> {
  const { clock, output } = context;
  const { lines, namespace } = await withCluster(context, flags, async (cluster) => {
    const scope = flags.allNamespaces === true ? {} : { namespace: cluster.namespace };
    const [apps, found] = await Promise.all([
      cluster.client.list<RunnerApp>(runnerApps, scope),
      cluster.client.list<Pod>(pods, { ...scope, labelSelector: labels.app }),
    ]);
    return { lines: fleetLines(apps.items, found.items, clock.now()), namespace: cluster.namespace };
  });
  if (flags.output === "json" || flags.output === "yaml") await printValue(output, flags.output, lines);
  else if (flags.output === "name") for (const { app } of lines) output.result(`runnerapp.nuptse.dev/${app}`);
  else if (lines.length === 0)
    output.note(
      flags.allNamespaces === true
        ? "there is no RunnerApp; see docs/runnerapp.md"
        : `there is no RunnerApp in ${namespace}; -A shows all namespaces`,
    );
  else for (const line of fleetTable(lines, clock.now(), flags.allNamespaces === true)) output.result(line);
}

/** Prints one fleet with everything about it. */
export async function showApp(context: PluginContext, name: string, flags: Flags): Promise<void> {
  const { clock, output, style } = context;
  if (flags.allNamespaces === true) throw new UsageError("-A is for the table of all apps: leave it out, or the name");
  const picture = await withCluster(context, flags, (cluster) => readFleet(cluster, name, () => clock.now()));
  const { app } = picture;
  const fleet = fleetOf(picture);
  if (flags.output === "name") {
    for (const { has } of fleet.instances) if (has !== undefined) output.result(`pod/${has.pod.metadata.name}`);
  } else if (flags.output === "json" || flags.output === "yaml") {
    const living = fleet.instances.flatMap(({ has }) => (has === undefined || has.facts.isDeleting ? [] : has.facts));
    const { canary, evacuations, recoveries, nodeRules, conditions, admitted } = app.status ?? {};
    await printValue(output, flags.output, {
      app: app.metadata.name,
      namespace: app.metadata.namespace,
      desired: fleet.desired,
      ready: fleet.ready,
      available: fleet.available,
      upToDate: fleet.updated,
      rollout: canary,
      admitted,
      instances: fleet.instances.map(instanceView),
      revisions: revisionViews(app, picture.revisions, living),
      evacuations: evacuations ?? [],
      recoveries: recoveries ?? [],
      nodeRules: nodeRules ?? [],
      conditions: conditions ?? [],
    });
  } else for (const line of fleetText({ picture, fleet, style, wide: flags.output === "wide" })) output.result(line);
}
