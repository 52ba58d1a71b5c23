import { QuotaTree } from "../quota/quota-tree.ts";
import type { QueueSpec } from "../quota/workload-spec.ts";
import type { PlannedTree, World } from "./world.ts";

/** The trees in which work is admitted, kept as the world says. */
export class QueueTrees {
  readonly #trees = new Map<string, QuotaTree>();
  /** The root of each queue that has a place. */
  readonly #roots = new Map<string, string>();
  readonly #parents = new Map<string, string | undefined>();
  readonly #specs = new Map<string, string>();

  /** By root. */
  get all(): ReadonlyMap<string, QuotaTree> {
    return this.#trees;
  }

  /** The tree of a queue; undefined while it has no place in one whose capacity is known. */
  of(queue: string): QuotaTree | undefined {
    return this.#trees.get(this.#roots.get(queue) ?? "");
  }

  /**
   * Makes the trees what the world says. Queues of one tree keep what runs and waits in them, also when they are put elsewhere in it.
   * @param evict takes all work out of a queue that leaves its tree; told before it does
   */
  follow(world: World, evict: (queue: string) => void): void {
    for (const root of [...this.#trees.keys()]) if (!world.trees.has(root)) this.#fell(root, evict);
    for (const planned of world.trees.values()) this.#leave(planned, evict);
    for (const planned of world.trees.values()) this.#grow(planned);
  }

  /** Takes out of a tree the queues that are not of it any more, each before its parent. */
  #leave({ root, queues }: PlannedTree, evict: (queue: string) => void): void {
    const tree = this.#trees.get(root);
    if (tree === undefined) return;
    const staying = new Set(queues.map(({ name }) => name));
    // Those that stay first leave the ones that go: by way of the root, since their new place may not be there yet.
    for (const { name } of queues) {
      const parent = this.#roots.get(name) === root ? this.#parents.get(name) : undefined;
      if (parent === undefined || staying.has(parent)) continue;
      tree.moveQueue(name, root);
      this.#parents.set(name, root);
    }
    this.#remove(tree, root, (name) => !staying.has(name), evict);
  }

  #grow({ root, capacity, queues }: PlannedTree): void {
    const known = this.#trees.get(root);
    const tree = known ?? new QuotaTree(root, capacity);
    if (known === undefined) {
      this.#trees.set(root, tree);
      this.#roots.set(root, root);
    } else tree.setCapacity(capacity);
    for (const { name, parent, spec } of queues) {
      const text = specText(spec);
      if (this.#roots.get(name) !== root) tree.addQueue(name, parent as string, spec);
      else {
        if (name !== root && this.#parents.get(name) !== parent) tree.moveQueue(name, parent as string);
        if (this.#specs.get(name) !== text) tree.setQueue(name, spec);
      }
      this.#roots.set(name, root);
      this.#parents.set(name, parent);
      this.#specs.set(name, text);
    }
  }

  /** The root is stalled, or gone. */
  #fell(root: string, evict: (queue: string) => void): void {
    this.#remove(this.#trees.get(root) as QuotaTree, root, () => true, evict);
    this.#trees.delete(root);
  }

  #remove(tree: QuotaTree, root: string, goes: (name: string) => boolean, evict: (queue: string) => void): void {
    const depth = (name: string): number => {
      const parent = this.#parents.get(name);
      return parent === undefined ? 0 : depth(parent) + 1;
    };
    const gone = [...this.#roots].filter(([name, of]) => of === root && goes(name)).map(([name]) => name);
    gone.sort((left, right) => depth(right) - depth(left));
    for (const name of gone) {
      evict(name);
      if (name !== root) tree.removeQueue(name);
    }
    for (const name of gone) {
      this.#roots.delete(name);
      this.#parents.delete(name);
      this.#specs.delete(name);
    }
  }
}

/** Equal specs have equal texts. */
function specText(spec: QueueSpec): string {
  const sorted = (vector: QueueSpec["max"]) => Object.entries(vector ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
  return JSON.stringify([{ ...spec, guaranteed: undefined, max: undefined }, sorted(spec.guaranteed), sorted(spec.max)]);
}
