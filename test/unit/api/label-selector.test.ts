import assert from "node:assert/strict";
import { type LabelSelector, selects, selectorText, surelyWithin } from "../../../src/api/label-selector.ts";

const labels = { team: "web", zone: "a" };

const cases: readonly { readonly name: string; readonly selector: LabelSelector; readonly want: boolean; readonly text: string }[] = [
  { name: "an empty one selects everything", selector: {}, want: true, text: "all" },
  { name: "a label", selector: { matchLabels: { team: "web" } }, want: true, text: "team=web" },
  { name: "another value", selector: { matchLabels: { team: "ads" } }, want: false, text: "team=ads" },
  { name: "all of several", selector: { matchLabels: { team: "web", zone: "b" } }, want: false, text: "team=web, zone=b" },
  { name: "In", selector: { matchExpressions: [{ key: "zone", operator: "In", values: ["b", "a"] }] }, want: true, text: "zone in (a,b)" },
  {
    name: "In of one is that value",
    selector: { matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] },
    want: true,
    text: "zone=a",
  },
  {
    name: "In of a label that is not there",
    selector: { matchExpressions: [{ key: "x", operator: "In", values: ["a"] }] },
    want: false,
    text: "x=a",
  },
  {
    name: "NotIn",
    selector: { matchExpressions: [{ key: "zone", operator: "NotIn", values: ["a"] }] },
    want: false,
    text: "zone notin (a)",
  },
  {
    name: "NotIn of a label that is not there",
    selector: { matchExpressions: [{ key: "x", operator: "NotIn", values: ["a"] }] },
    want: true,
    text: "x notin (a)",
  },
  { name: "Exists", selector: { matchExpressions: [{ key: "zone", operator: "Exists" }] }, want: true, text: "zone" },
  { name: "DoesNotExist", selector: { matchExpressions: [{ key: "zone", operator: "DoesNotExist" }] }, want: false, text: "!zone" },
];

describe("a label selector", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      assert.equal(selects(tc.selector, labels), tc.want);
      assert.equal(selectorText(tc.selector), tc.text);
    });
  }

  it("with more demands is surely within one with fewer, however they are written", () => {
    const narrow: LabelSelector = { matchLabels: { team: "web" }, matchExpressions: [{ key: "zone", operator: "Exists" }] };
    const wide: LabelSelector = { matchExpressions: [{ key: "team", operator: "In", values: ["web"] }] };
    assert.deepEqual([surelyWithin(narrow, wide), surelyWithin(wide, narrow), surelyWithin(narrow, {})], [true, false, true]);
  });
});
