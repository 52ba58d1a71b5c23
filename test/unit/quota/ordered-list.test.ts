import assert from "node:assert/strict";
import fc from "fast-check";
import { createSeededRandom, randomInteger } from "../../../src/base/random.ts";
import { bucketOrder } from "../../../src/quota/bucket-order.ts";
import { Bucket } from "../../../src/quota/bucket.ts";
import { Item, type Workload } from "../../../src/quota/item.ts";
import { minimumOf, OrderedList } from "../../../src/quota/ordered-list.ts";
import { Queue } from "../../../src/quota/queue.ts";
import { Shape } from "../../../src/quota/shape.ts";

const queue = new Queue("q", 0, undefined);
const order = bucketOrder(queue);

/** A bucket with one item, which comes the earlier the higher its priority is. */
function bucketOf(number: number, priority: number, need: number): Bucket {
  const shape = new Shape(number, 0, {}, new Float64Array([need, 1000 - need]), 0, false, false);
  return new Bucket(queue, itemOf(`w${String(number).padStart(6, "0")}`, priority, shape));
}

function itemOf(id: string, priority: number, shape: Shape): Item {
  const workload: Workload = {
    id,
    queue,
    priority,
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
  return new Item(workload, shape, false, 1, 0);
}

describe("an ordered list", () => {
  it("keeps hundreds of buckets in order, with the smallest need of all and of each chunk, whatever comes, goes and moves", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.constantFrom(0.35, 0.5, 0.65), (seed, leaving) => {
        const random = createSeededRandom(seed);
        const list = new OrderedList(order, 2);
        const model: Bucket[] = [];
        for (let at = 0; at < 300; at++) {
          const bucket = bucketOf(at, randomInteger(random, 50), randomInteger(random, 1000));
          list.insert(bucket);
          model.push(bucket);
        }
        for (let turn = 0; turn < 400; turn++) {
          const bucket = model[randomInteger(random, model.length)];
          const act = random.next();
          if (bucket !== undefined && act < leaving) {
            list.remove(bucket);
            model.splice(model.indexOf(bucket), 1);
          } else if (act < 0.8 || bucket === undefined) {
            const fresh = bucketOf(1000 + turn, randomInteger(random, 50), randomInteger(random, 1000));
            list.insert(fresh);
            model.push(fresh);
          } else {
            const [head] = bucket.items;
            bucket.remove(head as Item);
            bucket.push(itemOf(bucket.name, randomInteger(random, 50), bucket.shape));
            assert.ok(bucket.takeHead());
            list.moved(bucket);
          }
          if (turn % 20 === 0) check(list, model);
        }
        check(list, model);
      }),
      { numRuns: 60 },
    );
  });

  it("an empty one needs more than there is", () => {
    assert.deepEqual([...new OrderedList(order, 2).minimum()], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });
});

function check(list: OrderedList, model: readonly Bucket[]): void {
  assert.equal(list.size, model.length);
  const listed = list.chunks.flatMap((chunk) => chunk.entries);
  const sorted = model.toSorted((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
  assert.deepEqual(
    listed.map(({ name }) => name),
    sorted.map(({ name }) => name),
  );
  assert.equal(list.first, sorted[0]);
  const smallest = (buckets: readonly Bucket[]): readonly number[] =>
    [0, 1].map((at) => Math.min(...buckets.map(({ shape }) => shape.need[at] as number)));
  assert.deepEqual([...list.minimum()], smallest(model));
  for (const chunk of list.chunks) {
    assert.ok(chunk.entries.length <= 64);
    assert.deepEqual([...minimumOf(chunk)], smallest(chunk.entries));
    for (const bucket of chunk.entries) assert.equal(bucket.chunk, chunk);
  }
}
