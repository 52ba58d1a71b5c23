import type { Container } from "../../../../api/core.ts";
import type { KubeObject } from "../../../../api/meta.ts";
import { ageSince, humanDuration } from "./age.ts";
import { ageColumn, column, nameColumn, type RowPrinter } from "./columns.ts";
import { containerCells, labelText, templateCells, templateColumns, type Workload } from "./workload-columns.ts";

interface StatefulSet extends KubeObject {
  readonly spec: Workload["spec"];
  readonly status?: { readonly readyReplicas?: number };
}

interface DaemonSet extends KubeObject {
  readonly spec: Workload["spec"];
  readonly status?: {
    readonly desiredNumberScheduled?: number;
    readonly currentNumberScheduled?: number;
    readonly numberReady?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
  };
}

interface Job extends KubeObject {
  readonly spec: Workload["spec"] & { readonly completions?: number; readonly parallelism?: number };
  readonly status?: {
    readonly succeeded?: number;
    readonly startTime?: string;
    readonly completionTime?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface CronJob extends KubeObject {
  readonly spec: {
    readonly schedule: string;
    readonly timeZone?: string;
    readonly suspend?: boolean;
    readonly jobTemplate?: { readonly spec?: Workload["spec"] };
  };
  readonly status?: { readonly active?: readonly unknown[]; readonly lastScheduleTime?: string };
}

/** Stateful sets as `kubectl get` shows them. */
export const statefulSetPrinter: RowPrinter = {
  columns: [nameColumn, column("Ready", "Number of the pod with ready state"), ageColumn, ...templateColumns.slice(0, 2)],
  cells: (object, now) => {
    const { metadata, spec, status = {} } = object as StatefulSet;
    const ready = `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`;
    return [metadata.name, ready, ageSince(metadata.creationTimestamp, now), ...templateCells(spec).slice(0, 2)];
  },
};

/** Daemon sets as `kubectl get` shows them. */
export const daemonSetPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Desired", "Number of nodes that are to have a daemon.", { type: "integer" }),
    column("Current", "Number of nodes that have one.", { type: "integer" }),
    column("Ready", "Number of nodes whose daemon is ready.", { type: "integer" }),
    column("Up-to-date", "Number of nodes whose daemon is of the newest template.", { type: "integer" }),
    column("Available", "Number of nodes whose daemon is available.", { type: "integer" }),
    column("Node Selector", "The labels of the nodes."),
    ageColumn,
    ...templateColumns,
  ],
  cells: (object, now) => {
    const { metadata, spec, status = {} } = object as DaemonSet;
    const { nodeSelector } = (spec.template?.spec ?? {}) as { readonly nodeSelector?: Readonly<Record<string, string>> };
    return [
      metadata.name,
      status.desiredNumberScheduled ?? 0,
      status.currentNumberScheduled ?? 0,
      status.numberReady ?? 0,
      status.updatedNumberScheduled ?? 0,
      status.numberAvailable ?? 0,
      labelText(nodeSelector) || "<none>",
      ageSince(metadata.creationTimestamp, now),
      ...templateCells(spec),
    ];
  },
};

/** Jobs as `kubectl get` shows them. */
export const jobPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Status", "Status of the job."),
    column("Completions", "Number of pods that succeeded."),
    column("Duration", "Time required to complete the job."),
    ageColumn,
    ...templateColumns,
  ],
  cells: (object, now) => {
    const job = object as Job;
    const age = ageSince(job.metadata.creationTimestamp, now);
    return [job.metadata.name, statusText(job), completionsText(job), durationText(job, now), age, ...templateCells(job.spec)];
  },
};

/** The first of these that is True is what a Job is. */
const states = ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];

function statusText({ metadata, status = {} }: Job): string {
  const has = (type: string): boolean => (status.conditions ?? []).some((one) => one.type === type && one.status === "True");
  const [complete = "", failed = "", ...others] = states;
  const ended = [complete, failed].find(has);
  if (ended !== undefined) return ended;
  return metadata.deletionTimestamp === undefined ? (others.find(has) ?? "Running") : "Terminating";
}

function completionsText({ spec, status = {} }: Job): string {
  const succeeded = status.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  return (spec.parallelism ?? 0) > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
}

function durationText({ status = {} }: Job, now: number): string {
  if (status.startTime === undefined) return "";
  const end = status.completionTime === undefined ? now : Date.parse(status.completionTime);
  return humanDuration(end - Date.parse(status.startTime));
}

/** Cron jobs as `kubectl get` shows them. */
export const cronJobPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Schedule", "When jobs are made, in Cron format."),
    column("Timezone", "The time zone of the schedule."),
    column("Suspend", "Whether no jobs are made.", { type: "boolean" }),
    column("Active", "Number of jobs that run.", { type: "integer" }),
    column("Last Schedule", "The time since a job was made."),
    ageColumn,
    ...templateColumns,
  ],
  cells: (object, now) => {
    const { metadata, spec, status = {} } = object as CronJob;
    const containers: readonly Container[] = spec.jobTemplate?.spec?.template?.spec?.containers ?? [];
    return [
      metadata.name,
      spec.schedule,
      spec.timeZone ?? "<none>",
      spec.suspend === undefined ? "<unset>" : spec.suspend ? "True" : "False",
      (status.active ?? []).length,
      status.lastScheduleTime === undefined ? "<none>" : ageSince(status.lastScheduleTime, now),
      ageSince(metadata.creationTimestamp, now),
      ...containerCells(containers),
      "<none>",
    ];
  },
};
