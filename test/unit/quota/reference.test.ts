import assert from "node:assert/strict";
import fc from "fast-check";
import { QuotaTree } from "../../../src/quota/quota-tree.ts";
import type { QueueSpec, WorkloadSpec } from "../../../src/quota/workload-spec.ts";
import { propertyRuns } from "./support/property-runs.ts";
import { ReferenceTree } from "./support/reference-tree.ts";

const resources = ["cpu", "gpu", "memory", "disk"];
const small = fc.integer({ min: 0, max: 6 });
const some = fc.integer({ min: 1, max: 20 });
const vector = fc.tuple(small, small, small, small).map((amounts) => named(amounts, (amount) => amount > 2));
const bounds = fc.tuple(small, small, small, small).map((amounts) => named(amounts, (amount) => amount > 3));
const spec: fc.Arbitrary<QueueSpec> = fc.record({
  weight: fc.constantFrom(0, 1, 1, 2, 3),
  guaranteed: vector,
  max: fc.option(bounds, { nil: {}, freq: 2 }),
  lendMaxSeconds: fc.constantFrom(0, 60, 3600, 86400),
  ordering: fc.constantFrom("PriorityFIFO", "FIFO"),
  isHeld: fc.constantFrom(false, false, false, false, true),
});

type Step =
  | {
      readonly kind: "submit";
      readonly leaf: number;
      readonly request: Readonly<Record<string, number>>;
      readonly form: number;
      readonly priority: number;
      readonly since: number;
    }
  | { readonly kind: "release" | "withdraw" | "decide"; readonly at: number }
  | { readonly kind: "edit"; readonly queue: number; readonly spec: QueueSpec }
  | { readonly kind: "move"; readonly queue: number; readonly parent: number }
  | { readonly kind: "capacity"; readonly amounts: readonly number[] };

/** With edits of the first so many queues and work in the first so many leaves. */
const stepOf = (queues: number, leaves: number): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("submit" as const),
        leaf: fc.nat(leaves),
        request: vector,
        form: fc.nat(5),
        priority: fc.nat(1),
        since: fc.nat(3),
      }),
    },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("decide" as const), at: fc.nat(3) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("release" as const, "withdraw" as const), at: fc.nat(50) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("edit" as const), queue: fc.nat(queues), spec }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("move" as const), queue: fc.nat(queues), parent: fc.nat(queues) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("capacity" as const), amounts: fc.tuple(some, some, some, some) }),
    },
  );
const forms: readonly Pick<WorkloadSpec, "promiseSeconds" | "isYieldable" | "isResident">[] = [
  {},
  { isYieldable: true },
  { isYieldable: true, promiseSeconds: 30 },
  { isYieldable: true, promiseSeconds: 900 },
  { isResident: true },
  { promiseSeconds: 0, isYieldable: true, isResident: true },
];

describe("the tree and a reckoning without structures", () => {
  it("decide the same, whatever happens", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(0, 4, 8, 64),
        fc.array(fc.tuple(fc.nat(20), spec), { minLength: 1, maxLength: 8 }),
        fc.array(stepOf(20, 20), { minLength: 5, maxLength: 60 }),
        compare,
      ),
      { numRuns: propertyRuns(400) },
    );
  });

  it("decide the same where siblings are so many that they stand in groups", () => {
    const underRoot = fc.tuple(fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2), spec);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(0, 8, 64),
        fc.array(underRoot, { minLength: 40, maxLength: 44 }),
        fc.array(stepOf(100, 6), { minLength: 20, maxLength: 40 }),
        compare,
      ),
      { numRuns: 20 },
    );
  }).timeout(20_000);
});

function compare(count: number, mostPassing: number, queues: readonly (readonly [number, QueueSpec])[], steps: readonly Step[]): void {
  const known = new Set(resources.slice(0, count));
  const only = (amounts: Readonly<Record<string, number>> | undefined): Readonly<Record<string, number>> =>
    Object.fromEntries(Object.entries(amounts ?? {}).filter(([name]) => known.has(name)));
  const clean = (each: QueueSpec): QueueSpec => ({ ...each, guaranteed: only(each.guaranteed), max: only(each.max) });
  const capacity = Object.fromEntries([...known].map((name) => [name, 12]));
  const tree = new QuotaTree("root", capacity, {}, mostPassing);
  const reference = new ReferenceTree("root", capacity, mostPassing);
  const names = ["root"];
  for (const [parent, each] of queues) {
    const name = `q${names.length}`;
    const above = names[parent % names.length] as string;
    tree.addQueue(name, above, clean(each));
    reference.queues.set(name, { name, parent: above, spec: forReference(clean(each)) });
    names.push(name);
  }
  let number = 0;
  for (const each of steps) {
    if (each.kind === "submit") {
      const leaves = names.filter((name) => ![...reference.queues.values()].some((queue) => queue.parent === name));
      const request = only(each.request);
      const queue = leaves[each.leaf % leaves.length] as string;
      const work = { id: `w${number++}`, queue, request, priority: each.priority, since: each.since, ...forms[each.form] };
      tree.submit(work);
      reference.submit(work);
    } else if (each.kind === "decide") {
      for (let turn = 0; turn <= each.at; turn++) {
        const want = reference.admitNext();
        assert.equal(tree.admitNext()?.id, want);
        if (want === undefined) break;
      }
    } else if (each.kind === "edit") {
      const name = names[each.queue % names.length] as string;
      if (name === "root") continue;
      tree.setQueue(name, clean(each.spec));
      (reference.queues.get(name) as { spec: QueueSpec }).spec = forReference(clean(each.spec));
    } else if (each.kind === "move") {
      const name = names[each.queue % names.length] as string;
      const parent = names[each.parent % names.length] as string;
      const hasWork = [...reference.works.values()].some((work) => work.spec.queue === parent);
      if (name === "root" || hasWork || isUnder(reference, parent, name)) continue;
      tree.moveQueue(name, parent);
      (reference.queues.get(name) as { parent: string | undefined }).parent = parent;
    } else if (each.kind === "capacity") {
      const amounts = Object.fromEntries([...known].map((name, at) => [name, each.amounts[at] as number]));
      tree.setCapacity(amounts);
      reference.capacity = amounts;
    } else {
      const some = [...reference.works.values()].filter((work) => work.isAdmitted === (each.kind === "release"));
      const work = some[each.at % Math.max(1, some.length)];
      if (work === undefined) continue;
      assert.equal(each.kind === "release" ? tree.release(work.spec.id) : tree.withdraw(work.spec.id), true);
      reference.works.delete(work.spec.id);
    }
  }
  for (let turn = 0; turn < 100; turn++) {
    const want = reference.admitNext();
    assert.equal(tree.admitNext()?.id, want);
    if (want === undefined) return;
  }
}

function isUnder(reference: ReferenceTree, queue: string, top: string): boolean {
  for (let at: string | undefined = queue; at !== undefined; at = reference.queues.get(at)?.parent) if (at === top) return true;
  return false;
}

/** A max of nothing is no max. */
function forReference(each: QueueSpec): QueueSpec {
  if (Object.keys(each.max ?? {}).length > 0) return each;
  const { max: _, ...rest } = each;
  return rest;
}

function named(amounts: readonly number[], isKept: (amount: number) => boolean): Readonly<Record<string, number>> {
  return Object.fromEntries(amounts.flatMap((amount, at) => (isKept(amount) ? [[resources[at] as string, amount - 2]] : [])));
}
