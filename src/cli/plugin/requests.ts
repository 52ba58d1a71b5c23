import { Command, InvalidArgumentError, Option } from "commander";
import type { IntervalSet } from "../../base/interval-set.ts";
import { integer } from "../flag-values.ts";
import { addClusterOptions, addFormat, type Format } from "./cluster-options.ts";
import { appRefOf } from "./fleet/app-ref.ts";
import { itemSet } from "./logs.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

// The commands that ask something of a job: each creates a JobRequest, and may wait for its end.

/** What a command is about: its argument, and what that says. */
type About = readonly [argument: string, description: string];

const jobOnly: About = ["<job>", "the ElasticJob: NAME, or ej/NAME"];
const jobOrApp: About = ["<job|ra/app>", "the ElasticJob: NAME, or ej/NAME; or the RunnerApp: ra/NAME"];

/** What all of them were told. */
export interface RequestFlags extends ClusterFlags {
  readonly wait?: boolean;
  readonly output?: Format;
}

/** What `run` was told. */
export interface RunFlags extends RequestFlags {
  readonly parameter?: string;
  /** By name. */
  readonly option?: Readonly<Record<string, string>>;
  readonly items?: IntervalSet;
}

/** What `backfill` was told. */
export interface BackfillFlags extends RequestFlags {
  readonly from: string;
  readonly to: string;
  readonly parallelism?: number;
  readonly order?: "oldest-first" | "newest-first";
}

/** What `mark-succeeded` was told. */
export interface MarkFlags extends RequestFlags {
  readonly items?: IntervalSet;
}

/** What `suspend` was told. */
export interface SuspendFlags extends RequestFlags {
  readonly until?: string;
  readonly reason?: string;
}

/** All commands that create a JobRequest, and `resume`. */
export function requestCommands(context: PluginContext): readonly Command[] {
  const send = () => import("./send-commands.ts");
  const run = requestCommand("run", "run a job now", "Runs a job once, now, also when it is suspended.")
    .option("--parameter <text>", "used instead of the job's spec.parameter", atMost(4096))
    .option("--option <name=value>", "a value for one of the job's spec.options; may be repeated", optionValue)
    .option("--items <items>", "only these items, such as 3 or 0-3,7", itemSet)
    .action(async (job: string, flags: RunFlags) => (await send()).sendRun(context, job, flags));
  const backfill = requestCommand(
    "backfill",
    "run a job for fire times of the past",
    "Runs a job once for each fire time that its schedule has from --from up to, and without, --to.",
  )
    .requiredOption("--from <time>", "RFC 3339, or local time in the zone of the job such as 2026-11-01 or 2026-11-01T06:00")
    .requiredOption("--to <time>", "the same; a fire time at it is left out")
    .option("--parallelism <count>", "its runs at work at once (default: 1)", integer(1, 20))
    .addOption(new Option("--order <order>", "which come first (default: oldest-first)").choices(["oldest-first", "newest-first"]))
    .action(async (job: string, flags: BackfillFlags) => (await send()).sendBackfill(context, job, flags));
  const cancel = requestCommand("cancel", "end a run", "Ends a run that waits or is at work. Without a run: the only one that there is.")
    .argument("[run]", "the id of the run")
    .action(async (job: string, id: string | undefined, flags: RequestFlags) => (await send()).sendCancel(context, job, id, flags));
  const retry = requestCommand(
    "retry",
    "run the failed items of a run again",
    "Runs the failed items of an ended run again, as a new run. Without a run: the newest one, if it failed.",
  )
    .argument("[run]", "the id of the run")
    .action(async (job: string, id: string | undefined, flags: RequestFlags) => (await send()).sendRetry(context, job, id, flags));
  const mark = requestCommand(
    "mark-succeeded",
    "record failed items as succeeded",
    "Records failed items of an ended run as succeeded, since somebody has done their work otherwise.",
  )
    .argument("<run>", "the id of the run")
    .option("--items <items>", "only these items, such as 3 or 0-3,7 (default: all that failed)", itemSet)
    .action(async (job: string, id: string, flags: MarkFlags) => (await send()).sendMarkSucceeded(context, job, id, flags));
  const suspend = requestCommand(
    "suspend",
    "fire nothing for a while; give a fleet no instances",
    "Suspends a job without changing its spec, until --until or `resume`. Runs at work go on; fire times that pass meanwhile are dropped. " +
      "Of a fleet (ra/NAME) it sets spec.suspend: no instances, and all else stays.",
    jobOrApp,
  )
    .option(
      "--until <time>",
      "RFC 3339, local time in the zone of the job, or a time from now such as 90m, 2h or 3d (default: until resume)",
    )
    .option("--reason <text>", "why, for people", atMost(1024))
    .action(async (job: string, flags: SuspendFlags) => {
      const app = appRefOf(job);
      if (app === undefined) await (await send()).sendSuspend(context, job, flags);
      else await (await import("./fleet/suspend-app.ts")).suspendApp(context, app, flags);
    });
  const resume = addClusterOptions(
    new Command("resume")
      .summary("end what suspend began")
      .description(
        "Ends the suspensions of a job that were asked for with `suspend`. spec.suspend is left to whoever keeps the job. Of a fleet (ra/NAME) it takes " +
          "spec.suspend back.",
      )
      .argument(...jobOrApp),
  ).action(async (job: string, flags: ClusterFlags) => {
    const app = appRefOf(job);
    if (app === undefined) await (await import("./resume-job.ts")).resumeJob(context, job, flags);
    else await (await import("./fleet/suspend-app.ts")).resumeApp(context, app, flags);
  });
  return [run, backfill, cancel, retry, mark, suspend, resume];
}

function requestCommand(name: string, summary: string, description: string, about = jobOnly): Command {
  const command = new Command(name)
    .summary(summary)
    .description(description)
    .argument(...about);
  addFormat(addClusterOptions(command), "json", "yaml", "name");
  return command.option("-w, --wait", "wait for the end, and show how it goes; exit code 1 when it fails");
}

function atMost(characters: number): (text: string) => string {
  return (text) => {
    if (text.length > characters) throw new InvalidArgumentError(`Write at most ${characters} characters.`);
    return text;
  };
}

function optionValue(text: string, given: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Write a name and a value such as day=2026-11-21.");
  if (name in given) throw new InvalidArgumentError(`The option ${name} is given twice.`);
  return { ...given, [name]: value };
}
