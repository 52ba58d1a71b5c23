import type { PatchAction, Plan } from "../../../api/action.ts";
import { pointer } from "../../../api/json-patch.ts";
import { annotations } from "../../../api/names.ts";
import { pods } from "../../../api/resource.ts";
import { formatSeconds } from "../../../base/time.ts";
import type { GatewayPod } from "./gateway-pod.ts";

/** A gateway pod that is about to end. Instants are milliseconds since the epoch. */
export interface LeavingGateway {
  readonly pod: GatewayPod;
  /** Some slice of ours still has an address of it. */
  readonly isPublished: boolean;
  /** Since when none has; absent while one does. */
  readonly outSince?: number;
  readonly now: number;
}

/** Nodes follow a slice within so long as a rule. */
const nodesFollowMs = 3000;

/**
 * Tells a gateway pod that is being deleted that nobody is sent to it any more, once all slices, and the nodes after them, have let go of it: only then its
 * HAProxy stops to accept connections (decision 1).
 */
export function planLeaving({ pod, isPublished, outSince, now }: LeavingGateway): Plan {
  if (!pod.isDeleting || pod.isUnpublished || isPublished || outSince === undefined) return { actions: [], reasons: [] };
  const at = outSince + nodesFollowMs;
  if (now < at) return { actions: [], reasons: [], wakeAt: at };
  const patch: PatchAction = {
    tag: "patch",
    resource: pods,
    ref: { namespace: pod.metadata.namespace as string, name: pod.metadata.name },
    uid: pod.metadata.uid as string,
    resourceVersion: pod.metadata.resourceVersion as string,
    operations: [
      pod.hasAnnotations
        ? { op: "add", path: pointer("metadata", "annotations", annotations.unpublished), value: formatSeconds(now) }
        : { op: "add", path: "/metadata/annotations", value: { [annotations.unpublished]: formatSeconds(now) } },
    ],
  };
  return { actions: [patch], reasons: ["no slice has it"] };
}
