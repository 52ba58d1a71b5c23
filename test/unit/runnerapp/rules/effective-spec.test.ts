import assert from "node:assert/strict";
import type { RunnerAppSpec } from "../../../../src/api/runner-app.gen.ts";
import { effectiveSpec } from "../../../../src/runnerapp/rules/effective-spec.ts";
import { specSchemaOf, withDefaults } from "../../../support/schema-defaults.ts";

const template = { spec: { containers: [{ name: "main" }] } };

describe("the effective spec of a RunnerApp", () => {
  for (const canary of [undefined, {}])
    it(`has the same defaults as the schema, ${canary === undefined ? "without" : "with"} a canary`, () => {
      const bare = { template, ...(canary !== undefined && { canary }) };
      const filled = withDefaults(specSchemaOf("runnerapp.yaml"), bare) as RunnerAppSpec;
      assert.deepEqual(effectiveSpec(bare), effectiveSpec(filled));
    });

  it("suspended it wants no instances, whatever replicas says", () => {
    assert.equal(effectiveSpec({ template, replicas: 5, suspend: true }).replicas, 0);
  });
});
