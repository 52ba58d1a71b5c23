import type { Timer } from "../../base/clock.ts";
import type { TimerGroup } from "../../base/timer-group.ts";
import type { ContainerSlot } from "./pod-status.ts";

/** The kubelet's: the first restart at once, then after 10 s, each next after twice as long; forgotten once a container ran for 10 minutes. */
const crashLoop = { initialMs: 10_000, maxMs: 300_000, resetAfterMs: 600_000 };

/** How long each container of a pod waits before it is started again. */
export class RestartBackoff {
  readonly #timers: TimerGroup;
  readonly #restarts = new Map<ContainerSlot, { readonly delayMs: number; timer: Timer | undefined }>();

  constructor(timers: TimerGroup) {
    this.#timers = timers;
  }

  /** Whether a restart is to come. */
  isWaiting(slot: ContainerSlot): boolean {
    return this.#restarts.get(slot)?.timer !== undefined;
  }

  /** How long it waits now that it has ended after so long; 0 = it is started at once. */
  next(slot: ContainerSlot, ranMs: number): number {
    const before = ranMs >= crashLoop.resetAfterMs ? undefined : this.#restarts.get(slot);
    const delayMs = before === undefined ? 0 : before.delayMs === 0 ? crashLoop.initialMs : Math.min(before.delayMs * 2, crashLoop.maxMs);
    this.#restarts.set(slot, { delayMs, timer: undefined });
    return delayMs;
  }

  /** Starts it when its wait is over. */
  wait(slot: ContainerSlot, start: () => void): void {
    const entry = this.#restarts.get(slot);
    if (entry === undefined) return;
    entry.timer = this.#timers.after(entry.delayMs, () => {
      entry.timer = undefined;
      start();
    });
  }

  /** To a kubelet it is a new container. */
  forget(slot: ContainerSlot): void {
    this.#restarts.get(slot)?.timer?.cancel();
    this.#restarts.delete(slot);
  }

  /** Nothing is started again. */
  cancel(): void {
    for (const { timer } of this.#restarts.values()) timer?.cancel();
  }
}

/** "10s", "1m20s", "5m0s", as Kubernetes prints durations. */
export function formatDelay(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
