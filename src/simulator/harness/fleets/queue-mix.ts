import type { RunnerApp, RunnerAppSpec } from "../../../api/runner-app.gen.ts";
import type { TenantQueueSpec } from "../../../api/tenant-queue.gen.ts";
import { type Random, randomInteger } from "../../../base/random.ts";
import { queueOf } from "../queues/mix.ts";
import type { FleetEdit, FleetMix } from "./mix.ts";

export const rootQueue = "corp";
const leaves = ["corp-a", "corp-b"] as const;

/** What each leaf is guaranteed: the fleets of the last word fit beside each other, and each leaf can have more than that. */
export const guaranteedPercent = 30;

const pick = <T>(random: Random, values: readonly T[]): T => values[randomInteger(random, values.length)] as T;

/** The same fleets with two queues, of which most of them are, and with edits that make them compete. */
export function withQueues(mix: FleetMix, random: Random, busyMs: number): FleetMix {
  const capacity = pick(random, [{ resources: { cpu: "9" } }, { resources: { cpu: "10" } }, undefined]);
  const queues = [queueOf(rootQueue, capacity === undefined ? {} : { capacity }), ...leaves.map((name) => queueOf(name, leafOf(random)))];
  const apps = mix.apps.map((app, index) => {
    // Those that are asked back are one side of it, the others the other side.
    const queue = { name: leaves[index % 2] as string, ...termsOf(random), ...(index === 0 && { onReclaim: "Stop" as const }) };
    // A queue is asked for the largest alternative, and these are larger than it.
    const { resourceOptions: _, ...spec } = app.spec;
    return index < 2 || random.next() < 0.7 ? { ...app, spec: { ...spec, queue } } : app;
  });
  const edits: FleetEdit[] = [...mix.edits];
  for (let atMs = 60_000 + randomInteger(random, 60_000); atMs < busyMs; atMs += 30_000 + randomInteger(random, 180_000))
    edits.push({ atMs, ...editOf(random, apps) });
  return { ...mix, apps, queues, edits: edits.toSorted((a, b) => a.atMs - b.atMs) };
}

function leafOf(random: Random): TenantQueueSpec {
  return {
    parent: rootQueue,
    namespaceSelector: {},
    guaranteed: { cpu: `${guaranteedPercent}%` },
    weight: pick(random, [1, 1, 2]),
    lend: { maxSeconds: pick(random, [60, 600, 3600, 86_400]) },
    reclaim: { graceSeconds: pick(random, [60, 300]) },
  };
}

function termsOf(random: Random): NonNullable<RunnerAppSpec["queue"]> {
  return { onReclaim: pick(random, ["Stop", "Stop", "Refuse"]), minCount: pick(random, [0, 0, 1, 3]), priority: pick(random, [0, 0, 10]) };
}

type Act = FleetEdit extends infer Edit ? (Edit extends FleetEdit ? Omit<Edit, "atMs"> : never) : never;

function editOf(random: Random, apps: readonly RunnerApp[]): Act {
  const queue = pick(random, leaves);
  const app = pick(random, apps).metadata.name;
  const makers: readonly (() => Act)[] = [
    () => ({ kind: "spec", app, spec: { replicas: 8 + randomInteger(random, 12) } }),
    () => ({ kind: "spec", app, spec: { replicas: 8 + randomInteger(random, 12) } }),
    () => ({ kind: "spec", app, spec: { replicas: 1 + randomInteger(random, 5) } }),
    () => ({ kind: "terms", app, queue: termsOf(random) }),
    () => ({ kind: "queue", queue, spec: { max: pick(random, [null, { cpu: "2" }, { cpu: "4" }]) } }),
    () => ({ kind: "queue", queue, spec: { guaranteed: { cpu: pick(random, ["0%", "10%", "50%"]) } } }),
    () => ({ kind: "queue", queue, spec: { stopPolicy: pick(random, ["None", "None", "Hold", "HoldAndDrain"]) } }),
  ];
  return pick(random, makers)();
}
