import { tenantQueues } from "../../api/resource.ts";
import type { TenantQueue } from "../../api/tenant-queue.gen.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { queueTree, queueViews } from "./queue-tree-text.ts";
import { withCluster } from "./with-cluster.ts";

/** Prints the trees of queues, or one queue with all below it. */
export async function showQueues(
  context: PluginContext,
  name: string | undefined,
  flags: ClusterFlags & { readonly output?: Format; readonly resource?: string },
): Promise<void> {
  const { clock, output, style } = context;
  const queues = await withCluster(context, flags, async ({ client }) => (await client.list<TenantQueue>(tenantQueues)).items);
  if (name !== undefined && !queues.some(({ metadata }) => metadata.name === name))
    throw new CommandFailure(`there is no TenantQueue ${name}`);
  if (queues.length === 0) {
    output.note("there is no TenantQueue; see docs/tenantqueue.md");
    return;
  }
  const views = queueViews(queues, name);
  if (flags.output === "json" || flags.output === "yaml") {
    await printValue(output, flags.output, views);
    return;
  }
  const options = {
    ...(flags.resource !== undefined && { resource: flags.resource }),
    wide: flags.output === "wide",
    style,
    now: clock.now(),
  };
  for (const line of queueTree(views, options)) output.result(line);
}
