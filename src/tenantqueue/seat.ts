import type { AdmissionAnswer, Amounts, WorkloadOwner, WorkloadWant } from "../api/admission.ts";
import type { Ordering } from "../quota/queue.ts";
import type { QuotaTree } from "../quota/quota-tree.ts";
import { multiplyResources } from "../quota/resource-vector.ts";
import type { Submission, WorkloadSpec } from "../quota/workload-spec.ts";

/** Names a workload everywhere: owners' UIDs are unique, and parts within them. */
export const workloadId = (ownerUid: string, part: string): string => `${ownerUid}/${part}`;

/**
 * A workload in its tree. Its items are one elastic workload there: those that begin together are its request, each other one is a step. An
 * item is as large as the largest pod of it that exists, or else as its template says.
 *
 *   out       nothing of it is in a tree: it wants nothing, or its queue takes none
 *   waiting   it waits to begin
 *   admitted  it has `held` items, and may wait for more
 */
export class Seat {
  readonly id: string;
  owner: WorkloadOwner | undefined;
  want: WorkloadWant;
  state: "out" | "waiting" | "admitted" = "out";
  /** What the tree said when it was submitted; absent = it may begin when its turn comes. */
  submission: Submission | undefined;
  /** Why no queue takes it. */
  refusal: AdmissionAnswer["waits"];
  /** Whether decisions have been made since it waits, so that it is known to wait. */
  considered = false;
  /** Items that it is to have at most, while it is asked to give back. */
  target: number | undefined;
  /** For whom, and by when. */
  reclaim: AdmissionAnswer["reclaim"];
  /** Whether its owner was seen since it was asked. */
  answered = false;
  /** Admissions are told with how long they took. */
  waitsSince: number;
  #tree: QuotaTree | undefined;
  /** False of one that is known by its pods alone: its want is a guess until its owner has been looked at. */
  #isDeclared: boolean;
  #item: Amounts;
  /** Items of the request. */
  #base = 0;
  #steps = 0;
  /** Steps that wait. */
  #growing = 0;
  /** Of what it has: pods that exist beyond what was decided, and that its owner does not count. */
  #lingering = 0;
  /** Of what it has: items at work that its owner counts, and that nobody decided. */
  #taken = 0;
  /** It had a share in this term and gave all of it back: what is recorded of that time is nothing to begin with. */
  #gaveBack = false;
  /** Pods of it that exist and have not ended, by name. */
  readonly #pods = new Map<string, Amounts>();

  constructor(id: string, want: WorkloadWant, isDeclared = true) {
    this.id = id;
    this.#isDeclared = isDeclared;
    this.want = want;
    this.#item = want.item;
    this.waitsSince = want.since;
  }

  get tree(): QuotaTree | undefined {
    return this.#tree;
  }

  /** Items that are admitted. */
  get held(): number {
    return this.state === "admitted" ? this.#base + this.#steps : 0;
  }

  /**
   * Items that may be at work: those that are admitted, without pods that take room and are not at work for their owner any more, such as those
   * whose program has ended and whose phase does not tell yet. Their places are not given a second time before they are gone. Nor does a place
   * that its owner took without being given it stay with it longer than what is at work there.
   */
  get allowed(): number {
    const allowed = this.held - this.#lingering - this.#taken;
    return this.target === undefined ? allowed : Math.min(allowed, this.target);
  }

  /** What one item counts as. */
  get item(): Amounts {
    return this.#item;
  }

  get podCount(): number {
    return this.#pods.size;
  }

  /** What it asks for to begin. */
  get request(): Amounts {
    return multiplyResources(this.#item, Math.max(1, this.#beginsWith()));
  }

  /** Whether something of it waits. */
  get isWaiting(): boolean {
    return this.state === "waiting" || this.#growing > 0;
  }

  /** A pod of it exists with this request, or has ended (undefined). */
  setPod(name: string, request: Amounts | undefined): void {
    if (request === undefined) this.#pods.delete(name);
    else this.#pods.set(name, request);
  }

  /** Gives it a place in the tree, with what it has already. */
  enter(tree: QuotaTree): void {
    this.#tree = tree;
    this.#item = this.#itemNow();
    const had = this.#had();
    if (had > 0) this.#restore(had);
    else if (this.want.wanted > 0) this.#submit();
    const { atWork, recorded, wanted } = this.want;
    // Of what pods give it, all that nobody decided and the owner does not count is lingering.
    this.#lingering = Math.max(0, this.held - Math.max(atWork, Math.min(recorded, wanted)));
    // More at work than was given: pods on a node that is gone, whose places were used again before the one who decided that ended.
    if (recorded > 0 && !this.#gaveBack) this.#taken = Math.max(0, atWork - recorded);
  }

  /** Takes it out of its tree, with all that it has there. */
  leave(): void {
    if (this.state === "waiting") this.#tree?.withdraw(this.id);
    else if (this.state === "admitted") this.#tree?.release(this.id);
    this.state = "out";
    this.#base = 0;
    this.#steps = 0;
    this.#growing = 0;
    this.#lingering = 0;
    this.#taken = 0;
    this.submission = undefined;
    this.#tree = undefined;
  }

  /** Brings the tree up to date with what is wanted now, what is at work, and what was asked back. */
  settle(now: number): void {
    const tree = this.#tree;
    if (tree === undefined) return;
    const item = this.#itemNow();
    if (!sameAmounts(item, this.#item)) this.#resize(item);
    if (this.state === "admitted") this.#settleAdmitted(now);
    else if (this.state === "waiting") this.#settleWaiting();
    else if (this.want.wanted > 0 || this.#atWork() > 0) this.enter(tree);
  }

  /** The tree has decided. */
  admitted(kind: "Start" | "Grow"): void {
    if (kind === "Grow") {
      this.#growing -= 1;
      this.#steps += 1;
      return;
    }
    this.state = "admitted";
    this.#gaveBack = false;
    this.submission = undefined;
    this.#base = this.#beginsWith();
    this.#growing = this.want.wanted - this.#base;
  }

  /** The same workload on other terms: another priority, promise, or number to begin with. What is admitted stays so. */
  renew(want: WorkloadWant): void {
    const before = this.want;
    this.want = want;
    if (!this.#isDeclared) {
      this.#isDeclared = true;
      this.waitsSince = want.since;
    }
    const tree = this.#tree;
    if (tree === undefined || this.state === "out" || sameTerms(before, want)) return;
    if (this.state === "waiting") {
      tree.withdraw(this.id);
      this.state = "out";
      this.#growing = 0;
      this.#submit();
      return;
    }
    const { held } = this;
    tree.release(this.id);
    this.#restore(held);
  }

  #settleAdmitted(now: number): void {
    const tree = this.#tree as QuotaTree;
    const atWork = this.#atWork();
    this.#letGo(atWork);
    if (atWork === 0 && this.#taken > 0 && this.allowed === 0) {
      this.#giveUp();
      return;
    }
    const most = Math.max(this.target === undefined ? this.want.wanted : Math.min(this.target, this.want.wanted), atWork);
    if (this.held <= most) {
      if (atWork > this.held) {
        this.#lingering += Math.max(0, atWork - Math.max(this.held, this.want.atWork));
        this.#taken += Math.max(0, this.want.atWork - this.held);
        this.#rebase(this.#base + atWork - this.held);
      }
      const growing = this.target === undefined ? most - this.held : 0;
      if (growing > this.#growing) tree.grow(this.id, growing - this.#growing, now);
      else if (growing < this.#growing) tree.cancelGrowth(this.id, this.#growing - growing);
      this.#growing = growing;
      return;
    }
    if (this.#growing > 0) tree.cancelGrowth(this.id);
    this.#growing = 0;
    const shrunk = Math.min(this.held - most, this.#steps);
    if (shrunk > 0) tree.shrink(this.id, shrunk);
    this.#steps -= shrunk;
    if (most === 0) {
      this.waitsSince = now;
      this.#giveUp();
    } else if (this.#base > most) this.#rebase(most);
  }

  /** Nothing of what it had stays; what it wants it waits for anew. */
  #giveUp(): void {
    (this.#tree as QuotaTree).release(this.id);
    this.state = "out";
    this.#base = 0;
    this.#steps = 0;
    this.#growing = 0;
    this.#taken = 0;
    this.#gaveBack = true;
    if (this.want.wanted > 0) this.#submit();
  }

  /** Lingering pods that are gone, or that the owner counts after all, are none any more; the room of those that are gone is free, and so is what was taken and is not used. */
  #letGo(atWork: number): void {
    const before = this.#lingering;
    this.#lingering = Math.max(0, Math.min(before, atWork - this.want.atWork));
    const shed = before - this.#lingering;
    const gone = Math.min(shed + this.#taken, Math.max(0, this.held - Math.max(1, atWork)));
    this.#taken += shed - gone;
    if (gone <= 0) return;
    // Where they were counted: on top of its request, or by a new leader among the steps.
    const onTop = Math.min(gone, Math.max(0, this.#base - this.#beginsWith()));
    const steps = Math.min(gone - onTop, this.#steps);
    if (steps > 0) (this.#tree as QuotaTree).shrink(this.id, steps);
    this.#steps -= steps;
    if (gone > steps) this.#rebase(this.#base - (gone - steps));
  }

  #settleWaiting(): void {
    const tree = this.#tree as QuotaTree;
    if (this.#atWork() > 0 || this.want.wanted === 0) {
      this.leave();
      this.enter(tree);
      return;
    }
    const growing = this.want.wanted - this.#base;
    if (growing < 0) {
      this.leave();
      this.enter(tree);
    } else if (growing > this.#growing) tree.grow(this.id, growing - this.#growing, this.waitsSince);
    else if (growing < this.#growing) tree.cancelGrowth(this.id, this.#growing - growing);
    this.#growing = growing;
  }

  #submit(): void {
    const tree = this.#tree as QuotaTree;
    this.#base = this.#beginsWith();
    this.#growing = this.want.wanted - this.#base;
    const submission = tree.submit(this.#spec(this.#base, this.#growing));
    this.considered = false;
    this.submission = submission.state === "Waiting" ? undefined : submission;
    this.state = submission.state === "Refused" ? "out" : "waiting";
    if (this.state === "out") this.#growing = 0;
  }

  #restore(items: number): void {
    const tree = this.#tree as QuotaTree;
    this.#base = Math.min(items, Math.max(1, this.want.atLeast));
    this.#steps = items - this.#base;
    this.#growing = 0;
    tree.restore(this.#spec(this.#base, this.#steps));
    this.state = "admitted";
    this.submission = undefined;
  }

  #rebase(items: number): void {
    this.#base = items;
    (this.#tree as QuotaTree).correct(this.id, multiplyResources(this.#item, items));
  }

  /** What a pod really requests differs from its template, or another kind of item follows. */
  #resize(item: Amounts): void {
    const tree = this.#tree as QuotaTree;
    this.#item = item;
    if (this.state === "waiting") {
      tree.withdraw(this.id);
      this.state = "out";
      this.#growing = 0;
      this.#submit();
    } else if (this.state === "admitted") {
      const { held } = this;
      tree.release(this.id);
      this.#restore(held);
    }
  }

  #spec(base: number, steps: number): WorkloadSpec {
    const { want } = this;
    return {
      id: this.id,
      queue: want.queue,
      request: multiplyResources(this.#item, base),
      priority: want.priority,
      since: this.waitsSince,
      promiseSeconds: want.promiseSeconds,
      isYieldable: want.onReclaim !== "Refuse",
      isResident: want.resident ?? false,
      elastic: { step: this.#item, steps },
    };
  }

  #beginsWith(): number {
    return Math.max(1, Math.min(this.want.atLeast, this.want.wanted));
  }

  #atWork(): number {
    return Math.max(this.want.atWork, this.#pods.size);
  }

  /** What it had before this process: never less than what exists, never more than it could use. */
  #had(): number {
    const atWork = this.#atWork();
    return Math.max(atWork, this.#gaveBack ? 0 : Math.min(this.want.recorded, this.want.wanted));
  }

  #itemNow(): Amounts {
    let largest: Record<string, number> | undefined;
    let last: Amounts | undefined;
    for (const request of this.#pods.values()) {
      // Most pods of a workload share one object.
      if (request === last) continue;
      last = request;
      largest ??= {};
      for (const [resource, amount] of Object.entries(request)) largest[resource] = Math.max(largest[resource] ?? 0, amount);
    }
    return largest ?? this.want.item;
  }
}

/** Whether the tree would treat it alike. */
function sameTerms(left: WorkloadWant, right: WorkloadWant): boolean {
  return (
    left.priority === right.priority &&
    left.atLeast === right.atLeast &&
    left.onReclaim === right.onReclaim &&
    left.promiseSeconds === right.promiseSeconds &&
    left.resident === right.resident
  );
}

/** The order of what waits in a leaf with that ordering. */
export function compareInLine(left: Seat, right: Seat, ordering: Ordering = "PriorityFIFO"): number {
  const priority = ordering === "FIFO" ? 0 : right.want.priority - left.want.priority;
  return priority || left.waitsSince - right.waitsSince || (left.id < right.id ? -1 : 1);
}

function sameAmounts(left: Amounts, right: Amounts): boolean {
  if (left === right) return true;
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
}
