import { type AttemptPod, judge, type Verdict } from "./attempt.ts";
import type { EndedItem } from "./ended-item.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import { givenUpAt, nodeGoneFrom } from "./unreachable.ts";

/** What has become of an attempt of the run. */
export function verdictOf(observed: ObservedJob, run: LiveRun, pod: AttemptPod): Verdict | undefined {
  const stop = run.stops.get(`${pod.item}/${pod.attempt}`);
  const vanishedAt = run.vanishedAt.get(pod);
  // A machine may come back under the name of a node that was deleted, and must find that the pod is to end (decision 20).
  const nodeGoneAt = pod.deletion === undefined ? undefined : nodeGoneFrom(observed, pod);
  const lostAt = givenUpAt(observed, run, pod);
  return judge(pod, {
    ...(stop !== undefined && { stop: stop.reason }),
    ...(vanishedAt !== undefined && { vanishedAt }),
    ...(nodeGoneAt !== undefined && { nodeGoneAt }),
    ...(lostAt !== undefined && { givenUpAt: lostAt }),
    endedUndeleted: observed.endedUndeleted.has(pod.metadata.uid as string),
  });
}

/** An attempt that was given up for its unreachable node, and had done its work: the first outcome that is recorded counts (decision 20). */
export function earlierSuccess(
  observed: ObservedJob,
  older: readonly AttemptPod[],
  newest: AttemptPod,
): Pick<EndedItem, "pod" | "verdict"> | undefined {
  for (const pod of older) {
    if (pod.item !== newest.item || pod.attempt >= newest.attempt) continue;
    const verdict = judge(pod, { endedUndeleted: observed.endedUndeleted.has(pod.metadata.uid as string) });
    if (verdict?.outcome === "Succeeded") return { pod, verdict };
  }
  return undefined;
}
