import type { Container } from "../api/core.ts";
import type { ElasticJobSpec } from "../api/elastic-job.gen.ts";
import { literalArgument, splitCommandLine } from "./command-line.ts";
import { type Conversion, ConvertError, type ConvertOptions, describedJob, Notes } from "./conversion.ts";
import type { Fields } from "./fields.ts";
import { objectName } from "./object-name.ts";
import { quartzSchedule } from "./quartz-schedule.ts";

/** What a job needs of its pod. */
interface Work {
  readonly container: Pick<Container, "command" | "args">;
  /** Its last argument is the sharding context. */
  readonly appendContext?: boolean;
  /** Somebody has to change something before it may run. */
  readonly unfinished: boolean;
}

/**
 * A job of ElasticJob for Java as its registry, export and API write it: 3.x (`props`, `...Type`), 2.x Lite and Cloud (`jobType`,
 * `scriptCommandLine`), or an entry below `elasticjob.jobs` of Spring Boot with its name. Throws ConvertError with the path of a wrong field.
 */
export function convertJavaJob(job: Fields, options: ConvertOptions): Conversion {
  const wanted = job.word("jobName");
  if (wanted === undefined) throw new ConvertError(job.at("jobName"), "is missing; each job has a name");
  const { image } = options;
  if (image === undefined)
    throw new ConvertError(`ElasticJob ${wanted}`, "--image is needed: the image that holds the programs of these jobs");
  const notes = new Notes();
  const name = objectName(wanted, "elastic-job", job.at("jobName"), notes);
  if (name !== wanted) notes.add(job.at("jobName"), "It is also what programs find as jobName in their sharding context.");
  const work = workOf(job, notes);
  const daemon = job.word("jobExecutionType") === "DAEMON";
  if (daemon) {
    notes.add(
      job.at("jobExecutionType"),
      "A daemon, which fires inside of one long-lived program, has no equal: each run has pods of its own, which end.",
    );
  }
  const spec: ElasticJobSpec = {
    ...((job.flag("disabled") === true || work.unfinished || daemon) && { suspend: true }),
    ...quartzSchedule(
      { expression: job.word("cron"), timeZone: job.word("timeZone") },
      { cron: job.at("cron"), zone: job.at("timeZone") },
      options,
      notes,
    ),
    // ElasticJob never catches up after downtime; what it missed while a run was at work it runs once.
    misfire: { onDowntime: "Skip", onOverlap: job.flag("misfire") === false ? "Skip" : "FireOnce" },
    ...sharding(job, notes),
    ...(job.word("jobParameter") !== undefined && { parameter: job.text("jobParameter") as string }),
    ...(job.flag("failover") !== true && { failover: { limit: 0 } }),
    // An item that fails is none of the others' business.
    ...((job.integer("shardingTotalCount") ?? 1) > 1 && { completion: { failFast: false } }),
    ...(work.appendContext === true && { appendShardingContext: true }),
    template: { spec: { containers: [{ name: "job", image, ...work.container, ...resources(job) }] } },
  };
  otherFields(job, notes);
  const description = job.word("description");
  const manifest = describedJob(name, description, spec, options);
  return { source: `ElasticJob ${wanted}`, manifest, notes: notes.all() };
}

function workOf(job: Fields, notes: Notes): Work {
  const props = job.object("props");
  const script = props.text("script.command.line") ?? job.word("scriptCommandLine");
  const type = (job.word("elasticJobType") ?? job.word("jobType") ?? "").toUpperCase();
  if (script !== undefined || type === "SCRIPT") return scriptWork(script?.trim() ?? "", job, notes);
  const uri = props.word("http.uri") ?? props.word("http.url");
  if (uri !== undefined) return httpWork(uri, props, notes);
  const jobClass = job.word("elasticJobClass") ?? job.word("jobClass");
  const kind = jobClass === undefined ? "A job that is a Java class" : `A job that is a Java class (${jobClass})`;
  notes.add(
    jobClass === undefined ? "" : job.at(job.has("elasticJobClass") ? "elasticJobClass" : "jobClass"),
    `${kind} needs a program: one that reads its item from $SHARDING_ITEM or $SHARDING_CONTEXT, does the work once and ends. The job is suspended until the image has it.`,
  );
  if (props.flag("streaming.process") === true || job.flag("streamingProcess") === true) {
    notes.add(props.at("streaming.process"), "Fetching and processing until nothing is left is the program's own loop.");
  }
  return { container: {}, unfinished: true };
}

function scriptWork(line: string, job: Fields, notes: Notes): Work {
  const words = splitCommandLine(line);
  if (words === undefined || words.length === 0) {
    notes.add(
      job.at("props.script.command.line"),
      `The command line ${JSON.stringify(line)} cannot be split into words. The job is suspended.`,
    );
    return { container: {}, unfinished: true };
  }
  return { container: { command: words.map(literalArgument) }, appendContext: true, unfinished: false };
}

/** The request that ElasticJob would send, by curl; status codes of 400 and above fail here. */
function httpWork(uri: string, props: Fields, notes: Notes): Work {
  const milliseconds = (name: string, absent: number) => String((props.integer(name) ?? absent) / 1000);
  const data = props.text("http.data");
  const contentType = props.word("http.content.type");
  const command = [
    ...["curl", "--fail", "--silent", "--show-error", "--request", (props.word("http.method") ?? "GET").toUpperCase()],
    ...["--connect-timeout", milliseconds("http.connect.timeout.milliseconds", 3000)],
    ...["--max-time", milliseconds("http.read.timeout.milliseconds", 5000)],
    ...["--header", "shardingContext: $(SHARDING_CONTEXT)"],
    ...(contentType === undefined ? [] : ["--header", literalArgument(`Content-Type: ${contentType}`)]),
    ...(data === undefined || data === "" ? [] : ["--data", literalArgument(data)]),
    literalArgument(uri),
  ];
  notes.add(
    props.at("http.uri"),
    "The request is sent by curl, which the image must have. A status of 400 or more fails the item; ElasticJob only logs it.",
  );
  return { container: { command }, unfinished: false };
}

function sharding(job: Fields, notes: Notes): Pick<ElasticJobSpec, "sharding"> {
  const total = job.integer("shardingTotalCount") ?? 1;
  if (total < 1 || total > 10_000) throw new ConvertError(job.at("shardingTotalCount"), `is ${total}; a run has 1 to 10000 items`);
  const written = job.word("shardingItemParameters");
  if (written === undefined) return total === 1 ? {} : { sharding: { total } };
  const path = job.at("shardingItemParameters");
  const byItem = new Map<number, string>();
  for (const part of written.split(",")) {
    const [item = "", text, ...rest] = part.split("=").map((piece) => piece.trim());
    if (!/^\d+$/.test(item) || text === undefined || rest.length > 0) {
      throw new ConvertError(path, `"${part.trim()}" is not an item and its parameter; write 0=a,1=b`);
    }
    byItem.set(Number(item), text);
  }
  if (total > 1000) {
    notes.add(path, "More than 1000 parameters do not fit: the program must find its own by $SHARDING_ITEM.");
    return { sharding: { total } };
  }
  const parameters = Array.from({ length: total }, (_, item) => byItem.get(item) ?? "");
  const missing = parameters.flatMap((_, item) => (byItem.has(item) ? [] : [item]));
  if (missing.length > 0)
    notes.add(
      path,
      `Items without a parameter (${missing.slice(0, 10).join(", ")}${missing.length > 10 ? ", ..." : ""}) get an empty one; ElasticJob gives null.`,
    );
  return { sharding: { total, parameters } };
}

/** Cloud's shares of an item. */
function resources(job: Fields): Pick<Container, "resources"> {
  const [cpu, memory] = [job.text("cpuCount"), job.number("memoryMB")];
  if (cpu === undefined && memory === undefined) return {};
  return {
    resources: { requests: { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory: `${Math.ceil(memory)}Mi` }) } },
  };
}

function otherFields(job: Fields, notes: Notes): void {
  const say = (name: string, text: string) => notes.add(job.at(name), text);
  if (job.flag("monitorExecution") === false)
    say("monitorExecution", "An item never has two attempts at once here; there is no switch for it.");
  if ((job.integer("maxTimeDiffSeconds") ?? -1) >= 0)
    say("maxTimeDiffSeconds", "No equal in the job: the operator's --max-clock-skew stops it while its clock is off.");
  const strategy = job.word("jobShardingStrategyType") ?? job.word("jobShardingStrategyClass");
  if (strategy !== undefined && strategy !== "AVG_ALLOCATION")
    say("jobShardingStrategyType", `Needs no equal: each item has a pod of its own, which the scheduler places (${strategy}).`);
  const handler = job.word("jobErrorHandlerType");
  if (handler !== undefined && !["LOG", "THROW", "IGNORE"].includes(handler))
    say("jobErrorHandlerType", `Has no equal: nobody is told by ${handler}. A failed run shows in status, events and metrics.`);
  const listeners = [...job.list("jobListenerTypes")].map(String);
  if (listeners.length > 0) say("jobListenerTypes", `Have no equal: ${listeners.join(", ")}. What they did is the program's.`);
  if (job.list("jobExtraConfigurations").length > 0)
    say("jobExtraConfigurations", "Have no equal in the job: the event trace is the operator's.");
  if (job.flag("staticSharding") === true) say("staticSharding", "Needs no equal: nothing is dealt out, each item has a pod of its own.");
  if (job.word("bootstrapScript") !== undefined)
    say("bootstrapScript", `Has no equal: the image's entry point takes the place of ${job.word("bootstrapScript")}.`);
}
