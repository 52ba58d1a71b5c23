import assert from "node:assert/strict";
import fc from "fast-check";
import { agreedNodes, type ExclusionState, mostExcluded, planExclusions } from "../../../../src/runnerapp/rules/node-exclusion.ts";
import type { NodeBlame } from "../../../../src/runnerapp/rules/retry-step.ts";

const policy = { failures: 3, windowMs: 1800, ttlMs: 3600, maxNodes: "20%" };
const ten = Array.from({ length: 10 }, (_, index) => `n${index}`);
const blames = (node: string, times: readonly number[], revision = "r1"): readonly NodeBlame[] =>
  times.map((at) => ({ node, at, revision, reason: "Exit" }));
const until = (node: string, end: number) => ({ node, until: end, failures: 3, reason: "Exit" });

interface Case {
  readonly name: string;
  readonly stored?: Partial<ExclusionState>;
  readonly blames?: readonly NodeBlame[];
  /** Nodes on which a revision has proven itself, by revision. */
  readonly proven?: Readonly<Record<string, readonly string[]>>;
  /** Revisions of which an instance has not failed; absent = those that have proven themselves. */
  readonly open?: readonly string[];
  readonly nodes?: readonly string[];
  readonly maxNodes?: number | string;
  readonly now?: number;
  /** "node until" each. */
  readonly want: readonly string[];
  readonly wantAdded?: readonly string[];
}

const elsewhere = { r1: ["n9"] };

const cases: readonly Case[] = [
  { name: "fewer failures than asked for", blames: blames("n1", [8000, 9000]), want: [] },
  {
    name: "as many within the window: left out from the last one on",
    blames: blames("n1", [8500, 9000, 9500]),
    want: ["n1 13100"],
    wantAdded: ["n1"],
  },
  { name: "one of them too long ago", blames: blames("n1", [8200, 9000, 9500]), want: [] },
  { name: "known before: no second event", stored: { exclusions: [until("n1", 12_000)] }, want: ["n1 12000"], wantAdded: [] },
  {
    name: "one more failure there makes it longer",
    stored: { blames: blames("n1", [8500, 9000, 9500]), exclusions: [until("n1", 13_100)] },
    blames: blames("n1", [9900]),
    want: ["n1 13500"],
    wantAdded: [],
  },
  { name: "ends at its instant", stored: { exclusions: [until("n1", 10_000)] }, want: [] },
  { name: "a node that is no more is forgotten", stored: { exclusions: [until("gone", 12_000)] }, want: [] },
  { name: "an app that has proven itself nowhere excludes nothing", blames: blames("n1", [9000, 9100, 9200]), proven: {}, want: [] },
  { name: "nor one that has on that node alone", blames: blames("n1", [9000, 9100, 9200]), proven: { r1: ["n1"] }, want: [] },
  {
    name: "once it has proven itself elsewhere the failures count",
    stored: { blames: blames("n1", [9000, 9100, 9200]) },
    want: ["n1 12800"],
    wantAdded: ["n1"],
  },
  {
    name: "a revision that failed on three nodes, and every instance of which has failed, lifts what it caused",
    stored: {
      blames: [...blames("n1", [9000, 9100, 9200]), ...blames("n2", [9300]), ...blames("n3", [9400])],
      exclusions: [until("n1", 12_800)],
    },
    proven: {},
    want: [],
  },
  {
    name: "not while an instance of it has not failed, which may have begun a moment ago",
    stored: {
      blames: [...blames("n1", [9000, 9100, 9200]), ...blames("n2", [9300]), ...blames("n3", [9400])],
      exclusions: [until("n1", 12_800)],
    },
    proven: {},
    open: ["r1"],
    want: ["n1 12800"],
  },
  {
    name: "which has proven nothing yet, and makes nothing come that is not there",
    stored: { blames: [...blames("n1", [9000, 9100, 9200]), ...blames("n2", [9300]), ...blames("n3", [9400])] },
    proven: {},
    open: ["r1"],
    want: [],
  },
  {
    name: "but not what another revision caused there, too",
    stored: {
      blames: [...blames("n1", [9000], "r0"), ...blames("n1", [9100, 9200]), ...blames("n2", [9300]), ...blames("n3", [9400])],
      exclusions: [until("n1", 12_800)],
    },
    proven: { r0: ["n9"] },
    want: ["n1 12800"],
  },
  {
    name: "over the cap the one that would end first goes",
    stored: { exclusions: [until("n1", 10_500), until("n2", 11_000)] },
    blames: blames("n3", [9000, 9100, 9200]),
    want: ["n2 11000", "n3 12800"],
    wantAdded: ["n3"],
  },
  { name: "never the only node", blames: blames("n1", [9000, 9100, 9200]), nodes: ["n1"], maxNodes: 5, want: [] },
  { name: "the clock was set back: failures of the future are of now", blames: blames("n1", [90_000, 90_001, 90_002]), want: ["n1 13600"] },
];

describe("nodes that fail an app too often", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const proven = new Map(Object.entries(tc.proven ?? elsewhere));
      const open = new Set(tc.open ?? proven.keys());
      const context = {
        now: tc.now ?? 10_000,
        nodes: tc.nodes ?? ten,
        provenOn: (revision: string) => new Set(proven.get(revision) ?? []),
        isOpen: (revision: string) => open.has(revision),
      };
      const policyOf = { ...policy, ...(tc.maxNodes !== undefined && { maxNodes: tc.maxNodes }) };
      const plan = planExclusions({ blames: [], exclusions: [], ...tc.stored }, tc.blames ?? [], policyOf, context);
      assert.deepEqual(
        plan.state.exclusions.map(({ node, until: end }) => `${node} ${end}`),
        tc.want,
      );
      if (tc.wantAdded !== undefined)
        assert.deepEqual(
          plan.added.map(({ node }) => node),
          tc.wantAdded,
        );
      const again = planExclusions(plan.state, [], policyOf, context);
      assert.deepEqual([again.state, again.added], [plan.state, []], "planned twice, something changes");
    });

  for (const [maxNodes, nodes, want] of [
    ["20%", 10, 2],
    ["20%", 4, 1],
    ["20%", 1, 0],
    ["0%", 10, 0],
    ["100%", 3, 2],
    [4, 10, 4],
    [4, 3, 2],
    [4, 0, 0],
  ] as const)
    it(`${maxNodes} of ${nodes} nodes: ${want}`, () => assert.equal(mostExcluded(maxNodes, nodes), want));

  it("never are more left out than the cap, whatever fails, and none for longer than the ttl", () => {
    const happening = fc.record({ node: fc.constantFrom(...ten), after: fc.nat(500), revision: fc.constantFrom("r1", "r2") });
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), fc.array(fc.constantFrom(...ten)), (happenings, proven) => {
        let state: ExclusionState = { blames: [], exclusions: [] };
        let now = 0;
        for (const { node, after, revision } of happenings) {
          now += after;
          const isOpen = (of: string) => of === "r1" && proven.length > 0;
          const context = { now, nodes: ten, provenOn: (of: string) => new Set(of === "r1" ? proven : []), isOpen };
          state = planExclusions(state, [{ node, at: now, revision, reason: "Exit" }], policy, context).state;
          assert.ok(state.exclusions.length <= 2);
          for (const exclusion of state.exclusions) {
            assert.ok(exclusion.until > now && exclusion.until <= now + policy.ttlMs);
            assert.notEqual(proven.length, 0, "excluded by an app that has proven itself nowhere");
          }
          assert.ok(state.blames.length <= 100);
        }
      }),
    );
  });
});

describe("agreement on a node", () => {
  it("so many apps or jobs, each once", () => {
    const reports = [
      { node: "n2", by: "a/job" },
      { node: "n1", by: "a/web" },
      { node: "n1", by: "b/web" },
      { node: "n1", by: "a/web" },
      { node: "n2", by: "a/web" },
      { node: "n2", by: "b/web" },
    ];
    assert.deepEqual(agreedNodes(reports, 3), [{ node: "n2", by: ["a/job", "a/web", "b/web"] }]);
    assert.deepEqual(
      agreedNodes(reports, 2).map(({ node }) => node),
      ["n1", "n2"],
    );
  });
});
