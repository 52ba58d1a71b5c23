import type { AdmissionAnswer } from "../../api/admission.ts";
import type { Clocks } from "../../api/clock-skew.ts";
import type { ControllerRevision } from "../../api/core.ts";
import type { SpecProblem } from "../../api/problem.ts";
import type { QueueChoice } from "../../api/queue-access.ts";
import type { Refusal } from "../../api/refusal.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { DrainView } from "./drain.ts";
import type { StoredBudget } from "./disruption-budget-step.ts";
import type { InstancePod } from "./instance.ts";
import type { EvacuationCause } from "./node-taking.ts";
import type { PrefetchPod } from "./prefetch.ts";
import type { RevisionData } from "./revision.ts";

/** Everything that a plan is made from: a readonly picture of one app at one instant. Instants are milliseconds since the epoch. */
export interface ObservedApp extends Clocks {
  readonly app: RunnerApp;
  /** What is wrong in the spec. */
  readonly problems: readonly SpecProblem[];
  /** What of the spec makes a revision, and the same as canonical JSON. */
  readonly pinned: { readonly data: RevisionData; readonly canonical: string };
  /** All pods that it controls, in no order. */
  readonly pods: readonly InstancePod[];
  /** So many milliseconds ago everything that had happened to them is in `pods`; absent = nobody knows. */
  readonly podsAgeMs?: number;
  readonly revisions: readonly ControllerRevision[];
  /** Its pods that pull images. */
  readonly prefetches: readonly PrefetchPod[];
  /** The PodDisruptionBudget of its name, whoever made it; absent = there is none. */
  readonly budget?: StoredBudget;
  readonly nodes: NodeFacts;
  /** Of which queue it is, absent = of none; and what was decided about it. Absent: there are no queues. */
  readonly admission?: { readonly choice?: QueueChoice; readonly answer?: AdmissionAnswer };
  /** What gateways say of its instances; absent = it publishes nothing. */
  readonly drain?: DrainView;
  readonly memory: AppMemory;
}

/** What is known of nodes. */
export interface NodeFacts {
  get(name: string): NodeState | undefined;
  all(): Iterable<NodeState>;
}

export interface NodeState {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It is being taken: its instances are to leave. */
  readonly taken?: EvacuationCause;
  /** Its Ready condition is True. */
  readonly isReady: boolean;
  /** Since when nothing has been heard of it. */
  readonly lostSince?: number;
  readonly hasMemoryPressure: boolean;
}

/** What caches do not show and a restart may forget without harm. */
export interface AppMemory {
  /** The API server's word on templates, by revision name; absent = not asked yet. */
  readonly templates: ReadonlyMap<string, { readonly accepted: boolean; readonly message: string }>;
  /** UIDs of pods whose deletion was answered and is not seen yet. */
  readonly deleted: ReadonlySet<string>;
  /** Names of pods that belong to somebody else. */
  readonly namesTaken: ReadonlySet<string>;
  /** UIDs of pods of which the API server refused a change in place. */
  readonly notInPlace: ReadonlySet<string>;
  /** The API server refuses pods that pull images. */
  readonly prefetchRefused: boolean;
  /** The API server refuses pods now, perhaps not later. */
  readonly refusal?: Refusal;
  /** When status was written last. */
  readonly wroteAt?: number;
  readonly namespaceTerminating: boolean;
}

export const emptyMemory: AppMemory = {
  templates: new Map(),
  deleted: new Set(),
  namesTaken: new Set(),
  notInPlace: new Set(),
  prefetchRefused: false,
  namespaceTerminating: false,
};

export const noNodes: NodeFacts = { get: () => undefined, all: () => [] };
