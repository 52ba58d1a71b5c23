import assert from "node:assert/strict";
import type { NodeRule } from "../../../../src/api/node-rule.ts";
import {
  isMisplaced,
  learntRules,
  nextExpiry,
  type PlacementWishes,
  placementOf,
  withNodeRules,
} from "../../../../src/runnerapp/rules/node-rules.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";

const now = at("12:00:00");
const exclude = (node: string, expiresAt?: string): NodeRule => ({
  node,
  effect: "Exclude",
  ...(expiresAt !== undefined && { expiresAt }),
});
const learnt = (node: string, until: string) => ({ node, until: at(until), failures: 3, reason: "Exit" });

interface Case {
  readonly name: string;
  readonly wishes: Partial<PlacementWishes>;
  readonly leave?: readonly string[];
  readonly prefer?: readonly string[];
  readonly pinned?: string;
  readonly forgiven?: boolean;
}

const cases: readonly Case[] = [
  { name: "nothing is said", wishes: {} },
  {
    name: "all that must not be is left out, once",
    wishes: { rules: [exclude("n1")], exclusions: [learnt("n2", "12:10:00")], leave: ["n3", "n2"], evacuating: ["n4"] },
    leave: ["n1", "n2", "n3", "n4"],
  },
  { name: "what has expired is passed over", wishes: { rules: [exclude("n1", iso("12:00:00"))], exclusions: [learnt("n2", "12:00:00")] } },
  {
    name: "a must beats a wish",
    wishes: { rules: [{ node: "n1", effect: "Prefer" }], exclusions: [learnt("n1", "12:10:00")] },
    leave: ["n1"],
  },
  { name: "and a repetition on the node", wishes: { pinned: "n1", evacuating: ["n1"] }, leave: ["n1"] },
  { name: "a repetition on the node", wishes: { pinned: "n1" }, pinned: "n1" },
  { name: "a restart rather goes where it was", wishes: { prefer: ["n1"] }, prefer: ["n1"] },
  {
    name: "no node is left: what was learnt is passed over",
    wishes: { rules: [exclude("n1")], exclusions: [learnt("n2", "12:10:00")], leave: ["n3"], usable: ["n1", "n2", "n3"] },
    leave: ["n1"],
    forgiven: true,
  },
  {
    name: "no node is left because people said so: it stays so",
    wishes: { rules: [exclude("n1")], evacuating: ["n2"], usable: ["n1", "n2"] },
    leave: ["n1", "n2"],
  },
  { name: "one is left", wishes: { exclusions: [learnt("n2", "12:10:00")], usable: ["n1", "n2"] }, leave: ["n2"] },
];

describe("where a new pod goes", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const got = placementOf({ rules: [], exclusions: [], leave: [], evacuating: [], ...tc.wishes }, now);
      assert.deepEqual(got.leave, tc.leave ?? []);
      assert.deepEqual(
        got.wishes.map(({ node }) => node),
        tc.prefer ?? [],
      );
      assert.equal(got.pinned, tc.pinned);
      assert.equal(got.forgiven, tc.forgiven ?? false);
    });

  it("is rendered into every alternative of the template's affinity, a field a node", () => {
    const field = (operator: string, node: string) => ({ key: "metadata.name", operator, values: [node] });
    const ssd = { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] };
    const big = { matchExpressions: [{ key: "size", operator: "In", values: ["big"] }] };
    const affinity = {
      podAntiAffinity: {},
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [ssd, big] } },
    };
    const wishes = { rules: [{ node: "n5", effect: "Avoid" as const }], exclusions: [], leave: ["n2", "n1"], evacuating: [], pinned: "n3" };
    const matchFields = [field("In", "n3"), field("NotIn", "n1"), field("NotIn", "n2")];
    assert.deepEqual(withNodeRules(affinity, placementOf(wishes, now)), {
      podAntiAffinity: {},
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { ...ssd, matchFields },
            { ...big, matchFields },
          ],
        },
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference: { matchFields: [field("NotIn", "n5")] } }],
      },
    });
  });

  it("without anything to add the affinity stays as it is", () => {
    const none = placementOf({ rules: [], exclusions: [], leave: [], evacuating: [] }, now);
    assert.equal(withNodeRules(undefined, none), undefined);
    const own = { nodeAffinity: {} };
    assert.equal(withNodeRules(own, none), own);
  });

  it("a pod that waits for a node is made anew when rules have changed, one that has a node stays", () => {
    const placement = placementOf({ rules: [exclude("n1")], exclusions: [], leave: [], evacuating: [] }, now);
    assert.equal(isMisplaced([], placement, false), true);
    assert.equal(isMisplaced(["n2"], placement, false), true);
    assert.equal(isMisplaced(["n1"], placement, false), false);
    assert.equal(isMisplaced([], placement, true), false);
  });
});

describe("what was learnt", () => {
  it("stands in status as rules, while it holds", () =>
    assert.deepEqual(learntRules([learnt("n1", "12:10:00"), learnt("n2", "12:00:00")], now), [
      { node: "n1", effect: "Exclude", expiresAt: "2026-11-21T12:10:00Z", reason: "3 failures, the last one Exit" },
    ]));

  it("the first to end wakes", () => {
    assert.equal(nextExpiry([exclude("n1"), exclude("n2", iso("12:20:00"))], [learnt("n3", "12:10:00")], now), at("12:10:00"));
    assert.equal(nextExpiry([exclude("n1"), exclude("n2", iso("11:20:00"))], [], now), undefined);
  });
});
