import { Command, Option } from "commander";
import { explainCron } from "../cron/explain.ts";
import type { CommandContext } from "./command-context.ts";
import { dialects, scheduleOf, zoneFlag } from "./cron-input.ts";

interface Flags {
  readonly timeZone?: string;
  readonly dialect?: "quartz" | "unix";
}

/** The command `cron explain`: an expression in words. */
export function cronExplainCommand(context: CommandContext): Command {
  return new Command("explain")
    .summary("an expression in words")
    .description("Says in words when an expression fires, and what in it is legal but doubtful.")
    .argument("<expression>", "5 fields (Unix), 6 or 7 fields (Quartz), @daily and the like, or '@every 90s'; in quotation marks")
    .option("--time-zone <zone>", "the zone in which the expression is read")
    .addOption(
      new Option("--dialect <dialect>", "how the expression is read (default: by its number of fields)").choices(Object.keys(dialects)),
    )
    .action((expression: string, flags: Flags) => explain(context, expression, flags));
}

function explain({ clock, output }: CommandContext, text: string, flags: Flags): void {
  const zone = flags.timeZone === undefined ? undefined : zoneFlag(flags.timeZone);
  const dialect = flags.dialect === undefined ? undefined : dialects[flags.dialect];
  const { expressions } = scheduleOf(text, { dialect, anchor: clock.now() });
  for (const expression of expressions) {
    const words = explainCron(expression);
    output.result(`${words.charAt(0).toUpperCase()}${words.slice(1)}${zone === undefined ? "" : `, ${zone.name} time`}.`);
    for (const warning of expression.warnings) output.note(`warning: ${warning}`);
  }
}
