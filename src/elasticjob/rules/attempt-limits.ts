import { isImagePull } from "../../api/image-pull.ts";
import type { AttemptPod, StopReason } from "./attempt.ts";
import type { NodeJudgement } from "./next-attempt.ts";
import type { ObservedJob } from "./observed.ts";
import { givenUpFrom, nodeGoneFrom } from "./unreachable.ts";

/** A same-node attempt that is not scheduled after this long goes elsewhere (decision 18). */
const sameNodePatienceMs = 60_000;
const never = Number.POSITIVE_INFINITY;

/** When an attempt at work is to be stopped, and why. */
export interface TimeLimit {
  readonly at: number;
  readonly reason: StopReason;
}

/**
 * The first limit that an attempt at work runs into.
 * @param timeoutMs from its container's start, instead of spec.itemTimeoutSeconds; Infinity = none
 */
export function timeLimit(observed: ObservedJob, pod: AttemptPod, nodes: NodeJudgement, timeoutMs?: number): TimeLimit | undefined {
  const gone = nodeGoneFrom(observed, pod);
  if (gone !== undefined) return { at: gone, reason: "NodeGone" };
  const own = pod.deletion === undefined ? ownTimeLimit(observed, pod, nodes, timeoutMs) : undefined;
  const at = givenUpFrom(observed, pod) ?? never;
  return at === never || (own !== undefined && own.at <= at) ? own : { at, reason: "Unreachable" };
}

function ownTimeLimit(
  { spec, now }: ObservedJob,
  pod: AttemptPod,
  nodes: NodeJudgement,
  timeoutMs = spec.itemTimeoutMs,
): TimeLimit | undefined {
  if (pod.startedAt !== undefined) {
    return timeoutMs === never ? undefined : { at: pod.startedAt + timeoutMs, reason: "ItemTimeout" };
  }
  if (pod.scheduledAt !== undefined) {
    return { at: pod.scheduledAt + spec.startTimeoutMs, reason: isImagePull(pod.waiting) ? "ImagePull" : "StartTimeout" };
  }
  const pinned = pod.history.pinned;
  if (pinned === undefined) return undefined;
  return { at: nodes.mayReuse(pinned) ? pod.createdAt + sameNodePatienceMs : now, reason: "NotScheduled" };
}
