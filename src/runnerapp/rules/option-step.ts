import type { EffectiveSpec } from "./effective-spec.ts";
import type { Signals } from "./healing.ts";
import { type InstancePod, isLiving } from "./instance.ts";
import type { ObservedApp } from "./observed.ts";
import type { Records } from "./records.ts";
import { type OptionPod, type OptionsPlan, planOptions } from "./resource-options.ts";

/** Which alternative of its resources each instance is at, by the newest of its pods. */
export function stepOptions(
  { pinned, now }: ObservedApp,
  pods: readonly InstancePod[],
  signals: Signals,
  { optionTimeoutMs, replicas }: EffectiveSpec,
  { options }: Records,
): OptionsPlan {
  const policy = { options: pinned.data.resourceOptions?.length ?? 0, timeoutMs: optionTimeoutMs };
  if (policy.options < 2) return { tries: [], remove: [], unfit: [] };
  const newest = new Map(
    pods
      .filter(isLiving)
      .toSorted((a, b) => a.createdAt - b.createdAt)
      .map((pod) => [pod.instance, pod]),
  );
  // Of instances that are no more, since the app has shrunk, nothing is kept.
  const stored = newest.size < replicas ? options : options.filter(({ instance }) => newest.has(instance));
  return planOptions(
    stored,
    [...newest.values()].map((pod) => optionPod(pod, signals)),
    policy,
    now,
  );
}

function optionPod(pod: InstancePod, signals: Signals): OptionPod {
  const signal = signals.get(pod);
  const since = signal?.kind === "Unschedulable" ? (signal.since ?? pod.createdAt) : undefined;
  return {
    uid: pod.metadata.uid as string,
    instance: pod.instance,
    tries: pod.tries,
    scheduled: pod.node !== undefined,
    ...(since !== undefined && { unschedulableSince: since }),
  };
}
