import type { ExecutorTarget, ExecutorTask, TaskAnswer } from "../../api/executor.ts";
import type { Clock } from "../../base/clock.ts";
import type { Callback } from "./codec.ts";
import { jobIdOf, logIdOf } from "./ids.ts";

type Ended = TaskAnswer & { readonly kind: "ended" };

/** A task that may be at work at an executor. */
export interface OpenTask {
  /** As it was when it was asked for last: a token may change. */
  target: ExecutorTarget;
  readonly task: ExecutorTask;
  readonly jobId: number;
  readonly logId: number;
  /** It may be at the executor. */
  sent: boolean;
  cancelled: boolean;
  /** The executor has given it back: it was killed with what ran before it, and nothing was done. */
  givenBack: boolean;
  /** Since when it is known to have ended without our having been told how. */
  silentSince: number | undefined;
  end: Ended | undefined;
  /** When the end was handed on; what becomes of it then is not known here before {@link CallbackBoard.recorded}. */
  toldAt: number | undefined;
  touchedAt: number;
}

/** What becomes of a callback. */
export type CallbackVerdict =
  /** It need not come again: its end is recorded, or nobody waits for it. */
  | "settled"
  /** It is to come again: its end is not recorded yet, or it is too early to know whether anybody waits for it. */
  | "later"
  /** The task is at an executor with another token. */
  | "forbidden";

export interface CallbackBoardOptions {
  readonly clock: Clock;
  /** Whether every task that the status holds as given out is followed here: before that, and shortly after, one that nobody knows may be one of them. */
  readonly knowsAll: () => boolean;
}

/** Ends that were handed on and of which nothing is heard for so long count as recorded. */
const recordedWithinMs = 60_000;
/** Who follows all tasks has asked for each of them so long after. */
const takenUpWithinMs = 60_000;
const mostRecorded = 10_000;
/** Whoever follows a task asks for it more often. */
const followedWithinMs = 120_000;
/** A task that nobody has asked for so long is forgotten. */
const forgottenAfterMs = 3_600_000;
const sweepEveryMs = 600_000;

/** Where what executors report meets those who wait for it. Keeps nothing that a new leader does not find again in the status. */
export class CallbackBoard {
  readonly #options: CallbackBoardOptions;
  readonly #byLogId = new Map<number, OpenTask>();
  readonly #byNumber = new Map<string, Set<OpenTask>>();
  readonly #watchers = new Map<OpenTask, Set<() => void>>();
  /** The latest that were recorded, by logId: their ends may be reported once more. */
  readonly #recorded = new Set<number>();
  #sweptAt = 0;
  /** Since when all is known, as far as it was asked. */
  #knowsSince: number | undefined;

  constructor(options: CallbackBoardOptions) {
    this.#options = options;
  }

  /** The entry of a task, made where there is none; undefined when another task has the same logId, which one pair in 2^53 has. */
  open(target: ExecutorTarget, task: ExecutorTask): OpenTask | undefined {
    this.#sweep();
    const now = this.#options.clock.monotonic();
    const logId = logIdOf(task.id);
    const known = this.#byLogId.get(logId);
    if (known !== undefined) {
      if (known.task.id !== task.id) return undefined;
      known.target = target;
      known.touchedAt = now;
      return known;
    }
    const jobId = jobIdOf(task.job.uid, task.item);
    const facts = { sent: false, cancelled: false, givenBack: false };
    const entry: OpenTask = {
      target,
      task,
      jobId,
      logId,
      ...facts,
      silentSince: undefined,
      end: undefined,
      toldAt: undefined,
      touchedAt: now,
    };
    this.#byLogId.set(logId, entry);
    const numbered = this.#byNumber.get(numberOf(entry));
    if (numbered === undefined) this.#byNumber.set(numberOf(entry), new Set([entry]));
    else numbered.add(entry);
    return entry;
  }

  /** The entry of a task, where there is one. */
  find(task: ExecutorTask): OpenTask | undefined {
    const entry = this.#byLogId.get(logIdOf(task.id));
    return entry?.task.id === task.id ? entry : undefined;
  }

  /** Another task that may be at work under the same number at the same instance. */
  rival(entry: OpenTask): OpenTask | undefined {
    const followedSince = this.#options.clock.monotonic() - followedWithinMs;
    for (const other of this.#byNumber.get(numberOf(entry)) ?? [])
      if (other !== entry && other.end === undefined && other.sent && other.touchedAt >= followedSince) return other;
    return undefined;
  }

  /** Nobody waits for a task any more. */
  close(entry: OpenTask): void {
    this.#byLogId.delete(entry.logId);
    const numbered = this.#byNumber.get(numberOf(entry));
    numbered?.delete(entry);
    if (numbered?.size === 0) this.#byNumber.delete(numberOf(entry));
    this.#wake(entry);
    this.#watchers.delete(entry);
  }

  /** The end of a task stands in the status. */
  recorded(task: ExecutorTask): void {
    const entry = this.find(task);
    if (entry === undefined) return;
    this.#recorded.add(entry.logId);
    for (const oldest of this.#recorded) {
      if (this.#recorded.size <= mostRecorded) break;
      this.#recorded.delete(oldest);
    }
    this.close(entry);
  }

  /** Takes the end of a task from an executor that showed a token; resolves when it is recorded, or after so long. Never rejects. */
  async report(callback: Callback, token: string, withinMs: number): Promise<CallbackVerdict> {
    const { clock } = this.#options;
    const entry = this.#byLogId.get(callback.logId);
    if (entry === undefined) return this.#recorded.has(callback.logId) || this.#isSettled() ? "settled" : "later";
    // Whoever reports has shown a token that is known: comparing it once more tells nobody anything.
    if (entry.target.token !== token) return "forbidden";
    if (callback.neverBegun && !entry.cancelled && entry.end === undefined) {
      Object.assign(entry, { sent: false, givenBack: true });
      this.#wake(entry);
      return "settled";
    }
    entry.end ??= callback.end;
    this.#wake(entry);
    if (entry.toldAt !== undefined && clock.monotonic() > entry.toldAt + recordedWithinMs) this.close(entry);
    const isClosed = () => this.#byLogId.get(entry.logId) !== entry;
    await this.until(entry, isClosed, withinMs);
    return isClosed() ? "settled" : "later";
  }

  /** Resolves once something holds, which is looked at again at each change of the entry; or after so long, or with the signal. */
  until(entry: OpenTask, holds: () => boolean, withinMs: number, signal?: AbortSignal): Promise<void> {
    if (holds() || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const watchers = this.#watchers.get(entry) ?? new Set();
      this.#watchers.set(entry, watchers);
      const end = () => {
        timer.cancel();
        signal?.removeEventListener("abort", end);
        watchers.delete(look);
        resolve();
      };
      const look = () => {
        if (holds()) end();
      };
      const timer = this.#options.clock.after(withinMs, end);
      signal?.addEventListener("abort", end, { once: true });
      watchers.add(look);
    });
  }

  /** Whether a task that is not known here is over, and not just about to be taken up by a leader that is new. */
  #isSettled(): boolean {
    const { clock, knowsAll } = this.#options;
    const now = clock.monotonic();
    this.#knowsSince = knowsAll() ? (this.#knowsSince ?? now) : undefined;
    return this.#knowsSince !== undefined && now >= this.#knowsSince + takenUpWithinMs;
  }

  #wake(entry: OpenTask): void {
    for (const look of [...(this.#watchers.get(entry) ?? [])]) look();
  }

  #sweep(): void {
    const now = this.#options.clock.monotonic();
    if (now < this.#sweptAt + sweepEveryMs) return;
    this.#sweptAt = now;
    for (const entry of [...this.#byLogId.values()]) if (now > entry.touchedAt + forgottenAfterMs) this.close(entry);
  }
}

const numberOf = ({ target, jobId }: OpenTask): string => `${target.instance}/${jobId}`;
