import { type Amounts, fleetPart } from "../api/admission.ts";
import type { Pod } from "../api/core.ts";
import { controllerOf, identityOf, type KubeObject } from "../api/meta.ts";
import { labels } from "../api/names.ts";
import { hasEnded } from "../api/pod-end.ts";
import { podRequest, type RequestingPod } from "../quota/pod-request.ts";
import { workloadId } from "./seat.ts";

/** What is kept of every pod of the cluster (decision 62): what it takes, where, and of which workload it is. */
export interface QueuePod extends KubeObject {
  readonly node?: string;
  /** Absent once it has ended. */
  readonly request?: Amounts;
  /** Absent of pods that take part in no queue. */
  readonly queue?: string;
  /** The workload that it is of, where that is one of our own kinds; set with `queue`. */
  readonly workload?: string;
  /** Somebody else's pod with a queue's label: its queue counts it while its namespace may use it (podgate/). */
  readonly isForeign?: true;
}

/** Reads a pod. Equal requests are one object, since most pods of a cluster are like many others. */
export function queuePod(pod: Pod): QueuePod {
  const { metadata, spec } = pod;
  const workload = workloadOf(pod);
  const queue = metadata.labels?.[labels.queue];
  // An item's end is taken from its containers, and the next item begins: its pod must not be counted beside that one until the phase follows.
  const ended = hasEnded(pod);
  return {
    metadata: identityOf(metadata),
    ...(spec.nodeName !== undefined && { node: spec.nodeName }),
    ...(!ended && { request: shared(podRequest(pod as RequestingPod)) }),
    ...(queue !== undefined && (workload === undefined ? isQueued(pod) && { queue, isForeign: true } : { queue, workload })),
  };
}

/** A run's pods are one workload, and so are those of a fleet. A label alone makes no workload: anybody could burden a queue with it. */
function workloadOf({ metadata }: Pod): string | undefined {
  const own = metadata.labels ?? {};
  const owner = controllerOf(metadata);
  if (owner?.kind === "RunnerApp") return own[labels.app] === owner.name ? workloadId(owner.uid, fleetPart) : undefined;
  const [jobUid, run] = [own[labels.jobUid], own[labels.run]];
  return jobUid !== undefined && run !== undefined && owner?.uid === jobUid ? workloadId(jobUid, run) : undefined;
}

/** Whether podgate/ follows it, too: it sees no pods that carry the label of a job or of a fleet. */
const isQueued = ({ metadata: { labels: own = {} } }: Pod): boolean => own[labels.jobUid] === undefined && own[labels.app] === undefined;

const mostShared = 10_000;
const known = new Map<string, Amounts>();

function shared(request: Amounts): Amounts {
  const text = JSON.stringify(request);
  const found = known.get(text);
  if (found !== undefined) return found;
  if (known.size >= mostShared) known.clear();
  known.set(text, request);
  return request;
}
