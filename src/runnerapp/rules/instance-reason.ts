import type { Signal, SignalKind } from "./signal.ts";

/** The one word that tells how an instance is (status.instances[].reason). */
export type InstanceReason =
  | "None"
  | "NotAdmitted"
  | "NotScheduled"
  | "InstallFailed"
  | "NotStarted"
  | "CrashLoop"
  | "OOMKilled"
  | "NotReady"
  | "Lost"
  | "Dead"
  | "Evacuating"
  | "Released"
  | "Suspended"
  | "RetriesExhausted";

const ofSignal: Readonly<Record<SignalKind, InstanceReason>> = {
  Serving: "None",
  NotReady: "NotReady",
  OutOfService: "NotReady",
  Starting: "NotStarted",
  Exit: "CrashLoop",
  OOMKilled: "OOMKilled",
  Completed: "CrashLoop",
  Evicted: "Dead",
  Disrupted: "Dead",
  Rejected: "Dead",
  StartTimeout: "NotStarted",
  ConfigError: "InstallFailed",
  ImagePull: "InstallFailed",
  ImagePullTimeout: "InstallFailed",
  NodeLost: "Lost",
  Unschedulable: "NotScheduled",
  Deleted: "Released",
};

export interface InstanceFacts {
  /** Absent = it has no pod. */
  readonly signal?: Signal;
  readonly suspended?: boolean;
  /** The queue has not granted its share. */
  readonly notAdmitted?: boolean;
  readonly evacuating?: boolean;
  readonly exhausted?: boolean;
}

/**
 * First match: what people asked for, what keeps it from getting a pod, then what ails the pod. An instance that moves and serves is
 * Evacuating; one that moves and ails tells what ails it.
 */
export function instanceReason({ signal, suspended, notAdmitted, evacuating, exhausted }: InstanceFacts): InstanceReason {
  if (suspended === true) return "Suspended";
  const serves = signal?.kind === "Serving" || signal?.kind === "OutOfService";
  if (exhausted === true && !serves) return "RetriesExhausted";
  if (signal === undefined) return notAdmitted === true ? "NotAdmitted" : "NotScheduled";
  if (evacuating === true && serves) return "Evacuating";
  return ofSignal[signal.kind];
}

/** How its last container ended, in short, such as "exit 137 (OOMKilled)"; undefined = none has. */
export function lastExitText({ exitCode, word, reason }: Pick<Signal, "exitCode" | "word" | "reason">): string | undefined {
  if (exitCode === undefined) return undefined;
  const why = reason === "OOMKilled" ? reason : word;
  return why === "" || why === "Error" || why === "Completed" ? `exit ${exitCode}` : `exit ${exitCode} (${why})`;
}
