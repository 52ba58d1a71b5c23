import type { AdmissionAnswer } from "../../api/admission.ts";
import type { ControllerRevision } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { SpecProblem } from "../../api/problem.ts";
import type { QueueChoice } from "../../api/queue-access.ts";
import type { Refusal } from "../../api/refusal.ts";
import type { Schedule } from "../../cron/schedule.ts";
import type { AttemptPod } from "./attempt.ts";
import type { CalendarsStep } from "./calendars.ts";
import type { Dependencies } from "./dependencies.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import type { ParametersStep } from "./parameters.ts";
import type { RevisionData } from "./pod.ts";
import type { ObservedFleet } from "./resident/observed-fleet.ts";
import type { PlaceBudgets } from "./resident/place-budget.ts";
import type { ResultsFile } from "./results-file.ts";

/** Everything that a plan is made from: a readonly picture of one job at one instant. Instants are milliseconds since the epoch. */
export interface ObservedJob {
  readonly job: ElasticJob;
  /** All pods that exist of it, and its tasks at executors, in no order. */
  readonly pods: readonly AttemptPod[];
  /** Pods that were surely seen to be gone before their end was recorded. */
  readonly vanished: readonly VanishedPod[];
  /** Runs whose labels a pod of somebody else carries too: a selector would take that one along. */
  readonly foreignRuns?: ReadonlySet<string>;
  /** UIDs of pods that once told that their program ended before anybody asked for their deletion. */
  readonly endedUndeleted: ReadonlySet<string>;
  readonly revisions: readonly ControllerRevision[];
  /** Results that were written down for reduces, one file a run. */
  readonly resultsFiles: readonly ResultsFile[];
  /** Its spec with defaults; what is wrong in it stands in `problems`, and is left out here. */
  readonly spec: EffectiveSpec;
  readonly problems: readonly SpecProblem[];
  /** The calendars that the schedule names. */
  readonly calendars: CalendarsStep;
  /** Its namespace is only observed: no run begins (elasticjob.md section 9). Absent = it is not. */
  readonly observing?: boolean;
  /**
   * Absent: none is given, or it is wrong. Without a schedule of its own it is that of the upstreams (see `dependencies`).
   * Without calendars where they cannot be used: then nothing fires by it.
   */
  readonly armed?: ArmedSchedule;
  /** How much later than its fire time a run of this job starts: stable over re-creation, spread over jobs (decision 42). */
  readonly jitterMs: number;
  /** JobRequests for other jobs whose cascade comes to this one; absent = none. */
  readonly cascades?: readonly JobRequest[];
  /** The names of all jobs that hang below this one, when a request asks for them. */
  readonly below?: readonly string[];
  /** The jobs that it is after; absent when there are none. */
  readonly dependencies?: Dependencies;
  /** What the ConfigMap of sharding.parametersFrom holds; absent = the job names none. */
  readonly parameters?: ParametersStep;
  /** What new runs are pinned to, and the same as canonical JSON. */
  readonly pinned: { readonly data: RevisionData; readonly canonical: string };
  /** Everything in the spec that decides when the job fires, as canonical JSON. */
  readonly scheduleText: string;
  readonly nodes: NodeFacts;
  /** Of which queue new runs are, absent = of none; and what was decided about those that asked, by run. Absent: there are no queues. */
  readonly admission?: { readonly choice?: QueueChoice; readonly answers: ReadonlyMap<string, AdmissionAnswer> };
  /** By the RunnerApp's name: those that its runs are dispatched to. Absent = none. */
  readonly fleets?: ReadonlyMap<string, ObservedFleet>;
  /** What one plan gives out of the places there; set by the plan itself. */
  readonly budgets?: PlaceBudgets;
  readonly memory: JobMemory;
  readonly now: number;
  /** The API server's time, as far as its answers tell; undefined when they do not, as after a jump of our own clock: then nothing is due. */
  readonly serverNow: number | undefined;
  /** When this process began to lead: fire times before that without a run passed in somebody else's time. */
  readonly termStart: number;
  /** When this process took the lead from one that had not given it up: what that sent before may still be executed. Absent = from none. */
  readonly lateWritesFrom?: number;
  /** How far lastHandledFireTime may be ahead of the server's time; 0 = any. */
  readonly maxClockSkewMs: number;
  /** More finished pods are kept in the whole cluster than is allowed: this job keeps none beyond the life of the lock. */
  readonly overRetained: boolean;
  /** All JobRequests of it, in no order. */
  readonly requests: readonly JobRequest[];
  /** Set when a JobRequest suspends the job, with its name: `spec.suspend` is true then. */
  readonly suspendedBy?: string;
}

export interface VanishedPod {
  readonly pod: AttemptPod;
  readonly at: number;
}

/** A schedule that can fire, with the job's zone for people. */
export interface ArmedSchedule {
  readonly schedule: Schedule;
  /** "2026-11-21": the date of an instant in the job's zone. */
  readonly localDate: (instant: number) => string;
  /** "11-22 02:30 CST" */
  readonly display: (instant: number) => string;
}

/** What is known of nodes. */
export interface NodeFacts {
  /** It exists, takes new pods, and is ready. */
  usable(name: string): boolean;
  /** It is in the cache. A node that is not may be too new for it: that alone proves nothing (decision 20). */
  known(name: string): boolean;
  /** Since when nothing has been heard of it (its Ready condition is Unknown); undefined = it is heard of, or not known. */
  unreachableSince(name: string): number | undefined;
  /** All nodes that are usable and have these labels. */
  usableNames(nodeSelector: Readonly<Record<string, string>>): readonly string[];
}

/** What caches do not show and a restart may forget without harm. */
export interface JobMemory {
  /** Refusals that are true now, by run. */
  readonly refusals: ReadonlyMap<string, Refusal>;
  /** Runs whose pods' names belong to somebody else, and runs whose pods the API server finds wrong: the message by run. */
  readonly nameTaken: ReadonlyMap<string, string>;
  readonly invalid: ReadonlyMap<string, string>;
  /** The API server's word on templates, by revision name; absent = not asked yet. */
  readonly templates: ReadonlyMap<string, { readonly accepted: boolean; readonly message: string }>;
  /** Nodes that a read past the cache did not find, and when. */
  readonly goneNodes: ReadonlyMap<string, number>;
  /** Instances that no cache shows, by id: what a read past the caches found, and when it was first known. */
  readonly instances: ReadonlyMap<string, { readonly at: number; readonly isGone: boolean }>;
  /** The run that status named ahead and that was asked about, and was not begun. */
  readonly notBegun: NotBegun | undefined;
  /** Runs of which a pod may have been created, though the API server did not say so. */
  readonly unsure: ReadonlySet<string>;
  /** When a collection was last told to go, by selector. */
  readonly cleanups: ReadonlyMap<string, number>;
  readonly namespaceTerminating: boolean;
}

/** What its executor said of a run that status named ahead: that it had not heard of it. */
export interface NotBegun {
  readonly run: string;
  /** The term in which it was asked: the next leader asks anew. */
  readonly termStart: number;
  /** Until then somebody's word may still be on its way to this instance, so the run begins there or waits; in the past when nobody's is. */
  readonly instance: string;
  readonly until: number;
}

export const emptyMemory: JobMemory = {
  refusals: new Map(),
  nameTaken: new Map(),
  invalid: new Map(),
  templates: new Map(),
  goneNodes: new Map(),
  instances: new Map(),
  notBegun: undefined,
  unsure: new Set(),
  cleanups: new Map(),
  namespaceTerminating: false,
};
