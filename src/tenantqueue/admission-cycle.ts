import type { Clock, Timer } from "../base/clock.ts";
import type { Ledger } from "./ledger.ts";
import type { Reclaims } from "./reclaims.ts";
import type { World } from "./world.ts";

export interface AdmissionCycleOptions {
  readonly ledger: Ledger;
  readonly reclaims: Reclaims;
  readonly clock: Clock;
  /** Reads queues, nodes and foreign pods as they are now. */
  readonly readWorld: () => World;
  /** Whether there is, or was, a queue at all; until then nothing runs. */
  readonly isNeeded: () => boolean;
  /** Whether anything may be decided in this very moment (decision 61). */
  readonly mayDecide: () => boolean;
  /** Something was decided, or the world has changed: what is told of queues may be old. */
  readonly onDecided: () => void;
  /** Told once, when the first world is read and before anything is decided. */
  readonly onBegin: () => void;
}

/** What came within so long is decided together, in the exact order of one at a time. */
const gatheringMs = 5;
/** Nodes and foreign pods change all the time. */
const worldIntervalMs = 1000;
/** The search for reclaims looks at all work. */
const reclaimIntervalMs = 500;
/** A take-over may find the last decisions of the leader before still on their way (decision 61). */
const beginAfterMs = 2000;
const fencedWaitMs = 1000;
/** Decisions before others get their turn in this process. */
const batch = 2000;

/**
 * The admission cycle: gathers what has changed, brings the trees up to date, decides on what waits in the exact order, and tells the owners.
 * One timer; nothing runs while nothing changes.
 */
export class AdmissionCycle {
  readonly #options: AdmissionCycleOptions;
  #begun = false;
  #active = false;
  #notBefore = 0;
  #isWorldOld = true;
  #areQueuesNew = true;
  #worldReadAt = Number.NEGATIVE_INFINITY;
  #reclaimsAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(options: AdmissionCycleOptions) {
    this.#options = options;
  }

  /** This process leads, and every owner has declared what it has. */
  begin(): void {
    this.#active = true;
    this.#notBefore = this.#options.clock.monotonic() + beginAfterMs;
    this.#wake(beginAfterMs);
  }

  /** Whether what waits has been decided on. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Workloads have changed. */
  work(): void {
    this.#wake(gatheringMs);
  }

  /** Queues have changed: nobody waits longer for that than for any other decision. */
  queuesChanged(): void {
    this.#isWorldOld = true;
    this.#areQueuesNew = true;
    this.#worldReadAt = Number.NEGATIVE_INFINITY;
    this.#wake(gatheringMs);
  }

  /** Nodes or foreign pods have changed. */
  nodesChanged(): void {
    if (this.#isWorldOld) return;
    this.#isWorldOld = true;
    this.#wake(Math.max(gatheringMs, this.#worldReadAt + worldIntervalMs - this.#options.clock.monotonic()));
  }

  #wake(afterMs: number): void {
    const { clock, isNeeded } = this.#options;
    if (!this.#active || !isNeeded()) return;
    const now = clock.monotonic();
    const dueAt = Math.max(now + afterMs, this.#notBefore);
    if (dueAt >= this.#dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = clock.after(dueAt - now, () => this.#tick());
  }

  #tick(): void {
    const { ledger, reclaims, clock, readWorld, mayDecide, onDecided, onBegin } = this.#options;
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#timer = undefined;
    if (!this.#active) return;
    if (!mayDecide()) {
      this.#wake(fencedWaitMs);
      return;
    }
    const now = clock.monotonic();
    if (this.#isWorldOld && now - this.#worldReadAt >= worldIntervalMs) {
      this.#isWorldOld = false;
      this.#worldReadAt = now;
      ledger.follow(readWorld(), this.#areQueuesNew);
      this.#areQueuesNew = false;
    } else if (this.#isWorldOld) this.#wake(this.#worldReadAt + worldIntervalMs - now);
    if (!this.#begun) {
      this.#begun = true;
      onBegin();
    }
    const decided = ledger.decide(batch);
    if (decided >= batch) this.#wake(0);
    else if (now - this.#reclaimsAt >= reclaimIntervalMs) {
      this.#reclaimsAt = now;
      const next = reclaims.step();
      if (next < Number.POSITIVE_INFINITY) this.#wake(Math.max(gatheringMs, next - clock.now()));
    } else this.#wake(this.#reclaimsAt + reclaimIntervalMs - now);
    ledger.tell();
    onDecided();
  }
}
