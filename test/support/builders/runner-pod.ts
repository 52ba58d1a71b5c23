import type { ContainerStatus, Pod, PodCondition } from "../../../src/api/core.ts";
import { iso } from "./elastic-job.ts";

/** A container of a runner's pod, in short. Times are of the day of the tests, whole seconds. */
export interface RunnerContainer {
  readonly running?: boolean;
  readonly waiting?: string;
  /** The exit code of its newest end: its state where it neither runs nor waits, else its last state. */
  readonly exit?: number;
  /** The word of that end; absent = Error or Completed. */
  readonly word?: string;
  readonly finished?: string;
  /** When it had started that ended. */
  readonly started?: string;
  readonly restarts?: number;
  readonly id?: string;
}

export interface RunnerPodFacts {
  readonly name?: string;
  readonly uid?: string;
  /** null = none yet. */
  readonly node?: string | null;
  readonly phase?: "Pending" | "Running" | "Succeeded" | "Failed";
  /** status.reason. */
  readonly reason?: string;
  /** By name; absent = one that runs. */
  readonly containers?: Readonly<Record<string, RunnerContainer>>;
  readonly inits?: Readonly<Record<string, RunnerContainer>>;
  /** Names of the inits that are sidecars. */
  readonly sidecars?: readonly string[];
  readonly scheduled?: string;
  /** The reason of PodScheduled=False. */
  readonly unscheduled?: string;
  readonly ready?: boolean;
  /** The reason of DisruptionTarget=True. */
  readonly disrupted?: string;
  readonly deleting?: boolean;
}

/** A pod of a RunnerApp as the API server would show it; without facts one that has served since noon. */
export function runnerPod(facts: RunnerPodFacts = {}): Pod {
  const { node = "n1", containers = { main: { running: true } }, inits = {} } = facts;
  const conditions: PodCondition[] = [
    { type: "Ready", status: (facts.ready ?? true) ? "True" : "False", lastTransitionTime: iso("12:00:05") },
    facts.unscheduled === undefined
      ? { type: "PodScheduled", status: "True", lastTransitionTime: iso(facts.scheduled ?? "12:00:01") }
      : { type: "PodScheduled", status: "False", reason: facts.unscheduled, lastTransitionTime: iso("12:00:01") },
    ...(facts.disrupted === undefined ? [] : [{ type: "DisruptionTarget", status: "True", reason: facts.disrupted }]),
  ];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: facts.name ?? "web-1a2b3-0",
      namespace: "tenant",
      uid: facts.uid ?? "pod-1",
      creationTimestamp: iso("12:00:00"),
      ...(facts.deleting === true && { deletionTimestamp: iso("12:10:00") }),
    },
    spec: {
      ...(node !== null && { nodeName: node }),
      containers: Object.keys(containers).map((name) => ({ name })),
      initContainers: Object.keys(inits).map((name) => ({
        name,
        ...(facts.sidecars?.includes(name) === true && { restartPolicy: "Always" }),
      })),
    },
    status: {
      phase: facts.phase ?? "Running",
      ...(facts.reason !== undefined && { reason: facts.reason }),
      conditions,
      containerStatuses: Object.entries(containers).map(statusOf),
      initContainerStatuses: Object.entries(inits).map(statusOf),
    },
  };
}

function statusOf([name, { running, waiting, exit, word, finished, started, restarts = 0, id }]: [
  string,
  RunnerContainer,
]): ContainerStatus {
  const terminated =
    exit === undefined
      ? undefined
      : {
          exitCode: exit,
          reason: word ?? (exit === 0 ? "Completed" : "Error"),
          ...(started !== undefined && { startedAt: iso(started) }),
          finishedAt: iso(finished ?? "12:01:00"),
        };
  const stands = running === true || waiting !== undefined;
  return {
    name,
    restartCount: restarts,
    ...(id !== undefined && { containerID: id }),
    state: {
      ...(running === true && { running: { startedAt: iso("12:00:02") } }),
      ...(waiting !== undefined && { waiting: { reason: waiting } }),
      ...(!stands && terminated !== undefined && { terminated }),
    },
    ...(stands && terminated !== undefined && { lastState: { terminated } }),
  };
}
