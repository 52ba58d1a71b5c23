import assert from "node:assert/strict";
import type { OperatorWrite } from "../../src/simulator/harness/operator-process.ts";
import { type SimulationResult, simulate } from "../../src/simulator/harness/simulation.ts";
import { crashScenario } from "./support/crash-scenario.ts";
import { SeedPool } from "./support/seed-pool.ts";

const writes: OperatorWrite[] = [];
const faultless = await simulate({ ...crashScenario(), onWrite: (write) => writes.push(write) });
const leader = leaderOf(writes);
// The lease is renewed hundreds of times; how it is won is what differs.
const own = writes.filter((write) => write.process === leader);
const aimed = [
  ...own.filter((write) => write.path.includes("/leases")).slice(0, 3),
  ...own.filter((write) => !write.path.includes("/leases")),
];

describe("a crash of the operator before and after every write", function () {
  this.timeout(0);
  let pool: SeedPool;
  const results = new Map<string, Promise<SimulationResult>>();
  const classes = ["crashBeforeWrite", "crashAfterWrite"] as const;

  before(() => {
    pool = new SeedPool();
    for (const write of aimed)
      for (const name of classes)
        results.set(`${name} ${write.number}`, pool.play({ kind: "crash", process: leader, class: name, write: write.number }));
  });
  after(() => pool.close());

  it("has writes of each kind to crash at", () => {
    assert.deepEqual(faultless.problems, []);
    assert.ok(faultless.failovers > 0);
    const kinds = new Set(aimed.map(({ method, path }) => `${method} ${kindOf(path)}`));
    assert.deepEqual([...kinds].sort(), [
      "DELETE configmaps",
      "DELETE jobrequests",
      "DELETE pods",
      "PATCH elasticjobs/status",
      "PATCH jobrequests/status",
      "POST configmaps",
      "POST controllerrevisions",
      "POST events",
      "POST leases",
      "POST pods",
      "POST podtemplates",
      "PUT leases",
    ]);
  });

  for (const { number, method, path } of aimed) {
    for (const name of classes) {
      const when = name === "crashBeforeWrite" ? "before" : "after";
      it(`${when} write ${number}: ${method} ${path.replace(/^.*\/namespaces\//, "")}`, async () => {
        const result = await (results.get(`${name} ${number}`) as Promise<SimulationResult>);
        assert.equal(result.faults[name], 1, "the operator did not crash there");
        assert.ok(result.problems.length === 0, result.problems.join("\n"));
        assert.equal(result.processes, faultless.processes + 1);
      });
    }
  }
});

function leaderOf(sent: readonly OperatorWrite[]): string {
  return sent.find((write) => !write.path.includes("/leases"))?.process ?? "";
}

/** "pods", "elasticjobs/status" */
function kindOf(path: string): string {
  const [kind, , subresource] = path.replace(/^.*\/namespaces\/[^/]+\//, "").split("/");
  return subresource === undefined ? (kind as string) : `${kind}/${subresource}`;
}
