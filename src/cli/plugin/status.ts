import { Command } from "commander";
import { addClusterOptions, addFormat, type Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** The command `status`: a job with its runs, items, results, conditions and next fire times. */
export function statusCommand(context: PluginContext): Command {
  const command = new Command("status")
    .summary("a job with its runs, items and results")
    .description("Shows a job: when it fires, its runs with their items, attempts and nodes, results, conditions and events.")
    .argument("<job>", "the ElasticJob: NAME, or ej/NAME");
  addFormat(addClusterOptions(command), "json", "yaml", "wide");
  return command.action(async (job: string, flags: ClusterFlags & { readonly output?: Format }) => {
    const { showStatus } = await import("./show-status.ts");
    await showStatus(context, job, flags);
  });
}
