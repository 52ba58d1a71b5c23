import assert from "node:assert/strict";
import fc from "fast-check";
import type { TenantQueueSpec } from "../../../../src/api/tenant-queue.gen.ts";
import type { ResourceVector } from "../../../../src/quota/resource-vector.ts";
import { effectiveQueue, readGuarantees } from "../../../../src/tenantqueue/rules/effective-spec.ts";
import { type GrantRecord, guaranteesOf } from "../../../../src/tenantqueue/rules/guarantees.ts";
import { growForest } from "../../../../src/tenantqueue/rules/tree.ts";
import { iso } from "../../../support/builders/elastic-job.ts";
import { makeQueue } from "../../../support/builders/tenant-queue.ts";

type Amounts = Readonly<Record<string, string | number>>;

/** A queue of a table: "corp/eng" is eng below corp; ages are in the order of the table. */
interface Row {
  readonly declared?: Amounts;
  /** What status says it was granted under its parent, or under another one. */
  readonly granted?: Amounts;
  readonly under?: string;
  readonly max?: Amounts;
}

function judge(capacity: ResourceVector | undefined, table: Readonly<Record<string, Row>>) {
  const records = new Map<string, GrantRecord>();
  const queues = Object.entries(table).map(([path, { declared, granted, under, max }], index) => {
    const [name = "", parent] = path.split("/").reverse();
    if (granted !== undefined) records.set(name, { parent: under ?? parent ?? "", granted: readGuarantees(granted) });
    const spec: TenantQueueSpec = {
      ...(parent !== undefined && { parent }),
      ...(declared !== undefined && { guaranteed: declared }),
      ...(max !== undefined && { max }),
    };
    return effectiveQueue(makeQueue(name, spec, { createdAt: iso(`08:00:${String(index).padStart(2, "0")}`) }));
  });
  const capacities = new Map(capacity === undefined ? [] : [["corp", capacity]]);
  return guaranteesOf(growForest(queues), capacities, records);
}

/** Effective cores of each queue below the root. */
function cores(found: ReturnType<typeof judge>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...found].filter(([name]) => name !== "corp").map(([name, { effective }]) => [name, (effective["cpu"] ?? 0) / 1000]),
  );
}

function refused(found: ReturnType<typeof judge>): readonly string[] {
  return [...found].filter(([, guarantee]) => guarantee.refused !== undefined).map(([name]) => name);
}

const cpu = (value: string | number): Amounts => ({ cpu: value });
/** Declared, and granted before. */
const settled = (value: string | number): Row => ({ declared: cpu(value), granted: cpu(value) });
const hundred = { cpu: 100_000 };

interface Case {
  readonly name: string;
  readonly capacity?: ResourceVector;
  readonly table: Readonly<Record<string, Row>>;
  readonly want: Readonly<Record<string, number>>;
  readonly refused?: readonly string[];
}

const cases: readonly Case[] = [
  { name: "a quantity is what it says", table: { corp: {}, "corp/a": settled(40), "corp/b": settled("2500m") }, want: { a: 40, b: 2.5 } },
  { name: "a percentage below a root is one of the capacity", table: { corp: {}, "corp/a": settled("50%") }, want: { a: 50 } },
  {
    name: "a percentage below another queue is one of its effective guarantee",
    table: { corp: {}, "corp/a": settled("50%"), "a/x": settled("30%"), "a/y": settled("70%") },
    want: { a: 50, x: 15, y: 35 },
  },
  {
    name: "what fits at first is granted at once",
    table: { corp: {}, "corp/a": { declared: cpu(60) }, "corp/b": { declared: cpu("40%") } },
    want: { a: 60, b: 40 },
  },
  {
    name: "of new queues that promise too much together the older ones are granted theirs, the last one nothing",
    table: { corp: {}, "corp/a": { declared: cpu(50) }, "corp/b": { declared: cpu(40) }, "corp/c": { declared: cpu(20) } },
    want: { a: 50, b: 40, c: 0 },
    refused: ["c"],
  },
  {
    name: "and one that still fits beside them is, though it is younger than the one that does not",
    table: { corp: {}, "corp/a": { declared: cpu(50) }, "corp/b": { declared: cpu(60) }, "corp/c": { declared: cpu(20) } },
    want: { a: 50, b: 0, c: 20 },
    refused: ["b"],
  },
  {
    name: "an edit that would promise more than the parent has does not take effect: the last effective one holds",
    table: { corp: {}, "corp/a": { declared: cpu(80), granted: cpu(50) }, "corp/b": settled(50) },
    want: { a: 50, b: 50 },
    refused: ["a"],
  },
  {
    name: "it takes effect once there is room",
    table: { corp: {}, "corp/a": { declared: cpu(80), granted: cpu(50) }, "corp/b": { declared: cpu(20), granted: cpu(50) } },
    want: { a: 80, b: 20 },
  },
  {
    name: "one queue takes what another one gives up in the same step, whichever is older",
    table: { corp: {}, "corp/a": { declared: cpu(70), granted: cpu(30) }, "corp/b": { declared: cpu(30), granted: cpu(70) } },
    want: { a: 70, b: 30 },
  },
  {
    name: "two queues swap cores for memory, where neither could begin",
    capacity: { cpu: 100_000, memory: 100 },
    table: {
      corp: {},
      "corp/a": { declared: { cpu: 70, memory: "30Ki" }, granted: { cpu: 50, memory: "50Ki" } },
      "corp/b": { declared: { cpu: 30, memory: "70Ki" }, granted: { cpu: 50, memory: "50Ki" } },
    },
    want: { a: 70, b: 30 },
  },
  {
    name: "a percentage that grows is an edit like any other",
    table: { corp: {}, "corp/a": { declared: cpu("60%"), granted: cpu("50%") }, "corp/b": settled("50%") },
    want: { a: 50, b: 50 },
    refused: ["a"],
  },
  {
    name: "an edit is granted as a whole or not at all",
    capacity: { cpu: 100_000, memory: 100 },
    table: {
      corp: {},
      "corp/a": { declared: { cpu: 60, memory: "60Ki" }, granted: { cpu: 50, memory: "50Ki" } },
      "corp/b": { declared: { cpu: 40, memory: "50Ki" }, granted: { cpu: 40, memory: "50Ki" } },
    },
    want: { a: 50, b: 40 },
    refused: ["a"],
  },
  {
    name: "when capacity shrinks all guarantees are cut in proportion",
    capacity: { cpu: 90_000 },
    table: { corp: {}, "corp/a": settled(50), "corp/b": settled(50) },
    want: { a: 45, b: 45 },
  },
  {
    name: "all the way down",
    capacity: { cpu: 50_000 },
    table: { corp: {}, "corp/a": settled(60), "corp/b": settled(40), "a/x": settled(40), "a/y": settled(20), "b/z": settled("50%") },
    want: { a: 30, b: 20, x: 20, y: 10, z: 10 },
  },
  {
    name: "a percentage that has grown beyond the queue's own max comes to that",
    table: { corp: {}, "corp/a": { ...settled("50%"), max: cpu(30) }, "a/x": settled("50%") },
    want: { a: 30, x: 15 },
  },
  {
    name: "and grow back with it",
    table: { corp: {}, "corp/a": settled(60), "corp/b": settled(40), "a/x": settled(40), "a/y": settled(20) },
    want: { a: 60, b: 40, x: 40, y: 20 },
  },
  {
    name: "what is guaranteed in all less than the capacity that is left stays",
    capacity: { cpu: 90_000 },
    table: { corp: {}, "corp/a": settled(50), "corp/b": settled(20) },
    want: { a: 50, b: 20 },
  },
  {
    name: "while capacity lacks a guarantee can be lowered, and not raised",
    capacity: { cpu: 90_000 },
    table: { corp: {}, "corp/a": { declared: cpu(48), granted: cpu(50) }, "corp/b": { declared: cpu(51), granted: cpu(50) } },
    // 48 + 50 = 98 promised of 90: 48 x 90 / 98 = 44.081..., 50 x 90 / 98 = 45.918...
    want: { a: 44.081, b: 45.918 },
    refused: ["b"],
  },
  {
    name: "while there is no capacity at all percentages must not promise more than the whole either",
    capacity: {},
    table: { corp: {}, "corp/a": { declared: cpu("60%"), granted: cpu("50%") }, "corp/b": settled("50%") },
    want: { a: 0, b: 0 },
    refused: ["a"],
  },
  {
    name: "nor more beside a quantity, nor less than what is promised below",
    capacity: {},
    table: {
      corp: {},
      "corp/a": { declared: cpu("10%") },
      "corp/b": settled(50),
      "corp/c": { declared: cpu("40%"), granted: cpu("60%") },
      "c/x": settled(50),
    },
    want: { a: 0, b: 0, c: 0, x: 0 },
    refused: ["a", "c"],
  },
  {
    name: "a parent cannot go below what the queues under it are guaranteed",
    table: { corp: {}, "corp/a": { declared: cpu(40), granted: cpu(60) }, "a/x": settled(50) },
    want: { a: 60, x: 50 },
    refused: ["a"],
  },
  {
    name: "but with them in one go",
    table: { corp: {}, "corp/a": { declared: cpu(40), granted: cpu(60) }, "a/x": { declared: cpu(40), granted: cpu(50) } },
    want: { a: 40, x: 40 },
  },
  {
    name: "percentages below it shrink with it",
    table: { corp: {}, "corp/a": { declared: cpu(40), granted: cpu(60) }, "a/x": settled("50%") },
    want: { a: 40, x: 20 },
  },
  {
    name: "a parent that grows makes room below in the same step",
    table: { corp: {}, "corp/a": { declared: cpu(60), granted: cpu(40) }, "a/x": { declared: cpu(60), granted: cpu(40) } },
    want: { a: 60, x: 60 },
  },
  {
    name: "a parent that is guaranteed nothing of a resource has nothing of it to promise",
    table: { corp: {}, "corp/a": {}, "a/x": { declared: cpu(1) } },
    want: { a: 0, x: 0 },
    refused: ["x"],
  },
  {
    name: "a queue that is moved is granted its guarantee anew, where it fits",
    table: { corp: {}, "corp/a": settled(50), "corp/b": settled(50), "b/x": { declared: cpu(20), granted: cpu(20), under: "a" } },
    want: { a: 50, b: 50, x: 20 },
  },
  {
    name: "and where it does not it takes nothing from its new siblings",
    table: {
      corp: {},
      "corp/a": settled(50),
      "corp/b": settled(50),
      "b/y": settled(40),
      "b/x": { declared: cpu(20), granted: cpu(20), under: "a" },
    },
    want: { a: 50, b: 50, y: 40, x: 0 },
    refused: ["x"],
  },
  {
    name: "no guarantee any more",
    table: { corp: {}, "corp/a": { granted: cpu(50) }, "corp/b": { declared: cpu(100), granted: cpu(50) } },
    want: { a: 0, b: 100 },
  },
  {
    name: "the same guarantee written otherwise is no edit",
    capacity: { cpu: 90_000 },
    table: { corp: {}, "corp/a": { declared: cpu("50000m"), granted: cpu(50) }, "corp/b": settled(50) },
    want: { a: 45, b: 45 },
  },
];

describe("guarantees", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const found = judge(tc.capacity ?? hundred, tc.table);
      assert.deepEqual(cores(found), tc.want);
      assert.deepEqual(refused(found), tc.refused ?? []);
    });
  }

  it("of a root are its capacity", () => {
    assert.deepEqual(judge(hundred, { corp: {} }).get("corp"), { granted: {}, effective: hundred });
  });

  it("are not judged while the capacity is not known", () => {
    assert.equal(judge(undefined, { corp: {}, "corp/a": settled(50) }).size, 0);
  });

  it("are told of a refused edit with what there is, what the siblings have, and the most that would fit", () => {
    const found = judge(hundred, { corp: {}, "corp/a": { declared: cpu("80%"), granted: cpu(30) }, "corp/b": settled(50) });
    assert.deepEqual(found.get("a")?.refused, {
      kind: "siblings",
      resource: "cpu",
      parent: "corp",
      has: "100",
      root: true,
      asked: "80% (80)",
      siblings: "50",
      most: "50",
    });
  });

  it("are told in percent where they come to nothing just now", () => {
    const found = judge({}, { corp: {}, "corp/a": { declared: cpu("60%") }, "corp/b": settled("50%") });
    assert.deepEqual(found.get("a")?.refused, {
      kind: "siblings",
      resource: "cpu",
      parent: "corp",
      root: true,
      has: "100%",
      asked: "60%",
      siblings: "50%",
      most: "50%",
    });
  });

  it("are told of a refused cut with what the queues below have", () => {
    const found = judge(hundred, { corp: {}, "corp/a": { granted: cpu(60) }, "a/x": settled(50) });
    assert.deepEqual(found.get("a")?.refused, { kind: "children", resource: "cpu", asked: "0", children: "50" });
  });

  it("keep the text of what was granted", () => {
    const found = judge(hundred, { corp: {}, "corp/a": { declared: cpu("80%"), granted: cpu("30%") }, "corp/b": settled(50) });
    assert.equal(found.get("a")?.granted["cpu"]?.text, "30%");
  });
});

describe("guarantees of random trees", () => {
  const amount = fc.oneof(
    fc.integer({ min: 0, max: 120 }),
    fc.integer({ min: 0, max: 100 }).map((share) => `${share}%`),
  );
  const queue = fc.record({ parent: fc.nat({ max: 7 }), declared: amount, granted: fc.option(amount, { nil: undefined }) });
  const queues = fc.array(queue, { minLength: 1, maxLength: 8 });
  const table = (
    rows: readonly { readonly parent: number; readonly declared: string | number; readonly granted?: string | number | undefined }[],
  ) => {
    const built: Record<string, Row> = { corp: {} };
    for (const [index, { parent, declared, granted }] of rows.entries()) {
      const above = parent >= index ? "corp" : `q${parent}`;
      built[`${above}/q${index}`] = { declared: cpu(declared), ...(granted !== undefined && { granted: cpu(granted) }) };
    }
    return built;
  };
  const units = fc.integer({ min: 0, max: 200_000 });

  it("never promise more than the parent has", () => {
    fc.assert(
      fc.property(queues, units, (rows, capacity) => {
        const built = table(rows);
        const found = judge({ cpu: capacity }, built);
        const sums = new Map<string, number>();
        for (const path of Object.keys(built)) {
          const [name = "", parent] = path.split("/").reverse();
          if (parent !== undefined) sums.set(parent, (sums.get(parent) ?? 0) + (found.get(name)?.effective["cpu"] ?? 0));
        }
        for (const [parent, total] of sums) assert.ok(total <= (found.get(parent)?.effective["cpu"] ?? 0), parent);
      }),
    );
  });

  it("an edit of one queue never takes from its siblings, nor from what is below them", () => {
    fc.assert(
      fc.property(queues, units, fc.nat({ max: 7 }), amount, (rows, capacity, which, edited) => {
        const built = table(rows);
        const before = judge({ cpu: capacity }, built);
        // Everything as it was found is what status keeps.
        const kept = Object.fromEntries(
          Object.entries(built).map(([path, row]) => {
            const granted = before.get(path.split("/").at(-1) ?? "")?.granted["cpu"]?.text;
            return [
              path,
              {
                ...row,
                ...(granted === undefined ? { granted: {} } : { granted: cpu(granted) }),
                declared: granted === undefined ? {} : cpu(granted),
              },
            ];
          }),
        );
        const path = Object.keys(built).at(1 + (which % rows.length)) ?? "";
        const [name = "", parent = ""] = path.split("/").reverse();
        const after = judge({ cpu: capacity }, { ...kept, [path]: { ...kept[path], declared: cpu(edited) } });
        for (const other of Object.keys(built)) {
          const [sibling = "", above] = other.split("/").reverse();
          if (above !== parent || sibling === name) continue;
          assert.deepEqual(after.get(sibling)?.granted, before.get(sibling)?.granted);
          // Where all are cut an edit that lowers one leaves the others more.
          assert.ok((after.get(sibling)?.effective["cpu"] ?? 0) >= (before.get(sibling)?.effective["cpu"] ?? 0), sibling);
        }
      }),
    );
  });

  it("once granted stay granted: judging again changes nothing", () => {
    fc.assert(
      fc.property(queues, units, (rows, capacity) => {
        const built = table(rows);
        const once = judge({ cpu: capacity }, built);
        const again = judge(
          { cpu: capacity },
          Object.fromEntries(
            Object.entries(built).map(([path, row]) => {
              const granted = once.get(path.split("/").at(-1) ?? "")?.granted["cpu"]?.text;
              return [path, { ...row, granted: granted === undefined ? {} : cpu(granted) }];
            }),
          ),
        );
        assert.deepEqual(
          [...again].map(([name, { effective }]) => [name, effective]),
          [...once].map(([name, { effective }]) => [name, effective]),
        );
      }),
    );
  });
});
