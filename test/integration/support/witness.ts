import assert from "node:assert/strict";
import type { ControlPlane } from "../../../hack/control-plane/control-plane.ts";
import type { WorkRecord } from "../../../src/simulator/world/ledger.ts";
import type { TestCluster } from "./test-cluster.ts";
import { runId } from "./jobs.ts";

/** A pod creation that the API server carried out, as its audit log tells. */
export interface CreatedPod {
  readonly name: string;
  readonly namespace: string;
  /** When the request was received, ms since the epoch. */
  readonly receivedAt: number;
  readonly user: string;
  /** False: whoever asked had been killed before the answer, and the log does not tell whether it was done. */
  readonly answered: boolean;
}

/** All creations of pods by operators (users that begin with "operator", and the chart's account) in a namespace that were not refused, in their order. */
export async function createdPods(plane: ControlPlane, namespace: string): Promise<readonly CreatedPod[]> {
  const created: CreatedPod[] = [];
  for await (const event of plane.auditEvents({ resource: "pods", namespace, verbs: ["create"] })) {
    const { objectRef, responseStatus, user } = event;
    if (objectRef === undefined || objectRef.subresource !== "" || isRefused(responseStatus.code) || !isOperator(user)) continue;
    // The URI of a creation names no object, but the audit log of level Metadata knows the one that was made.
    created.push({
      name: objectRef.name,
      namespace,
      receivedAt: event.requestReceivedTimestamp,
      user,
      answered: responseStatus.code === 201,
    });
  }
  return created;
}

const isOperator = (user: string) => user.startsWith("operator") || user.endsWith(":nuptse-operator");
const isRefused = (code: number) => code >= 400 && code < 500;

/** What is to have happened to one job. */
export interface Expected {
  readonly namespace: string;
  readonly job: string;
  /** Ascending; what fires after the last of them is not looked at. */
  readonly fireTimes: readonly number[];
  readonly items: number;
}

/**
 * Holds what the world saw (every pod since before the first operator: the API's own watch and what kubelets really ran) against what was to happen:
 * each fire time has exactly one run, with every item in it; no attempt was started twice, no item was at work twice or done twice, and nothing
 * began before its fire time.
 */
export async function assertExactlyOnce(cluster: TestCluster, { namespace, job, fireTimes, items }: Expected): Promise<void> {
  const last = Math.max(...fireTimes);
  const records = cluster.world.ledger
    .records()
    .filter((record) => record.namespace === namespace && record.job === job && !((record.fireTime ?? 0) > last));
  const expectedRuns = fireTimes.map((time) => runId(time));
  assert.deepEqual([...new Set(records.map((record) => record.run))].sort(), expectedRuns, `the runs of ${job}`);
  const allItems = Array.from({ length: items }, (_, item) => item);
  for (const run of expectedRuns) {
    const begun = [...new Set(records.filter((record) => record.run === run).map((record) => record.item))].sort((a, b) => a - b);
    assert.deepEqual(begun, allItems, `the items of run ${run} of ${job}`);
  }
  assertNothingTwice(cluster, records);
  const created = (await createdPods(cluster.plane, namespace)).filter((pod) => records.some((record) => record.pod === pod.name));
  const names = created.filter((pod) => pod.answered).map((pod) => pod.name);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
    `pods of ${job} that were created twice, as the audit log tells`,
  );
  for (const record of records) {
    const receivedAt = created.find((pod) => pod.name === record.pod)?.receivedAt;
    assert.ok(receivedAt !== undefined, `the audit log knows ${record.pod}`);
    assert.ok(receivedAt >= (record.fireTime ?? Number.POSITIVE_INFINITY), `${record.pod} was created before its fire time`);
  }
}

function assertNothingTwice(cluster: TestCluster, records: readonly WorkRecord[]): void {
  const names = records.map((record) => record.pod);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
    "pods that were created twice",
  );
  const uids = new Set(records.map((record) => record.podUid));
  const { ledger } = cluster.world;
  assert.deepEqual(
    ledger.itemsAtWorkTwice().filter(({ first }) => uids.has(first.podUid)),
    [],
    "items that two pods worked on at once",
  );
  assert.deepEqual(
    ledger.itemsDoneTwice().filter(([first]) => first !== undefined && uids.has(first.podUid)),
    [],
    "items that were done twice",
  );
}

/** Fire times of `@every` from `from` up to and with `until`. */
export function fireTimesBetween(seconds: number, from: number, until: number): readonly number[] {
  const times: number[] = [];
  for (let time = from; time <= until; time += seconds * 1000) times.push(time);
  return times;
}
