/**
 * How a store follows the API server: the protocol of list and watch as a union of states and one step function, without clients,
 * timers or objects (those are reflector.ts).
 *
 * A list is read in pages, or comes as the first events of a watch (WatchList), is swapped in whole, and a watch goes on from its
 * version. A watch that ends or breaks is opened again from the last version it reached; one that is told "too old" (410) lists again.
 * Failures in a row wait longer and longer; two minutes of watching without any end a row. Whoever doubts the store (a write was lost,
 * or the watch is silent for too long) gets a list that begins after the doubt.
 */
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Random } from "../base/random.ts";

export type ReflectorState =
  | { readonly phase: "stopped" }
  /** Pages are read. `again` = a doubt arose meanwhile: this list settles nothing, another one must follow. */
  | (Common & { readonly phase: "listing"; readonly again: boolean })
  /** The first events of a watch are collected until the bookmark that ends them. */
  | (Common & { readonly phase: "watchListing"; readonly again: boolean })
  /** `openedAt` is undefined until the server has answered. */
  | (Common & { readonly phase: "watching"; readonly version: string; readonly openedAt: number | undefined })
  /** A timer runs, after which a watch goes on from `version`, or without one a list begins. */
  | (Common & { readonly phase: "waiting"; readonly version: string | undefined });

interface Common {
  /** In a row. */
  readonly failures: number;
  readonly watchList: boolean;
}

export type ReflectorInput =
  | { readonly type: "start"; readonly watchList: boolean }
  | { readonly type: "stop" }
  /** A page came; without a token it is the last one. */
  | { readonly type: "page"; readonly version: string; readonly continueToken?: string }
  /** The server has answered to a watch. */
  | { readonly type: "opened" }
  | { readonly type: "object"; readonly version: string }
  | { readonly type: "bookmark"; readonly version: string; readonly endsInitialEvents: boolean }
  /** The server ended the watch in order. */
  | { readonly type: "ended" }
  | { readonly type: "failed"; readonly problem: ReflectorProblem; readonly retryAfterMs?: number }
  /** The wait is over. */
  | { readonly type: "timer" }
  /** The store is doubted: a list that begins from now on is needed, as soon as the server can be reached. */
  | { readonly type: "doubt" }
  /** The same, at once and from the beginning, whatever is under way. */
  | { readonly type: "refill" };

/** gone: the version is too old; refused: the request can never succeed as it is; absent: there is no such kind; other: anything else. */
export type ReflectorProblem = "gone" | "refused" | "absent" | "other";

export type ReflectorEffect =
  /** Forget what was collected, and what is under way; read the first page. */
  | { readonly type: "list" }
  | { readonly type: "nextPage"; readonly continueToken: string }
  /** Forget what was collected, and what is under way; watch from `version`, without one with initial events. */
  | { readonly type: "watch"; readonly version?: string }
  /** Forget what is under way; give a `timer` after so many milliseconds. */
  | { readonly type: "wait"; readonly delayMs: number }
  /** Forget what is under way. */
  | { readonly type: "cancel" }
  /** Keep the object of this event, or the objects of this page, for the swap. */
  | { readonly type: "collect" }
  /** What was collected is all there is; `settled` = it answers every doubt. */
  | { readonly type: "swap"; readonly version: string; readonly settled: boolean }
  /** Put the object of this event into the store. */
  | { readonly type: "apply" }
  | { readonly type: "advance"; readonly version: string };

export interface ReflectorContext {
  /** Monotonic milliseconds. */
  readonly now: number;
  readonly random: Random;
}

export interface ReflectorStep {
  readonly state: ReflectorState;
  /** To be done in this order. */
  readonly effects: readonly ReflectorEffect[];
}

const backoff: BackoffPolicy = { initialMs: 800, factor: 2, maxMs: 30_000, jitter: 0.2 };
const healthyAfterMs = 120_000;
/** A watch that the server ends sooner than this is a failure, or it would be opened in a loop. */
const shortestWatchMs = 1000;

const stopped: ReflectorState = { phase: "stopped" };

/** What comes next. An input that means nothing in a state leaves it as it is. */
export function stepReflector(state: ReflectorState, input: ReflectorInput, context: ReflectorContext): ReflectorStep {
  if (input.type === "stop") return { state: stopped, effects: state.phase === "stopped" ? [] : [{ type: "cancel" }] };
  if (state.phase === "stopped") {
    return input.type === "start" ? beginList({ failures: 0, watchList: input.watchList }) : { state, effects: [] };
  }
  if (input.type === "refill") return beginList({ ...state, failures: 0 });
  switch (state.phase) {
    case "listing":
      return stepListing(state, input, context);
    case "watchListing":
      return stepWatchListing(state, input, context);
    case "watching":
      return stepWatching(state, input, context);
    case "waiting":
      return stepWaiting(state, input);
  }
}

type In<Phase extends ReflectorState["phase"]> = Extract<ReflectorState, { readonly phase: Phase }>;

function stepListing(state: In<"listing">, input: ReflectorInput, context: ReflectorContext): ReflectorStep {
  switch (input.type) {
    case "page": {
      if (input.continueToken === undefined) return swapIn(state, input.version, [{ type: "collect" }]);
      // the server reads the next page while this one is kept
      return { state, effects: [{ type: "nextPage", continueToken: input.continueToken }, { type: "collect" }] };
    }
    case "failed":
      return retry(state, state.failures, undefined, input, context);
    case "doubt":
      return { state: { ...state, again: true }, effects: [] };
    default:
      return { state, effects: [] };
  }
}

function stepWatchListing(state: In<"watchListing">, input: ReflectorInput, context: ReflectorContext): ReflectorStep {
  switch (input.type) {
    case "object":
      return { state, effects: [{ type: "collect" }] };
    case "bookmark": {
      if (!input.endsInitialEvents) return { state, effects: [] };
      const { state: next, effects } = swapIn(state, input.version, []);
      // the same watch goes on, unless another list must follow
      if (next.phase !== "watching") return { state: next, effects };
      return { state: { ...next, openedAt: context.now }, effects: effects.filter((effect) => effect.type !== "watch") };
    }
    case "ended":
      return retry(state, state.failures, undefined, { problem: "other" }, context);
    case "failed":
      if (input.problem === "refused") return beginList({ failures: state.failures, watchList: false });
      return retry(state, state.failures, undefined, input, context);
    case "doubt":
      return { state: { ...state, again: true }, effects: [] };
    default:
      return { state, effects: [] };
  }
}

function stepWatching(state: In<"watching">, input: ReflectorInput, context: ReflectorContext): ReflectorStep {
  const age = state.openedAt === undefined ? 0 : context.now - state.openedAt;
  const failures = age >= healthyAfterMs ? 0 : state.failures;
  switch (input.type) {
    case "opened":
      return { state: { ...state, openedAt: context.now }, effects: [] };
    case "object":
      return { state: { ...state, version: input.version }, effects: [{ type: "apply" }] };
    case "bookmark":
      return { state: { ...state, version: input.version }, effects: [{ type: "advance", version: input.version }] };
    case "ended":
      if (age < shortestWatchMs) return retry(state, failures, state.version, { problem: "other" }, context);
      return { state: { ...state, failures, openedAt: undefined }, effects: [{ type: "watch", version: state.version }] };
    case "failed":
      return retry(state, failures, input.problem === "other" ? state.version : undefined, input, context);
    case "doubt":
      return beginList({ ...state, failures });
    default:
      return { state, effects: [] };
  }
}

function stepWaiting(state: In<"waiting">, input: ReflectorInput): ReflectorStep {
  switch (input.type) {
    case "timer": {
      const { version, ...common } = state;
      if (version === undefined) return beginList(common);
      return { state: { ...common, phase: "watching", version, openedAt: undefined }, effects: [{ type: "watch", version }] };
    }
    case "doubt":
      return { state: { ...state, version: undefined }, effects: [] };
    default:
      return { state, effects: [] };
  }
}

function beginList(common: Common): ReflectorStep {
  const { failures, watchList } = common;
  if (watchList) return { state: { phase: "watchListing", failures, watchList, again: false }, effects: [{ type: "watch" }] };
  return { state: { phase: "listing", failures, watchList, again: false }, effects: [{ type: "list" }] };
}

function swapIn(state: In<"listing"> | In<"watchListing">, version: string, before: readonly ReflectorEffect[]): ReflectorStep {
  const swap: ReflectorEffect = { type: "swap", version, settled: !state.again };
  if (state.again) {
    const next = beginList(state);
    return { state: next.state, effects: [...before, swap, ...next.effects] };
  }
  const { failures, watchList } = state;
  return {
    state: { phase: "watching", failures, watchList, version, openedAt: undefined },
    effects: [...before, swap, { type: "watch", version }],
  };
}

/** Waits and goes on from `version`, or without one with a list; a list because of 410 does not wait the first time. */
function retry(
  common: Common,
  failures: number,
  version: string | undefined,
  failure: { readonly problem: ReflectorProblem; readonly retryAfterMs?: number },
  context: ReflectorContext,
): ReflectorStep {
  const next: Common = { failures: failures + 1, watchList: common.watchList };
  if (failure.problem === "gone" && failures <= 1) return beginList(next);
  const delayMs = Math.max(failure.retryAfterMs ?? 0, backoffDelay(backoff, next.failures, context.random));
  return { state: { phase: "waiting", ...next, version }, effects: [{ type: "wait", delayMs }] };
}
