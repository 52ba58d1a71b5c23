import type { EndpointSlice } from "../../api/endpoint-slice.ts";
import type { ServiceSummary } from "../../api/gateway-state.ts";
import { endpointSlices, runnerApps } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { askLeader, type ExplainService } from "./ask-leader.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Cluster, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import type { ServicesFlags } from "./services.ts";
import { servicesTable, serviceViews } from "./service-view.ts";
import { withCluster } from "./with-cluster.ts";

/** Prints what RunnerApps publish. */
export async function showServices({ output, openCluster }: PluginContext, name: string | undefined, flags: ServicesFlags): Promise<void> {
  const isEverywhere = flags.allNamespaces === true;
  const { views, problem } = await withCluster({ openCluster }, flags, async (cluster) => {
    const { client, namespace } = cluster;
    const where = isEverywhere ? {} : { namespace };
    const [all, slices] = await Promise.all([client.list<RunnerApp>(runnerApps, where), client.list<EndpointSlice>(endpointSlices, where)]);
    const chosen = all.items.filter(({ metadata }) => name === undefined || metadata.name === name);
    if (name !== undefined && chosen.length === 0)
      throw new CommandFailure(`there is no RunnerApp ${name}${isEverywhere ? "" : ` in the namespace ${namespace}`}`);
    const live = await askOf(cluster, chosen, flags.explainService);
    return { views: serviceViews(chosen, slices.items, live.services), problem: live.problem };
  });
  if (views.length > 0 && problem !== undefined) output.note(`what the gateways have cannot be told: ${problem}`);
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

/** So many apps are asked about at once. */
const mostApps = 100;

interface Live {
  readonly services: readonly ServiceSummary[];
  /** Why some of it is not known. */
  readonly problem?: string;
}

/** What the gateways say of the apps that have a place at them. */
async function askOf(cluster: Cluster, apps: readonly RunnerApp[], service: ExplainService): Promise<Live> {
  const uids = apps
    .filter(({ status }) => status?.services?.some(({ gatewayPort }) => gatewayPort !== undefined) === true)
    .map(({ metadata }) => metadata.uid ?? "");
  const services: ServiceSummary[] = [];
  for (let from = 0; from < uids.length; from += mostApps) {
    const word = await askLeader(cluster, service, "services", { uid: uids.slice(from, from + mostApps).join(",") });
    if (word.kind === "silent") return { services, problem: word.problem };
    const { ready, told } = word.answer.gateways;
    services.push(...word.answer.services);
    if (told < ready) return { services, problem: `${ready - told} of ${ready} gateways did not answer` };
  }
  return { services };
}
