import { Command, InvalidArgumentError, Option } from "commander";
import { formatDuration, parseDuration } from "../base/duration.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { utc } from "../cron/zone.ts";
import { type CommandContext, UsageError } from "./command-context.ts";
import { integer } from "./flag-values.ts";
import { parseInstant } from "./instant.ts";
import { addNodeSizeOptions, madeUpNodes, type NodeSizeOptions } from "./node-flags.ts";

interface Flags extends NodeSizeOptions {
  readonly filename: readonly string[];
  /** Milliseconds. */
  readonly for: number;
  readonly from: string;
  readonly nodes?: number;
  readonly seed: number;
  /** Milliseconds. */
  readonly bucket?: number;
  readonly resource?: string;
  readonly output: "table" | "json";
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** Lengths of a bucket that people can add up. */
const niceBuckets = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 10_080].map((minutes) => minutes * minuteMs);
const mostBuckets = 10_000;
const usualNodes = 4;

/** The command `simulate`: what queues and workloads do to each other, on virtual time. */
export function simulateCommand(context: CommandContext): Command {
  const command = new Command("simulate")
    .summary("how TenantQueues would share a cluster, on virtual time")
    .description(
      "Plays TenantQueues, ElasticJobs and arrivals of work (kind Workload) against the operator itself with a cluster in this process, on virtual time: no cluster " +
        "is needed, and none is touched. Prints each queue's share over time, waiting times, starvation and reclaims. The same files and seed give the same " +
        "result. See docs/simulate.md.",
    )
    .requiredOption(
      "-f, --filename <file...>",
      "files or folders with TenantQueues, Workloads, ElasticJobs, Namespaces, Nodes and ConfigMaps; - = stdin",
    )
    .addOption(
      new Option("--for <duration>", "how long: 90m, 2h, 7d, 2w; at most 366d")
        .argParser(length(minuteMs, 366 * dayMs))
        .default(7 * dayMs, "7d"),
    )
    .option("--from <time>", "when it begins: RFC 3339, or UTC such as 2026-01-05T08:00; a Monday unless you say otherwise", "2026-01-05")
    .option(
      "--nodes <count>",
      "so many nodes, beside those in the files (default: 4, or none where the files have some)",
      integer(0, 1000),
    );
  return addNodeSizeOptions(command)
    .option("--seed <number>", "of all chance: arrivals at random, lengths, delays", integer(0, 4_294_967_295), 1)
    .option(
      "--bucket <duration>",
      "the step of the series over time (default: as many as a line of a terminal has room for)",
      length(minuteMs, 366 * dayMs),
    )
    .option("--resource <name>", "whose shares the table shows (default: cpu)")
    .addOption(new Option("-o, --output <format>", "table, or json").choices(["table", "json"]).default("table"))
    .action((flags: Flags) => simulate(context, flags));
}

async function simulate({ output }: CommandContext, flags: Flags): Promise<void> {
  const [{ readScenario }, { runScenario }, { reportOf }, { mostCells, reportText }] = await Promise.all([
    import("./simulate/scenario.ts"),
    import("./simulate/run-scenario.ts"),
    import("./simulate/report.ts"),
    import("./simulate/report-text.ts"),
  ]);
  const from = parseInstant("--from", flags.from, utc);
  const span = { from, to: from + flags.for };
  const bucketMs = flags.bucket ?? niceBuckets.find((each) => flags.for / each <= mostCells) ?? dayMs;
  if (flags.for / bucketMs > mostBuckets)
    throw new UsageError(`--bucket: gives more than ${mostBuckets} steps; make it at least ${formatDuration(flags.for / mostBuckets)}`);
  // Timers of its checks must not keep this process.
  const scenario = await readScenario(flags.filename, { clock: new VirtualClock(from), output, span, readInput });
  const count = flags.nodes ?? (scenario.nodes.length === 0 ? usualNodes : 0);
  const nodes = [...scenario.nodes, ...madeUpNodes(count, flags, {}, [])];
  if (nodes.length === 0) throw new UsageError("--nodes: 0, and no Node in the files, leave nothing to run on");
  const twice = nodes.find(({ name }, index) => nodes.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw new UsageError(`--nodes: makes a node ${twice.name}, and the files have one of that name`);
  const recording = await runScenario({ ...scenario, nodes }, span, flags.seed);
  const report = reportOf(recording, { seed: flags.seed, nodes: nodes.length, bucketMs });
  if (flags.output === "json") output.result(JSON.stringify(report, undefined, 2));
  else {
    const { resource } = flags;
    if (resource !== undefined && report.queues.every(({ share }) => share[resource] === undefined))
      throw new UsageError(
        `--resource: no queue has ${resource}; there are ${Object.keys(report.queues[0]?.share ?? {}).join(", ") || "none"}`,
      );
    for (const line of reportText(report, resource)) output.result(line);
  }
}

async function readInput(): Promise<string> {
  const { text } = await import("node:stream/consumers");
  return text(process.stdin);
}

/** A duration within bounds, both inclusive; the result is in milliseconds. */
function length(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = parseDuration(text);
    if (value === undefined || value < minimum || value > maximum)
      throw new InvalidArgumentError(
        `Write a duration such as 90m, 2h or 7d, from ${formatDuration(minimum)} to ${formatDuration(maximum)}.`,
      );
    return value;
  };
}
