import { Command } from "commander";
import { integer } from "../../flag-values.ts";
import { addClusterOptions, addFormat, type Format } from "../cluster-options.ts";
import type { ClusterFlags, PluginContext } from "../plugin-context.ts";
import { appArgument } from "./rollout.ts";

/** What `render` was told. */
export interface RenderFlags extends ClusterFlags {
  readonly instance?: number;
  readonly revision?: number;
  readonly output?: Format;
}

/** The command `render`: the pod of an instance as it will be made. */
export function renderCommand(context: PluginContext): Command {
  const command = new Command("render")
    .summary("the pod that a fleet's next instance gets")
    .description(
      "Prints the pod as the operator would make it now. Lines that are not in spec.template end with # nuptse. Nothing is created, and what admission " +
        "adds later is not shown.",
    )
    .argument(...appArgument)
    .option(
      "-i, --instance <number>",
      "as the one that would take the place of this instance, with what its retries leave out",
      integer(0, 1_000_000),
    )
    .option("--revision <number>", "of this revision (default: that of spec.template)", integer(1, Number.MAX_SAFE_INTEGER));
  addFormat(addClusterOptions(command), "json", "yaml");
  return command.action(async (app: string, flags: RenderFlags) => (await import("./show-render.ts")).showRender(context, app, flags));
}
