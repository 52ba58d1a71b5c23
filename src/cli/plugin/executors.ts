import { Command } from "commander";
import { addClusterOptions, addFormat, type Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** The command `executors`: who works on dispatched items. */
export function executorsCommand(context: PluginContext): Command {
  const command = new Command("executors")
    .summary("instances that take items of jobs, and what they work on")
    .description(
      "Lists the instances of RunnerApps with spec.executor, and the items of resident jobs that they have, as the status of those jobs tells. " +
        "ITEMS counts them, of as many as an instance takes (spec.executor.capacity).",
    )
    .argument("[app]", "a RunnerApp; absent = all of the namespace that take items")
    .option("-A, --all-namespaces", "the executors of all namespaces");
  addFormat(addClusterOptions(command), "json", "yaml", "wide");
  return command.action(
    async (app: string | undefined, flags: ClusterFlags & { readonly output?: Format; readonly allNamespaces?: boolean }) => {
      const { showExecutors } = await import("./show-executors.ts");
      await showExecutors(context, app, flags);
    },
  );
}
