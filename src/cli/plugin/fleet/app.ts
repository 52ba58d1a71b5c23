import { Command } from "commander";
import { addAllNamespaces, addClusterOptions, addFormat, type Format } from "../cluster-options.ts";
import type { ClusterFlags, PluginContext } from "../plugin-context.ts";

/** The command `app`: all fleets, or one with everything about it. */
export function appCommand(context: PluginContext): Command {
  const command = new Command("app")
    .summary("fleets and their instances")
    .description(
      "Without a name: a table of the RunnerApps with what ails their instances. Of one app: its instances with their reasons, revisions, " +
        "roll-out, moves, retries, nodes that are left out, conditions and events.",
    )
    .argument("[app]", "the RunnerApp: NAME, or ra/NAME");
  addFormat(addAllNamespaces(addClusterOptions(command)), "json", "yaml", "wide", "name");
  return command.action(async (app: string | undefined, flags: ClusterFlags & { readonly output?: Format }) => {
    const { showApp, showApps } = await import("./show-app.ts");
    if (app === undefined) await showApps(context, flags);
    else await showApp(context, app, flags);
  });
}
