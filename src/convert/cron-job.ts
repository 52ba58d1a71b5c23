import type { ElasticJob, ElasticJobSpec } from "../api/elastic-job.gen.ts";
import { type Conversion, ConvertError, type ConvertOptions, Notes } from "./conversion.ts";
import { cronJobSchedule } from "./cron-job-schedule.ts";
import type { Fields } from "./fields.ts";
import { bounds, jobPart } from "./job-spec.ts";
import { keptMetadata } from "./kept-metadata.ts";
import { objectName } from "./object-name.ts";
import { podTemplate } from "./pod-template.ts";

/** A CronJob as an ElasticJob. Throws ConvertError with the path of a field that is wrong. */
export function convertCronJob(cronJob: Fields, options: ConvertOptions): Conversion {
  const metadata = cronJob.object("metadata");
  const wanted = metadata.word("name") ?? metadata.word("generateName");
  if (wanted === undefined) throw new ConvertError(metadata.at("name"), "is missing; a CronJob has a name");
  const namespace = metadata.word("namespace") ?? options.namespace;
  const notes = new Notes();
  const name = objectName(wanted, "cron-job", "metadata.name", notes);
  const spec = cronJob.object("spec");
  const jobTemplate = spec.object("jobTemplate");
  const job = jobTemplate.object("spec");
  const schedule = cronJobSchedule(spec, options, notes);
  const part = jobPart(job, notes);
  const suspend = spec.flag("suspend") === true || part.suspend === true;
  const jobMetadata = jobTemplate.object("metadata");
  for (const field of ["labels", "annotations"]) {
    const template = job.object("template").object("metadata").texts(field) ?? {};
    const lost = Object.entries(jobMetadata.texts(field) ?? {}).filter(([key, value]) => template[key] !== value);
    if (lost.length > 0) {
      const list = lost.map(([key, value]) => `${key}=${value}`).join(", ");
      notes.add(jobMetadata.at(field), `There is no Job object to carry ${list}. Pods carry those of template.metadata.`);
    }
  }
  const kept = keptRuns(spec, notes);
  const converted: ElasticJobSpec = {
    ...(suspend && { suspend }),
    ...(schedule !== undefined && { schedule }),
    ...misfire(spec, notes),
    concurrencyPolicy: policy(spec),
    ...without(part, "suspend"),
    ...(kept !== undefined && { podRetention: { ...kept, ...part.podRetention }, history: kept }),
    template: podTemplate(job.object("template"), job.text("completionMode") === "Indexed", notes),
  };
  const manifest: ElasticJob = {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, ...(namespace !== undefined && { namespace }), ...keptMetadata(metadata) },
    spec: converted,
  };
  return {
    source: `CronJob ${namespace === undefined ? "" : `${namespace}/`}${wanted}`,
    manifest,
    notes: notes.all(),
    cronJob: cronJob.value,
  };
}

function policy(spec: Fields): NonNullable<ElasticJobSpec["concurrencyPolicy"]> {
  const written = spec.word("concurrencyPolicy") ?? "Allow";
  if (written === "Allow" || written === "Forbid" || written === "Replace") return written;
  throw new ConvertError(spec.at("concurrencyPolicy"), `is "${written}"; it is Allow, Forbid or Replace`);
}

/** A CronJob starts the newest time that passed, once: after downtime (our default), and under Forbid when the way is free. */
function misfire(spec: Fields, notes: Notes): Pick<ElasticJobSpec, "misfire"> {
  const path = spec.at("startingDeadlineSeconds");
  const deadline = spec.integer("startingDeadlineSeconds");
  if (deadline === 0) notes.add(path, "With 0 a CronJob hardly ever starts; 1 s is the shortest here.");
  if (deadline !== undefined && deadline > bounds.seconds) notes.add(path, "Longer than a year: left out, so there is no limit.");
  const values = {
    ...(policy(spec) === "Forbid" && { onOverlap: "FireOnce" as const }),
    ...(deadline !== undefined && deadline <= bounds.seconds && { startingDeadlineSeconds: Math.max(1, deadline) }),
  };
  return Object.keys(values).length === 0 ? {} : { misfire: values };
}

/** Jobs that a CronJob keeps, with their pods. */
function keptRuns(spec: Fields, notes: Notes): { readonly succeeded?: number; readonly failed?: number } | undefined {
  const limit = (field: string) => {
    const written = spec.integer(field);
    if (written === undefined || written <= bounds.kept) return written;
    notes.add(spec.at(field), `At most ${bounds.kept} runs are kept.`);
    return bounds.kept;
  };
  const [succeeded, failed] = [limit("successfulJobsHistoryLimit"), limit("failedJobsHistoryLimit")];
  if (succeeded === undefined && failed === undefined) return undefined;
  return { ...(succeeded !== undefined && { succeeded }), ...(failed !== undefined && { failed }) };
}

function without<T extends object, K extends keyof T>(value: T, key: K): Omit<T, K> {
  const { [key]: _, ...rest } = value;
  return rest;
}
