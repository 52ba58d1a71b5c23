import { Command, InvalidArgumentError } from "commander";
import { itemLabel, reduceItem } from "../../api/names.ts";
import { IntervalSet, IntervalSetError } from "../../base/interval-set.ts";
import { UsageError } from "../command-context.ts";
import { integer } from "../flag-values.ts";
import type { ExplainService } from "./ask-leader.ts";
import { addClusterOptions, addExplainService } from "./cluster-options.ts";
import { appRefOf } from "./fleet/app-ref.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** What `logs` was told. */
export interface LogsFlags extends ClusterFlags {
  readonly item?: IntervalSet;
  readonly run?: string;
  readonly attempt?: number;
  readonly container?: string;
  readonly follow?: boolean;
  readonly tail?: number;
  readonly timestamps?: boolean;
  readonly previous?: boolean;
  readonly explainService: ExplainService;
}

/** A set of items as it is typed. */
export function itemSet(text: string): IntervalSet {
  try {
    const items = IntervalSet.parse(text);
    if (items.size > 0) return items;
  } catch (error) {
    if (!(error instanceof IntervalSetError)) throw error;
    throw new InvalidArgumentError(`Write items such as 3 or 0-3,7: ${error.message}.`);
  }
  throw new InvalidArgumentError("Write items such as 3 or 0-3,7.");
}

/** The same, or the reduce. */
function logItems(text: string): IntervalSet {
  return text === itemLabel(reduceItem) ? new IntervalSet([reduceItem]) : itemSet(text);
}

/** The command `logs`: what the programs of a run, or of a fleet, wrote. */
export function logsCommand(context: PluginContext): Command {
  const command = new Command("logs")
    .summary("the logs of a run, or of a fleet")
    .description(
      "Prints the logs of a job's newest run, or of --run, or those of a fleet's instances (ra/NAME). Those of several items or instances are merged by " +
        "time, each line with its item before it, or with the number and the pod of its instance. What an item wrote at an executor of XXL-JOB the operator asks " +
        "that executor for.",
    )
    .argument("<job|ra/app>", "the ElasticJob: NAME, or ej/NAME; or the RunnerApp: ra/NAME")
    .option("-i, --item <items>", "only these items or instances, such as 3 or 0-3,7; reduce for what comes after the items", logItems)
    .option("--run <run>", "a run by its id (default: the newest that has logs)")
    .option("--attempt <number>", "this attempt of each item (default: the newest)", integer(1, 100))
    .option("-c, --container <name>", "a container (default: the one that gives the result)")
    .option("-f, --follow", "go on until the run ends; of a fleet, for ever")
    .option("--tail <lines>", "only so many of the last lines of each log", integer(0, 1_000_000))
    .option("-p, --previous", "of a fleet: the logs of containers before they were started again")
    .option("--timestamps", "each line with the instant at which it was written");
  return addExplainService(addClusterOptions(command)).action(async (job: string, flags: LogsFlags) => {
    const app = appRefOf(job);
    if (app !== undefined) return await (await import("./fleet/show-fleet-logs.ts")).showFleetLogs(context, app, flags);
    if (flags.previous === true) throw new UsageError("--previous is for fleets: each attempt of a job has a pod of its own (--attempt)");
    const { showLogs } = await import("./show-logs.ts");
    await showLogs(context, job, flags);
  });
}
