import assert from "node:assert/strict";
import { type LeavingGateway, planLeaving } from "../../../../../src/runnerapp/rules/services/leaving-gateway.ts";
import { at } from "../../../../support/builders/elastic-job.ts";
import { gateway } from "../../../../support/builders/published-services.ts";

const rows: readonly { readonly name: string; readonly facts: Partial<LeavingGateway>; readonly want: string }[] = [
  { name: "one that stays is told nothing", facts: { pod: gateway(1), outSince: at("11:00:00") }, want: "" },
  { name: "one that a slice still has is told nothing", facts: { isPublished: true }, want: "" },
  { name: "nodes are given a moment to follow", facts: { outSince: at("11:59:59") }, want: "wakes at 12:00:02" },
  { name: "then it is told", facts: { outSince: at("11:59:57") }, want: "tells" },
  { name: "and only once", facts: { pod: { ...gateway(1, "leaving"), isUnpublished: true }, outSince: at("11:00:00") }, want: "" },
];

describe("a gateway that leaves", () => {
  for (const { name, facts, want } of rows)
    it(name, () => {
      const plan = planLeaving({ pod: gateway(1, "leaving"), isPublished: false, now: at("12:00:00"), ...facts });
      const wakes = plan.wakeAt === undefined ? "" : `wakes at ${new Date(plan.wakeAt).toISOString().slice(11, 19)}`;
      assert.equal(plan.actions.length > 0 ? "tells" : wakes, want);
    });

  it("is told by an annotation, also where it has none yet", () => {
    const told = planLeaving({ pod: gateway(1, "leaving"), isPublished: false, outSince: at("11:00:00"), now: at("12:00:00") }).actions[0];
    assert.ok(told?.tag === "patch");
    assert.deepEqual(told.operations, [
      { op: "add", path: "/metadata/annotations", value: { "nuptse.dev/unpublished": "2026-11-21T12:00:00Z" } },
    ]);
  });
});
