import assert from "node:assert/strict";
import fc from "fast-check";
import { type ReflectorInput, type ReflectorState, stepReflector } from "../../../src/kube/reflector-state.ts";

/** In the middle: the jitter is nothing. */
const random = { next: () => 0.5 };
const common = { failures: 0, watchList: false } as const;
const listing: ReflectorState = { phase: "listing", ...common, again: false };
const watchListing: ReflectorState = { phase: "watchListing", failures: 0, watchList: true, again: false };
const watching: ReflectorState = { phase: "watching", ...common, version: "7", openedAt: 1000 };
const waiting: ReflectorState = { phase: "waiting", failures: 1, watchList: false, version: "7" };
const stopped: ReflectorState = { phase: "stopped" };

const cases: readonly {
  readonly name: string;
  readonly state: ReflectorState;
  readonly input: ReflectorInput;
  readonly now?: number;
  readonly want: ReflectorState;
  readonly wantEffects: readonly unknown[];
}[] = [
  {
    name: "starts with the first page",
    state: stopped,
    input: { type: "start", watchList: false },
    want: listing,
    wantEffects: [{ type: "list" }],
  },
  {
    name: "starts with initial events where WatchList is wanted",
    state: stopped,
    input: { type: "start", watchList: true },
    want: watchListing,
    wantEffects: [{ type: "watch" }],
  },
  {
    name: "ignores what comes after the stop",
    state: stopped,
    input: { type: "object", version: "9" },
    want: stopped,
    wantEffects: [],
  },
  {
    name: "keeps a page and asks for the next",
    state: listing,
    input: { type: "page", version: "7", continueToken: "t" },
    want: listing,
    wantEffects: [{ type: "nextPage", continueToken: "t" }, { type: "collect" }],
  },
  {
    name: "swaps after the last page and watches from the list's version",
    state: listing,
    input: { type: "page", version: "7" },
    want: { phase: "watching", ...common, version: "7", openedAt: undefined },
    wantEffects: [{ type: "collect" }, { type: "swap", version: "7", settled: true }, { type: "watch", version: "7" }],
  },
  {
    name: "a doubt during a list leaves the list, and another one follows",
    state: { ...listing, again: true } as ReflectorState,
    input: { type: "page", version: "7" },
    want: listing,
    wantEffects: [{ type: "collect" }, { type: "swap", version: "7", settled: false }, { type: "list" }],
  },
  {
    name: "a refill during a list begins it again",
    state: { ...listing, again: true } as ReflectorState,
    input: { type: "refill" },
    want: listing,
    wantEffects: [{ type: "list" }],
  },
  {
    name: "a list that fails waits and is begun again",
    state: { ...listing, failures: 2 } as ReflectorState,
    input: { type: "failed", problem: "other" },
    want: { phase: "waiting", failures: 3, watchList: false, version: undefined },
    wantEffects: [{ type: "wait", delayMs: 3200 }],
  },
  {
    name: "waits as long as the server asks for",
    state: listing,
    input: { type: "failed", problem: "other", retryAfterMs: 9000 },
    want: { phase: "waiting", failures: 1, watchList: false, version: undefined },
    wantEffects: [{ type: "wait", delayMs: 9000 }],
  },
  {
    name: "a continue token that is too old begins the list again at once",
    state: listing,
    input: { type: "failed", problem: "gone" },
    want: { ...listing, failures: 1 } as ReflectorState,
    wantEffects: [{ type: "list" }],
  },
  {
    name: "but not in a loop",
    state: { ...listing, failures: 2 } as ReflectorState,
    input: { type: "failed", problem: "gone" },
    want: { phase: "waiting", failures: 3, watchList: false, version: undefined },
    wantEffects: [{ type: "wait", delayMs: 3200 }],
  },
  {
    name: "collects the first events of a watch",
    state: watchListing,
    input: { type: "object", version: "5" },
    want: watchListing,
    wantEffects: [{ type: "collect" }],
  },
  {
    name: "a bookmark that does not end the first events means nothing yet",
    state: watchListing,
    input: { type: "bookmark", version: "5", endsInitialEvents: false },
    want: watchListing,
    wantEffects: [],
  },
  {
    name: "after the first events the same watch goes on",
    state: watchListing,
    input: { type: "bookmark", version: "7", endsInitialEvents: true },
    now: 5000,
    want: { phase: "watching", failures: 0, watchList: true, version: "7", openedAt: 5000 },
    wantEffects: [{ type: "swap", version: "7", settled: true }],
  },
  {
    name: "WatchList that is refused becomes pages",
    state: watchListing,
    input: { type: "failed", problem: "refused" },
    want: listing,
    wantEffects: [{ type: "list" }],
  },
  {
    name: "WatchList of a kind that is absent stays WatchList",
    state: watchListing,
    input: { type: "failed", problem: "absent" },
    want: { phase: "waiting", failures: 1, watchList: true, version: undefined },
    wantEffects: [{ type: "wait", delayMs: 800 }],
  },
  {
    name: "an event goes into the store, and its version is where the watch would go on",
    state: watching,
    input: { type: "object", version: "8" },
    want: { ...watching, version: "8" } as ReflectorState,
    wantEffects: [{ type: "apply" }],
  },
  {
    name: "so does a bookmark's version, but never its object",
    state: watching,
    input: { type: "bookmark", version: "9", endsInitialEvents: false },
    want: { ...watching, version: "9" } as ReflectorState,
    wantEffects: [{ type: "advance", version: "9" }],
  },
  {
    name: "a watch that ends in order is opened again at once",
    state: watching,
    input: { type: "ended" },
    now: 301_000,
    want: { ...watching, openedAt: undefined } as ReflectorState,
    wantEffects: [{ type: "watch", version: "7" }],
  },
  {
    name: "a watch that ends as soon as it began is a failure",
    state: watching,
    input: { type: "ended" },
    now: 1500,
    want: { phase: "waiting", failures: 1, watchList: false, version: "7" },
    wantEffects: [{ type: "wait", delayMs: 800 }],
  },
  {
    name: "a broken watch goes on from where it was",
    state: { ...watching, failures: 3 } as ReflectorState,
    input: { type: "failed", problem: "other" },
    now: 2000,
    want: { phase: "waiting", failures: 4, watchList: false, version: "7" },
    wantEffects: [{ type: "wait", delayMs: 6400 }],
  },
  {
    name: "two minutes of watching end a row of failures",
    state: { ...watching, failures: 6 } as ReflectorState,
    input: { type: "failed", problem: "other" },
    now: 121_000,
    want: { phase: "waiting", failures: 1, watchList: false, version: "7" },
    wantEffects: [{ type: "wait", delayMs: 800 }],
  },
  {
    name: "a watch from too old a version lists at once",
    state: watching,
    input: { type: "failed", problem: "gone" },
    now: 2000,
    want: { ...listing, failures: 1 } as ReflectorState,
    wantEffects: [{ type: "list" }],
  },
  {
    name: "a watch of a kind that is gone waits and lists",
    state: watching,
    input: { type: "failed", problem: "absent" },
    now: 2000,
    want: { phase: "waiting", failures: 1, watchList: false, version: undefined },
    wantEffects: [{ type: "wait", delayMs: 800 }],
  },
  {
    name: "a doubt while watching lists at once",
    state: watching,
    input: { type: "doubt" },
    want: listing,
    wantEffects: [{ type: "list" }],
  },
  {
    name: "a doubt while waiting does not shorten the wait, but a list follows",
    state: waiting,
    input: { type: "doubt" },
    want: { ...waiting, version: undefined } as ReflectorState,
    wantEffects: [],
  },
  {
    name: "a refill while waiting lists at once",
    state: waiting,
    input: { type: "refill" },
    want: listing,
    wantEffects: [{ type: "list" }],
  },
  {
    name: "after the wait the watch goes on",
    state: waiting,
    input: { type: "timer" },
    want: { phase: "watching", failures: 1, watchList: false, version: "7", openedAt: undefined },
    wantEffects: [{ type: "watch", version: "7" }],
  },
  { name: "stops", state: watching, input: { type: "stop" }, want: stopped, wantEffects: [{ type: "cancel" }] },
];

describe("kube/reflector-state", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const { state, effects } = stepReflector(tc.state, tc.input, { now: tc.now ?? 1000, random });
      assert.deepEqual(state, tc.want);
      assert.deepEqual(effects, tc.wantEffects);
    });
  }

  it("always has exactly one thing under way, whatever comes", () => {
    const input: fc.Arbitrary<ReflectorInput> = fc.oneof(
      fc.constant<ReflectorInput>({ type: "page", version: "3" }),
      fc.constant<ReflectorInput>({ type: "page", version: "3", continueToken: "t" }),
      fc.constant<ReflectorInput>({ type: "opened" }),
      fc.constant<ReflectorInput>({ type: "object", version: "4" }),
      fc.boolean().map((endsInitialEvents): ReflectorInput => ({ type: "bookmark", version: "5", endsInitialEvents })),
      fc.constant<ReflectorInput>({ type: "ended" }),
      fc.constantFrom("gone", "refused", "absent", "other").map((problem): ReflectorInput => ({ type: "failed", problem })),
      fc.constant<ReflectorInput>({ type: "timer" }),
      fc.constant<ReflectorInput>({ type: "doubt" }),
      fc.constant<ReflectorInput>({ type: "refill" }),
    );
    fc.assert(
      fc.property(fc.boolean(), fc.array(input, { maxLength: 40 }), (watchList, inputs) => {
        let { state, effects } = stepReflector(stopped, { type: "start", watchList }, { now: 0, random });
        let underWay = "";
        let now = 0;
        const follow = () => {
          for (const effect of effects) {
            if (effect.type === "list" || effect.type === "nextPage") underWay = "listing";
            else if (effect.type === "watch") underWay = effect.version === undefined ? "watchListing" : "watching";
            else if (effect.type === "wait") underWay = "waiting";
            else if (effect.type === "swap" && underWay === "watchListing") underWay = "watching";
          }
          assert.equal(underWay, state.phase);
        };
        follow();
        for (const each of inputs) {
          now += 20_000;
          ({ state, effects } = stepReflector(state, each, { now, random }));
          follow();
        }
      }),
      { numRuns: 1000 },
    );
  });
});
