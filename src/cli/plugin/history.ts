import { Command } from "commander";
import { addClusterOptions, addFormat, type Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** The command `history`: the runs of a job. */
export function historyCommand(context: PluginContext): Command {
  const command = new Command("history")
    .summary("the runs of a job")
    .description("Lists the runs of a job that its status tells of: those at work first, then the ended ones, the newest first.")
    .argument("<job>", "the ElasticJob: NAME, or ej/NAME");
  addFormat(addClusterOptions(command), "json", "yaml", "wide", "name");
  return command.action(async (job: string, flags: ClusterFlags & { readonly output?: Format }) => {
    const { showHistory } = await import("./show-history.ts");
    await showHistory(context, job, flags);
  });
}
