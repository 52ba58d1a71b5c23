import assert from "node:assert/strict";
import { effectiveGuarantees, type GuaranteeSpec, parseGuarantee } from "../../../src/quota/guarantee.ts";
import type { ResourceVector } from "../../../src/quota/resource-vector.ts";

const root: GuaranteeSpec = { name: "root", guaranteed: {} };

function child(name: string, cpu: string | number, accepted?: number, parent = "root"): GuaranteeSpec {
  return { name, parent, guaranteed: { cpu }, ...(accepted === undefined ? {} : { accepted: { cpu: accepted } }) };
}

describe("effective guarantees", () => {
  const cases: readonly {
    name: string;
    capacity: ResourceVector;
    specs: readonly GuaranteeSpec[];
    want: Readonly<Record<string, number>>;
    overCommitted?: readonly string[];
    cut?: readonly string[];
  }[] = [
    {
      name: "what all ask for is theirs while there is so much",
      capacity: { cpu: 10_000 },
      specs: [root, child("a", 6), child("b", "4")],
      want: { a: 6000, b: 4000 },
    },
    {
      name: "a percentage is of the capacity below a root, and of the parent's effective guarantee below another",
      capacity: { cpu: 80_000 },
      specs: [root, child("a", "25%"), child("x", "50%", undefined, "a"), child("y", "12.5%", undefined, "a")],
      want: { a: 20_000, x: 10_000, y: 2500 },
    },
    {
      name: "an edit that would promise more than the parent has does not take effect",
      capacity: { cpu: 10_000 },
      specs: [root, child("a", 7, 5000), child("b", 5, 5000)],
      want: { a: 5000, b: 5000 },
      overCommitted: ["a"],
    },
    {
      name: "a new queue that asks for too much gets nothing, and its siblings lose nothing",
      capacity: { cpu: 10_000 },
      specs: [root, child("a", 8, 8000), child("b", 5)],
      want: { a: 8000, b: 0 },
      overCommitted: ["b"],
    },
    {
      name: "of two edits the one that fits takes effect",
      capacity: { cpu: 10_000 },
      specs: [root, child("a", 9, 5000), child("b", 4, 3000)],
      want: { a: 5000, b: 4000 },
      overCommitted: ["a"],
    },
    {
      name: "an edit that asks for less always takes effect",
      capacity: { cpu: 10_000 },
      specs: [root, child("a", 2, 5000), child("b", 8, 5000)],
      want: { a: 2000, b: 8000 },
    },
    {
      name: "only when capacity itself shrinks are guarantees scaled in proportion: 50 + 50 of 90",
      capacity: { cpu: 90_000 },
      specs: [root, child("a", 50, 50_000), child("b", 50, 50_000)],
      want: { a: 45_000, b: 45_000 },
      cut: ["a", "b"],
    },
    {
      name: "and those beneath with them: 30 + 10 of what was 40 and is 20",
      capacity: { cpu: 20_000 },
      specs: [root, child("a", 40, 40_000), child("x", 30, 30_000, "a"), child("y", 10, 10_000, "a")],
      want: { a: 20_000, x: 15_000, y: 5000 },
      cut: ["a", "x", "y"],
    },
    {
      name: "they come back with the capacity",
      capacity: { cpu: 95_000 },
      specs: [root, child("a", 50, 50_000), child("b", 50, 50_000)],
      want: { a: 47_500, b: 47_500 },
      cut: ["a", "b"],
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const answers = effectiveGuarantees(tc.specs, tc.capacity);
      const names = Object.keys(tc.want);
      assert.deepEqual(Object.fromEntries(names.map((name) => [name, answers.get(name)?.effective.cpu ?? 0])), tc.want);
      const flagged = (list: "overCommitted" | "cut"): readonly string[] =>
        names.filter((name) => answers.get(name)?.[list].includes("cpu"));
      assert.deepEqual(flagged("overCommitted"), tc.overCommitted ?? []);
      assert.deepEqual(flagged("cut"), tc.cut ?? []);
    });
  }

  it("what was accepted is kept through a time of less capacity", () => {
    const specs = [root, child("a", 50, 50_000), child("b", 50, 50_000)];
    assert.deepEqual(effectiveGuarantees(specs, { cpu: 90_000 }).get("a")?.accepted, { cpu: 50_000 });
  });

  it("whatever the order of the queues", () => {
    const specs = [root, child("a", 9, 5000), child("b", 4, 3000), child("x", "10%", 0, "a")];
    assert.deepEqual(effectiveGuarantees(specs.toReversed(), { cpu: 10_000 }), effectiveGuarantees(specs, { cpu: 10_000 }));
  });

  const wrong: readonly { name: string; value: string; message: RegExp }[] = [
    { name: "a percentage over 100", value: "101%", message: /^cpu: "101%" is more than 100%$/ },
    { name: "a negative percentage", value: "-5%", message: /is not a percentage such as/ },
    { name: "a percentage without a number", value: "%", message: /is not a percentage such as/ },
    { name: "a negative quantity", value: "-5", message: /must not be negative/ },
  ];
  for (const tc of wrong) {
    it(`${tc.name} is refused`, () =>
      assert.throws(() => parseGuarantee("cpu", tc.value, 1000), { name: "QuantityError", message: tc.message }));
  }
});
