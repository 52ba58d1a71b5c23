import { createSeededRandom, type Random, randomInteger } from "../../../src/base/random.ts";
import { QuotaTree } from "../../../src/quota/quota-tree.ts";
import { multiplyResources, type ResourceVector } from "../../../src/quota/resource-vector.ts";
import type { QueueSpec, WorkloadSpec } from "../../../src/quota/workload-spec.ts";

const gpu = "nvidia.com/gpu";
const gib = 1024 * 1024;
/** What one node has. */
const node: ResourceVector = { cpu: 64_000, memory: 256 * gib, [gpu]: 4 };
/** What one pod asks for: some take most of the cores, some of the memory, some of the GPUs. */
const pods: readonly ResourceVector[] = [
  { cpu: 4_000, memory: 8 * gib },
  { cpu: 16_000, memory: 32 * gib },
  { cpu: 32_000, memory: 64 * gib },
  { cpu: 4_000, memory: 64 * gib },
  { cpu: 8_000, memory: 128 * gib },
  { cpu: 8_000, memory: 32 * gib, [gpu]: 1 },
  { cpu: 16_000, memory: 64 * gib, [gpu]: 4 },
];
const gangs = [4, 8, 16] as const;

/** How large a tree and its load are to be. */
export interface QueueLoadSize {
  readonly leaves: number;
  readonly nodes: number;
  readonly admitted: number;
  readonly waiting: number;
}

/**
 * A tree of four levels below the root with work in its leaves: a fifth of it gangs, seven tenths yieldable, a tenth resident. A tenth of the
 * leaves stand at their max, with more waiting; half have a guarantee.
 */
export class QueueLoad {
  readonly tree: QuotaTree;
  readonly admitted: string[] = [];
  readonly #random: Random;
  readonly #size: QueueLoadSize;
  readonly #leaves: string[] = [];
  readonly #names: string[] = [];
  #number = 0;

  constructor(size: QueueLoadSize, seed: number) {
    this.#size = size;
    this.#random = createSeededRandom(seed);
    this.tree = new QuotaTree("root", multiplyResources(node, size.nodes));
  }

  /** The queues, what runs, and what waits. */
  load(): void {
    const { leaves, admitted, waiting } = this.#size;
    this.#grow("root", levelsOf(leaves), this.tree.capacity, 0.5);
    for (let at = 0; at < admitted; at++) this.#restore(this.#leaves[at % this.#leaves.length] as string);
    for (let at = 0; at < waiting; at++) this.tree.submit(this.next());
  }

  /** A workload of a queue at random, to be submitted. */
  next(): WorkloadSpec {
    return this.#workload(this.#leaves[randomInteger(this.#random, this.#leaves.length)] as string);
  }

  /** Takes one that runs, at random, from `admitted`. */
  takeRunning(): string {
    const at = randomInteger(this.#random, this.admitted.length);
    const id = this.admitted[at] as string;
    this.admitted[at] = this.admitted.at(-1) as string;
    this.admitted.pop();
    return id;
  }

  /** Another weight and a little less guarantee for a queue at random. */
  nextEdit(): { readonly name: string; readonly spec: QueueSpec } {
    const name = this.#names[randomInteger(this.#random, this.#names.length)] as string;
    const spec = this.tree.specOf(name);
    const guaranteed = scale(spec.guaranteed ?? {}, 0.9 + this.#random.next() / 10);
    return { name, spec: { ...spec, weight: 1 + randomInteger(this.#random, 5), guaranteed } };
  }

  #grow(parent: string, fanOut: readonly number[], guarantee: ResourceVector, kept: number): void {
    const [count, ...rest] = fanOut;
    if (count === undefined) return;
    for (let at = 0; at < count; at++) {
      const name = `${parent}-${at}`;
      const share = scale(guarantee, kept / count);
      const isLeaf = rest.length === 0;
      const spec: QueueSpec = {
        weight: 1 + randomInteger(this.#random, 5),
        guaranteed: isLeaf && this.#random.next() < 0.5 ? {} : share,
        ...(isLeaf && this.#random.next() < 0.1 ? { max: scale(this.tree.capacity, 0.7 / this.#size.leaves) } : {}),
        ...(this.#random.next() < 0.1 ? { ordering: "FIFO" } : {}),
      };
      this.tree.addQueue(name, parent, spec);
      this.#names.push(name);
      if (isLeaf) this.#leaves.push(name);
      else this.#grow(name, rest, share, 0.9);
    }
  }

  #restore(queue: string): void {
    const spec = this.#workload(queue);
    this.tree.restore(spec);
    this.admitted.push(spec.id);
  }

  #workload(queue: string): WorkloadSpec {
    const random = this.#random;
    const pod = pods[randomInteger(random, pods.length)] as ResourceVector;
    const isGang = random.next() < 0.2;
    const isYieldable = random.next() < 0.7;
    this.#number++;
    return {
      id: `workload-${this.#number}`,
      queue,
      request: isGang ? multiplyResources(pod, gangs[randomInteger(random, gangs.length)] as number) : pod,
      priority: randomInteger(random, 3) * 10,
      since: this.#number,
      isYieldable,
      isResident: random.next() < 0.1,
      ...(isYieldable ? { promiseSeconds: random.next() < 0.5 ? 30 : 1800 } : {}),
    };
  }
}

function levelsOf(leaves: number): readonly number[] {
  if (leaves === 2500) return [5, 5, 10, 10];
  const each = Math.max(1, Math.round(leaves ** 0.25));
  return [each, each, each, Math.max(1, Math.round(leaves / each ** 3))];
}

function scale(vector: ResourceVector, by: number): ResourceVector {
  return Object.fromEntries(Object.entries(vector).map(([name, amount]) => [name, Math.floor(amount * by)]));
}
