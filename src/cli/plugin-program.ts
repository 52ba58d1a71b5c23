import { Command } from "commander";
import type { CommandContext } from "./command-context.ts";
import { cronCommand } from "./cron.ts";
import { versionCommand } from "./version.ts";

/** The program `kubectl nuptse`; give it to runProgram. */
export function createPluginProgram(context: CommandContext): Command {
  return new Command("kubectl nuptse")
    .description("What nuptse adds to kubectl.")
    .version(context.version, "-V, --version", "print the version")
    .addCommand(cronCommand(context))
    .addCommand(versionCommand(context));
}
