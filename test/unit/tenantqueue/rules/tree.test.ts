import assert from "node:assert/strict";
import fc from "fast-check";
import { effectiveQueue, type StopPolicy } from "../../../../src/tenantqueue/rules/effective-spec.ts";
import { growForest, type Placement } from "../../../../src/tenantqueue/rules/tree.ts";
import { iso } from "../../../support/builders/elastic-job.ts";
import { makeQueue } from "../../../support/builders/tenant-queue.ts";

const member = (name: string, parent?: string, stopPolicy: StopPolicy = "None", createdAt = iso("08:00:00")) =>
  effectiveQueue(makeQueue(name, { ...(parent !== undefined && { parent }), stopPolicy }, { createdAt }));

const forest = growForest([
  member("corp"),
  member("eng", "corp", "Hold"),
  member("web", "eng"),
  member("api", "eng", "HoldAndDrain"),
  member("other", undefined, "None", iso("07:00:00")),
  member("lost", "nowhere"),
  member("below-lost", "lost"),
  member("b", "a"),
  member("a", "b"),
  member("tail", "a"),
]);

const cases: readonly { readonly name: string; readonly of: string; readonly want: Placement | undefined }[] = [
  { name: "a queue without a parent is a root", of: "corp", want: { kind: "placed", root: "corp", path: ["corp"] } },
  { name: "the others are placed below their root", of: "web", want: { kind: "placed", root: "corp", path: ["web", "eng", "corp"] } },
  { name: "an unknown parent: an orphan", of: "lost", want: { kind: "orphan", missing: "nowhere", by: "lost" } },
  {
    name: "below an orphan: one too, and it says whose parent is missing",
    of: "below-lost",
    want: { kind: "orphan", missing: "nowhere", by: "lost" },
  },
  { name: "a cycle", of: "a", want: { kind: "cycle", cycle: ["a", "b"], member: true } },
  { name: "below a cycle", of: "tail", want: { kind: "cycle", cycle: ["a", "b"], member: false } },
  { name: "no such queue", of: "nobody", want: undefined },
];

describe("the tree of queues", () => {
  for (const tc of cases) it(tc.name, () => assert.deepEqual(forest.placementOf(tc.of), tc.want));

  it("roots and children come by age, then by name", () => {
    assert.deepEqual(forest.roots, ["other", "corp"]);
    assert.deepEqual(forest.childrenOf("eng"), ["api", "web"]);
  });

  it("a queue without children is a leaf, also without a place", () => {
    assert.deepEqual(
      ["corp", "web", "below-lost", "a"].map((name) => forest.isLeaf(name)),
      [false, true, true, false],
    );
  });

  it("a stop policy holds for all queues below, and the strictest one counts", () => {
    assert.deepEqual(
      ["corp", "eng", "web", "api", "tail"].map((name) => forest.stopPolicyOf(name)),
      ["None", "Hold", "Hold", "HoldAndDrain", "None"],
    );
  });

  it("a parent that comes later places its orphans", () => {
    const placed = growForest([member("lost", "nowhere"), member("nowhere")]);
    assert.deepEqual(placed.placementOf("lost"), { kind: "placed", root: "nowhere", path: ["lost", "nowhere"] });
  });

  it("is the same in whatever order queues come", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const parents = fc.array(fc.constantFrom(undefined, "x", ...names), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(parents, fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }), (chosen, order) => {
        const queues = names.map((name, index) => member(name, chosen[index]));
        const one = growForest(queues);
        const other = growForest(order.map((index) => queues[index] as (typeof queues)[number]));
        for (const name of names) {
          assert.deepEqual(other.placementOf(name), one.placementOf(name));
          assert.deepEqual(other.childrenOf(name), one.childrenOf(name));
        }
        assert.deepEqual(other.roots, one.roots);
      }),
    );
  });
});
