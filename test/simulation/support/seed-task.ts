import type { FaultClass } from "../../../src/simulator/world/faults.ts";
import { type SimulationResult, simulate } from "../../../src/simulator/harness/simulation.ts";
import { simulateFleets } from "../../../src/simulator/harness/fleets/fleet-simulation.ts";
import { simulateResidents } from "../../../src/simulator/harness/residents/resident-simulation.ts";
import { simulateQueues } from "../../../src/simulator/harness/queues/queue-simulation.ts";
import { crashScenario } from "./crash-scenario.ts";
import { fleetCrashScenario } from "./fleet-crash-scenario.ts";
import { playFleetMutant } from "./fleet-mutants.ts";
import { mutants } from "./mutants.ts";
import { queueCrashScenario } from "./queue-crash-scenario.ts";
import { playQueueMutant } from "./queue-mutants.ts";
import { playResidentMutant } from "./resident-mutants.ts";

/** One simulation, told in words that pass from thread to thread. */
export type SeedTask =
  | { readonly kind: "seed"; readonly seed: number; readonly fingerprint?: boolean }
  | { readonly kind: "mutant"; readonly seed: number; readonly name: string }
  | { readonly kind: "crash"; readonly process: string; readonly class: FaultClass; readonly write: number }
  | { readonly kind: "queues"; readonly seed: number; readonly fingerprint?: boolean }
  | { readonly kind: "queueMutant"; readonly seed: number; readonly name: string }
  | { readonly kind: "queueCrash"; readonly process: string; readonly class: FaultClass; readonly write: number }
  | { readonly kind: "fleets"; readonly seed: number; readonly fingerprint?: boolean }
  | { readonly kind: "fleetMutant"; readonly seed: number; readonly name: string }
  | { readonly kind: "fleetCrash"; readonly process: string; readonly class: FaultClass; readonly write: number }
  | { readonly kind: "residents"; readonly seed: number; readonly fingerprint?: boolean }
  | { readonly kind: "residentMutant"; readonly seed: number; readonly name: string };

/** Plays a task. */
export function playTask(task: SeedTask): Promise<SimulationResult> {
  switch (task.kind) {
    case "seed":
      return simulate({ seed: task.seed, fingerprint: task.fingerprint ?? false });
    case "mutant": {
      const mutant = mutants.find((each) => each.name === task.name);
      if (mutant === undefined) throw new RangeError(`no mutant "${task.name}"`);
      return simulate({ seed: task.seed, untilProblem: true, ...mutant.options() });
    }
    case "crash":
      return simulate({ ...crashScenario(), aimed: [{ class: task.class, process: task.process, write: task.write }] });
    case "queues":
      return simulateQueues({ seed: task.seed, fingerprint: task.fingerprint ?? false });
    case "queueMutant":
      return playQueueMutant(task.name, task.seed);
    case "queueCrash":
      return simulateQueues({ ...queueCrashScenario(), aimed: [{ class: task.class, process: task.process, write: task.write }] });
    case "fleets":
      return simulateFleets({ seed: task.seed, fingerprint: task.fingerprint ?? false });
    case "fleetMutant":
      return playFleetMutant(task.name, task.seed);
    case "residents":
      return simulateResidents({ seed: task.seed, fingerprint: task.fingerprint ?? false });
    case "residentMutant":
      return playResidentMutant(task.name, task.seed);
    case "fleetCrash":
      return simulateFleets({ ...fleetCrashScenario(), aimed: [{ class: task.class, process: task.process, write: task.write }] });
  }
}
