import type { WorkloadWant } from "../../api/admission.ts";
import { canonicalJson, shortHash } from "../../base/hash.ts";
import { addResources } from "../../quota/resource-vector.ts";
import type { QueuedPod } from "./queued-pod.ts";

/** Pods of a workload that are alike: of one queue, size, priority and length. They are admitted one by one, or all together. */
export interface Part {
  readonly want: WorkloadWant;
  /** Those that wait for their release, the oldest first. */
  readonly gated: readonly QueuedPod[];
  /** Those that the queue has admitted. */
  readonly released: readonly QueuedPod[];
  /** Those that run as surge, the oldest first; the queue does not count them yet. */
  readonly surging: readonly QueuedPod[];
  /** All of them are one item of the want: what is allowed is allowed to all. */
  readonly together: boolean;
}

/** What a part may keep though fewer pods of it exist at the moment: a controller replaces a pod within moments, and its place is not lost. */
export interface HeldPart {
  readonly want: WorkloadWant;
  /** When fewer were seen first; absent = as many exist. */
  readonly fewerSince?: number;
}

/** How long a pod's place is kept for the one that replaces it. */
export const placeKeptMs = 10_000;

export interface PartsInput {
  readonly now: number;
  /** Live ones of one workload. */
  readonly pods: readonly QueuedPod[];
  /** Their controller makes a new one for each that goes. */
  readonly resident: boolean;
  readonly held: ReadonlyMap<string, HeldPart>;
}

/** What one such workload asks for, by part, with what is to be remembered of it. */
export interface Parts {
  readonly parts: readonly Part[];
  readonly held: ReadonlyMap<string, HeldPart>;
  /** When places that are kept are given up. */
  readonly wakeAt: number;
}

/** Groups equal pods, and keeps places of pods that have gone just now. */
export function partsOf({ now, pods, resident, held }: PartsInput): Parts {
  const parts: Part[] = [];
  const kept = new Map<string, HeldPart>();
  let wakeAt = Number.POSITIVE_INFINITY;
  const alike = Map.groupBy(pods, partName);
  for (const [part, members] of alike) parts.push(partOf(part, members.toSorted(byAge), resident));
  for (const [part, { want }] of held) if (!alike.has(part)) parts.push(emptyPart(want));
  const settled = parts.map((part): Part | undefined => {
    const before = held.get(part.want.part);
    const { wanted } = part.want;
    if (!resident || before === undefined || wanted >= before.want.wanted) {
      if (wanted > 0) kept.set(part.want.part, { want: part.want });
      return wanted > 0 ? part : undefined;
    }
    const fewerSince = before.fewerSince ?? now;
    const until = fewerSince + placeKeptMs;
    if (until <= now) {
      if (wanted > 0) kept.set(part.want.part, { want: part.want });
      return wanted > 0 ? part : undefined;
    }
    wakeAt = Math.min(wakeAt, until);
    const want = { ...part.want, wanted: before.want.wanted, since: Math.min(part.want.since, before.want.since) };
    kept.set(part.want.part, { want, fewerSince });
    return { ...part, want };
  });
  return { parts: settled.filter((part) => part !== undefined), held: kept, wakeAt };
}

/** All pods of a group as one item, as large as they are together. */
export function togetherPart(name: string, pods: readonly QueuedPod[]): Part {
  const sorted = pods.toSorted(byAge);
  const first = sorted[0] as QueuedPod;
  const released = sorted.filter(({ state }) => state === "released");
  const atWork = released.length > 0 ? 1 : 0;
  return {
    together: true,
    gated: sorted.filter(({ state }) => state === "gated"),
    released,
    surging: [],
    want: {
      ...wantOf(name, first),
      since: Math.max(...sorted.map(({ createdAt }) => createdAt)),
      item: addResources(...sorted.map(({ request }) => request)),
      promiseSeconds: Math.max(...sorted.map(({ lastsSeconds = Number.POSITIVE_INFINITY }) => lastsSeconds)),
      wanted: 1,
      atWork,
      recorded: atWork,
    },
  };
}

function partOf(name: string, members: readonly QueuedPod[], resident: boolean): Part {
  const running = members.filter(({ state }) => state === "released");
  const released = running.filter(({ isSurge }) => !isSurge);
  const first = members[0] as QueuedPod;
  const want: WorkloadWant = {
    ...wantOf(name, first),
    resident,
    wanted: members.length,
    atWork: released.length,
    recorded: released.length,
  };
  return {
    together: false,
    gated: members.filter(({ state }) => state === "gated"),
    released,
    surging: running.filter(({ isSurge }) => isSurge),
    want,
  };
}

function wantOf(part: string, pod: QueuedPod): WorkloadWant {
  return {
    part,
    queue: pod.queue,
    priority: priorityOf(pod) ?? 0,
    since: pod.createdAt,
    item: pod.request,
    atLeast: 1,
    wanted: 1,
    atWork: 0,
    recorded: 0,
    // Nobody deletes somebody else's pod: it has to end by itself.
    onReclaim: "Refuse",
    promiseSeconds: pod.lastsSeconds ?? Number.POSITIVE_INFINITY,
  };
}

const emptyPart = (want: WorkloadWant): Part => ({
  together: false,
  gated: [],
  released: [],
  surging: [],
  want: { ...want, wanted: 0, atWork: 0, recorded: 0 },
});

/** undefined = what stands there is no priority. */
export function priorityOf({ priorityText = "0" }: QueuedPod): number | undefined {
  return /^-?\d{1,4}$/.test(priorityText) && Math.abs(Number(priorityText)) <= 1000 ? Number(priorityText) : undefined;
}

/** Names alike pods: what they are is in it, so that what is asked for them never changes but in number. */
function partName({ queue, priorityText, request, lastsSeconds }: QueuedPod): string {
  return shortHash(canonicalJson([queue, priorityText ?? null, request, lastsSeconds ?? null]), 10);
}

/** The oldest first; of equally old ones by name. */
export function byAge(left: QueuedPod, right: QueuedPod): number {
  return left.createdAt - right.createdAt || (left.metadata.name < right.metadata.name ? -1 : 1);
}
