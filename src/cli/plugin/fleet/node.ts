import { Command } from "commander";
import { addClusterOptions, addFormat, type Format } from "../cluster-options.ts";
import type { ClusterFlags, PluginContext } from "../plugin-context.ts";

/** The command `node`: what of ours is on nodes. */
export function nodeCommand(context: PluginContext): Command {
  const command = new Command("node")
    .summary("what of ours is on a node, and who leaves it out")
    .description(
      "Without a name: a table of the nodes with how many instances of fleets and items of jobs are on each, whether it is being taken, and who leaves " +
        "it out. Of one node: all of that by name. What you may not list is not counted.",
    )
    .argument("[node]", "the node: NAME, or node/NAME");
  addFormat(addClusterOptions(command), "json", "yaml");
  return command.action(async (node: string | undefined, flags: ClusterFlags & { readonly output?: Format }) => {
    const { showNodes } = await import("./show-nodes.ts");
    await showNodes(context, node?.replace(/^nodes?\//, ""), flags);
  });
}
