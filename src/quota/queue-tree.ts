import { isBeneath } from "./claims.ts";
import { lendClassOf } from "./promise.ts";
import type { Queue } from "./queue.ts";
import { type ResourceVector, subtractResources } from "./resource-vector.ts";
import { TreeState } from "./tree-state.ts";
import { type QueueSpec, QuotaError } from "./workload-spec.ts";

const defaultLendSeconds = 3600;

/** What a queue has, with all that is beneath it. */
export interface QueueUsage {
  readonly used: ResourceVector;
  /** The effective guarantee. */
  readonly guaranteed: ResourceVector;
  /** Used above the guarantee. */
  readonly borrowed: ResourceVector;
  /** Guaranteed and not used: what may be lent. */
  readonly idle: ResourceVector;
  /** Workloads that are admitted. */
  readonly admitted: number;
  /** Workloads that wait, those that can never fit among them. */
  readonly waiting: number;
}

/** The queues of a QuotaTree, their edits, and what-ifs. */
export class QueueTree {
  protected readonly state: TreeState;
  readonly #specs = new Map<string, QueueSpec>();
  /** Inverse calls while `attempt` runs. */
  protected journal: (() => void)[] | undefined;

  constructor(root: string) {
    this.state = new TreeState(root);
  }

  /** What there is in the domain. O(queues + shapes). */
  setCapacity(capacity: ResourceVector): void {
    const before = this.state.rowOf(this.state.capacity, 0);
    if (!this.state.setRow("capacity", 0, capacity, 0)) return;
    this.journal?.push(() => this.setCapacity(before));
    this.state.capacityChanged();
  }

  get capacity(): ResourceVector {
    return this.state.rowOf(this.state.capacity, 0);
  }

  /** Adds an empty leaf. What waits in its parent waits there until the parent is a leaf again. */
  addQueue(name: string, parent: string, spec: QueueSpec = {}): void {
    if (this.state.queues.has(name)) throw new QuotaError(`queue ${name} exists already`);
    this.state.addQueue(name, this.queue(parent));
    this.journal?.push(() => this.removeQueue(name));
    this.setQueue(name, spec);
  }

  /**
   * Replaces the spec of a queue. O(depth); where a max changes also O(buckets beneath), where lending changes, or a guarantee comes to nothing,
   * O(queues).
   */
  setQueue(name: string, spec: QueueSpec): void {
    const queue = this.queue(name);
    const state = this.state;
    const before = this.#specs.get(name) ?? {};
    this.journal?.push(() => this.setQueue(name, before));
    this.#specs.set(name, spec);
    queue.weight = spec.weight ?? 1;
    queue.isHeld = spec.isHeld ?? false;
    queue.waitingLimit = spec.waitingLimit ?? Number.POSITIVE_INFINITY;
    const lendClass = lendClassOf(spec.lendMaxSeconds ?? defaultLendSeconds);
    const isLendingChanged = lendClass !== queue.lendClass;
    queue.lendClass = lendClass;
    const isGuaranteeChanged = state.setRow("guaranteed", queue.index, spec.guaranteed ?? {}, 0);
    if (isGuaranteeChanged || isLendingChanged) state.guaranteeChanged(queue, isLendingChanged);
    const isMaxChanged = state.setRow("max", queue.index, spec.max ?? {}, Number.POSITIVE_INFINITY);
    const running = spec.runningLimit ?? Number.POSITIVE_INFINITY;
    const isLimitChanged = state.max[queue.index * state.stride] !== running;
    state.max[queue.index * state.stride] = running;
    queue.isLimited = running !== Number.POSITIVE_INFINITY || Object.keys(spec.max ?? {}).length > 0;
    const ordering = spec.ordering ?? "PriorityFIFO";
    const isOrderingChanged = ordering !== queue.ordering;
    queue.ordering = ordering;
    if (isOrderingChanged) state.orderingChanged(queue);
    state.refresh(queue);
    if (isMaxChanged || isLimitChanged) this.#recheckBeneath(queue);
    state.flush();
  }

  specOf(name: string): QueueSpec {
    this.queue(name);
    return this.#specs.get(name) ?? {};
  }

  /** Takes away a queue that has neither children nor work. */
  removeQueue(name: string): void {
    const queue = this.queue(name);
    if (queue.parent === undefined) throw new QuotaError(`queue ${name} is the root`);
    if (!queue.isLeaf) throw new QuotaError(`queue ${name} has children: ${queue.children.map((child) => child.name).join(", ")}`);
    if (this.workloadsOf(name).length > 0) throw new QuotaError(`queue ${name} has work`);
    const parent = queue.parent.name;
    const spec = this.specOf(name);
    this.state.removeQueue(queue);
    this.#specs.delete(name);
    this.journal?.push(() => this.addQueue(name, parent, spec));
    this.state.chooseSlots();
  }

  /** Puts a queue, with all beneath and all that runs and waits there, under another parent. O(buckets beneath). */
  moveQueue(name: string, parent: string): void {
    const queue = this.queue(name);
    const target = this.queue(parent);
    if (queue.parent === undefined) throw new QuotaError(`queue ${name} is the root`);
    if (isBeneath(target, queue)) throw new QuotaError(`queue ${name} cannot be put under ${parent}, which is beneath it`);
    const before = queue.parent.name;
    if (before === parent) return;
    this.journal?.push(() => this.moveQueue(name, before));
    this.state.detach(queue);
    this.state.attach(queue, target);
    this.#recheckBeneath(queue);
  }

  /** What a donor owes counts on its level among its siblings. */
  setDebt(name: string, debt: ResourceVector): void {
    const queue = this.queue(name);
    const before = this.state.rowOf(this.state.debt, queue.index);
    if (!this.state.setRow("debt", queue.index, debt, 0)) return;
    this.journal?.push(() => this.setDebt(name, before));
    queue.isIndebted = Object.values(debt).some((amount) => amount > 0);
    this.state.refresh(queue);
  }

  /** A donor whose time is over is frozen: nothing new is admitted in it. */
  setFrozen(name: string, isFrozen: boolean): void {
    const queue = this.queue(name);
    if (queue.isFrozen === isFrozen) return;
    this.journal?.push(() => this.setFrozen(name, !isFrozen));
    queue.isFrozen = isFrozen;
    this.state.refresh(queue);
  }

  /** What a queue has now, with all that is beneath it. O(queues beneath). */
  usageOf(name: string): QueueUsage {
    const queue = this.queue(name);
    const state = this.state;
    const used = state.rowOf(state.used, queue.index);
    const guaranteed = state.rowOf(state.guaranteed, queue.index);
    return {
      used,
      guaranteed,
      borrowed: subtractResources(used, guaranteed),
      idle: subtractResources(guaranteed, used),
      admitted: state.used[queue.index * state.stride] as number,
      waiting: waitingIn(queue),
    };
  }

  /** The ids of what waits or runs in a queue itself, in no order. O(workloads). */
  workloadsOf(name: string): readonly string[] {
    const queue = this.queue(name);
    return [...this.state.workloads.values()].filter((workload) => workload.queue === queue).map((workload) => workload.id);
  }

  /** Runs the calls, hands back their answer, and undoes them all: a what-if. Claims must not be opened in it. */
  attempt<Answer>(run: () => Answer): Answer {
    const outer = this.journal;
    const journal: (() => void)[] = [];
    this.journal = journal;
    try {
      return run();
    } finally {
      this.journal = undefined;
      for (const undo of journal.reverse()) undo();
      this.journal = outer;
    }
  }

  /** A change that a what-if takes back. */
  protected set<Owner extends object, Key extends keyof Owner>(owner: Owner, key: Key, value: Owner[Key]): void {
    const before = owner[key];
    owner[key] = value;
    this.journal?.push(() => {
      owner[key] = before;
    });
  }

  /** @throws QuotaError when there is no such queue */
  protected queue(name: string): Queue {
    const queue = this.state.queues.get(name);
    if (queue === undefined) throw new QuotaError(`there is no queue ${name}`);
    return queue;
  }

  #recheckBeneath(queue: Queue): void {
    this.state.recheckBuckets(queue);
    for (const child of queue.children) this.#recheckBeneath(child);
  }
}

function waitingIn(queue: Queue): number {
  return queue.children.reduce((sum, child) => sum + waitingIn(child), queue.waiting);
}
