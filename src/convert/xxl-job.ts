import type { Container } from "../api/core.ts";
import type { ElasticJobSpec } from "../api/elastic-job.gen.ts";
import { literalArgument } from "./command-line.ts";
import { type Conversion, ConvertError, type ConvertOptions, describedJob, Notes } from "./conversion.ts";
import type { Fields } from "./fields.ts";
import { bounds, timeout } from "./job-spec.ts";
import { objectName } from "./object-name.ts";
import { quartzSchedule } from "./quartz-schedule.ts";

/** How the interpreter of a GLUE script is given the source; what follows are the script's name and its arguments. */
const interpreters: Readonly<Record<string, readonly string[]>> = {
  GLUE_SHELL: ["bash", "-c"],
  GLUE_PYTHON: ["python3", "-c"],
  GLUE_PYTHON2: ["python2", "-c"],
  GLUE_NODEJS: ["node", "-e"],
};
/** Routes of XXL-JOB as strategies for beans that stay with their executors (docs/xxl-job.md). */
const strategies: Readonly<Record<string, NonNullable<ElasticJobSpec["sharding"]>["strategy"]>> = {
  FIRST: "First",
  LAST: "First",
  ROUND: "RoundRobin",
  RANDOM: "LeastLoaded",
  CONSISTENT_HASH: "Rendezvous",
  LEAST_FREQUENTLY_USED: "LeastLoaded",
  LEAST_RECENTLY_USED: "LeastLoaded",
  FAILOVER: "First",
  BUSYOVER: "First",
  SHARDING_BROADCAST: "Broadcast",
};
/** Of one argument, by the schema and by Linux. */
const longestSource = 65_536;

/**
 * A row of XXL-JOB's table xxl_job_info, with the names of its columns (`executor_handler`); versions from 2.0 on. Throws ConvertError with the
 * row and column of a wrong cell.
 */
export function convertXxlJob(row: Fields, options: ConvertOptions): Conversion {
  const id = row.integer("id");
  const title = row.word("job_desc") ?? row.word("name");
  const handler = row.word("executor_handler");
  if (id === undefined) throw new ConvertError(row.at("id"), "is missing; each row has the id of its job");
  const source = `XXL-JOB ${id}${title === undefined ? "" : ` (${title})`}`;
  const notes = new Notes();
  const name = objectName(`${(handler ?? "xxl-job").slice(0, 40)}-${id}`, `xxl-job-${id}`, "", new Notes());
  const work = workOf(row, handler, source, options, notes);
  const itemTimeout = row.integer("executor_timeout") ?? 0;
  const itemTimeoutSeconds = itemTimeout === 0 ? undefined : timeout(itemTimeout, row.at("executor_timeout"), notes);
  const parameter = row.text("executor_param");
  const scheduled = scheduleOf(row, options, notes);
  // The status is about the schedule; a job without one is started by others in any case.
  const stopped = scheduled.schedule !== undefined && row.integer("trigger_status") === 0;
  const spec: ElasticJobSpec = {
    ...((stopped || !work.isWhole) && { suspend: true }),
    ...scheduled,
    ...overlap(row, notes),
    ...(parameter !== undefined && parameter !== "" && { parameter }),
    ...retryOf(row, notes),
    ...(itemTimeoutSeconds !== undefined && { itemTimeoutSeconds }),
    ...work.spec,
  };
  otherFields(row, spec.runnerRef !== undefined, notes);
  const manifest = describedJob(name, title, spec, options);
  return { source, manifest, notes: notes.all(), xxl: { id, children: childrenOf(row) } };
}

function childrenOf(row: Fields): readonly number[] {
  const ids = (row.word("child_jobid") ?? "").split(/[,\s]+/).filter((part) => part !== "");
  return ids.map((part) => {
    if (!/^\d+$/.test(part)) throw new ConvertError(row.at("child_jobid"), `"${part}" is not the id of a job; write 2,3`);
    return Number(part);
  });
}

function scheduleOf(row: Fields, options: ConvertOptions, notes: Notes): Pick<ElasticJobSpec, "schedule"> {
  const type = row.word("schedule_type") ?? (row.has("job_cron") ? "CRON" : "NONE");
  const column = row.has("job_cron") ? "job_cron" : "schedule_conf";
  const path = row.at(column);
  if (type === "NONE") return {};
  if (type === "CRON")
    return quartzSchedule({ expression: row.word(column), timeZone: undefined }, { cron: path, zone: path }, options, notes);
  const seconds = row.integer(column);
  if (type !== "FIX_RATE" || seconds === undefined || seconds < 1) {
    notes.add(path, `The schedule ${type} ${row.text(column) ?? ""} has no equal. The job has no schedule and never fires by itself.`);
    return {};
  }
  return { schedule: { crons: [`@every ${seconds}s`] } };
}

/** Blocking strategies are about one run behind another; misfire is about a scheduler that was down. */
function overlap(row: Fields, notes: Notes): Pick<ElasticJobSpec, "concurrencyPolicy" | "misfire"> {
  const onDowntime = row.word("misfire_strategy") === "FIRE_ONCE_NOW" ? "FireOnce" : "Skip";
  switch (row.word("executor_block_strategy") ?? "SERIAL_EXECUTION") {
    case "COVER_EARLY":
      return { concurrencyPolicy: "Replace", misfire: { onDowntime } };
    case "DISCARD_LATER":
      return { misfire: { onDowntime } };
    default:
      notes.add(row.at("executor_block_strategy"), "XXL-JOB queues runs without bound; here at most 20 wait, and a later one is skipped.");
      return { concurrencyPolicy: "Enqueue", misfire: { onDowntime } };
  }
}

function retryOf(row: Fields, notes: Notes): Pick<ElasticJobSpec, "retry"> {
  const count = row.integer("executor_fail_retry_count") ?? 0;
  if (count <= 0) return {};
  const sameNode = Math.min(count, bounds.sameNode);
  if (sameNode < count)
    notes.add(row.at("executor_fail_retry_count"), `At most ${bounds.sameNode} repetitions on a node; add otherNodes for more.`);
  return { retry: { sameNode, backoff: { factor: 1 } } };
}

/** What does the work; as long as it is not whole, the job must not run. */
interface Work {
  readonly isWhole: boolean;
  readonly spec: Pick<ElasticJobSpec, "runnerRef" | "sharding" | "template">;
}

function workOf(row: Fields, handler: string | undefined, source: string, { image, runner }: ConvertOptions, notes: Notes): Work {
  const isBean = (row.word("glue_type") ?? "BEAN") === "BEAN";
  if (isBean && runner !== undefined) return { isWhole: true, spec: residentWork(row, handler, runner, notes) };
  if (image === undefined) {
    const otherwise = isBean ? "; or --runner, the RunnerApp whose executors have them" : "";
    throw new ConvertError(source, `--image is needed: the image that holds the programs of these jobs${otherwise}`);
  }
  const program = isBean ? beanProgram(row, handler, notes) : scriptProgram(row, notes);
  return { isWhole: program !== undefined, spec: { template: { spec: { containers: [{ name: "job", image, ...program }] } } } };
}

/** The handler stays where it is: its item is given to an executor that runs already. */
function residentWork(row: Fields, handler: string | undefined, runner: string, notes: Notes): Work["spec"] {
  if (handler === undefined) throw new ConvertError(row.at("executor_handler"), "is missing; a bean is found by the name of its handler");
  const route = row.word("executor_route_strategy") ?? "FIRST";
  const strategy = Object.hasOwn(strategies, route) ? strategies[route] : undefined;
  if (strategy === undefined || route === "LAST")
    notes.add(row.at("executor_route_strategy"), `The route ${route} has no equal: see sharding.strategy. First is used.`);
  return { runnerRef: { name: runner, handler }, sharding: { strategy: strategy ?? "First" } };
}

function beanProgram(row: Fields, handler: string | undefined, notes: Notes): undefined {
  notes.add(
    row.at("executor_handler"),
    `The handler "${handler ?? ""}" is a method of a long-lived executor. It needs a program that runs it once and ends; its parameter is in $JOB_PARAMETER. The job is suspended until the image has it. With --runner it stays with its executor.`,
  );
}

/** The container's program; undefined = there is none yet. */
function scriptProgram(row: Fields, notes: Notes): Pick<Container, "command" | "args"> | undefined {
  const type = row.word("glue_type") ?? "";
  const source = row.text("glue_source") ?? "";
  const interpreter = interpreters[type];
  if (interpreter === undefined || source.trim() === "" || Buffer.byteLength(source) > longestSource) {
    const reason =
      interpreter === undefined ? `cannot be run here (${type})` : source.trim() === "" ? "is empty" : "is too long for an argument";
    notes.add(row.at("glue_source"), `The source ${reason}: put the program into the image. The job is suspended.`);
    return undefined;
  }
  notes.add(row.at("glue_type"), `The script is run by ${interpreter[0]}, which the image must have.`);
  // A script is given its parameter, its index and the total, as XXL-JOB does it.
  const script = literalArgument(source.replaceAll("\r\n", "\n"));
  return { command: [...interpreter, script, "glue"], args: ["$(JOB_PARAMETER)", "$(SHARDING_ITEM)", "$(SHARDING_TOTAL_COUNT)"] };
}

function otherFields(row: Fields, isResident: boolean, notes: Notes): void {
  if (row.word("executor_route_strategy") === "SHARDING_BROADCAST" && !isResident) {
    notes.add(
      row.at("executor_route_strategy"),
      "SHARDING_BROADCAST runs on every live executor; here the number of items is fixed: set sharding.total. Index and total are in $SHARDING_ITEM and $SHARDING_TOTAL_COUNT.",
    );
  }
  const mail = row.word("alarm_email");
  if (mail !== undefined)
    notes.add(row.at("alarm_email"), `Has no equal: nobody mails ${mail}. A failed run shows in status, events and metrics.`);
}
