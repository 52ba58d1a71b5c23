import assert from "node:assert/strict";
import fc from "fast-check";
import { type BrakeState, brakeAt, brakeReleasesAt, isOutage, movesLeft, withMoves } from "../../../../src/runnerapp/rules/storm-brake.ts";

const policy = { moves: 3, windowMs: 600 };

interface Case {
  readonly name: string;
  readonly state: BrakeState;
  readonly now: number;
  readonly want: number;
  readonly wantRelease?: number;
}

const cases: readonly Case[] = [
  { name: "nothing has moved yet", state: [], now: 1000, want: 3 },
  { name: "moves within the window count", state: [500, 900], now: 1000, want: 1 },
  { name: "all are used up until the oldest leaves the window", state: [500, 800, 900], now: 1000, want: 0, wantRelease: 1100 },
  { name: "a move leaves the window at its end", state: [400, 800, 900], now: 1000, want: 1 },
  {
    name: "more moves than the limit, which was lowered: the newest count",
    state: [500, 600, 700, 800, 900],
    now: 1000,
    want: 0,
    wantRelease: 1300,
  },
  { name: "the clock was set back: moves of the future count as now", state: [5000, 5000, 5000], now: 1000, want: 0, wantRelease: 1600 },
];

describe("the storm brake", () => {
  for (const tc of cases)
    it(tc.name, () => {
      assert.equal(movesLeft(tc.state, policy, tc.now), tc.want);
      assert.equal(brakeReleasesAt(tc.state, policy, tc.now), tc.wantRelease);
    });

  it("0 moves: none, ever", () => {
    assert.equal(movesLeft([], { moves: 0, windowMs: 600 }, 1), 0);
    assert.equal(brakeReleasesAt([], { moves: 0, windowMs: 600 }, 1), undefined);
  });

  it("lets through no more than `moves` in any window, through restarts of the operator", () => {
    const steps = fc.array(fc.record({ after: fc.integer({ min: 0, max: 400 }), wanted: fc.integer({ min: 0, max: 5 }) }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5 }), (wishes, moves) => {
        const limits = { moves, windowMs: 600 };
        const done: number[] = [];
        let stored = "[]";
        let now = 0;
        for (const { after, wanted } of wishes) {
          now += after;
          // Nothing is known but what stood in status.
          const state = JSON.parse(stored) as BrakeState;
          const granted = Math.min(wanted, movesLeft(state, limits, now));
          for (let index = 0; index < granted; index++) done.push(now);
          stored = JSON.stringify(withMoves(state, limits, now, granted));
          assert.deepEqual(brakeAt(JSON.parse(stored), limits, now), JSON.parse(stored));
        }
        for (const at of done) assert.ok(done.filter((other) => other >= at && other < at + 600).length <= moves);
      }),
    );
  });
});

describe("an outage of nodes", () => {
  const table: readonly (readonly [string, number, number, boolean])[] = [
    ["one of three is lost", 1, 3, false],
    ["half are lost", 2, 4, false],
    ["more than half are lost: rather the way to them", 3, 5, true],
    ["the only one is lost", 1, 1, true],
  ];
  for (const [name, lost, nodes, want] of table) it(name, () => assert.equal(isOutage(lost, nodes), want));
});
