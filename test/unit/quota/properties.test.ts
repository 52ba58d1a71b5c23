import assert from "node:assert/strict";
import fc from "fast-check";
import { createSeededRandom, randomInteger } from "../../../src/base/random.ts";
import { type Demand, fairShares } from "../../../src/quota/fair-share.ts";
import { lendSeconds } from "../../../src/quota/promise.ts";
import { QuotaTree } from "../../../src/quota/quota-tree.ts";
import type { WorkloadSpec } from "../../../src/quota/workload-spec.ts";
import { propertyRuns } from "./support/property-runs.ts";
import { leavesOf, pathOf, type RandomTree, randomTree } from "./support/random-trees.ts";

const seeds = fc.integer({ min: 1, max: 2 ** 31 });
const promises = [0, 30, 900, 4000, Number.POSITIVE_INFINITY];

function grown({ capacity, queues }: RandomTree): QuotaTree {
  const tree = new QuotaTree("root", capacity);
  for (const { name, parent, spec } of queues) tree.addQueue(name, parent, spec);
  return tree;
}

/** Work of all kinds, for leaves at random. */
function randomWork(random: RandomTree, seed: number, count: number): readonly WorkloadSpec[] {
  const chance = createSeededRandom(seed);
  const leaves = leavesOf(random);
  const resources = Object.keys(random.capacity);
  return Array.from({ length: count }, (_, at): WorkloadSpec => {
    const amounts = resources.map((name) => [name, randomInteger(chance, 4)] as const).filter(([, amount]) => amount > 0);
    return {
      id: `w${at}`,
      queue: leaves[randomInteger(chance, leaves.length)] as string,
      request: Object.fromEntries(amounts.length === 0 ? [[resources[0] as string, 1]] : amounts),
      since: randomInteger(chance, 5),
      priority: randomInteger(chance, 3),
      isYieldable: chance.next() < 0.5,
      isResident: chance.next() < 0.3,
      promiseSeconds: promises[randomInteger(chance, promises.length)] as number,
    };
  });
}

/** clamp(weight x level, floor, cap) with the level found by halving: nothing of the code under test. */
function shareOut(
  amount: number,
  children: readonly { readonly weight: number; readonly floor: number; readonly cap: number }[],
): readonly number[] {
  const floors = children.reduce((sum, { floor }) => sum + floor, 0);
  if (floors >= amount) return children.map(({ floor }) => (floors === 0 ? 0 : (floor / floors) * amount));
  const at = (level: number, rest: number): readonly number[] =>
    children.map(({ weight, floor, cap }) => Math.min(cap, Math.max(floor, weight > 0 ? weight * level : rest)));
  const solve = (parts: (level: number) => readonly number[]): readonly number[] => {
    let low = 0;
    let high = 1e6;
    for (let turn = 0; turn < 200; turn++) {
      const middle = (low + high) / 2;
      if (parts(middle).reduce((sum, part) => sum + part, 0) <= amount) low = middle;
      else high = middle;
    }
    return parts(low);
  };
  const weighted = at(1e6, 0).reduce((sum, part) => sum + part, 0);
  return weighted > amount ? solve((level) => at(level, 0)) : solve((rest) => at(1e6, rest));
}

describe("the rule holds in any tree", () => {
  it("with endless demand each child gets clamp(weight x level, guaranteed, max), within one workload's size, also after completions", () => {
    fc.assert(
      fc.property(randomTree, seeds, fc.integer({ min: 1, max: 3 }), (random, seed, size) => {
        const tree = grown(random);
        const chance = createSeededRandom(seed);
        const resources = Object.keys(random.capacity);
        const wants = new Map(leavesOf(random).map((leaf) => [leaf, resources[randomInteger(chance, resources.length)] as string]));
        let number = 0;
        const submit = (leaf: string): void => {
          const request = { [wants.get(leaf) as string]: size };
          tree.submit({ id: `w${number}`, queue: leaf, request, since: number, isYieldable: true, promiseSeconds: 0 });
          number++;
        };
        for (const leaf of wants.keys()) for (let at = 0; at < 42 / size; at++) submit(leaf);
        const running = tree.admitAll().map(({ id, queue }) => ({ id, queue }));
        for (let turn = 0; turn < 40 && running.length > 0; turn++) {
          const [ended] = running.splice(randomInteger(chance, running.length), 1) as [{ id: string; queue: string }];
          tree.release(ended.id);
          submit(ended.queue);
          running.push(...tree.admitAll().map(({ id, queue }) => ({ id, queue })));
        }
        for (const resource of resources) checkShares(random, tree, wants, resource, size);
      }),
      { numRuns: propertyRuns(600) },
    );
  });

  it("no envy below the guarantee: who is above its own is not admitted while a sibling below its own could be", () => {
    fc.assert(
      fc.property(randomTree, seeds, (random, seed) => {
        const tree = grown(random);
        const chance = createSeededRandom(seed);
        const resources = Object.keys(random.capacity);
        const wants = new Map(leavesOf(random).map((leaf) => [leaf, resources[randomInteger(chance, resources.length)] as string]));
        for (const [leaf, resource] of wants) {
          for (let at = 0; at < 40; at++)
            tree.submit({ id: `${leaf}-${at}`, queue: leaf, request: { [resource]: 1 }, since: at, isYieldable: true, promiseSeconds: 0 });
        }
        const used = (queue: string, resource: string): number => tree.usageOf(queue).used[resource] ?? 0;
        const below = (queue: string, resource: string): boolean => used(queue, resource) < (tree.usageOf(queue).guaranteed[resource] ?? 0);
        const hasRoom = (leaf: string, resource: string): boolean =>
          pathOf(random, leaf).every(({ name, spec }) => used(name, resource) < (spec.max?.[resource] ?? Number.POSITIVE_INFINITY));
        for (;;) {
          const before = new Map(random.queues.map(({ name }) => [name, resources.map((resource) => below(name, resource))]));
          const open = [...wants].filter(([leaf, resource]) => hasRoom(leaf, resource)).map(([leaf]) => leaf);
          const admission = tree.admitNext();
          if (admission === undefined) return;
          const resource = wants.get(admission.queue) as string;
          const column = resources.indexOf(resource);
          for (const side of pathOf(random, admission.queue)) {
            if (before.get(side.name)?.[column] === true) continue;
            const envious = random.queues.filter(
              ({ name, parent }) =>
                parent === side.parent &&
                before.get(name)?.[column] === true &&
                open.some((leaf) => wants.get(leaf) === resource && pathOf(random, leaf).some((each) => each.name === name)),
            );
            assert.deepEqual(envious, []);
          }
        }
      }),
      { numRuns: propertyRuns(250) },
    );
  });

  it("the same state gives the same answer, whatever the order of arrival of events", () => {
    fc.assert(
      fc.property(randomTree, seeds, seeds, (random, seed, other) => {
        const work = randomWork(random, seed, 60);
        const answers = [1, other].map((shuffle) => {
          const tree = grown(random);
          const order = createSeededRandom(shuffle);
          const events: (() => void)[] = work.map((spec, at) => () => {
            if (at % 3 > 0) tree.submit(spec);
            else if (at % 2 === 0) tree.restore(spec);
            else {
              tree.submit({ ...spec, id: `${spec.id}-gone` });
              tree.withdraw(`${spec.id}-gone`);
            }
          });
          for (const { name, spec } of random.queues)
            events.push(
              () => tree.setQueue(name, { ...spec, weight: 7 }),
              () => undefined,
            );
          const shuffled =
            shuffle === 1
              ? events
              : events
                  .map((event) => [order.next(), event] as const)
                  .sort((a, b) => a[0] - b[0])
                  .map(([, event]) => event);
          for (const event of shuffled) event();
          for (const { name, spec } of random.queues) tree.setQueue(name, spec);
          const reclaim = tree.nextReclaim();
          return {
            admitted: tree.admitAll(),
            reclaim,
            used: random.queues.map(({ name }) => tree.usageOf(name)),
            shares: [...fairShares(tree, "Current")],
          };
        });
        assert.deepEqual(answers[1], answers[0]);
      }),
      { numRuns: propertyRuns(400) },
    );
  });

  it("adding capacity never lowers anybody's fair share", () => {
    fc.assert(
      fc.property(
        randomTree,
        seeds,
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom<Demand>("Endless", "Current"),
        (random, seed, more, demand) => {
          const tree = grown(random);
          for (const spec of randomWork(random, seed, 40)) tree.submit(spec);
          const before = fairShares(tree, demand);
          tree.setCapacity(Object.fromEntries(Object.entries(random.capacity).map(([name, amount]) => [name, amount + more])));
          const after = fairShares(tree, demand);
          for (const [queue, share] of before) {
            for (const [resource, amount] of Object.entries(share))
              assert.ok((after.get(queue)?.[resource] ?? 0) >= amount, `${queue} ${resource}`);
          }
        },
      ),
      { numRuns: propertyRuns(800) },
    );
  });

  it("the fair share is that of the formula", () => {
    fc.assert(
      fc.property(randomTree, (random) => {
        const shares = fairShares(grown(random), "Endless");
        for (const resource of Object.keys(random.capacity)) {
          const cap = (name: string): number => {
            const children = random.queues.filter(({ parent }) => parent === name);
            const spec = random.queues.find((queue) => queue.name === name)?.spec;
            const own = spec?.max?.[resource] ?? Number.POSITIVE_INFINITY;
            return Math.min(
              own,
              children.length === 0 ? Number.POSITIVE_INFINITY : children.reduce((sum, child) => sum + cap(child.name), 0),
            );
          };
          const visit = (name: string, share: number): void => {
            const children = random.queues.filter(({ parent }) => parent === name).sort((a, b) => (a.name < b.name ? -1 : 1));
            const parts = shareOut(
              share,
              children.map((child) => ({
                weight: child.spec.weight ?? 1,
                floor: Math.min(cap(child.name), child.spec.guaranteed?.[resource] ?? 0),
                cap: cap(child.name),
              })),
            );
            for (const [at, child] of children.entries()) {
              assert.ok(Math.abs((parts[at] as number) - (shares.get(child.name)?.[resource] ?? 0)) < 1.001, `${child.name} ${resource}`);
              visit(child.name, parts[at] as number);
            }
          };
          visit("root", Math.min(cap("root"), random.capacity[resource] as number));
        }
      }),
      { numRuns: propertyRuns(500) },
    );
  });

  it("nothing exceeds max or the capacity, and no admission makes a guarantee unreachable", () => {
    fc.assert(
      fc.property(randomTree, seeds, (random, seed) => {
        const tree = grown(random);
        const chance = createSeededRandom(seed);
        const work = new Map(randomWork(random, seed, 80).map((spec) => [spec.id, spec]));
        for (const spec of work.values()) tree.submit(spec);
        const running: string[] = [];
        for (let turn = 0; turn < 15; turn++) {
          running.push(...tree.admitAll(5).map(({ id }) => id));
          for (const resource of Object.keys(random.capacity)) {
            const of = (name: string, over: number): number =>
              running
                .map((id) => work.get(id) as WorkloadSpec)
                .filter(
                  ({ queue, promiseSeconds }) =>
                    (promiseSeconds as number) > over && (name === "root" || pathOf(random, queue).some((each) => each.name === name)),
                )
                .reduce((sum, { request }) => sum + (request[resource] ?? 0), 0);
            assert.ok(of("root", -1) <= (random.capacity[resource] as number));
            for (const { name, spec } of random.queues) assert.ok(of(name, -1) <= (spec.max?.[resource] ?? Number.POSITIVE_INFINITY));
            for (const lending of lendSeconds) {
              // what must be there when all that is lent in this class has been given back
              const need = (name: string): number => {
                const spec = random.queues.find((queue) => queue.name === name)?.spec;
                const own = spec !== undefined && (spec.lendMaxSeconds as number) <= lending ? (spec.guaranteed?.[resource] ?? 0) : 0;
                const children = random.queues.filter(({ parent }) => parent === name);
                const beneath = children.length === 0 ? of(name, lending) : children.reduce((sum, child) => sum + need(child.name), 0);
                return Math.max(own, beneath);
              };
              assert.ok(need("root") <= (random.capacity[resource] as number), `${resource} ${lending}`);
            }
          }
          if (running.length > 0) tree.release(running.splice(randomInteger(chance, running.length), 1)[0] as string);
        }
      }),
      { numRuns: propertyRuns(250) },
    );
  });

  it("a what-if leaves nothing behind, whatever is done in it", () => {
    fc.assert(
      fc.property(randomTree, seeds, (random, seed) => {
        const work = randomWork(random, seed, 60);
        const [plain, tried] = [grown(random), grown(random)];
        for (const tree of [plain, tried]) for (const [at, spec] of work.entries()) at % 4 === 0 ? tree.restore(spec) : tree.submit(spec);
        const chance = createSeededRandom(seed);
        tried.attempt(() => {
          for (let turn = 0; turn < 20; turn++) {
            const spec = work[randomInteger(chance, work.length)] as WorkloadSpec;
            const queue = random.queues[randomInteger(chance, random.queues.length)] as RandomTree["queues"][number];
            const acts = [
              () => tried.admitAll(3),
              () => tried.release(spec.id),
              () => tried.withdraw(spec.id),
              () => tried.setQueue(queue.name, { ...queue.spec, weight: randomInteger(chance, 5), max: { cpu: randomInteger(chance, 9) } }),
              () => tried.setQueue(queue.name, { guaranteed: { cpu: 1 }, lendMaxSeconds: 300, isHeld: chance.next() < 0.5 }),
              () => tried.setCapacity({ cpu: randomInteger(chance, 50), other: 3 }),
              () => tried.nextReclaim(),
              () => (pathOf(random, queue.name).length === 1 ? undefined : tried.moveQueue(queue.name, "root")),
              () => tried.submit({ ...spec, id: `new-${turn}` }),
            ];
            acts[randomInteger(chance, acts.length)]?.();
          }
        });
        assert.deepEqual(tried.nextReclaim(), plain.nextReclaim());
        assert.deepEqual(tried.admitAll(), plain.admitAll());
        for (const { name } of random.queues) assert.deepEqual(tried.usageOf(name), plain.usageOf(name));
      }),
      { numRuns: propertyRuns(300) },
    );
  });
});

/** Each child against what the formula gives it of what its parent really has. */
function checkShares(random: RandomTree, tree: QuotaTree, wants: ReadonlyMap<string, string>, resource: string, size: number): void {
  const used = (name: string): number => tree.usageOf(name).used[resource] ?? 0;
  const whole = (amount: number): number => Math.floor(amount / size) * size;
  const cap = (name: string): number => {
    const children = random.queues.filter(({ parent }) => parent === name);
    const spec = random.queues.find((queue) => queue.name === name)?.spec;
    const own = whole(spec?.max?.[resource] ?? Number.POSITIVE_INFINITY);
    const beneath =
      children.length === 0
        ? wants.get(name) === resource
          ? Number.POSITIVE_INFINITY
          : 0
        : children.reduce((sum, child) => sum + cap(child.name), 0);
    return Math.min(own, beneath);
  };
  const total = Math.min(cap("root"), whole(random.capacity[resource] as number));
  assert.equal(used("root"), total, `all of ${resource} is used`);
  for (const parent of ["root", ...random.queues.map(({ name }) => name)]) {
    const children = random.queues.filter((queue) => queue.parent === parent);
    const parts = shareOut(
      used(parent),
      children.map(({ name, spec }) => ({
        weight: spec.weight ?? 1,
        floor: Math.min(cap(name), spec.guaranteed?.[resource] ?? 0),
        cap: cap(name),
      })),
    );
    for (const [at, { name }] of children.entries()) {
      assert.ok(used(name) < (parts[at] as number) + size + 1e-6, `${name} has ${used(name)} of ${resource}, not ${parts[at]}`);
      assert.ok(
        used(name) > (parts[at] as number) - size * Math.max(1, children.length - 1) - 1e-6,
        `${name} has ${used(name)} of ${resource}, not ${parts[at]}`,
      );
    }
  }
}
