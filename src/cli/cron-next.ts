import { Command, Option } from "commander";
import { formatSeconds } from "../base/time.ts";
import type { CommandContext } from "./command-context.ts";
import { dialects, scheduleOf, zoneFlag } from "./cron-input.ts";
import { fireTimeTable } from "./cron-output.ts";
import { integer } from "./flag-values.ts";
import { parseInstant } from "./instant.ts";

interface Flags {
  readonly timeZone: string;
  readonly dialect?: "quartz" | "unix";
  readonly dst: "once" | "quartz";
  readonly from?: string;
  readonly count: number;
  readonly output: "table" | "json";
}

/** The last instant that a fire time may have. */
const endOfTime = Date.UTC(9999, 11, 31, 23, 59, 59);

/** The command `cron next`: the fire times after an instant. */
export function cronNextCommand(context: CommandContext): Command {
  return new Command("next")
    .summary("the coming fire times of an expression")
    .description("Prints the fire times of an expression that come strictly after --from.")
    .argument("<expression>", "5 fields (Unix), 6 or 7 fields (Quartz), @daily and the like, or '@every 90s'; in quotation marks")
    .option("--time-zone <zone>", "the zone in which the expression is read: an IANA name, or an offset such as GMT+08:00", "Etc/UTC")
    .addOption(
      new Option("--dialect <dialect>", "how the expression is read (default: by its number of fields)").choices(Object.keys(dialects)),
    )
    .addOption(
      new Option("--dst <rule>", "when clocks change: once = a fixed time runs once on every day; quartz = as Quartz does it")
        .choices(["once", "quartz"])
        .default("once"),
    )
    .option("--from <time>", "RFC 3339, or local time in the zone such as 2026-11-21T16:00 (default: now)")
    .option("--count <count>", "how many fire times", integer(1, 100_000), 5)
    .addOption(new Option("-o, --output <format>", "table, or json: an array of UTC instants").choices(["table", "json"]).default("table"))
    .action((expression: string, flags: Flags) => printNext(context, expression, flags));
}

function printNext({ clock, output }: CommandContext, expression: string, flags: Flags): void {
  const zone = zoneFlag(flags.timeZone);
  const now = clock.now();
  const from = flags.from === undefined ? now : parseInstant("--from", flags.from, zone);
  const schedule = scheduleOf(expression, {
    timeZone: flags.timeZone,
    dialect: flags.dialect === undefined ? undefined : dialects[flags.dialect],
    dst: flags.dst === "quartz" ? "Quartz" : "Once",
    anchor: from,
  });
  const { times } = schedule.between(from, endOfTime, flags.count);
  for (const warning of schedule.expressions[0]?.warnings ?? []) output.note(`warning: ${warning}`);
  if (flags.output === "json") output.result(JSON.stringify(times.map(formatSeconds)));
  else if (times.length === 0) output.result(`It does not fire after ${formatSeconds(from)}.`);
  else for (const line of fireTimeTable(times, zone, now)) output.result(line);
}
