import { readFile } from "node:fs/promises";
import { Command, Option } from "commander";
import type { AppConversion, Conversion } from "../convert/conversion.ts";
import type { AnnotatedDocument } from "../convert/document-text.ts";
import type { Handover } from "../convert/cutover.ts";
import type { SourceKind } from "../convert/sources.ts";
import { utc } from "../cron/zone.ts";
import { type CommandContext, UsageError } from "./command-context.ts";
import { zoneFlag } from "./cron-input.ts";
import { parseInstant } from "./instant.ts";

interface Flags {
  readonly from?: keyof typeof kinds;
  readonly image?: string;
  readonly runner?: string;
  readonly namespace?: string;
  readonly timeZone: string;
  readonly cutover?: string;
  readonly rollback?: string;
  readonly old?: boolean;
  readonly output: "yaml" | "json";
}

const kinds = { cronjob: "CronJob", deployment: "Deployment", elasticjob: "ElasticJob", "xxl-job": "XxlJob" } as const satisfies Record<
  string,
  SourceKind
>;

/** The command `convert`: manifests of other schedulers as ElasticJobs, Deployments as RunnerApps. */
export function convertCommand(context: CommandContext): Command {
  return new Command("convert")
    .summary("CronJobs, jobs of ElasticJob for Java and of XXL-JOB as ElasticJobs; Deployments as RunnerApps")
    .description(
      "Reads CronJobs (YAML or JSON), job configurations of ElasticJob for Java (YAML or JSON) and XXL-JOB's table xxl_job_info (CSV or JSON), and prints " +
        "ElasticJobs; of Deployments it makes RunnerApps. What has no equal is said in comments. Each step of a migration: docs/migrating.md.",
    )
    .argument("[files...]", "files to read; - or none = stdin")
    .addOption(new Option("--from <scheduler>", "where the jobs come from (default: told by their fields)").choices(Object.keys(kinds)))
    .option("--image <image>", "the image of jobs whose source names none")
    .option("--runner <app>", "the RunnerApp whose executors have the handlers of XXL-JOB's beans, which then stay there")
    .option("-n, --namespace <namespace>", "the namespace of jobs whose source names none")
    .option("--time-zone <zone>", "the zone of schedules that name none: that of the controller-manager, or of the JVM", "Etc/UTC")
    .addOption(new Option("--cutover <time>", "RFC 3339: the new jobs fire from then on").conflicts("rollback"))
    .option("--rollback <time>", "RFC 3339: the new jobs fire until then")
    .option("--old", "with --cutover or --rollback: print the old CronJobs instead, to be applied when the time comes")
    .addOption(new Option("-o, --output <format>", "yaml, or json (notes go to stderr)").choices(["yaml", "json"]).default("yaml"))
    .action((files: readonly string[], flags: Flags) => convert(context, files, flags));
}

async function convert({ clock, output }: CommandContext, files: readonly string[], flags: Flags): Promise<void> {
  const [{ ConvertError }, { convertText }, { handedOver, oldCronJob }, { jsonText, noteText, yamlText }] = await Promise.all([
    import("../convert/conversion.ts"),
    import("../convert/sources.ts"),
    import("../convert/cutover.ts"),
    import("../convert/document-text.ts"),
  ]);
  zoneFlag(flags.timeZone);
  const handover = handoverOf(flags);
  if (flags.old === true && handover === undefined) throw new UsageError("--old wants --cutover or --rollback with a time");
  const options = { timeZone: flags.timeZone, image: flags.image, runner: flags.runner, namespace: flags.namespace, now: clock.now() };
  const conversions: Conversion[] = [];
  const apps: AppConversion[] = [];
  try {
    for (const file of files.length === 0 ? ["-"] : files) {
      const kind = flags.from === undefined ? undefined : kinds[flags.from];
      const converted = convertText(await read(file), file === "-" ? "stdin" : file, kind, options);
      conversions.push(...converted.conversions);
      apps.push(...converted.apps);
      for (const skipped of converted.skipped) output.note(`passed over: ${skipped}`);
    }
  } catch (error) {
    throw error instanceof ConvertError ? new UsageError(error.message, { cause: error }) : error;
  }
  refuseNamesakes([...conversions, ...apps]);
  if (handover !== undefined)
    for (const { source } of apps)
      output.note(`passed over: ${source} has no fire times, and so none at which it changes hands; convert it without the time`);
  const documents: readonly AnnotatedDocument[] =
    handover === undefined
      ? [...conversions, ...apps]
      : flags.old === true
        ? conversions.flatMap((conversion) => oldCronJob(conversion, handover) ?? [])
        : conversions.map((conversion) => handedOver(conversion, handover));
  if (documents.length === 0) {
    if (flags.old !== true)
      throw new UsageError("there are only Deployments, which no time hands over: leave out --cutover and --rollback");
    throw new UsageError("--old: there is no CronJob among these; stop the old jobs in their own console");
  }
  if (flags.output === "json") {
    output.result(jsonText(documents));
    for (const { source, notes } of documents) for (const note of notes) output.note(`${source}: ${noteText(note)}`);
  } else output.result(yamlText(documents).trimEnd());
}

function handoverOf({ cutover, rollback }: Flags): Handover | undefined {
  if (cutover !== undefined) return { at: parseInstant("--cutover", cutover, utc), back: false };
  return rollback === undefined ? undefined : { at: parseInstant("--rollback", rollback, utc), back: true };
}

/** Two jobs, or two apps, of one name would overwrite each other. */
function refuseNamesakes(conversions: readonly (AppConversion | Conversion)[]): void {
  const sources = new Map<string, string>();
  for (const { manifest, source } of conversions) {
    const name = `${manifest.kind} ${manifest.metadata.namespace ?? ""}/${manifest.metadata.name}`;
    const other = sources.get(name);
    if (other !== undefined)
      throw new UsageError(`${source} and ${other} would both be called "${manifest.metadata.name}"; convert them apart`);
    sources.set(name, source);
  }
}

async function read(file: string): Promise<string> {
  if (file !== "-") {
    try {
      return await readFile(file, "utf8");
    } catch (error) {
      throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += String(chunk);
  return text;
}
