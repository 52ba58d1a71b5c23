import { Command, Option } from "commander";
import { integer } from "../flag-values.ts";
import { traceTarget } from "../trace-flags.ts";
import { addClusterOptions, addFormat, type Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import type { TraceFlags } from "./trace-runs.ts";

/** The command `history`: the runs of a job. */
export function historyCommand(context: PluginContext): Command {
  const command = new Command("history")
    .summary("the runs of a job")
    .description(
      "Lists the runs of a job that its status tells of: those at work first, then the ended ones, the newest first. " +
        "With --trace those follow that only the event trace still knows.",
    )
    .argument("<job>", "the ElasticJob: NAME, or ej/NAME")
    .addOption(
      new Option("--trace <store>", "the event trace, as nuptse operator --trace names it: sqlite:<path>, http(s)://..., postgres://...")
        .env("NUPTSE_TRACE")
        .argParser(traceTarget),
    )
    .option("--trace-token-file <file>", "the bearer token for nuptse trace")
    .option("--trace-ca-file <file>", "the authorities of the certificate of nuptse trace, PEM")
    .option("--trace-password-file <file>", "the password for PostgreSQL (default: the one in the URL, or $PGPASSWORD)")
    .option("--limit <count>", "ended runs that are read from the trace at most", integer(1, 1000), 20);
  addFormat(addClusterOptions(command), "json", "yaml", "wide", "name");
  return command.action(async (job: string, flags: ClusterFlags & TraceFlags & { readonly output?: Format }) => {
    const { showHistory } = await import("./show-history.ts");
    await showHistory(context, job, flags);
  });
}
