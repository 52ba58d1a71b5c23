/** Something to be called off: a timer that has not fired yet. Calling `cancel` twice is harmless. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time in the operator. Wall time is what users see and what is stored; monotonic time is what leases and
 * time-outs are measured with, since wall time may jump.
 */
export interface Clock {
  /** Wall time in milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from an arbitrary origin that never go back. Stands still while a virtual machine is suspended. */
  monotonic(): number;
  /** Calls `action` once, at least `delayMs` from now; a negative delay counts as 0. Delays of any length are right. */
  after(delayMs: number, action: () => void): Timer;
  /** Resolves after `delayMs`, or rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout fires at once for delays beyond 2^31-1 ms (24.8 days), so longer ones are armed in steps. */
const longestTimeoutMs = 2 ** 31 - 1;

/** The machine's own clock. Its timers do not keep the process alive when `background` is set. */
export function createSystemClock(options: { readonly background?: boolean } = {}): Clock {
  const after = (delayMs: number, action: () => void): Timer => {
    const due = performance.now() + Math.max(0, delayMs);
    let handle: NodeJS.Timeout;
    const arm = () => {
      const left = due - performance.now();
      handle = setTimeout(left > longestTimeoutMs ? arm : fire, Math.min(Math.max(0, left), longestTimeoutMs));
      if (options.background) handle.unref();
    };
    // Node rounds delays down to whole milliseconds, and an instant must never be early.
    const fire = () => (performance.now() < due ? arm() : action());
    arm();
    return { cancel: () => clearTimeout(handle) };
  };
  return { now: () => Date.now(), monotonic: () => performance.now(), after, sleep: sleepWith(after) };
}

/** Builds `sleep` from `after`, for every implementation of {@link Clock}. */
export function sleepWith(after: Clock["after"]): Clock["sleep"] {
  return (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
}
