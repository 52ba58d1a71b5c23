import type { ContainerStatus, Pod, PodCondition } from "../../../src/api/core.ts";
import { type AttemptPod, attemptPod, type RunAnnotation } from "../../../src/elasticjob/rules/attempt.ts";
import { iso, jobUid } from "./elastic-job.ts";

/** What a test says of a pod; times are of the day of the tests, whole seconds. */
export interface PodFacts {
  readonly run?: string;
  readonly item?: number;
  readonly attempt?: number;
  readonly uid?: string;
  readonly history?: Partial<RunAnnotation>;
  readonly created?: string;
  readonly node?: string;
  readonly scheduled?: string;
  readonly started?: string;
  readonly waiting?: string;
  readonly phase?: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly reason?: string;
  /** Exit codes of the containers that have a status, in their order; null = still running. */
  readonly exits?: readonly (number | null)[];
  readonly finished?: string;
  /** deletionTimestamp, as stored: the request's time plus grace. */
  readonly deletionTimestamp?: string;
  readonly grace?: number;
  readonly disrupted?: boolean;
  readonly message?: string;
  readonly containers?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly initExit?: number;
}

export const runAnnotation = (differs: Partial<RunAnnotation> = {}): RunAnnotation => ({
  kind: "Schedule",
  fireTime: iso("12:00:00.000"),
  revision: "report-1",
  items: "0",
  counted: 0,
  lost: 0,
  nodes: [],
  since: iso("12:00:00.000"),
  ...differs,
});

/** A pod as the API server would show it. */
export function makePod(facts: PodFacts = {}): Pod {
  const { run = "20261121t120000z", item = 0, attempt = 1 } = facts;
  const names = Array.from({ length: facts.containers ?? Math.max(1, facts.exits?.length ?? 0) }, (_, index) =>
    index === 0 ? "main" : `side${index}`,
  );
  const conditions: PodCondition[] = [];
  if (facts.scheduled !== undefined) conditions.push({ type: "PodScheduled", status: "True", lastTransitionTime: iso(facts.scheduled) });
  if (facts.disrupted === true) conditions.push({ type: "DisruptionTarget", status: "True" });
  const status = (name: string, index: number): ContainerStatus => {
    const exitCode = facts.exits?.[index];
    const startedAt = iso(facts.started ?? "12:00:02");
    if (facts.waiting !== undefined) return { name, state: { waiting: { reason: facts.waiting } } };
    if (exitCode === undefined || exitCode === null) return { name, state: { running: { startedAt } } };
    const terminated = {
      exitCode,
      startedAt,
      finishedAt: iso(facts.finished ?? "12:00:30"),
      reason: exitCode === 0 ? "Completed" : "Error",
    };
    return { name, state: { terminated: { ...terminated, ...(facts.message !== undefined && { message: facts.message }) } } };
  };
  const shown = facts.exits !== undefined || facts.started !== undefined || facts.waiting !== undefined;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `report-0a1b2c3d-${run}-${item}-${attempt}`,
      namespace: "tenant",
      uid: facts.uid ?? `pod-${run}-${item}-${attempt}`,
      resourceVersion: "7",
      creationTimestamp: iso(facts.created ?? "12:00:00"),
      labels: {
        "nuptse.dev/job": "report",
        "nuptse.dev/job-uid": jobUid,
        "nuptse.dev/run": run,
        "nuptse.dev/item": String(item),
        "nuptse.dev/attempt": String(attempt),
      },
      annotations: { ...facts.annotations, "nuptse.dev/run": JSON.stringify(runAnnotation(facts.history)) },
      ownerReferences: [{ apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", name: "report", uid: jobUid, controller: true }],
      ...(facts.deletionTimestamp !== undefined && {
        deletionTimestamp: iso(facts.deletionTimestamp),
        deletionGracePeriodSeconds: facts.grace ?? 30,
      }),
    },
    spec: { containers: names.map((name) => ({ name })), ...(facts.node !== undefined && { nodeName: facts.node }) },
    status: {
      phase: facts.phase ?? "Running",
      conditions,
      ...(facts.reason !== undefined && { reason: facts.reason }),
      ...(shown && { containerStatuses: names.slice(0, facts.exits?.length ?? names.length).map(status) }),
      ...(facts.initExit !== undefined && {
        initContainerStatuses: [
          { name: "init", state: { terminated: { exitCode: facts.initExit, reason: "Error", finishedAt: iso("12:00:05") } } },
        ],
      }),
    },
  };
}

/** The same as rules see it. */
export function makeAttempt(facts: PodFacts = {}): AttemptPod {
  const attempt = attemptPod(makePod(facts));
  if (attempt === undefined) throw new Error("the facts do not make an attempt of ours");
  return attempt;
}
