import type { WaitingWork } from "../../api/queue-explanation.ts";

/** What keeps a job from running, or a run from going on; or why all is well. Names are for programs and stay as they are. */
export type CauseName =
  | "AtWork"
  | "NextFireTime"
  | "Suspended"
  | "NoSchedule"
  | "BeforeWindow"
  | "AfterWindow"
  | "Calendar"
  | "Observed"
  | "Misfire"
  | "Concurrency"
  | "Dependency"
  | "Waiting"
  | "Request"
  | "Quota"
  | "Admission"
  | "Queue"
  | "Runner"
  | "NoNode"
  | "Image"
  | "NotStarted"
  | "NodeSilent"
  | "Retrying"
  | "Parallelism"
  | "Ending"
  | "BeingDeleted"
  | "NotAccepted"
  | "OperatorSilent";

/** One answer to the question why a job is not running. */
export interface Cause {
  readonly cause: CauseName;
  /** A sentence without its full stop. */
  readonly text: string;
  /** RFC 3339; absent where nobody knows. */
  readonly since?: string;
  /** What can be done about it. */
  readonly advice?: string;
  readonly run?: string;
  /** The items that it is about, "0-3,7". */
  readonly items?: string;
  /** What the leader says of a run that waits for its queue. */
  readonly waiting?: WaitingWork;
}

/** Why a job is not running, or that it is. */
export interface Explanation {
  readonly job: string;
  readonly namespace: string;
  /** Running: at least one program is at work. Stuck: a run is there and nothing of it is at work. Idle: it waits for its next fire time. Stopped: nothing will fire. */
  readonly state: "Running" | "Stuck" | "Idle" | "Stopped";
  readonly nextFireTime?: string;
  /** The most important one first; never empty. */
  readonly causes: readonly Cause[];
}
