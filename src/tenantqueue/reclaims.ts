/**
 * Reclaim, asked for and never forced (tenantqueue.md section 4). One record per request, a union of states:
 *
 *   Requested     asked; the donor's owner has not looked since
 *   Acknowledged  its owner has seen it, and gives back in the way that was agreed to
 *   Released      given back; the end
 *   Declined      the owner refused; it is not asked again during its cool-off; the end
 *   Withdrawn     the claimant has what it wanted, or is gone; the end
 *
 * A request that is open past its deadline is overdue: its queue is frozen and owes what was not given back. Records stand in the status of the
 * donor's queue (decision 25), and a new leader takes them up from there.
 */
import type { TenantQueue, TenantQueueStatusCoolOff, TenantQueueStatusDebt, TenantQueueStatusReclaim } from "../api/tenant-queue.gen.ts";
import { shortHash } from "../base/hash.ts";
import { formatSeconds, parseTime } from "../base/time.ts";
import { addResources, formatResources, parseResources, type ResourceVector } from "../quota/resource-vector.ts";
import type { ReclaimAsk } from "../quota/workload-spec.ts";
import type { Ledger, StandingAsk } from "./ledger.ts";
import { isOpen } from "./rules/conditions.ts";
import type { Seat } from "./seat.ts";

/** One request. Instants in milliseconds. */
export interface ReclaimRecord {
  readonly id: string;
  /** The workload that is asked, and its queue. */
  readonly donor: string;
  readonly queue: string;
  /** The workload for which it is asked, and its queue; without a workload a queue drains itself. */
  readonly claimant: string | undefined;
  readonly claimantQueue: string;
  /** Items that the donor is to have at most. */
  readonly target: number;
  readonly resources: ResourceVector;
  readonly requestedAt: number;
  deadline: number;
  state: TenantQueueStatusReclaim["state"];
  updatedAt: number;
  isOverdue: boolean;
}

export interface ReclaimsOptions {
  readonly ledger: Ledger;
  readonly now: () => number;
  readonly onState: (record: ReclaimRecord) => void;
}

/** Ended records are told for a while. */
const rememberedMs = 600_000;
const mostRequestsATick = 200;

interface CoolOff {
  readonly until: number;
  readonly donor: string;
  readonly queue: string;
}

interface Debt {
  readonly id: string;
  readonly queue: string;
  readonly resources: ResourceVector;
  until: number;
}

/** All requests of a term. */
export class Reclaims {
  readonly #options: ReclaimsOptions;
  readonly #records = new Map<string, ReclaimRecord>();
  readonly #coolOffs = new Map<string, CoolOff>();
  readonly #debts = new Map<string, Debt>();
  readonly #frozen = new Set<string>();

  constructor(options: ReclaimsOptions) {
    this.#options = options;
  }

  /** Those of which a queue's status tells. */
  of(queue: string): {
    readonly reclaims: readonly TenantQueueStatusReclaim[];
    readonly debts: readonly TenantQueueStatusDebt[];
    readonly coolOffs: readonly TenantQueueStatusCoolOff[];
  } {
    const reclaims = [...this.#records.values()].filter((record) => record.queue === queue).map((record) => this.#told(record));
    const debts = [...this.#debts.values()]
      .filter((debt) => debt.queue === queue)
      .map(({ id, resources, until }) => ({ id, resources: formatResources(resources), until: formatSeconds(until) }));
    const coolOffs = [...this.#coolOffs.values()]
      .filter((coolOff) => coolOff.queue === queue)
      .map(({ donor, until }) => ({ ...this.#nameOf(donor), uid: donor, until: formatSeconds(until) }));
    return { reclaims, debts, coolOffs };
  }

  /** Open requests for a workload that waits. */
  for(claimant: string): readonly ReclaimRecord[] {
    return [...this.#records.values()].filter((record) => record.claimant === claimant && isOpen(record.state));
  }

  /** To be called before owners declare what they have: what they are asked for in the status of queues they shall not fill up meanwhile. */
  beginTerm(queues: Iterable<TenantQueue>): void {
    const open = recordsOf(queues).filter(({ state }) => isOpen(state));
    this.#options.ledger.expect(new Map(open.map((record) => [record.donor, askOf(record)])));
  }

  /** Takes up what stands in the status of queues, in the order in which it was asked; owners have declared what they have. */
  takeUp(queues: Iterable<TenantQueue>): void {
    const { ledger } = this.#options;
    const now = this.#options.now();
    // Whoever led before may have had another clock: nothing lasts longer than it could if it began now.
    const bounded = (queue: string, instant: number) => Math.min(instant, now + this.#graceMs(queue));
    const records = recordsOf(queues);
    ledger.endExpectations();
    records.sort((left, right) => left.requestedAt - right.requestedAt || (left.id < right.id ? -1 : 1));
    const asks = new Map<string, ReclaimAsk[]>();
    for (const record of records) {
      if (!isOpen(record.state)) continue;
      record.deadline = bounded(record.queue, record.deadline);
      this.#records.set(record.id, record);
      const seat = ledger.seat(record.donor);
      if (seat === undefined || seat.held === 0) continue;
      this.#ask(seat, record);
      if (record.claimant === undefined) continue;
      const list = asks.get(record.claimant) ?? [];
      asks.set(record.claimant, list);
      const steps = record.target === 0 ? {} : { steps: Math.max(1, seat.held - record.target) };
      list.push({ workload: record.donor, queue: record.queue, ...steps, amount: record.resources });
    }
    for (const [claimant, list] of asks) {
      const seat = ledger.seat(claimant);
      if (seat?.isWaiting === true) seat.tree?.openClaim({ claimant, asks: list });
    }
    for (const queue of queues) {
      for (const { uid, until } of queue.status?.coolOffs ?? [])
        this.#coolOffs.set(uid, { donor: uid, queue: queue.metadata.name, until: bounded(queue.metadata.name, parseTime(until) ?? 0) });
      for (const { id, resources, until } of queue.status?.debts ?? [])
        this.#debts.set(id, {
          id,
          queue: queue.metadata.name,
          resources: parseResources(resources ?? {}, "Up"),
          until: bounded(queue.metadata.name, parseTime(until) ?? 0),
        });
    }
  }

  /** The owner of a workload will not give back. */
  decline(donor: string): void {
    const now = this.#options.now();
    for (const record of this.#records.values()) {
      if (record.donor !== donor || !isOpen(record.state)) continue;
      const graceMs = this.#graceMs(record.queue);
      this.#coolOffs.set(donor, { donor, queue: record.queue, until: now + graceMs });
      this.#end(record, "Declined");
      const seat = record.claimant === undefined ? undefined : this.#options.ledger.seat(record.claimant);
      if (record.claimant !== undefined) seat?.tree?.closeClaim(record.claimant);
      for (const other of this.#records.values())
        if (other.claimant === record.claimant && record.claimant !== undefined && isOpen(other.state)) this.#end(other, "Withdrawn");
    }
  }

  /** Sees what has become of open requests, and asks anew where somebody is below a guarantee. Returns the next instant that matters. */
  step(): number {
    const now = this.#options.now();
    this.#follow(now);
    this.#drain(now);
    this.#askAnew(now);
    this.#settleDebts(now);
    let next = Number.POSITIVE_INFINITY;
    for (const record of this.#records.values()) if (isOpen(record.state) && !record.isOverdue) next = Math.min(next, record.deadline);
    for (const { until } of [...this.#debts.values(), ...this.#coolOffs.values()]) next = Math.min(next, until);
    return next;
  }

  #follow(now: number): void {
    const { ledger } = this.#options;
    for (const record of [...this.#records.values()]) {
      if (!isOpen(record.state)) {
        if (record.updatedAt + rememberedMs < now) this.#records.delete(record.id);
        continue;
      }
      const donor = ledger.seat(record.donor);
      const claimant = record.claimant === undefined ? undefined : ledger.seat(record.claimant);
      if (donor === undefined || donor.held <= record.target) this.#end(record, "Released");
      else if (record.claimant !== undefined && claimant?.isWaiting !== true) this.#end(record, "Withdrawn");
      else if (record.claimant === undefined && !this.#drains(record.queue)) this.#end(record, "Withdrawn");
      else if (record.state === "Requested" && donor.answered) this.#move(record, "Acknowledged");
      if (isOpen(record.state) && record.deadline <= now && !record.isOverdue) {
        record.isOverdue = true;
        this.#options.onState(record);
      }
    }
  }

  #askAnew(now: number): void {
    const { ledger } = this.#options;
    const isExcluded = (donor: string): boolean =>
      (this.#coolOffs.get(donor)?.until ?? 0) > now || ledger.seat(donor)?.target !== undefined;
    let asked = 0;
    for (const tree of ledger.trees.values()) {
      while (asked < mostRequestsATick) {
        const reclaim = tree.nextReclaim(isExcluded);
        if (reclaim === undefined) break;
        tree.openClaim(reclaim);
        for (const ask of reclaim.asks) this.#open(ask, reclaim.claimant, ledger.seat(reclaim.claimant)?.want.queue ?? "", now);
        asked++;
      }
    }
  }

  /** A queue that is to be drained asks all that may be asked, and for nobody. */
  #drain(now: number): void {
    const { ledger } = this.#options;
    for (const { name } of ledger.world?.specs.values() ?? []) {
      if (!this.#drains(name)) continue;
      for (const seat of ledger.seatsOf(name)) {
        if (seat.held === 0 || seat.target !== undefined || seat.want.onReclaim === "Refuse") continue;
        if ((this.#coolOffs.get(seat.id)?.until ?? 0) > now) continue;
        const amount = Object.fromEntries(Object.entries(seat.item).map(([resource, units]) => [resource, units * seat.held]));
        this.#open({ workload: seat.id, queue: name, amount }, undefined, name, now);
      }
    }
  }

  #drains(queue: string): boolean {
    return this.#options.ledger.world?.forest.stopPolicyOf(queue) === "HoldAndDrain";
  }

  #open(ask: ReclaimAsk, claimant: string | undefined, claimantQueue: string, now: number): void {
    const seat = this.#options.ledger.seat(ask.workload) as Seat;
    const record: ReclaimRecord = {
      id: shortHash(`${claimant ?? "drain"} ${ask.workload}`, 12),
      donor: ask.workload,
      queue: ask.queue,
      claimant,
      claimantQueue,
      target: ask.steps === undefined ? 0 : Math.max(0, seat.held - ask.steps),
      resources: ask.amount,
      requestedAt: now,
      deadline: now + this.#graceMs(ask.queue),
      state: "Requested",
      updatedAt: now,
      isOverdue: false,
    };
    this.#records.set(record.id, record);
    this.#ask(seat, record);
    this.#options.onState(record);
  }

  #ask(seat: Seat, record: ReclaimRecord): void {
    seat.answered = false;
    Object.assign(seat, askOf(record));
    this.#options.ledger.touch(seat);
  }

  #end(record: ReclaimRecord, state: ReclaimRecord["state"]): void {
    this.#move(record, state);
    const seat = this.#options.ledger.seat(record.donor);
    if (seat === undefined) return;
    seat.target = undefined;
    seat.reclaim = undefined;
    this.#options.ledger.touch(seat);
  }

  #move(record: ReclaimRecord, state: ReclaimRecord["state"]): void {
    record.state = state;
    record.updatedAt = this.#options.now();
    this.#options.onState(record);
  }

  /** What is overdue freezes its queue, and is owed; a debt lasts as long as the request is open, and a grace time more. */
  #settleDebts(now: number): void {
    const { ledger } = this.#options;
    const frozen = new Set<string>();
    for (const record of this.#records.values()) {
      if (!isOpen(record.state) || !record.isOverdue) continue;
      frozen.add(record.queue);
      const until = now + this.#graceMs(record.queue);
      this.#debts.set(record.id, { id: record.id, queue: record.queue, resources: record.resources, until });
    }
    const owed = new Map<string, ResourceVector>();
    for (const debt of [...this.#debts.values()]) {
      if (debt.until <= now) this.#debts.delete(debt.id);
      owed.set(debt.queue, debt.until <= now ? (owed.get(debt.queue) ?? {}) : addResources(owed.get(debt.queue) ?? {}, debt.resources));
    }
    for (const [donor, { until }] of [...this.#coolOffs]) if (until <= now) this.#coolOffs.delete(donor);
    for (const [queue, debt] of owed) ledger.treeOf(queue)?.setDebt(queue, debt);
    for (const queue of new Set([...frozen, ...this.#frozen])) ledger.treeOf(queue)?.setFrozen(queue, frozen.has(queue));
    this.#frozen.clear();
    for (const queue of frozen) this.#frozen.add(queue);
  }

  #graceMs(queue: string): number {
    return this.#options.ledger.world?.specs.get(queue)?.reclaimGraceMs ?? 600_000;
  }

  #told(record: ReclaimRecord): TenantQueueStatusReclaim {
    return {
      id: record.id,
      state: record.state,
      workload: { ...this.#nameOf(record.donor), uid: record.donor },
      claimant: { queue: record.claimantQueue, ...(record.claimant !== undefined && { uid: record.claimant }) },
      resources: formatResources(record.resources),
      target: record.target,
      requestedAt: formatSeconds(record.requestedAt),
      deadline: formatSeconds(record.deadline),
      updatedAt: formatSeconds(record.updatedAt),
    };
  }

  #nameOf(id: string): { readonly kind?: string; readonly namespace?: string; readonly name?: string; readonly run?: string } {
    const owner = this.#options.ledger.seat(id)?.owner;
    if (owner === undefined) return {};
    const { kind, namespace, name } = owner;
    const run = id.slice(owner.uid.length + 1);
    return { kind, namespace, name, ...(kind === "ElasticJob" && { run }) };
  }
}

function askOf({ target, claimantQueue, deadline }: ReclaimRecord): StandingAsk {
  return { target, reclaim: { claimant: claimantQueue, deadline } };
}

function recordsOf(queues: Iterable<TenantQueue>): ReclaimRecord[] {
  return [...queues].flatMap((queue) => (queue.status?.reclaims ?? []).flatMap((stored) => readRecord(queue, stored) ?? []));
}

function readRecord({ metadata }: TenantQueue, stored: TenantQueueStatusReclaim): ReclaimRecord | undefined {
  const donor = stored.workload?.uid;
  if (donor === undefined) return undefined;
  const requestedAt = parseTime(stored.requestedAt) ?? 0;
  return {
    id: stored.id,
    donor,
    queue: metadata.name,
    claimant: stored.claimant?.uid,
    claimantQueue: stored.claimant?.queue ?? metadata.name,
    target: stored.target ?? 0,
    resources: parseResources(stored.resources ?? {}, "Up"),
    requestedAt,
    deadline: parseTime(stored.deadline) ?? requestedAt,
    state: stored.state,
    updatedAt: parseTime(stored.updatedAt) ?? requestedAt,
    isOverdue: false,
  };
}
