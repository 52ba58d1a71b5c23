import { Command } from "commander";
import type { ExplainService } from "./ask-leader.ts";
import { addClusterOptions, addExplainService, addFormat, type Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** The command `queue`: the tree of TenantQueues with what each uses, is guaranteed, lends and waits for. */
export function queueCommand(context: PluginContext): Command {
  const command = new Command("queue")
    .alias("queues")
    .summary("the tree of queues, with what each uses, lends and waits for")
    .description(
      "Shows the tree of TenantQueues: what each uses of its root's capacity, its guarantee, its fair share now, what it borrows and lends, and how " +
        "many workloads are admitted and wait; of a queue without children also who waits first. In a bar # is used within the guarantee, + is " +
        "borrowed, : is guaranteed and free, and . is free.",
    )
    .argument("[queue]", "a TenantQueue, shown with all below it; absent = all trees")
    .option("--resource <name>", "the resource that is shown (default: cpu, or what the root has)");
  addFormat(addExplainService(addClusterOptions(command)), "json", "yaml", "wide");
  return command.action(
    async (
      queue: string | undefined,
      flags: ClusterFlags & { readonly output?: Format; readonly resource?: string; readonly explainService: ExplainService },
    ) => {
      const { showQueues } = await import("./show-queues.ts");
      await showQueues(context, queue, flags);
    },
  );
}
