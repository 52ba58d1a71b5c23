import type { FoundFleet } from "../../api/fleet.ts";
import type { ObjectRef } from "../../api/meta.ts";
import { getOrMake } from "../../base/map.ts";
import { keyOf } from "../../runtime/controller.ts";
import { anywhere, type ObservedFleet, type PlaceClaim } from "../rules/resident/observed-fleet.ts";

/** A claim of one job, by whom to wake for it. */
interface Claimant {
  readonly job: ObjectRef;
  readonly claim: PlaceClaim;
}

/** All claims on one fleet, by the job's UID. */
interface FleetClaims {
  readonly all: Map<string, Claimant>;
  /** Those that wait for places. */
  readonly waiting: Map<string, Claimant>;
  /** Tasks at work, by instance. */
  readonly held: Map<string, number>;
}

type Rank = Pick<PlaceClaim, "priority" | "since">;

/**
 * The places of all fleets, and who has or wants them. Each job declares all that it has at work in a fleet and all that it waits for, at each
 * look; declaring twice changes nothing. Who comes first is a matter of priority, then of waiting longest; what those before wait for is kept
 * for them, on the instance that they wait for or on any. Nothing is given before what status says of all jobs has been declared.
 */
export class FleetPlaces {
  /** By fleet, "namespace/name". */
  readonly #fleets = new Map<string, FleetClaims>();
  /** By the job's UID. */
  readonly #fleetsOf = new Map<string, ReadonlySet<string>>();
  readonly #wake: (job: ObjectRef) => void;
  #isCounted = false;

  /** @param wake a job may find places that were not there before */
  constructor(wake: (job: ObjectRef) => void) {
    this.#wake = wake;
  }

  /** A new leader knows of nothing before all has been declared that status says. */
  beginTerm(): void {
    this.#fleets.clear();
    this.#fleetsOf.clear();
    this.#isCounted = false;
  }

  /** All has been declared that status says: from now on there are places to be given. */
  begin(): void {
    this.#isCounted = true;
    for (const { all } of this.#fleets.values()) for (const { job } of all.values()) this.#wake(job);
  }

  /** Whether there are places to be given. */
  get isCounted(): boolean {
    return this.#isCounted;
  }

  /** All claims of a job, in the place of those that it had. */
  declare(job: ObjectRef, uid: string, claims: readonly PlaceClaim[]): void {
    const named = new Map(claims.map((claim) => [keyOf({ ...job, name: claim.runner }), claim]));
    for (const fleet of this.#fleetsOf.get(uid) ?? []) if (!named.has(fleet)) this.#withdraw(fleet, uid);
    for (const [fleet, claim] of named) {
      const claimed = getOrMake(this.#fleets, fleet, () => ({ all: new Map(), waiting: new Map(), held: new Map() }));
      const before = claimed.all.get(uid);
      if (before !== undefined) take(claimed, before.claim, -1);
      take(claimed, claim, 1);
      const claimant = { job, claim };
      claimed.all.set(uid, claimant);
      if (claim.wanted.size > 0) claimed.waiting.set(uid, claimant);
      else claimed.waiting.delete(uid);
      if (before !== undefined) this.#wakeNext(claimed, uid, sizeOf(before.claim) - sizeOf(claim));
    }
    if (named.size === 0) this.#fleetsOf.delete(uid);
    else this.#fleetsOf.set(uid, new Set(named.keys()));
  }

  forget(uid: string): void {
    for (const fleet of this.#fleetsOf.get(uid) ?? []) this.#withdraw(fleet, uid);
    this.#fleetsOf.delete(uid);
  }

  /** A fleet has changed: whoever has to do with it looks at it again. */
  fleetChanged(fleet: ObjectRef): void {
    for (const { job } of this.#fleets.get(keyOf(fleet))?.all.values() ?? []) this.#wake(job);
  }

  /**
   * A fleet as a job sees it at this moment.
   * @param priority the job's, for as long as it has not said what it waits for: until then all that wait with the same one come before it
   */
  view(ref: ObjectRef, fleet: FoundFleet, uid: string, priority: number): ObservedFleet {
    const isCounted = this.#isCounted;
    if (typeof fleet === "string") return { fleet, isCounted, roomOn: () => 0, room: 0 };
    const claimed = this.#fleets.get(keyOf(ref));
    const own = claimed?.all.get(uid)?.claim;
    const before = claimsBefore(
      claimed,
      uid,
      own !== undefined && own.wanted.size > 0 ? own : { priority, since: Number.POSITIVE_INFINITY },
    );
    const { capacity } = fleet.executor;
    const roomOn = (instance: string) => {
      const byOthers = (claimed?.held.get(instance) ?? 0) - (own?.held.get(instance) ?? 0);
      return Math.max(0, capacity - byOthers - (before.get(instance) ?? 0));
    };
    const ready = new Set(fleet.instances.flatMap(({ id, isReady, isOver }) => (isReady && !isOver ? [id] : [])));
    let room = -(before.get(anywhere) ?? 0);
    for (const id of ready) room += roomOn(id);
    // What it has elsewhere takes nothing away here.
    for (const [id, count] of own?.held ?? []) if (!ready.has(id)) room += count;
    return { fleet, isCounted, roomOn, room };
  }

  #withdraw(fleet: string, uid: string): void {
    const claimed = this.#fleets.get(fleet);
    const claim = claimed?.all.get(uid)?.claim;
    if (claimed === undefined || claim === undefined) return;
    take(claimed, claim, -1);
    claimed.all.delete(uid);
    claimed.waiting.delete(uid);
    if (claimed.all.size === 0) this.#fleets.delete(fleet);
    else this.#wakeNext(claimed, uid, sizeOf(claim));
  }

  /** The first of those that wait, as many as there are places: they look again, and take what is theirs. */
  #wakeNext({ waiting }: FleetClaims, except: string, places: number): void {
    if (places <= 0 || waiting.size === 0) return;
    const others = [...waiting].filter(([uid]) => uid !== except);
    others.sort(([left, { claim: first }], [right, { claim: second }]) => (comesBefore(first, left, second, right) ? -1 : 1));
    for (const [, { job }] of others.slice(0, places)) this.#wake(job);
  }
}

function take({ held }: FleetClaims, claim: PlaceClaim, sign: 1 | -1): void {
  for (const [instance, count] of claim.held) {
    const now = (held.get(instance) ?? 0) + sign * count;
    if (now === 0) held.delete(instance);
    else held.set(instance, now);
  }
}

/** What those wait for that come before, by instance. */
function claimsBefore(claimed: FleetClaims | undefined, uid: string, rank: Rank): ReadonlyMap<string, number> {
  const wanted = new Map<string, number>();
  for (const [other, { claim }] of claimed?.waiting ?? []) {
    if (other === uid || !comesBefore(claim, other, rank, uid)) continue;
    for (const [instance, count] of claim.wanted) wanted.set(instance, (wanted.get(instance) ?? 0) + count);
  }
  return wanted;
}

/** Everything that a claim keeps from others. */
const sizeOf = ({ held, wanted }: PlaceClaim): number => sum(held) + sum(wanted);

function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}

/** Higher priority, then longer waiting, then the lower UID. */
function comesBefore(left: Rank, leftUid: string, right: Rank, rightUid: string): boolean {
  if (left.priority !== right.priority) return left.priority > right.priority;
  if (left.since !== right.since) return left.since < right.since;
  return leftUid < rightUid;
}
