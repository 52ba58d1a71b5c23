import type { Faults } from "./faults.ts";
import { draw } from "./range.ts";

export interface FaultyWatchOptions {
  readonly faults: Faults;
  readonly process: string;
  readonly resource: string;
  readonly inner: AsyncIterable<unknown>;
  readonly signal: AbortSignal;
  readonly resumed: () => Promise<void> | undefined;
  /** An event was lost for good: only a new list helps. */
  readonly lostEvent: () => void;
  /** The reader was told to list anew. */
  readonly toldExpired: () => void;
  readonly closed: () => void;
}

type Entry = { readonly due: number } & (
  | { readonly kind: "line"; readonly line: unknown; readonly expires?: boolean }
  | { readonly kind: "end"; readonly error: unknown }
);

const stallMs = [120_000, 200_000] as const;
const expiryMs = [1_000, 20_000] as const;
const heldMs = 2_000;

/**
 * One watch as it comes through a bad network: late, in bursts after a stall, with events twice, swapped or lost. A lost event is always
 * followed by 410, in this stream or at the next one, as a real API server's loss of history is; without that no client could heal.
 */
export class FaultyWatch {
  readonly #options: FaultyWatchOptions;
  readonly #queue: Entry[] = [];
  readonly #lagMs: number;
  #lastDue = 0;
  #stalledUntil = 0;
  #held: unknown;
  #wake: (() => void) | undefined;
  #failure: unknown;

  constructor(options: FaultyWatchOptions) {
    this.#options = options;
    const { random, watchLagMs = [0, 100] } = options.faults.options;
    this.#lagMs = draw(watchLagMs, random);
    void this.#pump();
  }

  /** Ends the reader with this error, now. */
  fail(error: unknown): void {
    this.#failure = error;
    this.#wake?.();
  }

  async *lines(): AsyncGenerator<unknown> {
    const { signal, resumed, closed, toldExpired } = this.#options;
    const { clock } = this.#options.faults.options;
    const onAbort = () => this.fail(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (;;) {
        await resumed();
        if (signal.aborted) throw signal.reason;
        if (this.#failure !== undefined) throw this.#failure;
        const head = this.#queue[0];
        const wait = head === undefined ? Number.POSITIVE_INFINITY : Math.max(head.due, this.#stalledUntil) - clock.now();
        if (head === undefined || wait > 0) {
          await new Promise<void>((resolve) => {
            const timer = wait === Number.POSITIVE_INFINITY ? undefined : clock.after(wait, resolve);
            this.#wake = () => {
              timer?.cancel();
              resolve();
            };
          });
          this.#wake = undefined;
          continue;
        }
        this.#queue.shift();
        if (head.kind === "end") {
          if (head.error !== undefined) throw head.error;
          return;
        }
        if (head.expires) toldExpired();
        yield head.line;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      closed();
    }
  }

  async #pump(): Promise<void> {
    try {
      for await (const line of this.#options.inner) if (!this.#arrive(line)) return;
      this.#release();
      this.#push({ kind: "end", error: undefined });
    } catch (error) {
      this.#release();
      this.#push({ kind: "end", error });
    }
  }

  /** Takes one line of the server; false when the stream is to end here. */
  #arrive(line: unknown): boolean {
    const { faults, process, resource } = this.#options;
    const { clock, random, errors } = faults.options;
    const type = (line as { readonly type?: unknown }).type;
    const isChange = type === "ADDED" || type === "MODIFIED" || type === "DELETED";
    const fits = (fault: { readonly process?: string; readonly resource?: string }) =>
      (fault.process === undefined || fault.process === process) && (fault.resource === undefined || fault.resource === resource);
    const fault = isChange && faults.isArmed ? faults.take((each) => watchFaults.has(each.class) && fits(each)) : undefined;
    switch (fault?.class) {
      case "watchStalled":
        // 120 s is below the time after which a reader gives a silent watch up, 200 s is beyond.
        this.#stalledUntil = clock.now() + (random.next() < 0.5 ? stallMs[0] : stallMs[1]);
        break;
      case "watchDropped":
        this.#options.lostEvent();
        clock.after(draw(expiryMs, random), () => this.#expire());
        return true;
      case "watchDuplicated":
        this.#push({ kind: "line", line });
        break;
      case "watchReordered":
        this.#release();
        this.#held = line;
        clock.after(heldMs, () => this.#release());
        return true;
      case "watchExpired":
        // The event is not delivered: the list that follows shows it.
        this.#expire();
        return false;
      case "watchBroken":
        this.#release();
        this.#push({ kind: "end", error: errors.unreachable(`watch ${resource}: connection reset`) });
        return false;
      default:
    }
    this.#push({ kind: "line", line });
    if (isChange) this.#release();
    return true;
  }

  #expire(): void {
    this.#release();
    this.#push({ kind: "line", line: { type: "ERROR", object: expiredStatus() }, expires: true });
    this.#push({ kind: "end", error: undefined });
  }

  /** The event that was held back comes after the one that overtook it. */
  #release(): void {
    if (this.#held === undefined) return;
    const line = this.#held;
    this.#held = undefined;
    this.#push({ kind: "line", line });
  }

  #push(
    entry:
      | { readonly kind: "line"; readonly line: unknown; readonly expires?: boolean }
      | { readonly kind: "end"; readonly error: unknown },
  ): void {
    const { clock, random, watchLagMs = [0, 100] } = this.#options.faults.options;
    this.#lastDue = Math.max(this.#lastDue, clock.now() + this.#lagMs + draw(watchLagMs, random));
    this.#queue.push({ ...entry, due: this.#lastDue });
    this.#wake?.();
  }
}

/** What the API server says to a version that it no longer has. */
export function expiredStatus() {
  const message = "too old resource version: 1 (2)";
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "Expired", code: 410 } as const;
}

const watchFaults: ReadonlySet<string> = new Set([
  "watchStalled",
  "watchDropped",
  "watchDuplicated",
  "watchReordered",
  "watchExpired",
  "watchBroken",
]);
