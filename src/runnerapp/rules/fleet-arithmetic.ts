/**
 * Instances of one side of a roll-out: those of the revision that is rolled out, or all others. Counted are instances that exist, have not
 * ended and are not being deleted.
 */
export interface Side {
  readonly living: number;
  /** Living ones that have been ready for minReadySeconds. */
  readonly available: number;
  /** Ready ones that are to be replaced by one like them, within the budgets: restarts. */
  readonly due: number;
}

export interface FleetNumbers {
  /** Instances that are wanted. */
  readonly replicas: number;
  /** How many of them are to have the revision that is rolled out; `replicas` when all of them. */
  readonly target: number;
  /** What may be made besides now: what moves have taken of the surge is off. */
  readonly maxSurge: number;
  /** replicas and all of the surge, whoever has it. */
  readonly mostLiving: number;
  readonly maxUnavailable: number;
  /** There is something to protect from the revision that is rolled out: another one that all instances had, or instances of others. */
  readonly rolling: boolean;
  /** Instances of the stable revision can be made. */
  readonly heals: boolean;
  readonly update: Side;
  readonly others: Side;
  /** Instances of neither side any more, which take their places until they have been drained and are deleted. */
  readonly draining: number;
  /** Instances that may be created now at most: what a queue leaves. Infinity = no limit. */
  readonly mayCreate: number;
}

/** What is done now. What is left of it comes when something has changed. */
export interface FleetSteps {
  readonly create: { readonly update: number; readonly stable: number };
  /** Surplus ones that are removed, by side; those that are not available go first. */
  readonly remove: { readonly update: Removal; readonly others: Removal };
  /** Instances of the revision that is rolled out that are wanted now, and are neither there nor created: others may become them in place. */
  readonly short: number;
  /** Besides: so many of `due` of both sides that are not removed as surplus. */
  readonly due: number;
}

export interface Removal {
  readonly unavailable: number;
  readonly available: number;
}

/**
 * The one arithmetic of scaling, roll-outs, canaries, surge and unavailability. Everything that takes instances out of service or adds them
 * draws on the same two pools, so that a roll-out, a restart and a move at once never take more than one of them would. A move (evacuation.ts) is a
 * pair that counts as one instance here, and what it adds is taken off maxSurge.
 *
 * 1. **How many new ones now.** The window: new instances are never more than those of them that are available, plus both pools. Broken new
 *    ones block the roll-out by themselves. Without anything to protect there is no window.
 * 2. **What is created**: what is missing of either side, as long as no more than replicas + maxSurge live. Instances of the stable revision are
 *    healed as far as the new ones do not yet carry replicas - maxUnavailable (a Deployment's old ReplicaSet keeps its size until then, too).
 * 3. **What is removed**: surplus that is not available goes at any time, unless it would have to be healed again; surplus that is available
 *    goes while more than replicas - maxUnavailable are available without it. What is still too much then, since the fleet shrinks around a change
 *    that does not serve, are the new ones that do not.
 * 4. **What is replaced**: restarts take what is left of that budget.
 *
 * Source of 1: kube-sharding's rolling window (pkg/rollalgorithm); of 3: Deployment's maxScaledDown (k8s.io/kubernetes
 * pkg/controller/deployment/rolling.go).
 */
export function fleetSteps(numbers: FleetNumbers): FleetSteps {
  const { replicas, maxSurge, maxUnavailable, rolling, update, others } = numbers;
  const target = Math.min(numbers.target, replicas);
  const living = update.living + others.living;
  const leastAvailable = Math.max(0, replicas - maxUnavailable);
  let available = update.available + others.available;

  const window = rolling ? update.available + maxUnavailable + maxSurge : Number.POSITIVE_INFINITY;
  const updatedNow = update.living >= target ? target : Math.max(update.living, Math.min(target, window));
  const room = clamp(replicas + maxSurge - living - numbers.draining, 0, numbers.mayCreate);
  const createUpdate = clamp(updatedNow - lasting(update), 0, room);

  const carried = rolling && numbers.heals ? leastAvailable - update.available : 0;
  const othersNow = Math.max(replicas - updatedNow, carried);
  // Those that leave are replaced by new ones where these come anyway, be it when there is room: one move, not two.
  const staying = updatedNow > lasting(update) ? others.living : lasting(others);
  const createStable = numbers.heals ? clamp(othersNow - staying, 0, room - createUpdate) : 0;

  const surplus = Math.max(0, others.living - (replicas - updatedNow));
  const healed = rolling ? others.living + update.available - leastAvailable : surplus;
  // What comes in the place of those that are due, or would have to be healed again, is no surplus.
  const idle = Math.min(surplus, healed, staying - othersNow);
  const unavailableOthers = clamp(idle, 0, others.living - others.available);
  const availableOthers = clamp(surplus - unavailableOthers, 0, Math.min(others.available, available - leastAvailable));
  available -= availableOthers;

  const excess = Math.max(0, lasting(update) - updatedNow);
  const unavailableUpdate = Math.min(excess, Math.max(0, update.living - update.available));
  const availableUpdate = clamp(excess - unavailableUpdate, 0, Math.min(update.available, available - leastAvailable));
  available -= availableUpdate;

  const left = living - unavailableOthers - availableOthers - unavailableUpdate - availableUpdate;
  const stuck = clamp(left - numbers.mostLiving, 0, Math.max(0, update.living - update.available - unavailableUpdate));

  const due = clamp(available - leastAvailable, 0, update.due + others.due);
  return {
    create: { update: createUpdate, stable: createStable },
    remove: {
      update: { unavailable: unavailableUpdate + stuck, available: availableUpdate },
      others: { unavailable: unavailableOthers, available: availableOthers },
    },
    due,
    short: Math.max(0, updatedNow - lasting(update) - createUpdate),
  };
}

/**
 * How many of `replicas` get a change whose share is given: rounded up; at least 1 for a share above nothing, and at most all but one for a share
 * below all of them.
 */
export function canaryTarget(replicas: number, share: number | string): number {
  const all = isWhole(share, replicas);
  if (all || replicas === 0) return replicas;
  const wanted = scaled(share, replicas, Math.ceil);
  return wanted <= 0 ? 0 : Math.min(Math.max(1, wanted), Math.max(1, replicas - 1));
}

/** maxSurge is rounded up and maxUnavailable down; both 0 would never change anything, so then 1 may be unavailable (as a Deployment has it). */
export function budgets(
  replicas: number,
  maxSurge: number | string,
  maxUnavailable: number | string,
): { readonly maxSurge: number; readonly maxUnavailable: number } {
  const surge = scaled(maxSurge, replicas, Math.ceil);
  const unavailable = Math.min(scaled(maxUnavailable, replicas, Math.floor), replicas);
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** A number, or a share of whole percent. */
export function scaled(value: number | string, total: number, round: (exact: number) => number): number {
  if (typeof value === "number") return value;
  const percent = Number.parseInt(value, 10);
  // Whole numbers are divided once, so that 29 % of 100 are 29.
  return Number.isNaN(percent) ? 0 : round((percent * total) / 100);
}

const isWhole = (share: number | string, replicas: number): boolean =>
  typeof share === "number" ? share >= replicas : Number.parseInt(share, 10) >= 100;

/** Those that are not to be replaced. */
const lasting = ({ living, due }: Side): number => living - due;

const clamp = (value: number, least: number, most: number): number => Math.max(least, Math.min(value, most));
