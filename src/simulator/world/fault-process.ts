import { type Clock, sleepWith, type Timer } from "../../base/clock.ts";
import type { Transport } from "../../kube/transport.ts";
import type { CrashSignal, Faults } from "./faults.ts";
import { FaultyTransport } from "./faulty-transport.ts";

/** One instance of the operator, as far as faults concern it. A restart is a new process. */
export interface FaultProcess {
  readonly name: string;
  /** Its transport to the API server, to be used for everything that it does. */
  readonly transport: Transport;
  /** Its clock: it may be off, and it stands still while the process is paused, but for monotonic and wall time. */
  readonly clock: Clock;
  /** Whether a crash ended it. */
  readonly dead: boolean;
  /** How many writes it sent. */
  readonly writes: number;
  /** When its clock was last set, by the world's time. */
  readonly clockSetAt: number;
  /** Stands still for so long. */
  pause(durationMs: number): void;
  setClockOffset(offsetMs: number): void;
}

/** A new process in front of `inner`. `onCrash` is called in the turn of the crash, before the request that crashed fails. */
export function createFaultProcess(faults: Faults, name: string, inner: Transport, onCrash: (signal: CrashSignal) => void): FaultProcess {
  return new Process(faults, name, inner, onCrash);
}

class Process implements FaultProcess {
  readonly name: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly #faulty: FaultyTransport;
  readonly #world: Clock;
  #offsetMs = 0;
  #clockSetAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(faults: Faults, name: string, inner: Transport, onCrash: (signal: CrashSignal) => void) {
    this.name = name;
    this.#world = faults.options.clock;
    this.#faulty = new FaultyTransport({
      faults,
      process: name,
      inner,
      onCrash,
      pause: (durationMs) => this.pause(durationMs),
      resumed: () => this.#resumed(),
    });
    this.transport = this.#faulty;
    const after = (delayMs: number, action: () => void) => this.#after(delayMs, action);
    this.clock = {
      now: () => this.#world.now() + this.#offsetMs,
      monotonic: () => this.#world.monotonic(),
      after,
      sleep: sleepWith(after),
    };
  }

  get dead(): boolean {
    return this.#faulty.dead;
  }

  get writes(): number {
    return this.#faulty.writes;
  }

  pause(durationMs: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#world.monotonic() + durationMs);
  }

  get clockSetAt(): number {
    return this.#clockSetAt;
  }

  setClockOffset(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.#clockSetAt = this.#world.now();
  }

  /** Resolves when the process may go on; undefined when it is not paused, so that the usual case costs no turn. */
  #resumed(): Promise<void> | undefined {
    const left = this.#pausedUntil - this.#world.monotonic();
    return left > 0 ? this.#world.sleep(left).then(() => this.#resumed()) : undefined;
  }

  #after(delayMs: number, action: () => void): Timer {
    let timer: Timer;
    const fire = () => {
      const left = this.#pausedUntil - this.#world.monotonic();
      if (left > 0) timer = this.#world.after(left, fire);
      else action();
    };
    timer = this.#world.after(delayMs, fire);
    return { cancel: () => timer.cancel() };
  }
}
