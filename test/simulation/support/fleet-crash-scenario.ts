import type { FleetSimulationOptions } from "../../../src/simulator/harness/fleets/fleet-simulation.ts";
import { fleetApp, fleetTemplate } from "../../../src/simulator/harness/fleets/mix.ts";
import type { World } from "../../../src/simulator/world/world.ts";

const second = 1_000;

/**
 * Some minutes without chance faults in which the operator writes everything that it writes for fleets: a roll-out, a canary that fails and is taken
 * back, a restart, instances that are tried on other nodes until retries are used up, a cordoned node, a lost one, scaling, a disruption budget that
 * changes.
 */
export function fleetCrashScenario(): FleetSimulationOptions {
  const retry = { sameNode: 1, otherNodes: 1, resetAfterSeconds: 120, backoff: { initialSeconds: 1, maxSeconds: 5 } };
  const apps = [
    fleetApp("web", { replicas: 4, revisionHistoryLimit: 0 }),
    fleetApp("fails", { replicas: 1, retry, template: fleetTemplate("fails:1", "broken") } as Parameters<typeof fleetApp>[1]),
    fleetApp("tried", {
      replicas: 2,
      retry,
      canary: { replicas: "50%", onFailure: { action: "Rollback" } },
    } as Parameters<typeof fleetApp>[1]),
  ];
  return {
    seed: 1,
    faultyMs: 8 * 60 * second,
    calmMs: 15 * 60 * second,
    rounds: 0,
    mix: {
      apps,
      cores: [4, 4, 4],
      edits: [
        { atMs: 20 * second, kind: "spec", app: "web", spec: { template: fleetTemplate("web:2") } },
        { atMs: 25 * second, kind: "spec", app: "tried", spec: { template: fleetTemplate("tried:2", "broken") } },
        { atMs: 80 * second, kind: "restart", app: "web", inMs: 0 },
        { atMs: 140 * second, kind: "cordon", dice: 0, forMs: 60 * second },
        { atMs: 170 * second, kind: "spec", app: "web", spec: { replicas: 6, canary: { replicas: "50%" } } },
        { atMs: 175 * second, kind: "spec", app: "tried", spec: { template: fleetTemplate("tried:3", "broken"), canary: null } },
        { atMs: 200 * second, kind: "spec", app: "web", spec: { template: fleetTemplate("web:3") } },
        { atMs: 230 * second, kind: "spec", app: "web", spec: { replicas: 3 } },
      ],
    },
    events: [
      { atMs: 250 * second, act: (world: World) => world.loseNode("n2") },
      { atMs: 450 * second, act: (world: World) => void world.returnNode("n2") },
    ],
  };
}
