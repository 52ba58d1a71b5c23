import assert from "node:assert/strict";
import type { OperatorWrite } from "../../../src/simulator/harness/operator-process.ts";
import type { SimulationResult } from "../../../src/simulator/harness/simulation.ts";
import { SeedPool } from "./seed-pool.ts";
import type { SeedTask } from "./seed-task.ts";

/** A scenario as it goes without a crash. */
export interface Faultless {
  readonly result: SimulationResult;
  /** The operator that led from beginning to end. */
  readonly leader: string;
  /** All that it wrote, its lease included, which it renews hundreds of times. */
  readonly own: readonly OperatorWrite[];
}

/** Plays a scenario and takes down what its leader writes. */
export async function playedFaultless(
  play: (listener: { readonly onWrite: (write: OperatorWrite) => void }) => Promise<SimulationResult>,
): Promise<Faultless> {
  const writes: OperatorWrite[] = [];
  const result = await play({ onWrite: (write) => writes.push(write) });
  const leader = writes.find((write) => !isOfLease(write))?.process ?? "";
  return { result, leader, own: writes.filter(({ process }) => process === leader) };
}

export const isOfLease = ({ path }: OperatorWrite): boolean => path.includes("/leases");

/** "PATCH pods", "PATCH tenantqueues/status" */
export function kindOf({ method, path }: OperatorWrite): string {
  const [kind, , subresource] = path.replace(/^.*\/namespaces\/[^/]+\/|^.*\/v1alpha1\//, "").split("/");
  return `${method} ${subresource === undefined ? kind : `${kind}/${subresource}`}`;
}

/** npm run soak -- --crashes: at every write; else suites of many writes aim at the first of each kind that is their own. */
export const isEveryWrite = process.env.NUPTSE_SIMULATION_CRASHES === "all";

/** Call in a describe block: a test for a crash of the leader before and after each of these writes, played side by side. */
export function itSurvives(
  kind: Extract<SeedTask["kind"], "crash" | "queueCrash" | "fleetCrash">,
  aimed: readonly OperatorWrite[],
  faultless: Faultless,
): void {
  const classes = { before: "crashBeforeWrite", after: "crashAfterWrite" } as const;
  const results = new Map<string, Promise<SimulationResult>>();
  let pool: SeedPool;

  before(() => {
    pool = new SeedPool();
    for (const { number } of aimed)
      for (const [when, name] of Object.entries(classes))
        results.set(`${when} ${number}`, pool.play({ kind, process: faultless.leader, class: name, write: number }));
  });
  after(() => pool.close());

  for (const { number, method, path } of aimed) {
    for (const [when, name] of Object.entries(classes)) {
      it(`${when} write ${number}: ${method} ${path.replace(/^.*\/(?:namespaces|v1alpha1)\//, "")}`, async () => {
        const result = await (results.get(`${when} ${number}`) as Promise<SimulationResult>);
        assert.equal(result.faults[name], 1, "the operator did not crash there");
        assert.ok(result.problems.length === 0, result.problems.join("\n"));
        assert.equal(result.processes, faultless.result.processes + 1);
      });
    }
  }
}

/** The first write of each kind. */
export function firstOfEach(writes: readonly OperatorWrite[]): ReadonlyMap<string, OperatorWrite> {
  return new Map(writes.toReversed().map((write) => [kindOf(write), write]));
}
