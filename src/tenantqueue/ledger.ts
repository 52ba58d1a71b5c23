import type { Admission, AdmissionAnswer, Amounts, WorkloadOwner, WorkloadWant } from "../api/admission.ts";
import type { Labels } from "../api/label-selector.ts";
import { chooseQueue, defaultQueueOf, type QueueChoice } from "../api/queue-access.ts";
import { queueRefusals, waitReasons } from "../api/reasons.ts";
import { getOrMake } from "../base/map.ts";
import type { QuotaTree } from "../quota/quota-tree.ts";
import { workloadProblems } from "../validation/queued-workload.ts";
import { QueueTrees } from "./queue-trees.ts";
import type { World } from "./world.ts";
import { Seat, workloadId } from "./seat.ts";

/** What a workload is asked to come down to. */
export type StandingAsk = Pick<Seat, "target" | "reclaim">;

export interface LedgerOptions {
  readonly now: () => number;
  readonly namespaceLabels: (name: string) => Labels;
  /** An answer to one of its workloads has changed. */
  readonly onAnswer: (owner: WorkloadOwner) => void;
  /** The owner of a workload will not give back what it was asked for. */
  readonly onDecline: (id: string) => void;
  /** There is something to decide. */
  readonly onWork: () => void;
  /** Of which queue workloads of these namespaces are may have changed. */
  readonly onChoice: (namespaces: ReadonlySet<string>) => void;
  /** A workload may begin after so many seconds. */
  readonly onAdmitted: (queue: string, waitedSeconds: number) => void;
}

/** A pod of a workload, as the ledger counts it. */
export interface CountedPod {
  readonly name: string;
  readonly namespace: string;
  /** Of the workload. */
  readonly id: string;
  readonly queue: string;
  /** undefined = it has ended, or is gone. */
  readonly request: Amounts | undefined;
}

/**
 * All workloads and their trees, as of now: what owners declared, what pods exist, and what has been decided. Nothing is decided here before
 * `decide`; nothing is written. Calls are cheap: O(depth x (resources + log siblings)) but for `follow`.
 */
export class Ledger implements Admission {
  readonly #options: LedgerOptions;
  readonly #trees = new QueueTrees();
  readonly #seats = new Map<string, Seat>();
  readonly #owners = new Map<string, Map<string, Seat>>();
  /** By the queue that they name. */
  readonly #byQueue = new Map<string, Set<Seat>>();
  /** What owners were last told, by workload. */
  readonly #told = new Map<string, string>();
  /** Seats of which something changed since the last decisions. */
  readonly #changed = new Set<Seat>();
  /** What was answered to whom, by namespace and the queue that was named. */
  readonly #choices = new Map<string, { readonly namespace: string; readonly named: string | undefined; readonly text: string }>();
  #defaults = new Map<string, string | undefined>();
  /** What stood asked of a workload when this term began; undefined = of none, or it is followed by itself. */
  #standing: ((owner: WorkloadOwner, part: string) => StandingAsk | undefined) | undefined;
  /** Those that are bound by it. */
  readonly #bound = new Set<Seat>();
  #world: World | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get trees(): ReadonlyMap<string, QuotaTree> {
    return this.#trees.all;
  }

  get world(): World | undefined {
    return this.#world;
  }

  seat(id: string): Seat | undefined {
    return this.#seats.get(id);
  }

  seats(): Iterable<Seat> {
    return this.#seats.values();
  }

  /** Those that name the queue. */
  seatsOf(queue: string): Iterable<Seat> {
    return this.#byQueue.get(queue) ?? [];
  }

  /** Those of an owner. */
  seatsOfOwner(uid: string): Iterable<Seat> {
    return this.#owners.get(uid)?.values() ?? [];
  }

  /** The owner of that name, if it wants anything; of two the one that came last. O(owners). */
  ownerNamed(kind: string, namespace: string, name: string): WorkloadOwner | undefined {
    let found: WorkloadOwner | undefined;
    for (const seats of this.#owners.values()) {
      const owner = seats.values().next().value?.owner;
      if (owner?.name === name && owner.namespace === namespace && owner.kind === kind) found = owner;
    }
    return found;
  }

  treeOf(queue: string): QuotaTree | undefined {
    return this.#trees.of(queue);
  }

  /** Whether a pod of the queue takes from the capacity of a tree that is not its own: it was put elsewhere, or has no place. */
  isStranger(queue: string, node: string | undefined): boolean {
    const holder = node === undefined ? undefined : this.#world?.holders.get(node);
    return holder !== undefined && holder !== this.#rootOf(queue);
  }

  queueFor(namespace: string, named: string | undefined): QueueChoice | undefined {
    const choice = this.#choose(namespace, named);
    const key = `${namespace}/${named ?? ""}`;
    if (!this.#choices.has(key)) this.#choices.set(key, { namespace, named, text: JSON.stringify(choice) ?? "" });
    return choice;
  }

  #choose(namespace: string, named: string | undefined): QueueChoice | undefined {
    const world = this.#world;
    if (world === undefined) return undefined;
    const using = { name: namespace, labels: this.#options.namespaceLabels(namespace) };
    if (named !== undefined) return chooseQueue(world.usable, using, named);
    if (!this.#defaults.has(namespace)) this.#defaults.set(namespace, defaultQueueOf(world.usable.values(), using)?.name);
    const queue = this.#defaults.get(namespace);
    return queue === undefined ? undefined : { kind: "queue", queue };
  }

  forget(ownerUid: string): void {
    for (const seat of this.#owners.get(ownerUid)?.values() ?? []) this.#abandon(seat);
    this.#owners.delete(ownerUid);
  }

  declare(owner: WorkloadOwner, wants: readonly WorkloadWant[]): void {
    if (wants.length === 0) {
      this.forget(owner.uid);
      return;
    }
    const own = getOrMake(this.#owners, owner.uid, () => new Map<string, Seat>());
    const missing = new Set(own.keys());
    for (const want of wants) {
      missing.delete(want.part);
      const id = workloadId(owner.uid, want.part);
      const known = this.#seats.get(id);
      const seat = known ?? new Seat(id, want);
      const isFound = known?.owner === undefined;
      seat.owner = owner;
      if (isFound) this.#bind(seat);
      if (known === undefined) this.#add(seat);
      else if (known.want.queue !== want.queue) this.#move(seat, want);
      else if (seat.answered && sameWant(known.want, want)) continue;
      else seat.renew(want);
      // What it has is reckoned from what its owner says, not from the pods that were seen before.
      if (isFound) seat.leave();
      seat.answered = true;
      own.set(want.part, seat);
      this.#settle(seat);
    }
    for (const part of missing) {
      this.#abandon(own.get(part) as Seat);
      own.delete(part);
    }
  }

  answersFor(ownerUid: string): ReadonlyMap<string, AdmissionAnswer> {
    const answers = new Map<string, AdmissionAnswer>();
    // What stands recorded stays until something is decided.
    if (this.#world === undefined) return answers;
    for (const [part, seat] of this.#owners.get(ownerUid) ?? []) answers.set(part, this.answerOf(seat));
    return answers;
  }

  decline(ownerUid: string, part: string): void {
    this.#options.onDecline(workloadId(ownerUid, part));
  }

  /** A pod of a workload exists, has changed, or is gone; whoever owns it may not have declared it yet. */
  countPod(pod: CountedPod): void {
    let seat = this.#seats.get(pod.id);
    if (seat === undefined) {
      if (pod.request === undefined) return;
      seat = new Seat(pod.id, orphanWant(pod), false);
      this.#add(seat);
    }
    seat.setPod(`${pod.namespace}/${pod.name}`, pod.request);
    if (seat.owner === undefined) this.#orphan(seat);
    else this.#settle(seat);
  }

  /**
   * Takes over what there is now. O(queues + what it moves), and where queues or namespaces may have changed O(workloads).
   * @param areQueuesNew false: only nodes and foreign pods have changed, which the trees know what to make of by themselves
   */
  follow(world: World, areQueuesNew: boolean): void {
    this.#world = world;
    this.#trees.follow(world, (queue) => {
      for (const seat of this.seatsOf(queue)) seat.leave();
    });
    for (const seat of this.#seats.values()) {
      // What it was told on its submission may not hold any more.
      if (seat.submission !== undefined) seat.leave();
      if (areQueuesNew || seat.tree === undefined) this.#settle(seat);
    }
    if (areQueuesNew) this.#chooseAnew();
  }

  /** Tells whose workloads may be of another queue now. */
  #chooseAnew(): void {
    this.#defaults = new Map();
    const changed = new Set<string>();
    for (const [key, { namespace, named, text }] of this.#choices) {
      const now = JSON.stringify(this.#choose(namespace, named)) ?? "";
      if (now === text) continue;
      this.#choices.set(key, { namespace, named, text: now });
      changed.add(namespace);
    }
    if (changed.size > 0) this.#options.onChoice(changed);
  }

  /** Decides on what waits, at most `limit` times; returns how often it did. */
  decide(limit: number): number {
    let decided = 0;
    for (const tree of this.#trees.all.values()) {
      for (const { id, kind, queue } of tree.admitAll(limit - decided)) {
        const seat = this.#seats.get(id) as Seat;
        if (kind === "Start") this.#options.onAdmitted(queue, Math.max(0, this.#options.now() - seat.waitsSince) / 1000);
        seat.admitted(kind);
        this.#changed.add(seat);
        decided++;
      }
    }
    if (decided > 0) this.#retryRefused();
    for (const seat of this.#changed) if (seat.isWaiting) seat.considered = true;
    return decided;
  }

  /** Tells owners whose answers have changed since they were told. */
  tell(): void {
    const owners = new Set<WorkloadOwner>();
    for (const seat of this.#changed) {
      const { owner } = seat;
      if (owner === undefined) continue;
      const text = answerText(this.answerOf(seat));
      if (this.#told.get(seat.id) === text) continue;
      this.#told.set(seat.id, text);
      owners.add(owner);
    }
    this.#changed.clear();
    for (const owner of owners) this.#options.onAnswer(owner);
  }

  /** What stood asked of workloads when this term began: it binds them from the first look of their owners on. */
  expect(standing: (owner: WorkloadOwner, part: string) => StandingAsk | undefined): void {
    this.#standing = standing;
    for (const seat of this.#seats.values()) this.#bind(seat);
  }

  /** From now on each request is followed by itself. */
  endExpectations(): void {
    this.#standing = undefined;
    for (const seat of this.#bound) {
      if (this.#seats.get(seat.id) !== seat) continue;
      seat.target = undefined;
      seat.reclaim = undefined;
      this.touch(seat);
    }
    this.#bound.clear();
  }

  #bind(seat: Seat): void {
    const { owner, id } = seat;
    const asked = owner === undefined ? undefined : this.#standing?.(owner, id.slice(owner.uid.length + 1));
    if (asked === undefined) return;
    Object.assign(seat, asked);
    this.#bound.add(seat);
  }

  /** It is to be told anew, and to be brought up to date. */
  touch(seat: Seat): void {
    this.#settle(seat);
  }

  answerOf(seat: Seat): AdmissionAnswer {
    const { want, allowed } = seat;
    const spec = this.#world?.specs.get(want.queue);
    const root = this.#rootOf(want.queue);
    const pool = root === undefined ? undefined : this.#world?.trees.get(root)?.pool;
    const waits = allowed >= want.wanted ? undefined : this.#waits(seat);
    return {
      allowed,
      ...(waits !== undefined && { waits }),
      ...(seat.reclaim !== undefined && { reclaim: seat.reclaim }),
      ...(pool !== undefined && { pool }),
      unschedulableMs: spec?.unschedulableMs ?? Number.POSITIVE_INFINITY,
    };
  }

  #waits(seat: Seat): AdmissionAnswer["waits"] {
    if (seat.refusal !== undefined) return seat.refusal;
    const { queue } = seat.want;
    const say = (reason: string, message: string) => ({ reason, message });
    if (seat.tree === undefined)
      return say(waitReasons.queueNotReady, `the TenantQueue ${queue} has no place in a tree whose capacity is known`);
    const { submission } = seat;
    if (submission?.state === "Refused")
      return submission.reason === "TooManyWaiting"
        ? say(
            waitReasons.queueFull,
            `${submission.limit} workloads wait in the TenantQueue ${queue}, as many as its spec.limits.waiting allows`,
          )
        : say(waitReasons.queueNotReady, `the TenantQueue ${queue} has queues below it, and only those take work`);
    if (submission?.state === "NeverFits")
      return say(
        waitReasons.neverFits,
        `asks for more ${submission.resource} at once than the TenantQueue ${submission.queue} has; it waits for more capacity`,
      );
    if (!seat.considered) return undefined;
    return say(waitReasons.queuePending, `waits for its share of the TenantQueue ${queue}; see: kubectl nuptse queue ${queue}`);
  }

  #rootOf(queue: string): string | undefined {
    const placement = this.#world?.forest.placementOf(queue);
    return placement?.kind === "placed" ? placement.root : undefined;
  }

  #add(seat: Seat): void {
    this.#seats.set(seat.id, seat);
    getOrMake(this.#byQueue, seat.want.queue, () => new Set<Seat>()).add(seat);
  }

  #move(seat: Seat, want: WorkloadWant): void {
    seat.leave();
    this.#byQueue.get(seat.want.queue)?.delete(seat);
    seat.want = want;
    getOrMake(this.#byQueue, want.queue, () => new Set<Seat>()).add(seat);
  }

  #abandon(seat: Seat): void {
    seat.owner = undefined;
    this.#orphan(seat);
  }

  /** Nobody speaks for it: it has what pods of it exist, until they have ended. */
  #orphan(seat: Seat): void {
    seat.target = undefined;
    seat.reclaim = undefined;
    seat.want = { ...seat.want, wanted: seat.podCount, atWork: seat.podCount, recorded: 0, onReclaim: "Refuse" };
    this.#settle(seat);
    if (seat.podCount > 0) return;
    seat.leave();
    this.#seats.delete(seat.id);
    this.#byQueue.get(seat.want.queue)?.delete(seat);
    this.#told.delete(seat.id);
    this.#changed.delete(seat);
  }

  #settle(seat: Seat): void {
    const now = this.#options.now();
    const tree = this.#trees.of(seat.want.queue);
    if (seat.tree !== undefined && seat.tree !== tree) seat.leave();
    seat.refusal = seat.state === "admitted" ? undefined : this.#refusalOf(seat);
    if (seat.refusal !== undefined) seat.leave();
    else if (tree !== undefined) {
      if (seat.tree === undefined) seat.enter(tree);
      seat.settle(now);
    }
    this.#changed.add(seat);
    this.#options.onWork();
  }

  /** Why no queue takes it; what exists already is counted wherever it is. */
  #refusalOf(seat: Seat): AdmissionAnswer["waits"] {
    const { owner, want } = seat;
    const world = this.#world;
    if (owner === undefined || world === undefined || want.atWork > 0 || seat.podCount > 0) return undefined;
    const choice = this.queueFor(owner.namespace, want.queue);
    if (choice?.kind === "refused") return { reason: choice.reason, message: choice.message };
    const queue = world.objects.get(want.queue);
    if (queue === undefined) return { reason: queueRefusals.queueNotFound, message: `there is no TenantQueue ${want.queue}` };
    const problem = workloadProblems(
      { priority: want.priority, request: seat.request },
      queue,
      { queues: world.objects, complete: true },
      { priority: "queue.priority", request: "it" },
    )[0];
    if (problem === undefined) return undefined;
    const isPriority = problem.path === "queue.priority";
    return {
      reason: isPriority ? waitReasons.priorityTooHigh : waitReasons.neverFits,
      message: `${problem.path} ${problem.message}`,
      never: true,
    };
  }

  /** Those that found their queue full try again, the oldest first. */
  #retryRefused(): void {
    for (const [queue, seats] of this.#byQueue) {
      const limit = this.#world?.specs.get(queue)?.waitingLimit ?? Number.POSITIVE_INFINITY;
      if (limit === Number.POSITIVE_INFINITY) continue;
      const refused = [...seats].filter(({ submission }) => submission?.state === "Refused");
      refused.sort((left, right) => left.waitsSince - right.waitsSince || (left.id < right.id ? -1 : 1));
      for (const seat of refused) {
        this.#settle(seat);
        if (seat.submission?.state === "Refused") break;
      }
    }
  }
}

function sameWant(left: WorkloadWant, right: WorkloadWant): boolean {
  return (Object.keys(right) as (keyof WorkloadWant)[]).every((key) => left[key] === right[key]);
}

function orphanWant({ queue, request }: CountedPod): WorkloadWant {
  return {
    part: "",
    queue,
    priority: 0,
    since: 0,
    item: request ?? {},
    atLeast: 1,
    wanted: 0,
    atWork: 0,
    recorded: 0,
    onReclaim: "Refuse",
    promiseSeconds: Number.POSITIVE_INFINITY,
  };
}

function answerText({ allowed, waits, reclaim, pool }: AdmissionAnswer): string {
  return JSON.stringify([allowed, waits?.reason, reclaim, pool]);
}
