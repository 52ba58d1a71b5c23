/**
 * One task at an executor, from its first word to its last. The protocol is the client's; what is decided here is what to say next:
 *
 *   nothing said yet    hand it over; or ask about it first, where it may have been handed over before by somebody who does not lead any more
 *   accepted            wait for news, again and again (a long poll each)
 *   busy                nothing was begun: hand it over again after a while
 *   unclear             it may be at work there: hand it over again under the same id as long as the executor remembers, else only ask
 *   unknown             where it was accepted before, the executor was started anew and has forgotten it: lost; else hand it over, or wait until
 *                       its time is over where the executor may have done and forgotten it
 *   ended               its end; or the next round, where the handler says that there is more
 *
 * A recall interrupts whatever is waited for. It is repeated as long as the executor says that the task is at work.
 */
import type { DispatchAction, RecallAction } from "../../api/action.ts";
import type { ExecutorClient, ExecutorProtocol, ExecutorTarget, ExecutorTask, TaskAnswer } from "../../api/executor.ts";
import { type BackoffPolicy, backoffDelay } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { TaskEnd, TaskState } from "../rules/resident/dispatch-record.ts";

export interface TaskFlowOptions {
  readonly client: ExecutorClient;
  readonly clock: Clock;
  readonly random: Random;
  /** The token of the order's executor, as it is now; a text says why there is none. */
  readonly token: (order: DispatchAction | RecallAction) => Promise<{ readonly token: string | undefined } | { readonly trouble: string }>;
  /** Whether this process leads at this moment: it says nothing to anybody otherwise. */
  readonly fence: () => boolean;
  /** What is known of the task has changed; what only people want to know can wait. */
  readonly onChange: (isUrgent: boolean) => void;
}

const againBackoff: BackoffPolicy = { initialMs: 500, factor: 2, maxMs: 30_000, jitter: 0.3 };
/** A client that gives no answer at all is not waited for longer. */
const longestCallMs = 120_000;
const fencedWaitMs = 1000;
/** An executor that answers a wait at once would be asked without a pause. */
const shortestPollMs = 250;
const longestMessage = 4096;
/** One for all: an exception with its stack for each task that ends costs as much as all else about letting it go. */
const letGo = new Error("nobody waits for it any more");

/** A task that is being followed. It never gives up by itself: limits are a matter of the rules. */
export class TaskFlow {
  readonly #options: TaskFlowOptions;
  readonly #life = new AbortController();
  readonly #order: DispatchAction | RecallAction;
  /** Interrupts what is being waited for, once. */
  #interrupt = new AbortController();
  #state: TaskState;
  #failures = 0;
  #accepted = false;
  /** It may have been handed over: somebody said it to the executor. */
  #isHanded: boolean;
  /** It is asked about before it is handed over once more. */
  #asks: boolean;
  #recalled: boolean;

  constructor(options: TaskFlowOptions, order: DispatchAction | RecallAction) {
    this.#options = options;
    this.#order = order;
    this.#recalled = order.tag === "recall";
    this.#isHanded = order.asksFirst || this.#recalled;
    this.#asks = order.asksFirst;
    const now = options.clock.now();
    this.#state = {
      accepted: false,
      round: order.round,
      ...(this.#recalled && { recalledAt: now }),
      ...(order.isUncertain === true && { uncertainSince: now }),
    };
  }

  /** As it was last spoken of. */
  get task(): ExecutorTask {
    return this.#task();
  }

  get protocol(): ExecutorProtocol {
    return this.#order.target.protocol;
  }

  get state(): TaskState {
    return this.#state;
  }

  /** Follows the task to its end; resolves when that is known, or when it is let go. */
  async follow(): Promise<void> {
    const { clock } = this.#options;
    while (this.#state.end === undefined && !this.#life.signal.aborted) {
      if (!this.#options.fence()) await this.#pause(fencedWaitMs);
      else {
        const waitMs = await this.#step(clock.now());
        if (waitMs > 0) await this.#pause(waitMs);
      }
    }
  }

  /** The executor is asked to end it. */
  recall(): void {
    if (this.#recalled) return;
    this.#recalled = true;
    this.#tell({ recalledAt: this.#options.clock.now() });
    this.#interrupt.abort(letGo);
  }

  /** Nobody wants to know any more. */
  stop(): void {
    this.#life.abort(letGo);
    this.#interrupt.abort(letGo);
  }

  /** One exchange; returns how long to wait before the next. */
  async #step(now: number): Promise<number> {
    const { client } = this.#options;
    const given = await this.#options.token(this.#order);
    if (this.#life.signal.aborted || !this.#options.fence()) return 0;
    if ("trouble" in given) {
      this.#tell({ trouble: given.trouble });
      return this.#again();
    }
    const target: ExecutorTarget = { ...this.#order.target, token: given.token };
    const task = this.#task();
    if (this.#recalled) {
      if (!this.#isHanded) return this.#ended(now, "Failed", "Cancelled", "it was recalled before its executor had it");
      await this.#call((signal) => client.cancel(target, task, signal).then(() => ({ kind: "accepted" }) as const));
    }
    const wasHanded = this.#isHanded;
    const mayRepeat = !this.#asks && now < this.#order.remembersUntil;
    const handsOver = !this.#recalled && !this.#accepted && (!wasHanded || mayRepeat);
    if (handsOver) this.#isHanded = true;
    const begun = this.#options.clock.monotonic();
    const answer = await this.#call((signal) => (handsOver ? client.start(target, task, signal) : client.wait(target, task, signal)));
    if (answer === undefined || this.#life.signal.aborted) return 0;
    if (handsOver && !wasHanded && isNothingBegun(answer)) this.#isHanded = false;
    const waitMs = this.#hear(answer, this.#options.clock.now());
    const isPoll = !handsOver && (answer.kind === "accepted" || answer.kind === "progress");
    return isPoll && this.#options.clock.monotonic() - begun < shortestPollMs ? shortestPollMs : waitMs;
  }

  #hear(answer: TaskAnswer, now: number): number {
    switch (answer.kind) {
      case "accepted":
      case "progress": {
        this.#failures = 0;
        this.#accepted = true;
        const { percent, message } = answer.kind === "progress" ? answer : { percent: undefined, message: undefined };
        this.#state = {
          accepted: true,
          round: this.#state.round,
          ...((percent ?? this.#state.percent) !== undefined && { percent: percent ?? this.#state.percent }),
          ...((message ?? this.#state.message) !== undefined && { message: message ?? this.#state.message }),
          ...(this.#state.recalledAt !== undefined && { recalledAt: this.#state.recalledAt }),
        };
        this.#options.onChange(false);
        return 0;
      }
      case "ended":
        if (answer.continue && this.#order.repeats && answer.outcome === "Succeeded" && !this.#recalled) return this.#nextRound();
        return this.#ended(now, answer.outcome, "", answer.outcome === "Succeeded" ? (answer.result ?? "") : (answer.message ?? ""));
      case "refused":
        return this.#ended(now, "Failed", "Refused", answer.message);
      case "busy":
        this.#tell({ trouble: answer.message });
        return this.#again();
      case "unclear":
        this.#tell({ trouble: answer.message, silentSince: this.#state.silentSince ?? now });
        return this.#again();
      case "unknown":
        return this.#unknown(now);
    }
  }

  #unknown(now: number): number {
    if (this.#accepted || this.#recalled)
      return this.#ended(now, "Lost", "Forgotten", "the executor knows nothing of it any more; it was started anew, or never had it");
    if (this.#order.isUncertain === true) return this.#ended(now, "Lost", "NeverBegun", "its executor has never heard of it");
    if (now < this.#order.remembersUntil) {
      this.#asks = false;
      return 0;
    }
    if (this.#order.remembersUntil > 0)
      return this.#ended(now, "Lost", "Forgotten", "the executor knows nothing of it, or nothing of it any more");
    // It may have done it and forgotten it: nobody else does it before its time is over.
    const { givenUpAt } = this.#order;
    if (givenUpAt <= now)
      return this.#ended(
        now,
        "Lost",
        "Unacknowledged",
        "the executor never said that it had it, and does not remember (executor.remembers)",
      );
    this.#tell({ trouble: "the executor did not say that it has it, and does not remember: its time is waited for" });
    return Math.max(1, Math.min(this.#again(), givenUpAt - now));
  }

  #nextRound(): number {
    this.#accepted = false;
    this.#isHanded = false;
    this.#asks = false;
    this.#failures = 0;
    this.#state = { accepted: true, round: this.#state.round + 1 };
    this.#options.onChange(false);
    return 0;
  }

  #ended(at: number, outcome: TaskEnd["outcome"], reason: string, message: string): number {
    const { trouble: _, silentSince: __, ...known } = this.#state;
    this.#state = { ...known, end: { at, outcome, reason, message: message.slice(0, longestMessage) } };
    this.#options.onChange(true);
    return 0;
  }

  /** Something that people may want to know; the rules look again when it is new. */
  #tell(news: Partial<TaskState>): void {
    const isNew = this.#state.trouble !== news.trouble || this.#state.silentSince !== news.silentSince || news.recalledAt !== undefined;
    this.#state = { ...this.#state, ...news };
    if (isNew) this.#options.onChange(news.silentSince !== undefined);
  }

  #again(): number {
    this.#failures++;
    return backoffDelay(againBackoff, this.#failures, this.#options.random);
  }

  /** The task of the round that it is in. */
  #task(): ExecutorTask {
    const { task, round } = this.#order;
    const now = this.#state.round;
    if (now === round) return task;
    return { ...task, id: `${task.id.replace(/\.\d+$/, "")}.${now}` };
  }

  /** One call of the client; undefined when it was interrupted, and whatever it throws is an answer that cannot be read. */
  async #call(call: (signal: AbortSignal) => Promise<TaskAnswer>): Promise<TaskAnswer | undefined> {
    if (this.#interrupt.signal.aborted) this.#interrupt = new AbortController();
    const interrupt = this.#interrupt.signal;
    const ended = new AbortController();
    const timer = this.#options.clock.after(longestCallMs, () => ended.abort());
    try {
      const answer = await call(AbortSignal.any([this.#life.signal, interrupt, ended.signal]));
      return interrupt.aborted && answer.kind !== "ended" ? undefined : answer;
    } catch (error) {
      if (this.#life.signal.aborted || interrupt.aborted) return undefined;
      return { kind: "unclear", message: error instanceof Error ? error.message : String(error) };
    } finally {
      timer.cancel();
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#interrupt.signal.aborted) this.#interrupt = new AbortController();
    try {
      await this.#options.clock.sleep(ms, AbortSignal.any([this.#life.signal, this.#interrupt.signal]));
    } catch {
      // It was called for.
    }
  }
}

/** The executor said so, or never heard of it. */
const isNothingBegun = (answer: TaskAnswer): boolean => answer.kind === "busy" || (answer.kind === "unclear" && answer.neverSent === true);
