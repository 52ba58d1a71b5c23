import fc from "fast-check";
import type { ResourceVector } from "../../../../src/quota/resource-vector.ts";
import type { QueueSpec } from "../../../../src/quota/workload-spec.ts";

/** A queue of a random tree, its guarantees no more together than their parent's. */
export interface RandomQueue {
  readonly name: string;
  readonly parent: string;
  readonly spec: QueueSpec;
}

/** A random tree of two or three levels below `root`. */
export interface RandomTree {
  readonly capacity: ResourceVector;
  readonly queues: readonly RandomQueue[];
}

const names = ["cpu", "gpu", "memory", "disk"];
const vector = (count: number, most: number): fc.Arbitrary<ResourceVector> =>
  fc
    .array(fc.nat(most), { minLength: count, maxLength: count })
    .map((amounts) => Object.fromEntries(amounts.map((amount, at) => [names[at] as string, amount])));

const draft = (count: number): fc.Arbitrary<QueueSpec> =>
  fc.record({
    weight: fc.constantFrom(0, 1, 1, 2, 3, 5),
    guaranteed: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 3, arbitrary: vector(count, 12) }),
    max: fc.oneof(
      { weight: 3, arbitrary: fc.constant({}) },
      {
        weight: 1,
        arbitrary: vector(count, 20).map((amounts) => Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount > 2))),
      },
    ),
    lendMaxSeconds: fc.constantFrom(0, 60, 600, 3600, 86400),
    ordering: fc.constantFrom("PriorityFIFO", "FIFO"),
  });

/** Trees of 2 to 4 resources; each queue's parent is one that comes before it. */
export const randomTree: fc.Arbitrary<RandomTree> = fc.integer({ min: 2, max: 4 }).chain((count) =>
  fc
    .record({
      capacity: fc.array(fc.integer({ min: 6, max: 40 }), { minLength: count, maxLength: count }),
      drafts: fc.array(fc.tuple(fc.nat(1000), draft(count)), { minLength: 2, maxLength: 12 }),
    })
    .map(({ capacity, drafts }) => {
      const queues: RandomQueue[] = [];
      const left = new Map<string, Record<string, number>>();
      const total = Object.fromEntries(capacity.map((amount, at) => [names[at] as string, amount]));
      left.set("root", { ...total });
      for (const [at, [choice, spec]] of drafts.entries()) {
        const parents = ["root", "root", ...queues.filter(({ parent }) => depthOf(queues, parent) < 2).map(({ name }) => name)];
        const parent = parents[choice % parents.length] as string;
        const rest = left.get(parent) as Record<string, number>;
        const guaranteed: Record<string, number> = {};
        for (const [resource, amount] of Object.entries(spec.guaranteed ?? {})) {
          const max = spec.max?.[resource] ?? Number.POSITIVE_INFINITY;
          const kept = Math.min(amount, rest[resource] ?? 0, max);
          rest[resource] = (rest[resource] ?? 0) - kept;
          if (kept > 0) guaranteed[resource] = kept;
        }
        const name = `q${at}`;
        left.set(name, { ...guaranteed });
        queues.push({ name, parent, spec: { ...spec, guaranteed } });
      }
      return { capacity: total, queues };
    }),
);

function depthOf(queues: readonly RandomQueue[], name: string): number {
  const queue = queues.find((each) => each.name === name);
  return queue === undefined ? 0 : 1 + depthOf(queues, queue.parent);
}

/** The queues without children. */
export function leavesOf({ queues }: RandomTree): readonly string[] {
  return queues.filter(({ name }) => queues.every(({ parent }) => parent !== name)).map(({ name }) => name);
}

/** The path of a queue from itself up, without the root. */
export function pathOf({ queues }: RandomTree, name: string): readonly RandomQueue[] {
  const queue = queues.find((each) => each.name === name);
  return queue === undefined ? [] : [queue, ...pathOf({ queues, capacity: {} }, queue.parent)];
}
