import { cronJobs, jobs } from "../../../api/resource.ts";
import { type Fields, isFields, type StoredObject, sameJson, withField } from "../json.ts";
import { type FieldError, invalidValue, requiredValue, unsupportedValue } from "../status.ts";
import { type BuiltinKind, section } from "./builtin-kind.ts";
import { defaultTemplate, templateErrors } from "./pod-kind.ts";

/** Jobs and CronJobs: how they are defaulted and what they are refused for (pkg/apis/batch). */

const emptyTemplate: Fields = { metadata: {}, spec: { containers: null } };

/** A Job's spec as the server fills it in; without `suspend` and so on only where it is a template of Jobs. */
function defaultJobSpec(spec: Fields): Fields {
  return {
    ...(spec.completions === undefined && spec.parallelism === undefined ? { completions: 1 } : {}),
    parallelism: 1,
    backoffLimit: spec.backoffLimitPerIndex === undefined ? 6 : 2_147_483_647,
    completionMode: "NonIndexed",
    suspend: false,
    podReplacementPolicy: spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed",
    manualSelector: false,
    ...withTemplate(spec),
  };
}

const withTemplate = (spec: Fields): Fields => (spec.template === undefined ? spec : { ...spec, template: defaultTemplate(spec.template) });

function defaultJob(object: Fields): Fields {
  const metadata = section(object, "metadata");
  const spec = section(object, "spec");
  const labels = section(section(section(spec, "template"), "metadata"), "labels");
  const unlabelled = Object.keys(section(metadata, "labels")).length === 0 && Object.keys(labels).length > 0;
  return { ...object, ...(unlabelled ? { metadata: { ...metadata, labels } } : {}), spec: defaultJobSpec(spec) };
}

/** A Job's pods carry its name and UID, and its selector is by the UID, unless its writer selects by hand. */
function withSelector(job: StoredObject): StoredObject {
  const spec = section(job, "spec");
  if (spec.manualSelector === true) return job;
  const { name, uid } = job.metadata;
  const template = section(spec, "template");
  const metadata = section(template, "metadata");
  const owner = {
    "batch.kubernetes.io/controller-uid": uid,
    "controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
    "job-name": name,
  };
  const labels = { ...owner, ...section(metadata, "labels") };
  const selector = spec.selector ?? { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
  // labels that were taken from the template are the template's own
  const own = metadata.labels !== undefined && job.metadata.labels === metadata.labels ? { ...job.metadata, labels } : job.metadata;
  return {
    ...job,
    metadata: own as StoredObject["metadata"],
    spec: { ...spec, selector, template: { ...template, metadata: { ...metadata, labels } } },
  };
}

const amounts = ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex"];

function jobSpecErrors(spec: Fields, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const field of amounts) {
    const value = spec[field];
    if (typeof value === "number" && value < 0) errors.push(invalidValue(`${path}.${field}`, value, "must be greater than or equal to 0"));
  }
  const mode = spec.completionMode;
  if (mode !== undefined && mode !== "NonIndexed" && mode !== "Indexed")
    errors.push(unsupportedValue(`${path}.completionMode`, mode, ["NonIndexed", "Indexed"]));
  if (mode === "Indexed" && spec.completions === undefined)
    errors.push(requiredValue(`${path}.completions`, "when completion mode is Indexed"));
  errors.push(...templateErrors(spec.template, `${path}.template`));
  const policy = section(section(spec, "template"), "spec").restartPolicy ?? "Always";
  if (policy === "Always") errors.push(requiredValue(`${path}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  return errors;
}

function jobErrors(job: StoredObject): readonly FieldError[] {
  const spec = section(job, "spec");
  const errors = jobSpecErrors(spec, "spec");
  const labels = section(section(section(spec, "template"), "metadata"), "labels");
  const wanted = section(section(spec, "selector"), "matchLabels");
  if (spec.selector === undefined) return [...errors, requiredValue("spec.selector")];
  return Object.entries(wanted).every(([key, value]) => labels[key] === value)
    ? errors
    : [...errors, invalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")];
}

/** What of its template stays even while a Job is suspended and has not begun: all but where its pods may go and what they may use. */
function settled(template: unknown): Fields {
  const {
    nodeSelector: _1,
    tolerations: _2,
    affinity: _3,
    schedulingGates: _4,
    ...spec
  } = section(isFields(template) ? template : {}, "spec");
  const bare = (containers: unknown): unknown =>
    Array.isArray(containers)
      ? containers.map((one: unknown) => (isFields(one) ? withField(one, "resources", undefined) : one))
      : containers;
  return { ...spec, containers: bare(spec.containers), initContainers: bare(spec.initContainers) };
}

function jobChangeErrors(next: StoredObject, live: StoredObject): readonly FieldError[] {
  const errors = [...jobErrors(next)];
  const now = section(next, "spec");
  const was = section(live, "spec");
  const fixed = (field: string): void => {
    if (!sameJson(now[field], was[field])) errors.push(invalidValue(`spec.${field}`, now[field] ?? null, "field is immutable"));
  };
  // an indexed Job can be made longer or shorter, together with how many run at once
  const elastic = now.completionMode === "Indexed" && now.completions === now.parallelism;
  if (!elastic) fixed("completions");
  fixed("selector");
  if (was.suspend !== true || section(live, "status").startTime !== undefined) fixed("template");
  else if (!sameJson(settled(now.template), settled(was.template)))
    errors.push(invalidValue("spec.template.spec", section(section(now, "template"), "spec"), "only container resources can be updated"));
  for (const field of ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]) fixed(field);
  return errors;
}

const jobKind: BuiltinKind = {
  resource: jobs,
  typeName: "batch.v1.Job",
  categories: ["all"],
  subresources: ["status"],
  counted: true,
  emptyObject: { spec: { template: emptyTemplate }, status: {} },
  fieldReaders: { "status.successful": (job) => String(section(job, "status").succeeded ?? 0) },
  defaults: defaultJob,
  prepareCreate: (job) => withField(withSelector(job), "status", {}),
  validate: jobErrors,
  validateUpdate: (next, live, subresource) => (subresource === "" ? jobChangeErrors(next, live) : []),
};

function cronJobErrors(cronJob: StoredObject): readonly FieldError[] {
  const spec = section(cronJob, "spec");
  const errors: FieldError[] = [];
  if (typeof spec.schedule !== "string" || spec.schedule === "") errors.push(requiredValue("spec.schedule"));
  const policies = ["Allow", "Forbid", "Replace"];
  if (!policies.includes(String(spec.concurrencyPolicy)))
    errors.push(unsupportedValue("spec.concurrencyPolicy", spec.concurrencyPolicy ?? "", policies));
  for (const field of ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]) {
    const value = spec[field];
    if (typeof value === "number" && value < 0) errors.push(invalidValue(`spec.${field}`, value, "must be greater than or equal to 0"));
  }
  const { metadata } = cronJob;
  if (metadata.name.length > 52) errors.push(invalidValue("metadata.name", metadata.name, "must be no more than 52 characters"));
  return [...errors, ...jobSpecErrors(section(section(spec, "jobTemplate"), "spec"), "spec.jobTemplate.spec")];
}

const cronJobKind: BuiltinKind = {
  resource: cronJobs,
  typeName: "batch.v1.CronJob",
  shortNames: ["cj"],
  categories: ["all"],
  subresources: ["status"],
  counted: true,
  emptyObject: { spec: { schedule: "", jobTemplate: { metadata: {}, spec: { template: emptyTemplate } } }, status: {} },
  defaults(object) {
    const spec = section(object, "spec");
    const jobTemplate = section(spec, "jobTemplate");
    return {
      ...object,
      spec: {
        concurrencyPolicy: "Allow",
        suspend: false,
        successfulJobsHistoryLimit: 3,
        failedJobsHistoryLimit: 1,
        ...spec,
        ...(spec.jobTemplate === undefined ? {} : { jobTemplate: { ...jobTemplate, spec: withTemplate(section(jobTemplate, "spec")) } }),
      },
    };
  },
  prepareCreate: (object) => withField(object, "status", {}),
  validate: cronJobErrors,
};

export const jobKinds: readonly BuiltinKind[] = [jobKind, cronJobKind];
