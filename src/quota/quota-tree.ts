import { AdmissionSearch, type Choice, passing } from "./admission-search.ts";
import { Claims, isBeneath } from "./claims.ts";
import { Item, type Workload } from "./item.ts";
import { lendClassOf } from "./promise.ts";
import type { Queue } from "./queue.ts";
import { type ResourceVector, subtractResources } from "./resource-vector.ts";
import type { Shape } from "./shape.ts";
import { TreeState } from "./tree-state.ts";
import { type Admission, type QueueSpec, QuotaError, type Submission, type WorkloadSpec } from "./workload-spec.ts";

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

/**
 * The queues of one capacity domain and everything that runs or waits in them; admits by the rule at the head of `admission-search.ts`.
 * Pure: no clock, no chance. The same state gives the same answers, whatever the order of the calls that led to it (but for how often a
 * winner has been passed, which only this object knows).
 *
 * Every call is O(depth x (resources + log siblings)) unless it says otherwise. Calls that name an unknown queue or workload throw QuotaError.
 */
export class QuotaTree {
  readonly #state: TreeState;
  readonly #claims: Claims;
  readonly #search: AdmissionSearch;
  readonly #specs = new Map<string, QueueSpec>();
  /** Inverse calls while `attempt` runs. */
  #journal: (() => void)[] | undefined;

  /**
   * A tree of one queue, the root, with what there is in its domain.
   * @param mostPassing by how much a winner is passed at most, see `admission-search.ts`
   */
  constructor(root: string, capacity: ResourceVector, spec: QueueSpec = {}, mostPassing: number = passing.most) {
    this.#state = new TreeState(root);
    this.#claims = new Claims(this.#state);
    this.#search = new AdmissionSearch(this.#state, this.#claims, mostPassing);
    this.setCapacity(capacity);
    this.setQueue(root, spec);
  }

  /** The internals, for the other files of this folder. */
  get internals(): { readonly state: TreeState; readonly claims: Claims; readonly search: AdmissionSearch } {
    return { state: this.#state, claims: this.#claims, search: this.#search };
  }

  // ---- the tree

  /** What there is in the domain. O(queues + shapes). */
  setCapacity(capacity: ResourceVector): void {
    const before = this.#state.rowOf(this.#state.capacity, 0);
    if (!this.#state.setRow("capacity", 0, capacity, 0)) return;
    this.#journal?.push(() => this.setCapacity(before));
    this.#state.capacityChanged();
  }

  get capacity(): ResourceVector {
    return this.#state.rowOf(this.#state.capacity, 0);
  }

  /** Adds an empty leaf. What waits in its parent waits there until the parent is a leaf again. */
  addQueue(name: string, parent: string, spec: QueueSpec = {}): void {
    if (this.#state.queues.has(name)) throw new QuotaError(`queue ${name} exists already`);
    this.#state.addQueue(name, this.#queue(parent));
    this.#journal?.push(() => this.removeQueue(name));
    this.setQueue(name, spec);
  }

  /** Replaces the spec of a queue. O(depth); where a max changes also O(buckets beneath), where a guarantee or lending changes O(queues). */
  setQueue(name: string, spec: QueueSpec): void {
    const queue = this.#queue(name);
    const state = this.#state;
    const before = this.#specs.get(name) ?? {};
    this.#journal?.push(() => this.setQueue(name, before));
    this.#specs.set(name, spec);
    queue.weight = spec.weight ?? 1;
    queue.isHeld = spec.isHeld ?? false;
    queue.waitingLimit = spec.waitingLimit ?? Number.POSITIVE_INFINITY;
    const lendClass = lendClassOf(spec.lendMaxSeconds ?? defaultLendSeconds);
    const isLendingChanged = lendClass !== queue.lendClass;
    queue.lendClass = lendClass;
    const isGuaranteeChanged = state.setRow("guaranteed", queue.index, spec.guaranteed ?? {}, 0);
    if (isGuaranteeChanged || isLendingChanged) state.guaranteeChanged(queue);
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
  }

  specOf(name: string): QueueSpec {
    this.#queue(name);
    return this.#specs.get(name) ?? {};
  }

  /** Takes away a queue that has neither children nor work. */
  removeQueue(name: string): void {
    const queue = this.#queue(name);
    if (queue.parent === undefined) throw new QuotaError(`queue ${name} is the root`);
    if (!queue.isLeaf) throw new QuotaError(`queue ${name} has children: ${queue.children.map((child) => child.name).join(", ")}`);
    if (this.workloadsOf(name).length > 0) throw new QuotaError(`queue ${name} has work`);
    const parent = queue.parent.name;
    const spec = this.specOf(name);
    this.#state.removeQueue(queue);
    this.#specs.delete(name);
    this.#journal?.push(() => this.addQueue(name, parent, spec));
    this.#state.chooseSlots();
  }

  /** Puts a queue, with all beneath and all that runs and waits there, under another parent. O(buckets beneath). */
  moveQueue(name: string, parent: string): void {
    const queue = this.#queue(name);
    const target = this.#queue(parent);
    if (queue.parent === undefined) throw new QuotaError(`queue ${name} is the root`);
    if (isBeneath(target, queue)) throw new QuotaError(`queue ${name} cannot be put under ${parent}, which is beneath it`);
    const before = queue.parent.name;
    if (before === parent) return;
    this.#journal?.push(() => this.moveQueue(name, before));
    this.#state.detach(queue);
    this.#state.attach(queue, target);
    this.#recheckBeneath(queue);
  }

  /** What a donor owes counts on its level among its siblings. */
  setDebt(name: string, debt: ResourceVector): void {
    const queue = this.#queue(name);
    const before = this.#state.rowOf(this.#state.debt, queue.index);
    if (!this.#state.setRow("debt", queue.index, debt, 0)) return;
    this.#journal?.push(() => this.setDebt(name, before));
    this.#state.refresh(queue);
  }

  /** A donor whose time is over is frozen: nothing new is admitted in it. */
  setFrozen(name: string, isFrozen: boolean): void {
    const queue = this.#queue(name);
    if (queue.isFrozen === isFrozen) return;
    this.#journal?.push(() => this.setFrozen(name, !isFrozen));
    queue.isFrozen = isFrozen;
    this.#state.refresh(queue);
  }

  // ---- work

  /** Lets a workload wait. What can never fit is told at once. */
  submit(spec: WorkloadSpec): Submission {
    const queue = this.#queue(spec.queue);
    this.#checkNew(spec);
    if (!queue.isLeaf) return { state: "Refused", reason: "NotALeaf" };
    if (queue.waiting >= queue.waitingLimit) return { state: "Refused", reason: "TooManyWaiting", limit: queue.waitingLimit };
    const workload = this.#register(spec, queue, false);
    workload.pendingSteps = spec.elastic?.steps ?? 0;
    this.#enqueue(new Item(workload, workload.shape, false, 1, spec.since));
    return this.#submission(queue, workload.shape);
  }

  /**
   * Counts a workload as admitted that was admitted before: what is recorded, or what pods of it exist. `elastic.steps` are those that it has.
   * Neither capacity nor guarantees are asked.
   */
  restore(spec: WorkloadSpec): void {
    const queue = this.#queue(spec.queue);
    this.#checkNew(spec);
    const workload = this.#register(spec, queue, true);
    this.#use(workload.queue, workload.shape, 1);
    this.#setSteps(workload, spec.elastic?.steps ?? 0);
  }

  /** Takes back a workload that waits, with its growth; false when there is none that waits. */
  withdraw(id: string): boolean {
    const workload = this.#state.workloads.get(id);
    if (workload === undefined || workload.isAdmitted) return false;
    this.#dequeue(workload.item as Item);
    this.#forget(workload);
    return true;
  }

  /** The workload has ended: gives back all that it has, and takes back its growth. False when it is not admitted. */
  release(id: string): boolean {
    const workload = this.#state.workloads.get(id);
    if (workload === undefined || !workload.isAdmitted) return false;
    if (workload.item !== undefined) this.#dequeue(workload.item);
    this.#giveBack(workload, workload.shape, 1);
    if (workload.step !== undefined && workload.steps > 0) this.#giveBack(workload, workload.step, workload.steps);
    this.#forget(workload);
    return true;
  }

  /** Lets so many more steps of an elastic workload wait, since an instant (ms); the age of those that wait already stays. */
  grow(id: string, steps: number, since: number): Submission {
    const workload = this.#elastic(id);
    const { item } = workload;
    if (!workload.isAdmitted) {
      this.#set(workload, "pendingSteps", workload.pendingSteps + steps);
    } else if (item === undefined) {
      this.#enqueue(new Item(workload, workload.step, true, steps, since));
    } else {
      this.#setCount(item, item.count + steps);
    }
    return this.#submission(workload.queue, workload.step);
  }

  /** Takes back steps that wait. Returns how many it were. */
  cancelGrowth(id: string, steps: number = Number.POSITIVE_INFINITY): number {
    const workload = this.#elastic(id);
    const { item } = workload;
    if (!workload.isAdmitted) {
      const taken = Math.min(steps, workload.pendingSteps);
      this.#set(workload, "pendingSteps", workload.pendingSteps - taken);
      return taken;
    }
    if (item === undefined) return 0;
    const taken = Math.min(steps, item.count);
    if (taken === item.count) this.#dequeue(item);
    else this.#setCount(item, item.count - taken);
    return taken;
  }

  /** Gives back so many admitted steps. @throws QuotaError when it has fewer. */
  shrink(id: string, steps: number): void {
    const workload = this.#elastic(id);
    if (steps > workload.steps) throw new QuotaError(`workload ${id} has ${workload.steps} steps to give back, not ${steps}`);
    this.#giveBack(workload, workload.step, steps);
    this.#set(workload, "steps", workload.steps - steps);
  }

  /** What is admitted of a workload is really so much (decision 25): counted at once, without asking for capacity. Its steps stay. */
  correct(id: string, request: ResourceVector): void {
    const workload = this.#workload(id);
    if (!workload.isAdmitted) throw new QuotaError(`workload ${id} waits: withdraw it and submit it anew`);
    const { shape, queue } = workload;
    const corrected = this.#state.shapeOf(request, 1, workload.promiseSeconds, shape.isYieldable, shape.isResident);
    this.#use(queue, shape, -1);
    this.#use(queue, corrected, 1);
    this.#set(workload as { shape: Shape }, "shape", corrected);
    if (this.#journal === undefined) this.#state.dropShape(shape);
  }

  /** Decides on one, or undefined when nothing that waits may be admitted now. */
  admitNext(): Admission | undefined {
    const choice = this.#search.next();
    return choice === undefined ? undefined : this.#admit(choice);
  }

  /** As many decisions as there are, at most `limit`, in the exact order of one at a time. */
  admitAll(limit: number = Number.POSITIVE_INFINITY): readonly Admission[] {
    const admissions: Admission[] = [];
    while (admissions.length < limit) {
      const admission = this.admitNext();
      if (admission === undefined) break;
      admissions.push(admission);
    }
    return admissions;
  }

  /** Runs the calls, hands back their answer, and undoes them all: a what-if. Claims must not be opened in it. */
  attempt<Answer>(run: () => Answer): Answer {
    const outer = this.#journal;
    const journal: (() => void)[] = [];
    this.#journal = journal;
    try {
      return run();
    } finally {
      this.#journal = undefined;
      for (const undo of journal.reverse()) undo();
      this.#journal = outer;
    }
  }

  /** What a queue has now, with all that is beneath it. O(queues beneath). */
  usageOf(name: string): QueueUsage {
    const queue = this.#queue(name);
    const state = this.#state;
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
    const queue = this.#queue(name);
    return [...this.#state.workloads.values()].filter((workload) => workload.queue === queue).map((workload) => workload.id);
  }

  #admit({ item, passed }: Choice): Admission {
    const { workload, shape } = item;
    for (const other of passed) this.#set(other, "passed", other.passed + (shape.isYieldable ? passing.yieldable : passing.firm));
    if (item.isGrowth && item.count > 1) this.#setCount(item, item.count - 1);
    else this.#dequeue(item, false);
    this.#use(workload.queue, shape, 1);
    if (item.isGrowth) {
      this.#set(workload, "steps", workload.steps + 1);
    } else {
      this.#set(workload, "isAdmitted", true);
      if (workload.pendingSteps > 0 && workload.step !== undefined) {
        this.#enqueue(new Item(workload, workload.step, true, workload.pendingSteps, workload.pendingSince));
        this.#set(workload, "pendingSteps", 0);
      }
    }
    return {
      id: workload.id,
      queue: workload.queue.name,
      kind: item.isGrowth ? "Grow" : "Start",
      request: shape.request,
    };
  }

  #register(spec: WorkloadSpec, queue: Queue, isAdmitted: boolean): Workload {
    const { id, request, elastic } = spec;
    const promiseSeconds = spec.promiseSeconds ?? Number.POSITIVE_INFINITY;
    const shapeOf = (vector: ResourceVector, workloads: 0 | 1): Shape =>
      this.#state.shapeOf(vector, workloads, promiseSeconds, spec.isYieldable ?? false, spec.isResident ?? false);
    const workload: Workload = {
      id,
      queue,
      priority: spec.priority ?? 0,
      promiseSeconds,
      since: spec.since,
      shape: shapeOf(request, 1),
      step: elastic === undefined ? undefined : shapeOf(elastic.step, 0),
      steps: 0,
      isAdmitted,
      item: undefined,
      pendingSteps: 0,
      pendingSince: spec.since,
    };
    this.#state.workloads.set(id, workload);
    this.#journal?.push(() => this.#forget(workload));
    return workload;
  }

  #forget(workload: Workload): void {
    const { id, shape, step } = workload;
    this.#state.workloads.delete(id);
    if (this.#journal === undefined) {
      this.#state.dropShape(shape);
      if (step !== undefined) this.#state.dropShape(step);
      return;
    }
    this.#journal.push(() => this.#state.workloads.set(id, workload));
  }

  #enqueue(item: Item): void {
    item.workload.item = item;
    this.#state.enqueue(item);
    this.#journal?.push(() => this.#dequeue(item));
  }

  /** @param isShown false: the caller brings the path up to date at once */
  #dequeue(item: Item, isShown = true): void {
    const claim = this.#claims.close(item);
    item.workload.item = undefined;
    this.#state.dequeue(item, isShown);
    this.#journal?.push(() => {
      this.#enqueue(item);
      if (claim !== undefined) this.#claims.open(claim);
    });
  }

  #setCount(item: Item, count: number): void {
    const before = item.count;
    if (item.bucket !== undefined) item.bucket.count += count - before;
    item.count = count;
    this.#journal?.push(() => this.#setCount(item, before));
  }

  #setSteps(workload: Workload, steps: number): void {
    if (steps === 0 || workload.step === undefined) return;
    this.#use(workload.queue, workload.step, steps);
    this.#set(workload, "steps", steps);
  }

  #use(queue: Queue, shape: Shape, times: number): void {
    this.#state.addUsage(queue, shape, times);
    this.#journal?.push(() => this.#use(queue, shape, -times));
  }

  #giveBack(workload: Workload, shape: Shape, times: number): void {
    this.#use(workload.queue, shape, -times);
    if (this.#claims.size === 0) return;
    const amounts = shape.need.slice(0, this.#state.stride).map((amount) => amount * times);
    if (this.#journal === undefined) this.#claims.given(workload.id, amounts);
  }

  #set<Owner extends object, Key extends keyof Owner>(owner: Owner, key: Key, value: Owner[Key]): void {
    const before = owner[key];
    owner[key] = value;
    this.#journal?.push(() => {
      owner[key] = before;
    });
  }

  #submission(queue: Queue, shape: Shape): Submission {
    const obstacle = this.#state.neverFits(queue, shape);
    if (obstacle === undefined) return { state: "Waiting" };
    const resource = this.#state.resources[obstacle.resource] as string;
    return {
      state: "NeverFits",
      queue: obstacle.queue.name,
      resource,
      requested: shape.need[obstacle.resource] as number,
      most: obstacle.most,
    };
  }

  #recheckBeneath(queue: Queue): void {
    this.#state.recheckBuckets(queue);
    for (const child of queue.children) this.#recheckBeneath(child);
  }

  #checkNew({ id }: WorkloadSpec): void {
    if (this.#state.workloads.has(id)) throw new QuotaError(`workload ${id} exists already`);
  }

  #queue(name: string): Queue {
    const queue = this.#state.queues.get(name);
    if (queue === undefined) throw new QuotaError(`there is no queue ${name}`);
    return queue;
  }

  #workload(id: string): Workload {
    const workload = this.#state.workloads.get(id);
    if (workload === undefined) throw new QuotaError(`there is no workload ${id}`);
    return workload;
  }

  #elastic(id: string): Workload & { readonly step: Shape } {
    const workload = this.#workload(id);
    if (workload.step === undefined) throw new QuotaError(`workload ${id} is not elastic`);
    return workload as Workload & { readonly step: Shape };
  }
}

function waitingIn(queue: Queue): number {
  return queue.children.reduce((sum, child) => sum + waitingIn(child), queue.waiting);
}
