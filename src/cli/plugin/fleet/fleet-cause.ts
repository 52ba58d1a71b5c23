import type { WaitingWork } from "../../../api/queue-explanation.ts";

/** What keeps a fleet, or one instance, from serving as it should; or that all is well. Names are for programs and stay as they are. */
export type FleetCauseName =
  | "BeingDeleted"
  | "OperatorSilent"
  | "NotAccepted"
  | "Suspended"
  | "Queue"
  | "Quota"
  | "Admission"
  | "Reduced"
  | "RolloutPaused"
  | "RolledBack"
  | "NoProgress"
  | "Paused"
  | "CanaryHeld"
  | "Rolling"
  | "Restarting"
  | "NoNode"
  | "NodeExcluded"
  | "Image"
  | "Config"
  | "NotStarted"
  | "CrashLoop"
  | "OOMKilled"
  | "NotReady"
  | "OutOfService"
  | "NodeLost"
  | "Dead"
  | "Retrying"
  | "StormBrake"
  | "RetriesExhausted"
  | "Moving"
  | "MoveStalled"
  | "Ending"
  | "NoPod"
  | "Serving";

/** One answer to the question why a fleet does not serve as it should. */
export interface FleetCause {
  readonly cause: FleetCauseName;
  /** A sentence without its full stop. */
  readonly text: string;
  /** RFC 3339; absent where nobody knows. */
  readonly since?: string;
  /** What can be done about it. */
  readonly advice?: string;
  /** The numbers of the instances that it is about, "0-3,7". */
  readonly instances?: string;
  /** What the leader says of a fleet that waits for its queue. */
  readonly waiting?: WaitingWork;
}

/** Why a fleet, or one instance of it, serves or does not. */
export interface FleetExplanation {
  readonly app: string;
  readonly namespace: string;
  /** Serving: all that is wanted. Degraded: enough, and something is wrong or under way. Missing: too few. Stopped: none are wanted. */
  readonly state: "Serving" | "Degraded" | "Missing" | "Stopped";
  readonly available: number;
  readonly desired: number;
  /** Of one pod that was asked about. */
  readonly instance?: { readonly number: string; readonly pod: string; readonly reason: string; readonly node?: string };
  /** The most important one first; never empty. */
  readonly causes: readonly FleetCause[];
}
