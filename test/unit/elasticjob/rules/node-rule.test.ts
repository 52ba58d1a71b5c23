import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { nodeRulesAt } from "../../../../src/api/node-rule.ts";
import { at, iso, plainTemplate } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const placed = (nodeRules: ElasticJobSpec["nodeRules"], more: Partial<ElasticJobSpec> = {}) => {
  const world = JobWorld.accepted({ spec: { ...more, ...(nodeRules !== undefined && { nodeRules }) } });
  return world.to("12:00:00");
};
const affinity = (world: JobWorld) => world.pod().spec.affinity?.nodeAffinity;
const field = (operator: string, node: string) => ({ key: "metadata.name", operator, values: [node] });

describe("nodeRules", () => {
  it("Prefer and Avoid are wishes, Exclude is a must", () => {
    const world = placed([
      { node: "n1", effect: "Prefer" },
      { node: "n2", effect: "Avoid" },
      { node: "n3", effect: "Exclude" },
    ]);
    assert.deepEqual(affinity(world), {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [field("NotIn", "n3")] }] },
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, preference: { matchFields: [field("In", "n1")] } },
        { weight: 100, preference: { matchFields: [field("NotIn", "n2")] } },
      ],
    });
  });

  it("are added to what the template wishes", () => {
    const own = { weight: 3, preference: { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] } };
    const template = {
      spec: { ...plainTemplate.spec, affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [own] } } },
    };
    const world = placed([{ node: "n1", effect: "Avoid" }], { template });
    assert.deepEqual(affinity(world)?.preferredDuringSchedulingIgnoredDuringExecution, [
      own,
      { weight: 100, preference: { matchFields: [field("NotIn", "n1")] } },
    ]);
  });

  it("none leave the pod as it is", () => assert.equal(placed(undefined).pod().spec.affinity, undefined));

  it("expire at their instant, without a write", () => {
    const rules = [{ node: "n1", effect: "Exclude" as const, expiresAt: iso("12:30:00") }];
    assert.equal(nodeRulesAt(rules, at("12:30:00") - 1).length, 1);
    assert.equal(nodeRulesAt(rules, at("12:30:00")).length, 0);
    const world = placed(rules);
    world.runs(0, 0, "n2").settle();
    world.to("12:29:00").forgetLog();
    world.to("12:59:59");
    assert.deepEqual(world.writes, []);
    world.to("13:00:00");
    assert.equal(affinity(world), undefined);
  });

  it("a same-node attempt whose node is excluded meanwhile is withdrawn, record first, and goes elsewhere (decision 18)", () => {
    const world = JobWorld.accepted({ spec: { retry: { sameNode: 1 } } });
    world.to("12:00:00").runs(0, 7, "n1");
    world.to("12:00:10").edit({ nodeRules: [{ node: "n1", effect: "Exclude" }] });
    world.step();
    assert.equal(world.active()?.stops?.[0]?.reason, "NotScheduled");
    world.to("12:00:40");
    assert.deepEqual(affinity(world)?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms, [
      { matchFields: [field("NotIn", "n1")] },
    ]);
  });

  it("a failure on a node that is excluded meanwhile is not repeated there", () => {
    const world = JobWorld.accepted({ spec: { retry: { sameNode: 1 } } });
    world
      .to("12:00:00")
      .start(0, "n1")
      .edit({ nodeRules: [{ node: "n1", effect: "Exclude" }] });
    world.to("12:00:05").exit(0, 7);
    world.to("12:00:15");
    assert.equal(world.attempts().find((pod) => pod.attempt === 2)?.history.pinned, undefined);
  });

  it("with every node that is not excluded left out by failures, failures are forgiven and the rule holds", () => {
    const world = JobWorld.accepted({
      nodes: ["n1", "n2"],
      spec: { retry: { otherNodes: 2 }, nodeRules: [{ node: "n2", effect: "Exclude" }] },
    });
    world.to("12:00:00").runs(0, 7, "n1");
    world.to("12:00:10");
    assert.deepEqual(affinity(world)?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms, [
      { matchFields: [field("NotIn", "n2")] },
    ]);
  });
});
