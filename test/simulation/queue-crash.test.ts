import assert from "node:assert/strict";
import type { OperatorWrite } from "../../src/simulator/harness/operator-process.ts";
import { simulateQueues } from "../../src/simulator/harness/queues/queue-simulation.ts";
import type { SimulationResult } from "../../src/simulator/harness/simulation.ts";
import { queueCrashScenario } from "./support/queue-crash-scenario.ts";
import { SeedPool } from "./support/seed-pool.ts";

/** npm run soak -- --queues --crashes: at every write; else at the first of the kinds that are queues' own. */
const all = process.env.NUPTSE_SIMULATION_CRASHES === "all";

const writes: OperatorWrite[] = [];
const faultless = await simulateQueues({ ...queueCrashScenario(), onWrite: (write) => writes.push(write) });
const leader = writes.find((write) => !write.path.includes("/leases"))?.process ?? "";
const own = writes.filter((write) => write.process === leader && !write.path.includes("/leases"));
const firsts = new Map(own.toReversed().map((write) => [kindOf(write), write]));
const ofQueues = ["PATCH pods", "PATCH tenantqueues/status", "DELETE pods"];
const aimed = all ? own : ofQueues.flatMap((kind) => firsts.get(kind) ?? []);

describe("a crash of the operator before and after every write for queues", function () {
  this.timeout(0);
  let pool: SeedPool;
  const results = new Map<string, Promise<SimulationResult>>();
  const classes = ["crashBeforeWrite", "crashAfterWrite"] as const;

  before(() => {
    pool = new SeedPool();
    for (const { number } of aimed)
      for (const name of classes)
        results.set(`${name} ${number}`, pool.play({ kind: "queueCrash", process: leader, class: name, write: number }));
  });
  after(() => pool.close());

  it("has writes of each kind to crash at, and a claim that is served", () => {
    assert.deepEqual(faultless.problems, []);
    assert.ok((faultless.people["released"] ?? 0) > 0, "nothing was given back");
    assert.deepEqual([...firsts.keys()].sort(), [
      "DELETE pods",
      "PATCH elasticjobs/status",
      // What was told of one request is told of the next in the same words.
      "PATCH events",
      "PATCH pods",
      "PATCH tenantqueues/status",
      "POST controllerrevisions",
      "POST events",
      "POST pods",
      "POST podtemplates",
    ]);
  });

  for (const { number, method, path } of aimed) {
    for (const name of classes) {
      const when = name === "crashBeforeWrite" ? "before" : "after";
      it(`${when} write ${number}: ${method} ${path.replace(/^.*\/(?:namespaces|v1alpha1)\//, "")}`, async () => {
        const result = await (results.get(`${name} ${number}`) as Promise<SimulationResult>);
        assert.equal(result.faults[name], 1, "the operator did not crash there");
        assert.ok(result.problems.length === 0, result.problems.join("\n"));
        assert.equal(result.processes, faultless.processes + 1);
      });
    }
  }
});

/** "PATCH pods", "PATCH tenantqueues/status" */
function kindOf({ method, path }: OperatorWrite): string {
  const [kind, , subresource] = path.replace(/^.*\/namespaces\/[^/]+\/|^.*\/v1alpha1\//, "").split("/");
  return `${method} ${subresource === undefined ? kind : `${kind}/${subresource}`}`;
}
