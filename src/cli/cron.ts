import { Command } from "commander";
import type { CommandContext } from "./command-context.ts";
import { cronExplainCommand } from "./cron-explain.ts";
import { cronNextCommand } from "./cron-next.ts";

/** The group `cron`. */
export function cronCommand(context: CommandContext): Command {
  return new Command("cron")
    .description("What a cron expression means.")
    .addCommand(cronNextCommand(context))
    .addCommand(cronExplainCommand(context));
}
