import assert from "node:assert/strict";
import type { TenantQueue } from "../../src/api/tenant-queue.gen.ts";
import { tenantQueues } from "../../src/api/resource.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { ApiError } from "../../src/kube/errors.ts";

/** What the schema of TenantQueue says to a spec, on any API server. */
export interface QueueSchemaCase {
  readonly name: string;
  readonly metadata?: { readonly name: string };
  readonly spec: unknown;
  /** The causes of the refusal, field and message, in the order of their fields; none = it is taken. */
  readonly refused?: readonly string[];
  /** Fields of the spec as stored. */
  readonly want?: Readonly<Record<string, unknown>>;
}

const amount = "must be a quantity such as 500m, 64 or 128Gi";
const guarantee = `${amount}, or a percentage from 0% to 100%`;

export const queueSchemaCases: readonly QueueSchemaCase[] = [
  {
    name: "the smallest queue is taken, and its defaults are visible",
    spec: {},
    want: {
      weight: 1,
      defaultQueue: false,
      ordering: "PriorityFIFO",
      lend: { maxSeconds: 3600 },
      limits: { unschedulableSeconds: 900 },
      maxPriority: 1000,
      reclaim: { graceSeconds: 600 },
      stopPolicy: "None",
    },
  },
  {
    name: "quantities of every form, and percentages",
    spec: {
      parent: "corp",
      guaranteed: { cpu: "12.5%", memory: "1.5Gi", pods: 10, "nvidia.com/gpu": "2", "ephemeral-storage": "1e9", "hugepages-2Mi": "100%" },
      max: { cpu: "500m", memory: "0", "nvidia.com/gpu": 0, pods: "1k" },
    },
    want: { max: { cpu: "500m", memory: "0", "nvidia.com/gpu": 0, pods: "1k" } },
  },
  {
    name: "a negative guarantee",
    spec: { parent: "corp", guaranteed: { cpu: -1 } },
    refused: [`spec.guaranteed[cpu]: Invalid value: -1: ${guarantee}`],
  },
  {
    name: "a percentage over 100",
    spec: { parent: "corp", guaranteed: { cpu: "101%" } },
    refused: [`spec.guaranteed[cpu]: Invalid value: "101%": ${guarantee}`],
  },
  { name: "no quantity", spec: { max: { memory: "much" } }, refused: [`spec.max[memory]: Invalid value: "much": ${amount}`] },
  {
    name: "a percentage where there is none",
    spec: { max: { "nvidia.com/gpu": "50%" } },
    refused: [`spec.max[nvidia.com/gpu]: Invalid value: "50%": ${amount}`],
  },
  {
    name: "a negative capacity",
    spec: { capacity: { resources: { cpu: "-3" } } },
    refused: [`spec.capacity.resources[cpu]: Invalid value: "-3": ${amount}`],
  },
  { name: "a lending time that is no class", spec: { lend: { maxSeconds: 61 } }, refused: ["spec.lend.maxSeconds: Unsupported value: 61"] },
  {
    name: "a negative weight",
    spec: { weight: -1 },
    refused: ["spec.weight: Invalid value: -1: spec.weight in body should be greater than or equal to 0"],
  },
  { name: "weight 0", spec: { weight: 0 }, want: { weight: 0 } },
  {
    name: "a priority over the bound",
    spec: { maxPriority: 1001 },
    refused: ["spec.maxPriority: Invalid value: 1001: spec.maxPriority in body should be less than or equal to 1000"],
  },
  {
    name: "a queue that is its own parent",
    metadata: { name: "self" },
    spec: { parent: "self" },
    refused: ["spec.parent: Invalid value: must not name the queue itself; name another queue, or leave it out for a root"],
  },
  {
    name: "a name that is no value of a label",
    metadata: { name: "q".repeat(64) },
    spec: {},
    refused: ["<nil>: Invalid value: must be no more than 63 characters, since it is the value of the label nuptse.dev/queue of pods"],
  },
  {
    name: "a capacity below a root",
    spec: { parent: "corp", capacity: {} },
    refused: ["spec.capacity: Invalid value: is for roots alone, since a tree has one capacity; take it away, or take away parent"],
  },
  {
    name: "a guarantee of a root",
    spec: { guaranteed: { cpu: 1 } },
    refused: [
      "spec.guaranteed: Invalid value: is for queues with a parent, since a root has its whole capacity; take it away, or name a parent",
    ],
  },
  { name: "an empty guarantee of a root", spec: { guaranteed: {} }, want: { guaranteed: {} } },
  {
    name: "a default queue of no namespaces",
    spec: { defaultQueue: true },
    refused: ["spec.defaultQueue: Invalid value: needs namespaceSelector, which says whose default the queue is"],
  },
  {
    name: "a fixed capacity that selects nodes as well",
    spec: { capacity: { resources: { cpu: 1 }, nodeSelector: { a: "b" } } },
    refused: [
      "spec.capacity.resources: Invalid value: stands for nodes, so nodeSelector, tolerations and provisionable must be left out beside it",
    ],
  },
  {
    name: "a pool with its taint",
    spec: {
      capacity: {
        nodeSelector: { pool: "gpu" },
        tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
      },
    },
    want: {
      capacity: {
        nodeSelector: { pool: "gpu" },
        tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
      },
    },
  },
  {
    name: "a toleration of nothing",
    spec: { capacity: { tolerations: [{ value: "a" }] } },
    refused: ["spec.capacity.tolerations[0]: Invalid value: must have a key, or operator: Exists for all taints"],
  },
  {
    name: "a toleration of any value with a value",
    spec: { capacity: { tolerations: [{ key: "a", operator: "Exists", value: "b" }] } },
    refused: ["spec.capacity.tolerations[0].value: Invalid value: value is for operator: Equal; leave it out"],
  },
  {
    name: "a selector without the values that it compares with",
    spec: { namespaceSelector: { matchExpressions: [{ key: "team", operator: "In" }] } },
    refused: [
      "spec.namespaceSelector.matchExpressions[0].values: Invalid value: must be given for In and NotIn, and for no other operator",
    ],
  },
  { name: "a selector of all namespaces", spec: { namespaceSelector: {}, defaultQueue: true }, want: { namespaceSelector: {} } },
];

/** Creates the queue of a case, under a name of its own, and compares. */
export async function checkQueueSchema(client: KubeClient, tc: QueueSchemaCase, index: number): Promise<void> {
  const queue = { metadata: tc.metadata ?? { name: `schema-${index}` }, spec: tc.spec } as TenantQueue;
  const { refused } = tc;
  if (refused === undefined) {
    const { spec } = await client.create<TenantQueue>(tenantQueues, queue, { dryRun: true, fieldValidation: "Strict" });
    for (const [field, value] of Object.entries(tc.want ?? {})) assert.deepEqual(spec[field as keyof typeof spec], value, field);
    return;
  }
  const error = await client.create(tenantQueues, queue, { dryRun: true, fieldValidation: "Strict" }).then(
    () => assert.fail("it was taken"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ApiError, String(error));
  // Beside a bound that is broken the server says that it has not checked all rules.
  const causes = error.causes
    .map(({ field, message }) => `${field}: ${message}`)
    .filter((text) => !text.includes("some validation rules were not checked"));
  assert.equal(causes.length, refused.length, causes.join("\n"));
  for (const [at, want] of refused.entries()) assert.ok(causes[at]?.startsWith(want), `${causes[at]}\nbut wanted\n${want}`);
}
