import assert from "node:assert/strict";
import type { ResourceVector } from "../../../src/quota/resource-vector.ts";
import { judgeWorkload, type WorkloadVerdict } from "../../../src/validation/queued-workload.ts";
import { makeQueue, queuesByName } from "../../support/builders/tenant-queue.ts";

const world = {
  queues: queuesByName(
    makeQueue("corp", { capacity: { resources: { cpu: 100, memory: "64Gi" } } }),
    makeQueue("eng", { parent: "corp", max: { cpu: 50 }, maxPriority: 100 }),
    makeQueue("web", {
      parent: "eng",
      max: { cpu: 60, "nvidia.com/gpu": 0 },
      namespaceSelector: { matchLabels: { team: "web" } },
      defaultQueue: true,
    }),
    makeQueue("ads", { parent: "corp", maxPriority: -10, namespaceSelector: {} }),
  ),
  complete: true,
};
const paths = { queue: "spec.queue.name", priority: "spec.queue.priority", request: "spec.template" };
const shop = { name: "shop", labels: { team: "web" } };

interface Case {
  readonly name: string;
  readonly queue?: string;
  readonly namespace?: typeof shop;
  readonly priority?: number;
  readonly request?: ResourceVector;
  readonly want: WorkloadVerdict;
}

const cases: readonly Case[] = [
  {
    name: "a workload that may be admitted",
    queue: "web",
    priority: 100,
    request: { cpu: 50_000, pods: 20 },
    want: { queue: "web", problems: [] },
  },
  { name: "the default queue of its namespace", want: { queue: "web", problems: [] } },
  {
    name: "a namespace that no queue admits",
    namespace: { name: "shop", labels: { team: "x" } },
    want: {
      refusal: "NoDefaultQueue",
      problems: [{ path: "spec.queue.name", message: "no TenantQueue is the default of the namespace shop; open to it: ads" }],
    },
  },
  {
    name: "a queue that does not take work",
    queue: "eng",
    want: {
      refusal: "QueueNotLeaf",
      problems: [
        { path: "spec.queue.name", message: "the TenantQueue eng has queues below it, and only those take work; open to it: ads, web" },
      ],
    },
  },
  {
    name: "a priority over the bound of a queue above",
    priority: 101,
    want: {
      queue: "web",
      problems: [
        { path: "spec.queue.priority", message: "is 101; must be at most 100, the bound of the TenantQueue eng (its spec.maxPriority)" },
      ],
    },
  },
  {
    name: "no priority is 0, and that may be over the bound",
    queue: "ads",
    want: {
      queue: "ads",
      problems: [
        { path: "spec.queue.priority", message: "is 0; must be at most -10, the bound of the TenantQueue ads (its spec.maxPriority)" },
      ],
    },
  },
  {
    name: "larger than the tightest limit on the way up: said at once",
    request: { cpu: 50_001 },
    want: {
      queue: "web",
      problems: [
        {
          path: "spec.template",
          message:
            "asks for 50001m of cpu at once, and the TenantQueue eng never has more than 50 (its spec.max), so it would wait for ever; make it smaller, or raise that",
        },
      ],
    },
  },
  {
    name: "a limit of 0",
    request: { "nvidia.com/gpu": 1 },
    want: {
      queue: "web",
      problems: [
        {
          path: "spec.template",
          message:
            "asks for 1 of nvidia.com/gpu at once, and the TenantQueue web never has more than 0 (its spec.max), so it would wait for ever; make it smaller, or raise that",
        },
      ],
    },
  },
  {
    name: "larger than a fixed capacity",
    queue: "ads",
    priority: -10,
    request: { memory: 65 * 1024 * 1024 },
    want: {
      queue: "ads",
      problems: [
        {
          path: "spec.template",
          message:
            "asks for 65Gi of memory at once, and the TenantQueue corp never has more than 64Gi (its spec.capacity.resources), so it would wait for ever; make it smaller, or raise that",
        },
      ],
    },
  },
];

describe("what will never be admitted", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const workload = {
        namespace: tc.namespace ?? shop,
        ...(tc.queue !== undefined && { queue: tc.queue }),
        ...(tc.priority !== undefined && { priority: tc.priority }),
        request: tc.request ?? {},
      };
      assert.deepEqual(judgeWorkload(workload, world, paths), tc.want);
    });
  }

  it("beyond 1000 no queue need bound it", () => {
    const { problems } = judgeWorkload(
      { namespace: shop, queue: "all", priority: 1001, request: {} },
      { queues: queuesByName(makeQueue("all", { namespaceSelector: {} })), complete: true },
      paths,
    );
    assert.deepEqual(problems, [{ path: "spec.queue.priority", message: "is 1001; must be at most 1000, the bound of any queue" }]);
  });
});
