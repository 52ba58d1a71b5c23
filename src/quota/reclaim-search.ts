/*
 * The search for work that may be asked to go, so that a workload within its queue's guarantee can start.
 *
 * The claimant lacks room somewhere on its path: in the capacity, or in a max; or it lacks the consent of guarantees that are lent for a shorter
 * time than it may stay, which comes down to room in the capacity too. From its leaf up, the nearest relatives first: where the paths
 * part, the claimant's side must be within its guarantee with the request, and the donor's side above its own, in a resource that is
 * lacking. The donor is the child that the rule of admission would take last, and so down to a leaf; there yieldable work only: first what
 * elastic work can give step by step, then whole workloads (but for what elastic work keeps), each by lowest priority, then newest. At first no ask may bring a donor below
 * its guarantee; where that is not enough, it may (the donor has no claim to it again: it would be above its guarantee with it). In the end
 * what turns out not to be needed is dropped, the last asked first. If all that together is not enough, nobody is asked.
 */
import { type Claims, claimNeed, isBeneath } from "./claims.ts";
import { compareNames, compareProducts } from "./exact.ts";
import type { Headroom } from "./headroom.ts";
import type { Item, Workload } from "./item.ts";
import type { Queue } from "./queue.ts";
import type { TreeState } from "./tree-state.ts";

/** Whole workloads, or so many steps of one. */
export interface Ask {
  readonly workload: Workload;
  /** 0: the whole workload. */
  steps: number;
  /** What one step, or the whole, gives back, by column. */
  readonly each: Float64Array;
}

/** Who is not to be asked: a cool-off. */
export type Excluded = (workload: string, queue: string) => boolean;

/** Room that is missing in a queue of the claimant's path. */
interface Shortfall {
  readonly queue: Queue;
  readonly missing: Float64Array;
}

export class ReclaimSearch {
  readonly #state: TreeState;
  readonly #claims: Claims;
  readonly #consent: Pick<Headroom, "riseOf" | "slackOf">;

  constructor(state: TreeState, claims: Claims, consent: Pick<Headroom, "riseOf" | "slackOf">) {
    this.#state = state;
    this.#claims = claims;
    this.#consent = consent;
  }

  /**
   * Whom to ask for what, so that the item fits with so many steps; undefined when that is not within a guarantee, lacks nothing, or not enough
   * can be had.
   */
  asksFor(item: Item, steps: number, isExcluded: Excluded): readonly Ask[] | undefined {
    const { queue } = item.workload;
    if (item.bucket === undefined || item.bucket.isImpossible || this.#claims.of(item) !== undefined) return undefined;
    for (let each: Queue | undefined = queue; each !== undefined; each = each.parent) if (each.isClosed) return undefined;
    const need = claimNeed({ item, steps });
    if (!this.#isWithinSomeGuarantee(item, need)) return undefined;
    const shortfalls = this.#shortfallsOf(item, need);
    if (shortfalls.length === 0) return undefined;
    const running = this.#runningByQueue();
    for (const mayCross of [false, true]) {
      const attempt = new Attempt(this.#state, this.#claims, item, need, shortfalls, running, isExcluded, mayCross);
      const asks = attempt.run();
      if (asks !== undefined) return asks;
    }
    return undefined;
  }

  /** The first that waits in any leaf, for each judged resource, by priority, age and name. */
  candidates(): readonly Item[] {
    this.#state.flush();
    const heads: Item[] = [];
    for (const queue of this.#state.queues.values()) {
      if (!queue.isLeaf) continue;
      for (const list of queue.bucketLists) {
        const head = list?.first?.listed;
        if (head !== undefined && this.#isWithinSomeGuarantee(head, head.shape.need)) heads.push(head);
      }
    }
    return heads.sort((a, b) => b.priority - a.priority || a.since - b.since || compareNames(a.name, b.name));
  }

  #isWithinSomeGuarantee(item: Item, need: Float64Array): boolean {
    const { used, guaranteed, stride, resources } = this.#state;
    for (let queue = item.workload.queue; queue.parent !== undefined; queue = queue.parent) {
      for (let at = 1; at < resources.length; at++) {
        const amount = need[at] as number;
        const row = queue.index * stride + at;
        if (amount > 0 && (used[row] as number) + amount <= (guaranteed[row] as number)) return true;
      }
    }
    return false;
  }

  /** What is missing on the path, beyond what is free, kept for earlier claims, and asked for already. */
  #shortfallsOf(item: Item, need: Float64Array): Shortfall[] {
    const { capacity, used, kept, max, root, stride, resources } = this.#state;
    const shortfalls: Shortfall[] = [];
    for (let queue: Queue | undefined = item.workload.queue; queue !== undefined; queue = queue.parent) {
      if (!queue.isLimited && queue !== root) continue;
      const missing = new Float64Array(stride);
      const asked = askedBeneath(this.#state, this.#claims, queue);
      for (let at = 0; at < resources.length; at++) {
        const amount = need[at] as number;
        if (amount === 0) continue;
        const row = queue.index * stride + at;
        const bound = queue === root ? Math.min(capacity[at] as number, max[row] as number) : (max[row] as number);
        const free = bound - (used[row] as number) - (kept[row] as number) + (asked[at] as number);
        const lacking = queue === root ? this.#lackingConsent(item, amount, at) - (asked[at] as number) : 0;
        missing[at] = Math.max(0, amount - free, lacking);
      }
      if (missing.some((amount) => amount > 0)) shortfalls.push({ queue, missing });
    }
    return shortfalls;
  }

  /** By how much guarantees that are lent for a shorter time than the item may stay would exceed the capacity with it. */
  #lackingConsent({ workload, shape }: Item, amount: number, column: number): number {
    let most = 0;
    for (const slot of this.#state.slots) {
      if (slot >= shape.promiseClass) break;
      const rise = this.#consent.riseOf(workload.queue, amount, slot, column);
      if (rise > 0) most = Math.max(most, rise - this.#consent.slackOf(slot, column));
    }
    return most;
  }

  #runningByQueue(): ReadonlyMap<Queue, readonly Workload[]> {
    const running = new Map<Queue, Workload[]>();
    for (const workload of this.#state.workloads.values()) {
      if (!workload.isAdmitted || !workload.shape.isYieldable) continue;
      const list = running.get(workload.queue);
      if (list === undefined) running.set(workload.queue, [workload]);
      else list.push(workload);
    }
    return running;
  }
}

/** One search with one rule for crossing a donor's guarantee. */
class Attempt {
  readonly #state: TreeState;
  readonly #claims: Claims;
  readonly #item: Item;
  /** What the claimant needs in all. */
  readonly #need: Float64Array;
  readonly #shortfalls: readonly Shortfall[];
  readonly #running: ReadonlyMap<Queue, readonly Workload[]>;
  readonly #isExcluded: Excluded;
  readonly #mayCross: boolean;
  readonly #asks: Ask[] = [];
  /** What the asks take from each queue. */
  readonly #taken = new Map<Queue, Float64Array>();
  readonly #askedBefore = new Map<Queue, Float64Array>();
  /** Candidates of a leaf that are left, in order. */
  readonly #left = new Map<Queue, Ask[]>();

  constructor(
    state: TreeState,
    claims: Claims,
    item: Item,
    need: Float64Array,
    shortfalls: readonly Shortfall[],
    running: ReadonlyMap<Queue, readonly Workload[]>,
    isExcluded: Excluded,
    mayCross: boolean,
  ) {
    this.#state = state;
    this.#claims = claims;
    this.#item = item;
    this.#need = need;
    this.#shortfalls = shortfalls;
    this.#running = running;
    this.#isExcluded = isExcluded;
    this.#mayCross = mayCross;
  }

  run(): readonly Ask[] | undefined {
    let side = this.#item.workload.queue;
    for (let parting = side.parent; parting !== undefined; side = parting, parting = parting.parent) {
      for (;;) {
        const lacking = this.#lackingAt(parting);
        if (lacking.length === 0 || !this.#isWithin(side, lacking)) break;
        if (!this.#askUnder(parting, side, lacking)) break;
      }
    }
    if (this.#shortfalls.some((shortfall) => this.#isMissing(shortfall))) return undefined;
    this.#dropNeedless();
    return this.#merged();
  }

  /** The columns of which something is missing in the queue or above it, the largest part of the capacity first. */
  #lackingAt(queue: Queue): readonly number[] {
    const { capacity, resources, order } = this.#state;
    const most = new Float64Array(resources.length);
    for (const { queue: at, missing } of this.#shortfalls) {
      if (!isBeneath(queue, at)) continue;
      const taken = this.#taken.get(at);
      for (let column = 0; column < most.length; column++) {
        most[column] = Math.max(most[column] as number, (missing[column] as number) - (taken?.[column] ?? 0));
      }
    }
    const share = (column: number): number => (column === 0 ? 1 : (capacity[column] as number));
    return order
      .filter((column) => (most[column] as number) > 0)
      .sort((a, b) => compareProducts(most[b] as number, share(a), most[a] as number, share(b)));
  }

  #isWithin(side: Queue, lacking: readonly number[]): boolean {
    return lacking.every((column) => {
      const row = side.index * this.#state.stride + column;
      const amount = this.#need[column] as number;
      return column === 0 || (this.#state.used[row] as number) + amount <= (this.#state.guaranteed[row] as number);
    });
  }

  /** Adds one ask among the children of a queue other than the claimant's side; false when there is none. */
  #askUnder(parting: Queue, side: Queue, lacking: readonly number[]): boolean {
    const exhausted = new Set<Queue>([side]);
    for (;;) {
      const path: Queue[] = [];
      let queue = parting;
      while (!queue.isLeaf) {
        const donor = this.#lastOf(queue, lacking, exhausted);
        if (donor === undefined) break;
        path.push(donor);
        queue = donor;
      }
      if (queue === parting) return false;
      if (queue.isLeaf && this.#askIn(queue, path, lacking)) return true;
      exhausted.add(queue);
    }
  }

  /** Of the children above their guarantee in what is lacking, the one that the rule of admission would take last. */
  #lastOf(parent: Queue, lacking: readonly number[], exhausted: ReadonlySet<Queue>): Queue | undefined {
    const { stride, guaranteed } = this.#state;
    const judged = lacking[0] as number;
    let last: Queue | undefined;
    for (const child of parent.children) {
      if (exhausted.has(child)) continue;
      const isAbove = lacking.some(
        (column) => column > 0 && this.#usedOf(child, column) > (guaranteed[child.index * stride + column] as number),
      );
      if (!isAbove) continue;
      // equal levels: the later name is the later in the order of admission
      if (last === undefined || this.#compareLevels(child, last, judged) >= 0) last = child;
    }
    return last;
  }

  #compareLevels(a: Queue, b: Queue, column: number): number {
    if (a.weight === 0 || b.weight === 0) {
      if (a.weight !== b.weight) return a.weight === 0 ? 1 : -1;
      return this.#usedOf(a, column) - this.#usedOf(b, column);
    }
    return compareProducts(this.#usedOf(a, column), b.weight, this.#usedOf(b, column), a.weight);
  }

  /** What a queue would use when all had gone that is asked, now or before. */
  #usedOf(queue: Queue, column: number): number {
    let before = this.#askedBefore.get(queue);
    if (before === undefined) {
      before = askedBeneath(this.#state, this.#claims, queue);
      this.#askedBefore.set(queue, before);
    }
    const used = this.#state.used[queue.index * this.#state.stride + column] as number;
    return used - (before[column] as number) - (this.#takenOf(queue)[column] as number);
  }

  #takenOf(queue: Queue): Float64Array {
    let taken = this.#taken.get(queue);
    if (taken === undefined) {
      taken = new Float64Array(this.#state.stride);
      this.#taken.set(queue, taken);
    }
    return taken;
  }

  #askIn(leaf: Queue, path: readonly Queue[], lacking: readonly number[]): boolean {
    const candidates = this.#candidatesOf(leaf);
    for (const [at, candidate] of candidates.entries()) {
      if (!lacking.some((column) => (candidate.each[column] as number) > 0)) continue;
      if (!this.#mayCross && path.some((queue) => this.#wouldCross(queue, candidate.each, lacking))) continue;
      this.#take(leaf, candidate.each, 1);
      const isStep = candidate.each[0] === 0;
      const asked = this.#asks.find((ask) => ask.workload === candidate.workload && ask.each === candidate.each);
      if (asked === undefined) this.#asks.push({ ...candidate, steps: isStep ? 1 : 0 });
      else asked.steps++;
      candidate.steps--;
      if (candidate.steps <= 0) candidates.splice(at, 1);
      return true;
    }
    return false;
  }

  #wouldCross(queue: Queue, amounts: Float64Array, lacking: readonly number[]): boolean {
    return lacking.some((column) => {
      const guaranteed = this.#state.guaranteed[queue.index * this.#state.stride + column] as number;
      return column > 0 && this.#usedOf(queue, column) - (amounts[column] as number) < guaranteed;
    });
  }

  #take(leaf: Queue, amounts: Float64Array, sign: 1 | -1): void {
    for (let queue: Queue | undefined = leaf; queue !== undefined; queue = queue.parent) {
      const taken = this.#takenOf(queue);
      for (let at = 0; at < amounts.length; at++) taken[at] = (taken[at] as number) + (amounts[at] as number) * sign;
    }
  }

  /** Steps of elastic work first, then whole workloads; each by lowest priority, then newest, then the last name. */
  #candidatesOf(leaf: Queue): Ask[] {
    const known = this.#left.get(leaf);
    if (known !== undefined) return known;
    const { stride } = this.#state;
    const candidates: Ask[] = [];
    for (const workload of this.#running.get(leaf) ?? []) {
      if (this.#isExcluded(workload.id, leaf.name)) continue;
      const before = this.#claims.askedOf(workload.id);
      const { step } = workload;
      if (step === undefined || !workload.keepsRequest) {
        const isAsked = before !== undefined && (step === undefined || (before[0] as number) > 0);
        if (!isAsked) candidates.push({ workload, steps: 0, each: workload.shape.need.slice(0, stride) });
      }
      if (step === undefined) continue;
      const column = step.need.findIndex((amount) => amount > 0);
      const asked = before === undefined || column < 0 ? 0 : (before[column] as number) / (step.need[column] as number);
      if (workload.steps > asked) candidates.push({ workload, steps: workload.steps - asked, each: step.need.slice(0, stride) });
    }
    candidates.sort(
      (a, b) =>
        (a.each[0] as number) - (b.each[0] as number) ||
        a.workload.priority - b.workload.priority ||
        b.workload.since - a.workload.since ||
        compareNames(b.workload.id, a.workload.id),
    );
    this.#left.set(leaf, candidates);
    return candidates;
  }

  /** Whoever is asked for its request gives its steps too: that is all of it. */
  #merged(): readonly Ask[] {
    const wholes = new Set(this.#asks.filter(({ each }) => each[0] === 1).map(({ workload }) => workload));
    return this.#asks.filter(({ workload, steps, each }) => each[0] === 1 || (steps > 0 && !wholes.has(workload)));
  }

  #isMissing({ queue, missing }: Shortfall): boolean {
    const taken = this.#takenOf(queue);
    return missing.some((amount, column) => amount > (taken[column] as number));
  }

  #dropNeedless(): void {
    for (const ask of this.#asks.toReversed()) {
      const { each, workload } = ask;
      const isWhole = each[0] === 1;
      for (let left = isWhole ? 1 : ask.steps; left > 0; left--) {
        this.#take(workload.queue, each, -1);
        if (this.#shortfalls.some((shortfall) => this.#isMissing(shortfall))) {
          this.#take(workload.queue, each, 1);
          break;
        }
        if (isWhole) this.#asks.splice(this.#asks.indexOf(ask), 1);
        else ask.steps--;
      }
    }
  }
}

/** What open claims have asked for beneath a queue, by column. */
function askedBeneath(state: TreeState, claims: Claims, queue: Queue): Float64Array {
  const sum = new Float64Array(state.stride);
  for (const { asked } of claims.size === 0 ? [] : claims.all) {
    for (const [id, amounts] of asked) {
      const donor = state.workloads.get(id);
      if (donor === undefined || !isBeneath(donor.queue, queue)) continue;
      for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (amounts[at] as number);
    }
  }
  return sum;
}
