import { annotations } from "../../../api/names.ts";
import { pods } from "../../../api/resource.ts";
import { formatSeconds } from "../../../base/time.ts";
import { UsageError } from "../../command-context.ts";
import type { Cluster, PluginContext } from "../plugin-context.ts";
import { podNameOf } from "../show-why-pod.ts";
import { withCluster } from "../with-cluster.ts";
import type { RestartFlags } from "./acts.ts";
import { annotate } from "./annotate.ts";
import { readApp } from "./app-name.ts";
import { type ChosenPod, chosenInstances, readInstancePod } from "./chosen-instances.ts";
import { mergeIntoApp } from "./edit-app.ts";
import { end } from "./rollout-acts.ts";
import { appOfPod } from "./show-why-app.ts";
import { waitForRollout } from "./wait-for-rollout.ts";

const secondMs = 1000;

/** Replaces all instances of a fleet, or single ones, once. */
export async function restart(context: PluginContext, name: string, flags: RestartFlags): Promise<void> {
  const pod = podNameOf(name);
  if (pod !== undefined && flags.instance !== undefined)
    throw new UsageError("-i is for the instances of an app: leave it out, or name the app");
  await withCluster(context, flags, async (cluster) => {
    if (pod !== undefined) {
      const one = await readInstancePod(cluster, pod);
      await mark(context, cluster, [one]);
      if (flags.wait === true) await waitForRollout(context, cluster, await readApp(cluster, appOfPod(one.pod) as string), flags.timeout);
      return;
    }
    const app = await readApp(cluster, name);
    const chosen = await chosenInstances(cluster, app, flags.instance);
    if (flags.instance !== undefined) {
      await mark(context, cluster, chosen);
      if (flags.wait === true) await waitForRollout(context, cluster, app, flags.timeout);
      return;
    }
    // Later than every pod's creation and than the last restart, by clocks that agree in whole seconds only.
    const after = [Date.parse(app.spec.restartedAt ?? "") || 0, ...chosen.map(({ facts }) => facts.createdAt)];
    const at = Math.max(Math.ceil(cluster.serverNow() / secondMs) * secondMs, Math.max(...after) + secondMs);
    const changed = await mergeIntoApp(cluster, app, { spec: { restartedAt: formatSeconds(at) } });
    await end(context, cluster, changed, `restarts ${chosen.length} instances, one after the other`, flags);
  });
}

async function mark({ output }: PluginContext, cluster: Cluster, chosen: readonly ChosenPod[]): Promise<void> {
  for (const { pod, facts } of chosen) {
    const { name, namespace = cluster.namespace, uid } = pod.metadata;
    const ref = { name, namespace, ...(uid !== undefined && { uid }) };
    await annotate(cluster, pods, ref, annotations.restart, formatSeconds(cluster.serverNow()));
    output.result(`pod/${name} (instance ${facts.instance}) is to be replaced`);
  }
}
