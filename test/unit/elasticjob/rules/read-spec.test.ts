import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { effectiveSpec } from "../../../../src/elasticjob/rules/effective-spec.ts";
import { readSpec } from "../../../../src/elasticjob/rules/read-spec.ts";
import { elasticJobProblems } from "../../../../src/validation/elastic-job.ts";
import { makeJob, makeSpec, plainTemplate } from "../../../support/builders/elastic-job.ts";
import { specSchemaOf, withDefaults } from "../../../support/schema-defaults.ts";

const specSchema = specSchemaOf("elasticjob.yaml");

describe("the spec with its defaults", () => {
  const specs: readonly { name: string; spec: ElasticJobSpec }[] = [
    { name: "of the smallest job", spec: { template: plainTemplate } },
    {
      name: "of one with every block left empty",
      spec: {
        ...makeSpec(),
        misfire: {},
        sharding: {},
        retry: {},
        failover: {},
        completion: {},
        results: {},
        podRetention: {},
        history: {},
      },
    },
    {
      name: "of one with half of a block",
      spec: { ...makeSpec(), retry: { sameNode: 2, backoff: { factor: 3 } }, podRetention: { failed: 7 } },
    },
  ];
  for (const tc of specs) {
    it(`${tc.name} are those of the CRD's schema`, () => {
      assert.deepEqual(effectiveSpec(tc.spec), effectiveSpec(withDefaults(specSchema, tc.spec) as ElasticJobSpec));
    });
  }

  it("are the table's of elasticjob.md section 1", () => {
    const spec = effectiveSpec({ template: plainTemplate });
    assert.deepEqual(
      [spec.suspend, spec.concurrencyPolicy, spec.misfire.onDowntime, spec.misfire.onOverlap, spec.misfire.limit, spec.total],
      [false, "Forbid", "FireOnce", "Skip", 10, 1],
    );
    assert.deepEqual([spec.maxEnqueued, spec.deadlineMs], [20, Infinity]);
    assert.deepEqual(spec.podRetention, { succeeded: 1, failed: 3, minMs: 90_000 });
    assert.deepEqual(spec.history, { succeeded: 3, failed: 3 });
    assert.deepEqual([spec.retry.sameNode, spec.retry.otherNodes, spec.retry.failoverLimit], [0, 0, 3]);
    assert.deepEqual([spec.retry.resetAfterMs, spec.retry.rules, spec.unreachableMs, spec.nodeRules], [Infinity, [], Infinity, []]);
    assert.deepEqual(spec.completion, { maxFailedItems: 0, failFast: true });
    assert.deepEqual([spec.startTimeoutMs, spec.runTimeoutMs, spec.itemTimeoutMs], [600_000, Infinity, Infinity]);
    assert.deepEqual([spec.parallelism, spec.misfire.startingDeadlineMs, spec.resultBytes], [Infinity, Infinity, 1024]);
  });
});

describe("reading a spec", () => {
  const read = (spec: Partial<ElasticJobSpec>) => {
    const job = makeJob(spec);
    return readSpec(job, elasticJobProblems(job.spec));
  };

  it("a schedule that is wrong is left out, the rest is read", () => {
    const { armed, spec, problems } = read({ schedule: { crons: ["bad"] }, sharding: { total: 4 } });
    assert.equal(armed, undefined);
    assert.equal(spec.total, 4);
    assert.equal(problems.length, 1);
  });

  it("disabledItems that are wrong are left out", () => {
    const { spec } = read({ sharding: { total: 4, disabledItems: "9-1" } });
    assert.equal(spec.disabledItems.size, 0);
  });

  it("dates and times for people are of the job's zone", () => {
    const { armed } = read({ schedule: { crons: ["0 2 * * *"], timeZone: "America/New_York" } });
    const instant = Date.parse("2026-11-21T03:30:00Z");
    assert.equal(armed?.localDate(instant), "2026-11-20");
    assert.equal(armed?.display(instant), "11-20 22:30 EST");
  });

  it("a fixed offset is its own abbreviation", () => {
    const { armed } = read({ schedule: { crons: ["0 2 * * *"], timeZone: "GMT+8" } });
    assert.match(armed?.display(Date.parse("2026-11-21T18:30:00Z")) ?? "", /^11-22 02:30 GMT\+0?8/);
  });

  it("@every counts from the creation", () => {
    const job = makeJob({ schedule: { crons: ["@every 90s"] } }, { metadata: { creationTimestamp: "2026-11-21T10:00:10Z" } });
    const { armed } = readSpec(job, []);
    assert.equal(armed?.schedule.next(Date.parse("2026-11-21T10:00:10Z")), Date.parse("2026-11-21T10:01:40Z"));
  });
});
