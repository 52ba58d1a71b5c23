import assert from "node:assert/strict";
import type { TenantQueueSpec } from "../../../../src/api/tenant-queue.gen.ts";
import { effectiveQueue } from "../../../../src/tenantqueue/rules/effective-spec.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";
import { makeQueue } from "../../../support/builders/tenant-queue.ts";
import { specSchemaOf, withDefaults } from "../../../support/schema-defaults.ts";

const specSchema = specSchemaOf("tenantqueue.yaml");

const read = (spec: TenantQueueSpec) => effectiveQueue(makeQueue("eng", spec, { createdAt: iso("09:30:00") }));

describe("a queue with its defaults", () => {
  const specs: readonly { readonly name: string; readonly spec: TenantQueueSpec }[] = [
    { name: "of the smallest queue", spec: {} },
    { name: "of one with every block left empty", spec: { lend: {}, limits: {}, reclaim: {}, capacity: {}, guaranteed: {}, max: {} } },
    { name: "of one with half of a block", spec: { limits: { waiting: 5 }, capacity: { tolerations: [{ key: "gpu", value: "yes" }] } } },
  ];
  for (const tc of specs) {
    it(`${tc.name} are those of the CRD's schema`, () => {
      assert.deepEqual(read(tc.spec), read(withDefaults(specSchema, tc.spec) as TenantQueueSpec));
    });
  }

  it("are the table's of tenantqueue.md section 1", () => {
    assert.deepEqual(read({}), {
      name: "eng",
      createdAt: at("09:30:00"),
      weight: 1,
      guaranteed: {},
      max: {},
      capacity: { kind: "nodes", nodeSelector: {}, tolerations: [], provisionable: {} },
      defaultQueue: false,
      ordering: "PriorityFIFO",
      lendMaxSeconds: 3600,
      waitingLimit: Infinity,
      runningLimit: Infinity,
      unschedulableMs: 900_000,
      maxPriority: 1000,
      reclaimGraceMs: 600_000,
      stopPolicy: "None",
    });
  });
});

describe("reading a queue", () => {
  it("a guarantee is a quantity, or a percentage that is kept as such", () => {
    assert.deepEqual(read({ parent: "corp", guaranteed: { cpu: "2500m", memory: "1Gi", "nvidia.com/gpu": 4, pods: "12.5%" } }).guaranteed, {
      cpu: { units: 2500, text: "2500m" },
      memory: { units: 1_048_576, text: "1Gi" },
      "nvidia.com/gpu": { units: 4, text: "4" },
      pods: { share: 12_500, text: "12.5%" },
    });
  });

  it("a guarantee of nothing is none", () => {
    assert.deepEqual(read({ parent: "corp", guaranteed: { cpu: 0, memory: "0%" } }).guaranteed, {});
  });

  it("a limit of 0 is a limit", () => {
    assert.deepEqual(read({ max: { "nvidia.com/gpu": 0, cpu: "1.5" } }).max, { "nvidia.com/gpu": 0, cpu: 1500 });
  });

  it("an amount that cannot be read is left out, the rest is read", () => {
    const { guaranteed, max } = read({
      parent: "corp",
      guaranteed: { cpu: "-1", memory: "1Ki", pods: "101%" },
      max: { cpu: "lots", memory: "2Ki" },
    });
    assert.deepEqual([guaranteed, max], [{ memory: { units: 1, text: "1Ki" } }, { memory: 2 }]);
  });

  it("a fixed capacity stands for nodes", () => {
    assert.deepEqual(read({ capacity: { resources: { cpu: 10, memory: "64Gi" } } }).capacity, {
      kind: "fixed",
      resources: { cpu: 10_000, memory: 67_108_864 },
    });
  });

  it("what is asked for is rounded up, what there is down", () => {
    const { max, capacity } = read({ max: { memory: 1025 }, capacity: { resources: { memory: 1025 } } });
    assert.deepEqual([max, capacity], [{ memory: 2 }, { kind: "fixed", resources: { memory: 1 } }]);
  });
});
