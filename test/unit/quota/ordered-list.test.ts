import assert from "node:assert/strict";
import fc from "fast-check";
import { createSeededRandom, randomInteger } from "../../../src/base/random.ts";
import { queueOrder } from "../../../src/quota/entry-order.ts";
import { Item, type Workload } from "../../../src/quota/item.ts";
import { Entry, minimumOf, OrderedList } from "../../../src/quota/ordered-list.ts";
import { Queue } from "../../../src/quota/queue.ts";
import { Shape } from "../../../src/quota/shape.ts";

const queue = new Queue("q", 0, undefined);
const shape = new Shape(0, 0, {}, new Float64Array(2), 0, false, false);

function entryOf(number: number, level: number, need: number): Entry {
  const workload: Workload = {
    id: `w${String(number).padStart(6, "0")}`,
    queue,
    priority: 0,
    promiseSeconds: 0,
    since: 0,
    shape,
    step: undefined,
    steps: 0,
    keepsRequest: false,
    isAdmitted: false,
    item: undefined,
    pendingSteps: 0,
    pendingSince: 0,
  };
  const entry = new Entry(queue, new Float64Array([need, 1000 - need]), new Item(workload, shape, false, 1, 0));
  entry.numerator = level;
  return entry;
}

describe("an ordered list", () => {
  it("keeps hundreds of entries in order, with the smallest need of all and of each chunk, whatever comes, goes and moves", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.constantFrom(0.35, 0.5, 0.65), (seed, leaving) => {
        const random = createSeededRandom(seed);
        const list = new OrderedList(queueOrder, 2);
        const model: Entry[] = [];
        for (let at = 0; at < 300; at++) {
          const entry = entryOf(at, randomInteger(random, 50), randomInteger(random, 1000));
          list.insert(entry);
          model.push(entry);
        }
        for (let turn = 0; turn < 400; turn++) {
          const entry = model[randomInteger(random, model.length)];
          const act = random.next();
          if (entry !== undefined && act < leaving) {
            list.remove(entry);
            model.splice(model.indexOf(entry), 1);
          } else if (act < 0.8 || entry === undefined) {
            const fresh = entryOf(1000 + turn, randomInteger(random, 50), randomInteger(random, 1000));
            list.insert(fresh);
            model.push(fresh);
          } else if (act < 0.9) {
            entry.numerator = randomInteger(random, 50);
            list.moved(entry);
          } else {
            entry.need[0] = randomInteger(random, 1000);
            list.needChanged(entry);
          }
          if (turn % 20 === 0) check(list, model);
        }
        check(list, model);
      }),
      { numRuns: 60 },
    );
  });

  it("finds places by a rounded level, which never contradicts the exact one, in any tier", () => {
    const tier = fc.constantFrom(0, 1, 2);
    const amount = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 2 ** 52, max: 2 ** 53 - 8 }));
    const near = fc.integer({ min: 0, max: 2 });
    fc.assert(
      fc.property(tier, tier, amount, amount, near, near, fc.boolean(), (tierA, tierB, numerator, denominator, more, less, isFar) => {
        const a = levelOf(tierA, isFar ? 0 : numerator, denominator);
        const b = levelOf(tierB, numerator + more, denominator + less);
        const exact = queueOrder.compare(a, b);
        const [keyA, keyB] = [queueOrder.keyOf(a), queueOrder.keyOf(b)];
        assert.ok(exact < 0 ? keyA <= keyB : keyA >= keyB, `${exact}: ${keyA}, ${keyB}`);
      }),
      { numRuns: 2000 },
    );
  });

  it("an empty one needs more than there is", () => {
    assert.deepEqual([...new OrderedList(queueOrder, 2).minimum()], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });
});

/** Below a guarantee (tier 0) less is used than is guaranteed. */
function levelOf(tier: number, numerator: number, denominator: number): Entry {
  const entry = entryOf(1, 0, 0);
  entry.tier = tier;
  entry.numerator = tier === 0 ? Math.min(numerator, denominator - 1) : numerator;
  entry.denominator = tier === 2 ? 1 : denominator;
  return entry;
}

function check(list: OrderedList, model: readonly Entry[]): void {
  assert.equal(list.size, model.length);
  const listed = list.chunks.flatMap((chunk) => chunk.entries);
  const sorted = model.toSorted((a, b) => a.numerator - b.numerator || (a.head.name < b.head.name ? -1 : 1));
  assert.deepEqual(
    listed.map((entry) => entry.head.name),
    sorted.map((entry) => entry.head.name),
  );
  assert.equal(list.first, sorted[0]);
  const smallest = (entries: readonly Entry[]): readonly number[] =>
    [0, 1].map((at) => Math.min(...entries.map(({ need }) => need[at] as number)));
  assert.deepEqual([...list.minimum()], smallest(model));
  for (const chunk of list.chunks) {
    assert.ok(chunk.entries.length <= 64);
    assert.deepEqual([...minimumOf(chunk)], smallest(chunk.entries));
    for (const entry of chunk.entries) assert.equal(entry.chunk, chunk);
  }
}
