import { Command } from "commander";
import type { CommandContext } from "./command-context.ts";

/** The command `version`. */
export function versionCommand({ output, version }: CommandContext): Command {
  return new Command("version").description("Prints the version of nuptse.").action(() => output.result(version));
}
