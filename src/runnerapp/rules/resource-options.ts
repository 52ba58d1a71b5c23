import type { Container, PodSpec } from "../../api/core.ts";
import { backoffDelay } from "../../base/backoff.ts";

/** One of spec.resourceOptions: what it says takes the place of what the template says. */
export interface ResourceOption {
  /** Of the containers that are named, requests and limits as a whole. */
  readonly containers?: readonly { readonly name: string; readonly resources: NonNullable<Container["resources"]> }[];
  /** Added to the template's; of one key the option's value holds. */
  readonly nodeSelector?: Readonly<Record<string, string>>;
  /** Instead of the template's. */
  readonly affinity?: NonNullable<PodSpec["affinity"]>;
}

export interface OptionsPolicy {
  /** How many alternatives there are. */
  readonly options: number;
  /** spec.optionTimeoutSeconds: so long may a pod find no node before the next alternative is tried. */
  readonly timeoutMs: number;
}

/** Which alternative an instance is at; kept in status until its pod has found a node. */
export interface OptionTry {
  readonly instance: string;
  /** Alternatives that were tried and did not fit; those after the last one are the first ones again. */
  readonly tries: number;
  /** UID of the pod that is to make way for this try; absent once it has. */
  readonly pod?: string;
}

/** The newest pod of an instance that is not being deleted. */
export interface OptionPod {
  readonly uid: string;
  readonly instance: string;
  /** The `tries` that it was made with (annotation). */
  readonly tries: number;
  /** It has a node. */
  readonly scheduled: boolean;
  /** Since when the scheduler says that no node fits; absent = it does not. */
  readonly unschedulableSince?: number;
}

export interface OptionsPlan {
  readonly tries: readonly OptionTry[];
  /** UIDs of pods to be deleted, with preconditions on UID and resourceVersion: one that was scheduled meanwhile stays. */
  readonly remove: readonly string[];
  /** Instances for which no alternative has fitted yet: worth telling. */
  readonly unfit: readonly string[];
  readonly wakeAt?: number;
}

/** After all alternatives failed, waits double with each round, up to an hour: what never fits must not be made anew for ever. */
const longestWaitMs = 3_600_000;

/** The alternative of a try: its place in spec.resourceOptions. */
export const optionOf = (tries: number, options: number): number => tries % options;

/** The same as what it says; undefined when there are none, and the template holds alone. */
export const optionAt = (options: readonly ResourceOption[] = [], tries: number): ResourceOption | undefined =>
  options.length === 0 ? undefined : options[optionOf(tries, options.length)];

/**
 * Alternatives in their order: the next one is tried when a pod of the one before found no node for long enough, and after the last one
 * the first again, since room may come anywhere. Recorded before the pod makes way (decision 6), so a crash repeats the deletion and skips no
 * alternative.
 */
export function planOptions(stored: readonly OptionTry[], pods: readonly OptionPod[], policy: OptionsPolicy, now: number): OptionsPlan {
  const { options, timeoutMs } = policy;
  if (options < 2) return { tries: [], remove: [], unfit: [] };
  const byInstance = new Map(pods.map((pod) => [pod.instance, pod]));
  const known = new Map(stored.map((one) => [one.instance, one]));
  const tries = new Map<string, OptionTry>();
  const remove: string[] = [];
  const wakes: number[] = [];
  // The pod has made way, and the next one does not exist yet.
  for (const one of stored) if (!byInstance.has(one.instance)) tries.set(one.instance, one);
  for (const pod of pods) {
    if (pod.scheduled) continue;
    const before = known.get(pod.instance);
    if (before?.pod === pod.uid) {
      tries.set(pod.instance, before);
      remove.push(pod.uid);
      continue;
    }
    const at = { instance: pod.instance, tries: Math.max(pod.tries, before?.tries ?? 0) };
    const round = Math.floor(at.tries / options) + 1;
    const wait = backoffDelay({ initialMs: timeoutMs, factor: 2, maxMs: Math.max(timeoutMs, longestWaitMs) }, round);
    const until = pod.unschedulableSince === undefined ? undefined : Math.min(pod.unschedulableSince, now) + wait;
    if (until !== undefined && until <= now) tries.set(pod.instance, { ...at, tries: at.tries + 1, pod: pod.uid });
    else {
      if (at.tries > 0) tries.set(pod.instance, at);
      if (until !== undefined) wakes.push(until);
    }
  }
  const all = [...tries.values()].sort((a, b) => (a.instance < b.instance ? -1 : 1));
  return {
    tries: all,
    remove,
    unfit: all.flatMap(({ instance, tries: count }) => (count >= options ? instance : [])),
    ...(wakes.length > 0 && { wakeAt: Math.min(...wakes) }),
  };
}

/** Whether a node is one of those that the template, with any of its alternatives, asks for by labels. */
export function mayUseNode(
  spec: PodSpec,
  options: readonly ResourceOption[] | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  const has = (selector: Readonly<Record<string, string>> = {}) => Object.entries(selector).every(([key, value]) => labels[key] === value);
  return options === undefined ? has(spec.nodeSelector) : options.some((option) => has({ ...spec.nodeSelector, ...option.nodeSelector }));
}

/** The template's pod with an alternative in its place. */
export function withOption(spec: PodSpec, option: ResourceOption | undefined): PodSpec {
  if (option === undefined) return spec;
  const resources = new Map(option.containers?.map((container) => [container.name, container.resources]));
  const { nodeSelector, affinity } = option;
  return {
    ...spec,
    containers: spec.containers.map((container) => {
      const own = resources.get(container.name);
      return own === undefined ? container : { ...container, resources: own };
    }),
    ...(nodeSelector !== undefined && { nodeSelector: { ...spec.nodeSelector, ...nodeSelector } }),
    ...(affinity !== undefined && { affinity }),
  };
}
