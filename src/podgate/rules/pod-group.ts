import { labels } from "../../api/names.ts";
import type { QueuedPod } from "./queued-pod.ts";

/** What the labels of a group's pods say, and how far it has come. */
export type GroupState =
  | { readonly kind: "wrong"; readonly message: string }
  /** Not all of its pods exist yet: none begins. */
  | { readonly kind: "gathering"; readonly message: string }
  /** All exist, and they are to begin together; some may have been released already. */
  | { readonly kind: "together" }
  /** All have begun once: a pod that comes now replaces one, and waits for itself. */
  | { readonly kind: "begun" };

const mostPods = 10_000;

/** Where a group stands, from the pods that exist, ended ones included. */
export function groupState(pods: readonly QueuedPod[]): GroupState {
  const totals = new Set(pods.map(({ groupTotalText }) => groupTotalText));
  if (totals.size > 1) return wrong(`the pods of the group differ in ${labels.podGroupTotal}; give all of them the same`);
  const [text] = totals;
  const total = Number(text);
  if (text === undefined || !/^\d{1,5}$/.test(text) || total < 1 || total > mostPods)
    return wrong(`${labels.podGroupTotal} must be the number of pods of the group, 1 to ${mostPods}; it is ${text ?? "missing"}`);
  const queues = new Set(pods.map(({ queue }) => queue));
  if (queues.size > 1)
    return wrong(`the pods of the group are of several queues (${[...queues].sort().join(", ")}); give all of them the same`);
  const begun = pods.filter(({ state }) => state !== "gated").length;
  if (begun >= total) return { kind: "begun" };
  // None is released before all exist: where one was, the group has begun, and others have been deleted since.
  if (pods.length < total)
    return begun > 0 ? { kind: "begun" } : { kind: "gathering", message: `${pods.length} of ${total} pods of the group exist` };
  if (pods.length > total) return wrong(`the group has ${pods.length} pods, and ${labels.podGroupTotal} says ${total}`);
  return { kind: "together" };
}

const wrong = (message: string): GroupState => ({ kind: "wrong", message });
