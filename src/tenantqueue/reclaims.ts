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
import type { WorkloadOwner } from "../api/admission.ts";
import { shortHash } from "../base/hash.ts";
import { formatSeconds, parseTime } from "../base/time.ts";
import { addResources, formatResources, parseResources, type ResourceVector } from "../quota/resource-vector.ts";
import type { ReclaimAsk } from "../quota/workload-spec.ts";
import type { Ledger, StandingAsk } from "./ledger.ts";
import { type ToldWorkload, toldWorkload } from "./rules/told-workload.ts";
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
  /** How status tells of the two. */
  readonly toldDonor: ToldWorkload;
  readonly toldClaimant: ToldWorkload | undefined;
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
  /** The UID of a namespace; undefined while it is not known. */
  readonly namespaceUid: (name: string) => string | undefined;
  readonly onState: (record: ReclaimRecord) => void;
}

/** Ended records are told for a while. */
const rememberedMs = 600_000;
const mostRequestsATick = 200;

interface CoolOff {
  readonly until: number;
  readonly donor: string;
  readonly told: ToldWorkload;
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
      .filter((coolOff) => coolOff.queue === queue && coolOff.told.ref !== "")
      .map(({ told, until }) => ({ ...told, until: formatSeconds(until) }));
    return { reclaims, debts, coolOffs };
  }

  /** Open requests for a workload that waits. */
  for(claimant: string): readonly ReclaimRecord[] {
    return [...this.#records.values()].filter((record) => record.claimant === claimant && isOpen(record.state));
  }

  /** To be called before owners declare what they have: what they are asked for in the status of queues they shall not fill up meanwhile. */
  beginTerm(queues: Iterable<TenantQueue>): void {
    const open = recordsOf([...queues], toldKey).filter(({ state }) => isOpen(state));
    const asks = new Map(open.map((record) => [record.donor, askOf(record)]));
    // Their ids are not known before their owners are.
    if (asks.size > 0) this.#options.ledger.expect((owner, part) => asks.get(toldKey(this.#toldOfOwner(owner, part))));
  }

  /** Takes up what stands in the status of queues, in the order in which it was asked; owners have declared what they have. */
  takeUp(queues: Iterable<TenantQueue>): void {
    const { ledger } = this.#options;
    const now = this.#options.now();
    // Whoever led before may have had another clock: nothing lasts longer than it could if it began now.
    const bounded = (queue: string, instant: number) => Math.min(instant, now + this.#graceMs(queue));
    ledger.endExpectations();
    const all = [...queues];
    const idOf = this.#idsOf(all);
    const records = recordsOf(all, idOf);
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
    for (const queue of all) {
      for (const { until, ...told } of queue.status?.coolOffs ?? []) {
        const donor = idOf(told);
        const { name } = queue.metadata;
        this.#coolOffs.set(donor, { donor, told, queue: name, until: bounded(name, parseTime(until) ?? 0) });
      }
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
      this.#coolOffs.set(donor, { donor, told: record.toldDonor, queue: record.queue, until: now + graceMs });
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
      toldDonor: this.#toldOf(ask.workload),
      toldClaimant: claimant === undefined ? undefined : this.#toldOf(claimant),
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
      workload: record.toldDonor,
      claimant: { queue: record.claimantQueue, ...record.toldClaimant },
      resources: formatResources(record.resources),
      target: record.target,
      requestedAt: formatSeconds(record.requestedAt),
      deadline: formatSeconds(record.deadline),
      updatedAt: formatSeconds(record.updatedAt),
    };
  }

  #toldOf(id: string): ToldWorkload {
    const owner = this.#options.ledger.seat(id)?.owner;
    return owner === undefined ? { ref: "", part: "" } : this.#toldOfOwner(owner, id.slice(owner.uid.length + 1));
  }

  #toldOfOwner(owner: WorkloadOwner, part: string): ToldWorkload {
    return toldWorkload(owner, part, this.#options.namespaceUid(owner.namespace));
  }

  /** Finds the workloads again that statuses tell of. One that is gone has a name that no workload has: its request ends as Released. */
  #idsOf(queues: readonly TenantQueue[]): (told: Partial<ToldWorkload>) => string {
    const isTold = queues.some(({ status }) => (status?.reclaims ?? []).length + (status?.coolOffs ?? []).length > 0);
    const known = new Map<string, string>();
    if (isTold)
      for (const { id, owner } of this.#options.ledger.seats()) {
        if (owner === undefined) continue;
        const told = this.#toldOfOwner(owner, id.slice(owner.uid.length + 1));
        if (told.ref !== "") known.set(toldKey(told), id);
      }
    return (told) => known.get(toldKey(told)) ?? toldKey(told);
  }
}

function askOf({ target, claimantQueue, deadline }: ReclaimRecord): StandingAsk {
  return { target, reclaim: { claimant: claimantQueue, deadline } };
}

const toldKey = ({ ref, part }: Partial<ToldWorkload>): string => `${ref ?? ""}/${part ?? ""}`;

function recordsOf(queues: readonly TenantQueue[], idOf: (told: Partial<ToldWorkload>) => string): ReclaimRecord[] {
  return queues.flatMap((queue) => (queue.status?.reclaims ?? []).flatMap((stored) => readRecord(queue, stored, idOf) ?? []));
}

function readRecord(
  { metadata }: TenantQueue,
  stored: TenantQueueStatusReclaim,
  idOf: (told: Partial<ToldWorkload>) => string,
): ReclaimRecord | undefined {
  const { workload, claimant } = stored;
  if (workload === undefined) return undefined;
  const requestedAt = parseTime(stored.requestedAt) ?? 0;
  const { queue: claimantQueue, ...toldClaimant } = claimant ?? {};
  return {
    id: stored.id,
    donor: idOf(workload),
    queue: metadata.name,
    claimant: claimant?.ref === undefined ? undefined : idOf(claimant),
    claimantQueue: claimantQueue ?? metadata.name,
    toldDonor: toldOf(workload),
    toldClaimant: claimant?.ref === undefined ? undefined : toldOf(toldClaimant),
    target: stored.target ?? 0,
    resources: parseResources(stored.resources ?? {}, "Up"),
    requestedAt,
    deadline: parseTime(stored.deadline) ?? requestedAt,
    state: stored.state,
    updatedAt: parseTime(stored.updatedAt) ?? requestedAt,
    isOverdue: false,
  };
}

const toldOf = ({ kind, ref = "", part = "" }: Partial<ToldWorkload>): ToldWorkload => ({ ...(kind !== undefined && { kind }), ref, part });
