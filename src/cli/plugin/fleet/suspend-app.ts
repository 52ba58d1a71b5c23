import { UsageError } from "../../command-context.ts";
import type { PluginContext } from "../plugin-context.ts";
import type { SuspendFlags } from "../requests.ts";
import { withCluster } from "../with-cluster.ts";
import { readApp } from "./app-name.ts";
import { mergeIntoApp } from "./edit-app.ts";
import { end } from "./rollout-acts.ts";
import type { WaitFlags } from "./rollout.ts";

/** Sets spec.suspend of a fleet: it has no instances then, and keeps its size, its revisions and its names. */
export async function suspendApp(context: PluginContext, name: string, flags: SuspendFlags): Promise<void> {
  const given = [flags.until !== undefined && "--until", flags.reason !== undefined && "--reason", flags.output !== undefined && "-o"];
  const wrong = given.find((flag) => flag !== false);
  if (wrong !== undefined) throw new UsageError(`${wrong} is for jobs: a fleet stays suspended until kubectl nuptse resume`);
  await setSuspend(context, name, true, flags);
}

/** Takes it back. */
export async function resumeApp(context: PluginContext, name: string, flags: WaitFlags): Promise<void> {
  await setSuspend(context, name, false, flags);
}

async function setSuspend(context: PluginContext, name: string, suspend: boolean, flags: WaitFlags): Promise<void> {
  await withCluster(context, flags, async (cluster) => {
    const app = await readApp(cluster, name);
    if ((app.spec.suspend ?? false) === suspend)
      return context.output.note(`${app.metadata.name} is ${suspend ? "suspended already" : "not suspended"}`);
    const changed = await mergeIntoApp(cluster, app, { spec: { suspend } });
    await end(context, cluster, changed, suspend ? "suspended" : "resumed", flags);
  });
}
