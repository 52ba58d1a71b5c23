import { getOrMake } from "../../../base/map.ts";
import type { AttemptPod } from "../attempt.ts";
import type { ObservedFleet, PlaceClaim } from "./observed-fleet.ts";

/** The places of one fleet that one plan may give to runs of its job, and what it leaves waiting. */
export class PlaceBudget {
  readonly #fleet: ObservedFleet | undefined;
  readonly #held = new Map<string, number>();
  readonly #wanted = new Map<string, number>();
  #heldInAll = 0;
  #since = Number.POSITIVE_INFINITY;

  constructor(fleet: ObservedFleet | undefined) {
    this.#fleet = fleet;
  }

  /** A task of the job is at work there, or about to be. */
  hold(instance: string): void {
    this.#held.set(instance, (this.#held.get(instance) ?? 0) + 1);
    this.#heldInAll++;
  }

  /** Places that are left to the job there; none when it is below 1. */
  left(instance: string): number {
    if (this.#fleet === undefined) return 0;
    return Math.min(this.#fleet.roomOn(instance) - (this.#held.get(instance) ?? 0), this.#fleet.room - this.#heldInAll);
  }

  /** An item waits for a place there; its run does since that instant. */
  want(instance: string, since: number): void {
    this.#wanted.set(instance, (this.#wanted.get(instance) ?? 0) + 1);
    this.#since = Math.min(this.#since, since);
  }

  claim(runner: string, priority: number): PlaceClaim {
    return { runner, held: this.#held, wanted: this.#wanted, priority, since: this.#since };
  }
}

/** The budgets of one plan: a fresh one for each fleet that the job uses, with what the job has at work there. */
export class PlaceBudgets {
  readonly #fleets: ReadonlyMap<string, ObservedFleet>;
  readonly #budgets = new Map<string, PlaceBudget>();

  constructor(fleets: ReadonlyMap<string, ObservedFleet>, attempts: readonly AttemptPod[]) {
    this.#fleets = fleets;
    // A job has a word with each of its fleets, if only to be told when it changes.
    for (const runner of fleets.keys()) this.of(runner);
    for (const { executor, end } of attempts)
      if (executor !== undefined && end === undefined) this.of(executor.runner).hold(executor.record.instance);
  }

  of(runner: string): PlaceBudget {
    return getOrMake(this.#budgets, runner, () => new PlaceBudget(this.#fleets.get(runner)));
  }

  claims(priority: number): readonly PlaceClaim[] {
    return [...this.#budgets].map(([runner, budget]) => budget.claim(runner, priority));
  }
}
