import assert from "node:assert/strict";
import { definitionChanges } from "../../../hack/compatibility/definition-changes.ts";
import { readCrds } from "../../../src/simulator/harness/crds.ts";
import { baselineDefinitions } from "../../chart/support/baseline.ts";

/** Changes since the recorded version that some stored object might not bear, and why none is hurt. A change that is not here must not be made. */
const accepted: Readonly<Record<string, string>> = {
  "ElasticJob spec: Ratcheted: the rule is new: has(self.template) != has(self.runnerRef)":
    "template was required, and nobody had runnerRef: each has exactly one",
};

describe("definitions of kinds", () => {
  const now = new Map(readCrds().map((definition) => [definition.metadata.name, definition]));
  const changes = baselineDefinitions().flatMap((older) => {
    const newer = now.get(older.metadata.name);
    if (newer === undefined) return [`${older.spec.names.kind}: Lost: the kind is gone`];
    return definitionChanges(older, newer).map(({ path, effect, what }) => `${older.spec.names.kind} ${path}: ${effect}: ${what}`);
  });

  it("are compared with all that the recorded version had", () => {
    assert.deepEqual(
      baselineDefinitions().map(({ spec }) => spec.names.kind),
      ["ElasticJob", "JobRequest", "RunnerApp", "TenantQueue"],
    );
  });

  it("keep what is stored valid, and all of it", () => {
    const hint =
      "What is stored in clusters may not bear this. Make it otherwise, or say why it is right after all in test/unit/crds/compatibility.test.ts";
    assert.deepEqual(
      changes.filter((change) => !(change in accepted)),
      [],
      hint,
    );
  });

  for (const [change, why] of Object.entries(accepted))
    it(`accepted, since ${why}`, () => assert.ok(changes.includes(change), `is no change: ${change}`));
});
