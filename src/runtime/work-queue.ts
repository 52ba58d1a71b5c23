/**
 * The queue between events and reconciles. One entry a key, whatever the number of reasons to look at it:
 *
 *   idle --add--> ready --a worker is free--> running --done--> idle
 *                   ^                            | add while running = looked at once more
 *                   +------ waiting (a time) <---+
 *
 * A key that waits for an instant and is added for an earlier one keeps the earlier only; when it runs, what it waited for is forgotten,
 * since the run says anew when it wants to be woken. Two time lines are kept: instants are wall time, which may jump, so they are looked
 * at again every 30 s and never taken early; back-off is monotonic, which a jump does not touch.
 */
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { DueList } from "./due-list.ts";
import { Fifo } from "./fifo.ts";

/**
 * `high` is for what somebody has asked for and waits for, such as an edit. `low` is for what nobody waits for, such as the first look at every
 * object after a start; it gets every tenth turn at least.
 */
export type WorkPriority = "high" | "normal" | "low";

export interface AddOptions {
  /** Not before this wall time, in milliseconds since the epoch. */
  readonly at?: number;
  /** Not before so many milliseconds of monotonic time. Of `at` and `afterMs` only one may be given; without both it is due now. */
  readonly afterMs?: number;
  /** `normal` when absent; a key that was added with several has the highest one. */
  readonly priority?: WorkPriority;
}

/** Why and when a key is looked at. */
export interface Wake {
  /** The wall time for which it had been set, when that is what woke it. */
  readonly at?: number;
  /** How long it was due before a worker was free, in milliseconds. */
  readonly waitedMs: number;
  /** The highest that it was added with. */
  readonly priority: WorkPriority;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How many keys may be worked on at once. */
  readonly concurrency: number;
  /** Waits of {@link WorkQueue.retry}. */
  readonly backoff: BackoffPolicy;
  /** Works on one key. What it throws is its caller's loss: it goes to `onError` and nothing else. */
  readonly run: (key: string, wake: Wake) => Promise<void>;
  readonly onError?: (error: unknown) => void;
  /** Told the number of keys that are due and not taken when a round of taking them has left another number than the last. */
  readonly onDepth?: (depth: number) => void;
}

export interface WorkQueue {
  /** Asks for a look at the key. Before {@link WorkQueue.start} this only notes it. */
  add(key: string, options?: AddOptions): void;
  /** Asks for a look after the key's own back-off, which grows with each call; returns the wait in milliseconds. */
  retry(key: string): number;
  /** The key did well: its back-off starts over. */
  forget(key: string): void;
  start(): void;
  /** Takes up nothing more; resolves when what is being worked on has ended. */
  drain(): Promise<void>;
  /** Keys that are due and not taken. */
  readonly depth: number;
  /** Keys that are being worked on. */
  readonly running: number;
  /** Keys that wait for a time. */
  readonly waiting: number;
}

interface Entry {
  readonly key: string;
  failures: number;
  running: boolean;
  /** In one of the lines; which one is `priority`. */
  ready: boolean;
  /** Added while it was running: it runs again at once. */
  dirty: boolean;
  priority: WorkPriority;
  /** Monotonic time since when it is due. */
  readySince: number;
  wokenAt: number | undefined;
}

/** Wall time can be set: an instant is compared with it at least so often. */
const longestNapMs = 30_000;
/** Timers, sockets and the lease must have their turn while thousands of keys are planned. */
const sliceMs = 10;
const lowTurn = 10;
const ranks: Readonly<Record<WorkPriority, number>> = { low: 0, normal: 1, high: 2 };

/** Builds a queue that is not started yet. */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new Queue(options);
}

class Queue implements WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #instants = new DueList<string>();
  readonly #delays = new DueList<string>();
  readonly #lines: Readonly<Record<WorkPriority, Fifo<Entry>>> = { high: new Fifo(), normal: new Fifo(), low: new Fifo() };
  #ready = 0;
  #running = 0;
  #turn = 0;
  #started = false;
  #draining: { readonly done: Promise<void>; readonly resolve: () => void } | undefined;
  #timer: { readonly handle: Timer; readonly due: number } | undefined;
  #slice: { readonly handle: Timer; readonly end: number } | undefined;
  #pumpAsked = false;
  #toldDepth = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  get depth(): number {
    return this.#ready;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waitingKeys().length;
  }

  add(key: string, options: AddOptions = {}): void {
    const entry = this.#entryOf(key);
    this.#raise(entry, options.priority ?? "normal");
    if (options.afterMs !== undefined && options.afterMs > 0) {
      this.#delays.setEarliest(key, this.#options.clock.monotonic() + options.afterMs);
    } else if (options.at !== undefined && options.at > this.#options.clock.now()) {
      this.#instants.setEarliest(key, options.at);
    } else {
      this.#makeReady(entry, options.at);
      this.#pumpSoon();
      return;
    }
    this.#arm();
  }

  retry(key: string): number {
    const entry = this.#entryOf(key);
    entry.failures += 1;
    const delayMs = backoffDelay(this.#options.backoff, entry.failures, this.#options.random);
    this.add(key, { afterMs: delayMs });
    return delayMs;
  }

  forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.failures = 0;
    this.#dropIdle(entry);
  }

  start(): void {
    this.#started = true;
    this.#arm();
    this.#pumpSoon();
  }

  drain(): Promise<void> {
    if (this.#draining === undefined) {
      let resolve = () => {};
      const done = new Promise<void>((settle) => {
        resolve = settle;
      });
      this.#draining = { done, resolve };
      this.#timer?.handle.cancel();
      this.#slice?.handle.cancel();
      if (this.#running === 0) resolve();
    }
    return this.#draining.done;
  }

  #waitingKeys(): readonly string[] {
    const keys: string[] = [];
    for (const entry of this.#entries.values()) {
      if (this.#instants.get(entry.key) !== undefined || this.#delays.get(entry.key) !== undefined) keys.push(entry.key);
    }
    return keys;
  }

  #entryOf(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      key,
      failures: 0,
      running: false,
      ready: false,
      dirty: false,
      priority: "low",
      readySince: 0,
      wokenAt: undefined,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Moves the entry up; in its old line it leaves a slot that is void, since an entry is only taken from the line of its priority. */
  #raise(entry: Entry, priority: WorkPriority): void {
    if (ranks[priority] <= ranks[entry.priority]) return;
    entry.priority = priority;
    if (entry.ready) this.#lines[priority].push(entry);
  }

  #makeReady(entry: Entry, at: number | undefined): void {
    if (entry.running) {
      entry.dirty = true;
      return;
    }
    if (entry.ready) return;
    entry.ready = true;
    entry.readySince = this.#options.clock.monotonic();
    entry.wokenAt = at;
    this.#lines[entry.priority].push(entry);
    this.#ready += 1;
  }

  /** Moves what has become due into the lines, all of one instant in one go. */
  #collectDue(): void {
    const wall = this.#options.clock.now();
    for (let due = this.#instants.take(wall); due !== undefined; due = this.#instants.take(wall)) {
      this.#makeReady(this.#entryOf(due.key), due.due);
    }
    const monotonic = this.#options.clock.monotonic();
    for (let due = this.#delays.take(monotonic); due !== undefined; due = this.#delays.take(monotonic)) {
      this.#makeReady(this.#entryOf(due.key), undefined);
    }
  }

  /** Keeps one timer, for the earliest of both time lines. */
  #arm(): void {
    if (!this.#started || this.#draining !== undefined) return;
    const { clock } = this.#options;
    const instant = this.#instants.next();
    const delay = this.#delays.next();
    const now = clock.monotonic();
    const nap = Math.min(
      instant === undefined ? Number.POSITIVE_INFINITY : Math.min(instant - clock.now(), longestNapMs),
      delay === undefined ? Number.POSITIVE_INFINITY : delay - now,
    );
    if (nap === Number.POSITIVE_INFINITY) return;
    const due = now + Math.max(0, nap);
    if (this.#timer !== undefined && this.#timer.due <= due) return;
    this.#timer?.handle.cancel();
    const handle = clock.after(nap, () => {
      this.#timer = undefined;
      this.#collectDue();
      this.#arm();
      this.#pump();
    });
    this.#timer = { handle, due };
  }

  #take(): Entry | undefined {
    this.#turn += 1;
    const isForLow = this.#turn % lowTurn === 0;
    return (isForLow ? this.#shift("low") : undefined) ?? this.#shift("high") ?? this.#shift("normal") ?? this.#shift("low");
  }

  #shift(priority: WorkPriority): Entry | undefined {
    for (;;) {
      const entry = this.#lines[priority].shift();
      if (entry === undefined || (entry.ready && entry.priority === priority)) return entry;
    }
  }

  /** Nothing is run within `add`: its caller may be in the middle of telling of a change. */
  #pumpSoon(): void {
    if (this.#pumpAsked || !this.#started) return;
    this.#pumpAsked = true;
    queueMicrotask(() => {
      this.#pumpAsked = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { clock, concurrency } = this.#options;
    while (this.#started && this.#draining === undefined && this.#running < concurrency && this.#ready > 0) {
      if (clock.monotonic() >= this.#sliceEnd()) break;
      const entry = this.#take();
      if (entry === undefined) break;
      this.#ready -= 1;
      this.#begin(entry);
    }
    this.#tellDepth();
  }

  #tellDepth(): void {
    if (this.#toldDepth === this.#ready) return;
    this.#toldDepth = this.#ready;
    this.#options.onDepth?.(this.#ready);
  }

  /**
   * Until when keys may be begun without timers having had a turn. A run that waits for nothing ends within the same turn of the event
   * loop and lets the next one begin, so only a timer of our own tells that a turn is over; it also goes on with what was left.
   */
  #sliceEnd(): number {
    if (this.#slice === undefined) {
      const handle = this.#options.clock.after(0, () => {
        this.#slice = undefined;
        this.#pump();
      });
      this.#slice = { handle, end: this.#options.clock.monotonic() + sliceMs };
    }
    return this.#slice.end;
  }

  #begin(entry: Entry): void {
    const wake: Wake = {
      waitedMs: this.#options.clock.monotonic() - entry.readySince,
      priority: entry.priority,
      ...(entry.wokenAt === undefined ? {} : { at: entry.wokenAt }),
    };
    entry.ready = false;
    entry.running = true;
    entry.dirty = false;
    entry.priority = "low";
    this.#instants.delete(entry.key);
    this.#delays.delete(entry.key);
    this.#running += 1;
    const run = async () => this.#options.run(entry.key, wake);
    run().then(
      () => this.#end(entry),
      (error: unknown) => {
        this.#end(entry);
        this.#options.onError?.(error);
      },
    );
  }

  #end(entry: Entry): void {
    entry.running = false;
    this.#running -= 1;
    if (this.#draining !== undefined) {
      if (this.#running === 0) this.#draining.resolve();
      return;
    }
    if (entry.dirty) this.#makeReady(entry, undefined);
    else this.#dropIdle(entry);
    this.#pump();
  }

  #dropIdle(entry: Entry): void {
    const { key } = entry;
    if (entry.ready || entry.running || entry.failures > 0) return;
    if (this.#instants.get(key) !== undefined || this.#delays.get(key) !== undefined) return;
    this.#entries.delete(key);
  }
}
