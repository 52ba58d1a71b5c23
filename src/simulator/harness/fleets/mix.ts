import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import type { TenantQueue } from "../../../api/tenant-queue.gen.ts";
import { type Random, randomInteger } from "../../../base/random.ts";
import { simulateAnnotation } from "../../world/pod-script.ts";

/** Fleets, and what people do to them and to machines meanwhile. */
export interface FleetMix {
  readonly apps: readonly RunnerApp[];
  /** So many cores has each of the nodes n1, n2, ... */
  readonly cores: readonly number[];
  readonly edits: readonly FleetEdit[];
  /** Each after its parent; absent = there are none. */
  readonly queues?: readonly TenantQueue[];
}

/**
 * What somebody does. `atMs` counts from the start of the simulation; `dice` chooses among the pods or nodes that there are then, from 0 to 1.
 * Terms: what a fleet that is of a queue agrees to there. Meddle: writes into a status by hand. Namesake: makes a pod of a name that the fleet would use next.
 */
export type FleetEdit = { readonly atMs: number } & (
  | { readonly kind: "spec"; readonly app: string; readonly spec: Readonly<Record<string, unknown>> }
  | { readonly kind: "restart" | "resume"; readonly app: string; readonly inMs: number }
  | { readonly kind: "deletePod" | "evictPod" | "movePod" | "restartPod" | "namesake"; readonly app: string; readonly dice: number }
  | { readonly kind: "terms"; readonly app: string; readonly queue: NonNullable<RunnerApp["spec"]["queue"]> }
  | { readonly kind: "queue"; readonly queue: string; readonly spec: Readonly<Record<string, unknown>> }
  | { readonly kind: "cordon" | "evacuate"; readonly dice: number; readonly forMs: number }
  | { readonly kind: "meddle"; readonly app: string; readonly status: Readonly<Record<string, unknown>> }
);

export const fleetNamespace = "default";
/** As many seconds as a kubelet waits for a pod to end. */
const graceSeconds = 10;

/** How instances of a revision behave. */
type Behaviour = "good" | "slow" | "flaky" | "broken" | "unpullable";

const scripts: Readonly<Record<Behaviour, object>> = {
  good: { startMs: [500, 4_000], runMs: "forever" },
  slow: { startMs: [20_000, 90_000], runMs: "forever" },
  flaky: {
    startMs: [200, 1_000],
    starts: [{ runMs: [500, 5_000], exitCode: 1 }, { runMs: [500, 20_000], exitCode: 2 }, { runMs: "forever" }],
  },
  broken: { startMs: [100, 100], runMs: [500, 2_000], exitCode: 1 },
  unpullable: { pullFailures: "forever" },
};

/** A template by which a revision is told from all others: its image. */
export function fleetTemplate(image: string, behaviour: Behaviour = "good"): NonNullable<RunnerApp["spec"]["template"]> {
  return {
    metadata: { annotations: { [simulateAnnotation]: JSON.stringify(scripts[behaviour]) } },
    spec: {
      terminationGracePeriodSeconds: graceSeconds,
      containers: [{ name: "main", image, resources: { requests: { cpu: "500m" } } }],
    },
  };
}

export function fleetApp(name: string, spec: Partial<RunnerApp["spec"]>): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace: fleetNamespace },
    spec: { ...spec, template: spec.template ?? fleetTemplate(`${name}:1`) },
  };
}

const pick = <T>(random: Random, values: readonly T[]): T => values[randomInteger(random, values.length)] as T;
const between = (random: Random, least: number, most: number): number => least + randomInteger(random, most - least);

/** One to three fleets, and something that happens every quarter of a minute to three minutes. */
export function makeFleets(random: Random, busyMs: number): FleetMix {
  const apps = Array.from({ length: 1 + randomInteger(random, 3) }, (_, index) => makeApp(random, `fleet-${index}`));
  // At times the machines are so small that a surge finds no room.
  const cores = Array.from({ length: 6 }, () => pick(random, [16, 16, 4, 2]));
  const edits: FleetEdit[] = [];
  const images = new Map(apps.map(({ metadata }) => [metadata.name, 1]));
  for (let atMs = between(random, 20_000, 90_000); atMs < busyMs; atMs += between(random, 15_000, 180_000)) {
    const { name } = pick(random, apps).metadata;
    edits.push({ atMs, ...makeEdit(random, name, images) });
  }
  return { apps, cores, edits };
}

function makeApp(random: Random, name: string): RunnerApp {
  const rollingUpdate = pick(random, [
    {},
    { maxSurge: 1, maxUnavailable: 0 },
    { maxSurge: 0, maxUnavailable: 2 },
    { maxSurge: "50%", maxUnavailable: "50%" },
    { maxSurge: 0, maxUnavailable: 0 },
  ]);
  return fleetApp(name, {
    replicas: 1 + randomInteger(random, 8),
    minReadySeconds: pick(random, [0, 0, 5, 20]),
    progressDeadlineSeconds: pick(random, [60, 600]),
    revisionHistoryLimit: pick(random, [0, 2, 10]),
    startTimeoutSeconds: pick(random, [60, 600]),
    strategy: { rollingUpdate },
    retry: {
      sameNode: randomInteger(random, 4),
      otherNodes: randomInteger(random, 4),
      resetAfterSeconds: pick(random, [60, 600]),
      backoff: { initialSeconds: 1, maxSeconds: 30 },
      storm: pick(random, [{}, { moves: 20 }, { moves: 2, windowSeconds: 300 }]),
    },
    // An exclusion that ends is written down: it has to end before everything is to be at rest.
    nodeExclusion: { windowSeconds: 600, ttlSeconds: 600, ...pick(random, [{}, { failures: 1, maxNodes: "50%" }]) },
    evacuation: {
      ...pick(random, [{}, { maxSurge: 1, budget: "Strict" }, { maxSurge: 3, timeoutSeconds: 120 }]),
      connectionDrainSeconds: pick(random, [0, 5, 20]),
    },
    inPlace: pick(random, ["Never", "IfPossible"]),
    ...(random.next() < 0.3 && { resourceOptions: resourceOptions(random), optionTimeoutSeconds: 60 }),
    ...(random.next() < 0.3 && { canary: { replicas: "50%" } }),
  } as Partial<RunnerApp["spec"]>);
}

/** The first of them fits only where there is much room. */
function resourceOptions(random: Random): readonly object[] {
  const option = (cpu: string) => ({ containers: [{ name: "main", resources: { requests: { cpu } } }] });
  return [option(pick(random, ["3", "12"])), option("250m")];
}

type Act<Edit = FleetEdit> = Edit extends FleetEdit ? Omit<Edit, "atMs"> : never;

function makeEdit(random: Random, app: string, images: Map<string, number>): Act {
  const next = () => {
    const number = (images.get(app) ?? 1) + 1;
    images.set(app, number);
    return `${app}:${number}`;
  };
  const dice = random.next();
  const spec = (changed: Readonly<Record<string, unknown>>): Act => ({ kind: "spec", app, spec: changed });
  const change = (behaviour: Behaviour): Act => spec({ template: fleetTemplate(next(), behaviour) });
  const makers: readonly [number, () => Act][] = [
    [4, () => change("good")],
    [1, () => change("slow")],
    [1, () => change("flaky")],
    [2, () => change("broken")],
    [1, () => change("unpullable")],
    // Back to what was before, which may be under way or never have been.
    [1, () => spec({ template: fleetTemplate(`${app}:${Math.max(1, (images.get(app) ?? 1) - 1)}`) })],
    [3, () => spec({ replicas: randomInteger(random, 10) })],
    [2, () => ({ kind: "restart", app, inMs: pick(random, [0, 0, 60_000]) })],
    [
      2,
      () =>
        spec({
          canary: pick(random, [null, { replicas: "50%" }, { replicas: 1, onFailure: { action: "Rollback" } }, { replicas: "100%" }]),
        }),
    ],
    [1, () => ({ kind: "resume", app, inMs: 0 })],
    [2, () => spec({ paused: random.next() < 0.5 })],
    [1, () => spec({ suspend: random.next() < 0.3 })],
    [
      1,
      () =>
        spec({
          strategy: {
            rollingUpdate: pick(random, [
              { maxSurge: 2, maxUnavailable: 0 },
              { maxSurge: 0, maxUnavailable: 1 },
            ]),
          },
        }),
    ],
    [
      1,
      () =>
        spec({
          nodeRules: pick(random, [
            [],
            [
              { node: "n1", effect: "Exclude" },
              { node: "n2", effect: "Prefer" },
            ],
          ]),
        }),
    ],
    [3, () => ({ kind: "cordon", dice, forMs: between(random, 20_000, 360_000) })],
    [1, () => ({ kind: "evacuate", dice, forMs: between(random, 20_000, 360_000) })],
    [1, () => ({ kind: "deletePod", app, dice })],
    [2, () => ({ kind: "evictPod", app, dice })],
    [1, () => ({ kind: "movePod", app, dice })],
    [1, () => ({ kind: "restartPod", app, dice })],
    [1, () => ({ kind: "namesake", app, dice })],
    [1, () => ({ kind: "meddle", app, status: pick(random, meddlings) })],
  ];
  let left = randomInteger(
    random,
    makers.reduce((sum, [weight]) => sum + weight, 0),
  );
  for (const [weight, make] of makers) {
    left -= weight;
    if (left < 0) return make();
  }
  return change("good");
}

/** What somebody may write into a status who has heard that this helps. */
const meddlings: readonly Readonly<Record<string, unknown>>[] = [
  { replicas: 77, readyReplicas: 77, availableReplicas: 77, updatedReplicas: 77 },
  { stableRevision: "nonsense" },
  { updateRevision: "nonsense", stableRevision: null },
  { canary: null, recoveries: null, evacuations: null, nodeRules: null, recentMoves: null },
  { recoveries: [{ instance: "0", revision: "nonsense", pod: "nobody", exhaustedAt: "2026-11-21T12:00:00Z" }] },
  { conditions: [] },
];
