import { AdmissionSearch, type Choice, passing } from "./admission-search.ts";
import { type Claim, Claims } from "./claims.ts";
import { Item, type Workload } from "./item.ts";
import { QueueTree } from "./queue-tree.ts";
import type { Queue } from "./queue.ts";
import { type Ask, type Excluded, ReclaimSearch } from "./reclaim-search.ts";
import type { ResourceVector } from "./resource-vector.ts";
import type { Shape } from "./shape.ts";
import type { TreeState } from "./tree-state.ts";
import { type Admission, type QueueSpec, QuotaError, type Reclaim, type Submission, type WorkloadSpec } from "./workload-spec.ts";

const waits: Submission = { state: "Waiting" };

/**
 * The queues of one capacity domain and everything that runs or waits in them; admits by the rule at the head of `admission-search.ts`.
 * Pure: no clock, no chance. The same state gives the same answers, whatever the order of the calls that led to it (but for how often a
 * winner has been passed, which only this object knows).
 *
 * Every call is O(depth x resources x (32 + siblings / 32)) unless it says otherwise. Calls that name an unknown queue or workload throw QuotaError.
 */
export class QuotaTree extends QueueTree {
  protected readonly claims: Claims;
  protected readonly search: AdmissionSearch;
  readonly #reclaims: ReclaimSearch;
  #claimNumber = 0;

  /**
   * A tree of one queue, the root, with what there is in its domain.
   * @param mostPassing by how much a winner is passed at most, see `admission-search.ts`
   */
  constructor(root: string, capacity: ResourceVector, spec: QueueSpec = {}, mostPassing: number = passing.most) {
    super(root);
    this.claims = new Claims(this.state);
    this.search = new AdmissionSearch(this.state, this.claims, mostPassing);
    this.#reclaims = new ReclaimSearch(this.state, this.claims, this.search.headroom);
    this.setCapacity(capacity);
    this.setQueue(root, spec);
  }

  /** The internals, for the other files of this folder. */
  get internals(): { readonly state: TreeState; readonly claims: Claims; readonly search: AdmissionSearch } {
    return { state: this.state, claims: this.claims, search: this.search };
  }

  /** Lets a workload wait. What can never fit is told at once. */
  submit(spec: WorkloadSpec): Submission {
    const queue = this.queue(spec.queue);
    this.#checkNew(spec);
    if (!queue.isLeaf) return { state: "Refused", reason: "NotALeaf" };
    if (queue.waiting >= queue.waitingLimit) return { state: "Refused", reason: "TooManyWaiting", limit: queue.waitingLimit };
    const workload = this.#register(spec, queue, false);
    workload.pendingSteps = spec.elastic?.steps ?? 0;
    const item = new Item(workload, workload.shape, false, 1, spec.since);
    this.#enqueue(item);
    this.state.flush();
    return item.bucket?.isImpossible === true ? this.#submission(queue, workload.shape) : waits;
  }

  /**
   * Counts a workload as admitted that was admitted before: what is recorded, or what pods of it exist. `elastic.steps` are those that it has.
   * Neither capacity nor guarantees are asked.
   */
  restore(spec: WorkloadSpec): void {
    const queue = this.queue(spec.queue);
    this.#checkNew(spec);
    const workload = this.#register(spec, queue, true);
    this.#use(workload.queue, workload.shape, 1);
    this.#setSteps(workload, spec.elastic?.steps ?? 0);
  }

  /** Takes back a workload that waits, with its growth; false when there is none that waits. */
  withdraw(id: string): boolean {
    const workload = this.state.workloads.get(id);
    if (workload === undefined || workload.isAdmitted) return false;
    this.#dequeue(workload.item as Item);
    this.#forget(workload);
    this.state.flush();
    return true;
  }

  /** The workload has ended: gives back all that it has, and takes back its growth. False when it is not admitted. */
  release(id: string): boolean {
    const workload = this.state.workloads.get(id);
    if (workload === undefined || !workload.isAdmitted) return false;
    if (workload.item !== undefined) this.#dequeue(workload.item);
    this.#giveBack(workload, workload.shape, 1);
    if (workload.step !== undefined && workload.steps > 0) this.#giveBack(workload, workload.step, workload.steps);
    if (this.journal === undefined && this.claims.size > 0) this.claims.gone(id);
    this.#forget(workload);
    this.state.flush();
    return true;
  }

  /** Lets so many more steps of an elastic workload wait, since an instant (ms); the age of those that wait already stays. */
  grow(id: string, steps: number, since: number): Submission {
    const workload = this.#elastic(id);
    const { item } = workload;
    if (!workload.isAdmitted) {
      this.set(workload, "pendingSteps", workload.pendingSteps + steps);
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
      this.set(workload, "pendingSteps", workload.pendingSteps - taken);
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
    this.set(workload, "steps", workload.steps - steps);
  }

  /** What is admitted of a workload is really so much (decision 25): counted at once, without asking for capacity. Its steps stay. */
  correct(id: string, request: ResourceVector): void {
    const workload = this.#workload(id);
    if (!workload.isAdmitted) throw new QuotaError(`workload ${id} waits: withdraw it and submit it anew`);
    const { shape, queue } = workload;
    const corrected = this.state.shapes.take(request, 1, workload.promiseSeconds, shape.isYieldable, shape.isResident);
    this.#use(queue, shape, -1);
    this.#use(queue, corrected, 1);
    this.set(workload as { shape: Shape }, "shape", corrected);
    if (this.journal === undefined) this.state.shapes.drop(shape);
  }

  /** Decides on one, or undefined when nothing that waits may be admitted now. */
  admitNext(): Admission | undefined {
    const choice = this.search.next();
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

  /**
   * The next reclaim that is to be asked for: of the first in line of each leaf, by priority, age and name, the first that is within a
   * guarantee, has no open claim, and for which enough can be had. Open it, and ask again. O(work).
   * @param isExcluded who is not to be asked: cool-offs
   */
  nextReclaim(isExcluded: Excluded = () => false): Reclaim | undefined {
    for (const item of this.#reclaims.candidates()) {
      const reclaim = this.#reclaimFor(item, isExcluded);
      if (reclaim !== undefined) return reclaim;
    }
    return undefined;
  }

  /** The same for one workload that waits, or waits to grow. */
  findReclaim(id: string, isExcluded: Excluded = () => false): Reclaim | undefined {
    const { item } = this.#workload(id);
    return item === undefined ? undefined : this.#reclaimFor(item, isExcluded);
  }

  /**
   * From now on what the claimant asks for is kept for it alone, and what the donors give back (by `release` and `shrink`) goes to it first.
   * Ends with its admission or withdrawal, or with `closeClaim`. Claims are served in the order in which they were opened: after a restart
   * they are to be opened in the recorded order. Asks of workloads that are gone by then count as given.
   */
  openClaim({ claimant, steps, asks }: Reclaim): void {
    const { item } = this.#workload(claimant);
    if (item === undefined) throw new QuotaError(`workload ${claimant} does not wait`);
    if (this.claims.of(item) !== undefined) throw new QuotaError(`workload ${claimant} has an open claim`);
    const asked = new Map<string, Float64Array>();
    for (const { workload: id, steps: given } of asks) {
      const donor = this.state.workloads.get(id);
      if (donor?.isAdmitted === true) asked.set(id, this.#amountOf(donor, given));
    }
    this.claims.open({ item, steps: steps ?? this.#stepsFrom(item, asked), order: this.#claimNumber++, asked });
  }

  /** What a workload has, or so many steps of it, by column. */
  #amountOf({ shape, step, steps }: Workload, given: number | undefined): Float64Array {
    const { stride } = this.state;
    if (step === undefined) return shape.need.slice(0, stride);
    const some = step.need.slice(0, stride).map((amount) => amount * (given ?? steps));
    return given === undefined ? some.map((amount, at) => amount + (shape.need[at] as number)) : some;
  }

  /** How many steps of the claimant what was asked for is enough for. */
  #stepsFrom({ isGrowth, count, shape, workload }: Item, asked: Claim["asked"]): number {
    const { step, pendingSteps } = workload;
    if (step === undefined) return 0;
    let most = isGrowth ? count : pendingSteps;
    for (let at = 1; at < this.state.stride; at++) {
      const each = step.need[at] as number;
      if (each === 0) continue;
      let sum = isGrowth ? 0 : -(shape.need[at] as number);
      for (const amounts of asked.values()) sum += amounts[at] as number;
      most = Math.min(most, Math.max(0, Math.floor(sum / each)));
    }
    return isGrowth ? Math.max(1, most) : most;
  }

  /** Gives up a claim: declined, or withdrawn. False when there is none. */
  closeClaim(claimant: string): boolean {
    const item = this.state.workloads.get(claimant)?.item;
    return item !== undefined && this.claims.close(item) !== undefined;
  }

  /** The open claims in their order, with what has not been given yet. */
  get openClaims(): readonly Reclaim[] {
    return this.claims.all.map(({ item, steps: claimed, asked }) => ({
      claimant: item.name,
      ...(item.workload.step !== undefined && { steps: claimed }),
      asks: [...asked].map(([id, amounts]) => {
        const donor = this.#workload(id);
        const amount = this.state.rowOf(amounts, 0);
        const column = donor.step?.need.findIndex((each) => each > 0) ?? -1;
        const isWhole = column < 0 || (amounts[0] as number) > 0;
        const steps = isWhole ? {} : { steps: (amounts[column] as number) / (donor.step?.need[column] as number) };
        return { workload: id, queue: donor.queue.name, ...steps, amount };
      }),
    }));
  }

  /** For as many steps as can be had at once, by halves. */
  #reclaimFor(item: Item, isExcluded: Excluded): Reclaim | undefined {
    const { step, pendingSteps } = item.workload;
    const fewest = item.isGrowth ? 1 : 0;
    for (let steps = item.isGrowth ? item.count : step === undefined ? 0 : pendingSteps; ; steps = Math.max(fewest, steps >> 1)) {
      const asks = this.#reclaims.asksFor(item, steps, isExcluded);
      if (asks !== undefined && asks.length > 0 && this.#wouldConsent(item, steps, asks))
        return { claimant: item.name, ...(step !== undefined && { steps }), asks: asks.map((ask) => this.#askOf(ask)) };
      if (steps === fewest) return undefined;
    }
  }

  /** Whether guarantees would let the item begin, and grow so far, when all had gone that is asked. */
  #wouldConsent({ workload, shape, isGrowth }: Item, steps: number, asks: readonly Ask[]): boolean {
    return this.attempt(() => {
      for (const ask of asks) {
        if (ask.steps > 0) this.shrink(ask.workload.id, ask.steps);
        else this.release(ask.workload.id);
      }
      const { queue, step } = workload;
      const more = isGrowth ? steps - 1 : steps;
      if (more === 0 || step === undefined) return this.search.headroom.consents(queue, shape);
      if (!isGrowth) {
        if (!this.search.headroom.consents(queue, shape)) return false;
        this.#use(queue, shape, 1);
      }
      this.#use(queue, step, isGrowth ? more : more - 1);
      return this.search.headroom.consents(queue, step);
    });
  }

  #askOf({ workload, steps, each }: Ask): Reclaim["asks"][number] {
    const amounts = steps > 0 ? each.map((amount) => amount * steps) : this.#amountOf(workload, undefined);
    return {
      workload: workload.id,
      queue: workload.queue.name,
      ...(steps > 0 ? { steps } : {}),
      amount: this.state.rowOf(amounts, 0),
    };
  }

  #admit({ item, passed }: Choice): Admission {
    const { workload, shape } = item;
    for (const other of passed) this.set(other, "passed", other.passed + (shape.isYieldable ? passing.yieldable : passing.firm));
    const claim = this.claims.size === 0 ? undefined : this.claims.of(item);
    if (item.isGrowth && item.count > 1) {
      this.#serve(item, claim);
      this.#setCount(item, item.count - 1);
    } else {
      this.#dequeue(item);
    }
    this.#use(workload.queue, shape, 1);
    if (item.isGrowth) {
      this.set(workload, "steps", workload.steps + 1);
    } else {
      this.set(workload, "isAdmitted", true);
      if (workload.pendingSteps > 0 && workload.step !== undefined) {
        const growth = new Item(workload, workload.step, true, workload.pendingSteps, workload.pendingSince);
        this.#enqueue(growth);
        // What was asked for its steps too stays asked for them.
        if (claim !== undefined && claim.steps > 0) this.#openAgain({ ...claim, item: growth });
        this.set(workload, "pendingSteps", 0);
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
    const workload: Workload = {
      id,
      queue,
      priority: spec.priority ?? 0,
      promiseSeconds,
      since: spec.since,
      shape: this.#shapeOf(request, 1, promiseSeconds, spec),
      step: elastic === undefined ? undefined : this.#shapeOf(elastic.step, 0, promiseSeconds, spec),
      steps: 0,
      keepsRequest: elastic?.keepsRequest ?? false,
      isAdmitted,
      item: undefined,
      pendingSteps: 0,
      pendingSince: spec.since,
    };
    this.state.workloads.set(id, workload);
    this.journal?.push(() => this.#forget(workload));
    return workload;
  }

  #shapeOf(vector: ResourceVector, workloads: 0 | 1, promiseSeconds: number, { isYieldable, isResident }: WorkloadSpec): Shape {
    return this.state.shapes.take(vector, workloads, promiseSeconds, isYieldable ?? false, isResident ?? false);
  }

  #forget(workload: Workload): void {
    const { id, shape, step } = workload;
    this.state.workloads.delete(id);
    if (this.journal === undefined) {
      this.state.shapes.drop(shape);
      if (step !== undefined) this.state.shapes.drop(step);
      return;
    }
    this.journal.push(() => this.state.workloads.set(id, workload));
  }

  #enqueue(item: Item): void {
    item.workload.item = item;
    this.state.enqueue(item);
    this.journal?.push(() => this.#dequeue(item));
  }

  #dequeue(item: Item): void {
    this.#endClaim(item);
    item.workload.item = undefined;
    this.state.dequeue(item);
    this.journal?.push(() => this.#enqueue(item));
  }

  /** One step of what it claims is admitted. */
  #serve(item: Item, claim: Claim | undefined): void {
    if (claim === undefined) return;
    this.#endClaim(item);
    if (claim.steps > 1) this.#openAgain({ ...claim, steps: claim.steps - 1 });
  }

  #openAgain(claim: Claim): void {
    this.claims.open(claim);
    this.journal?.push(() => this.claims.close(claim.item));
  }

  #endClaim(item: Item): void {
    if (this.claims.size === 0) return;
    const claim = this.claims.close(item);
    if (claim !== undefined) this.journal?.push(() => this.claims.open(claim));
  }

  #setCount(item: Item, count: number): void {
    const before = item.count;
    if (item.bucket !== undefined) item.bucket.count += count - before;
    item.count = count;
    if (this.claims.size > 0 && this.journal === undefined) this.claims.narrow(item, count);
    this.journal?.push(() => this.#setCount(item, before));
  }

  #setSteps(workload: Workload, steps: number): void {
    if (steps === 0 || workload.step === undefined) return;
    this.#use(workload.queue, workload.step, steps);
    this.set(workload, "steps", steps);
  }

  #use(queue: Queue, shape: Shape, times: number): void {
    this.state.addUsage(queue, shape, times);
    this.journal?.push(() => this.#use(queue, shape, -times));
  }

  #giveBack(workload: Workload, shape: Shape, times: number): void {
    this.#use(workload.queue, shape, -times);
    if (this.claims.size === 0) return;
    const amounts = shape.need.slice(0, this.state.stride).map((amount) => amount * times);
    if (this.journal === undefined) this.claims.given(workload.id, amounts);
  }

  #submission(queue: Queue, shape: Shape): Submission {
    const obstacle = this.state.neverFits(queue, shape);
    if (obstacle === undefined) return waits;
    const resource = this.state.resources[obstacle.resource] as string;
    return {
      state: "NeverFits",
      queue: obstacle.queue.name,
      resource,
      requested: shape.need[obstacle.resource] as number,
      most: obstacle.most,
    };
  }

  #checkNew({ id }: WorkloadSpec): void {
    if (this.state.workloads.has(id)) throw new QuotaError(`workload ${id} exists already`);
  }

  #workload(id: string): Workload {
    const workload = this.state.workloads.get(id);
    if (workload === undefined) throw new QuotaError(`there is no workload ${id}`);
    return workload;
  }

  #elastic(id: string): Workload & { readonly step: Shape } {
    const workload = this.#workload(id);
    if (workload.step === undefined) throw new QuotaError(`workload ${id} is not elastic`);
    return workload as Workload & { readonly step: Shape };
  }
}
