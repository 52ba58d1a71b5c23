import assert from "node:assert/strict";
import { type NamedWork, workRef } from "../../../../src/api/queue-explanation.ts";
import type { TenantQueue } from "../../../../src/api/tenant-queue.gen.ts";
import { queueTree, queueViews } from "../../../../src/cli/plugin/queue-tree-text.ts";
import { createStyle } from "../../../../src/cli/plugin/style.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const plain = { wide: false, style: createStyle(false), now };

interface Words {
  readonly parent?: string;
  readonly guaranteed?: string;
  readonly status?: Partial<NonNullable<TenantQueue["status"]>>;
}

function queue(name: string, { parent, guaranteed, status }: Words = {}): TenantQueue {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "TenantQueue",
    metadata: { name },
    spec: { ...(parent !== undefined && { parent }) },
    status: { ...(guaranteed !== undefined && { guaranteed: { cpu: { granted: guaranteed, effective: guaranteed } } }), ...status },
  };
}

/** Lhotse borrows 10 of Hermes' 50, and Base waits. */
const article = [
  queue("corp", { status: { capacity: { cpu: "100" }, used: { cpu: "70" }, admitted: 12, waiting: 3 } }),
  queue("lhotse", { parent: "corp", guaranteed: "50", status: { used: { cpu: "60" }, borrowed: { cpu: "10" }, admitted: 11 } }),
  queue("runner", { parent: "lhotse", guaranteed: "40", status: { used: { cpu: "60" }, fairShare: { cpu: "60" }, admitted: 11 } }),
  queue("base", {
    parent: "lhotse",
    guaranteed: "10",
    status: { waiting: 3, oldestWaitSince: "2026-11-21T11:50:00Z", head: { reason: "QueuePending" } },
  }),
  queue("hermes", { parent: "corp", guaranteed: "50", status: { used: { cpu: "10" }, lent: { cpu: "10" }, admitted: 1 } }),
];

describe("kubectl nuptse queue", () => {
  it("shows the tree with a bar for each queue, as parts of the root's capacity", () => {
    assert.deepEqual(queueTree(queueViews(article), plain), [
      "QUEUE          RESOURCE   USE                          USED   GUARANTEED   FAIR-SHARE   ADMITTED   WAITING   OLDEST   WHY",
      "corp           cpu        [################........]   70     100          -            12         3         -",
      "├─ hermes      cpu        [##::::::::::............]   10     50           -            1          0",
      "└─ lhotse      cpu        [############++..........]   60     50           -            11         0",
      "   ├─ base     cpu        [::......................]   0      10           -            0          3         10 min   QueuePending",
      "   └─ runner   cpu        [#########+++++..........]   60     40           60           11         0",
    ]);
  });

  it("shows one queue with all below it, still as parts of the root's capacity", () => {
    assert.deepEqual(
      queueViews(article, { top: "lhotse" }).map(({ name, depth, capacity }) => [name, depth, capacity["cpu"]]),
      [
        ["lhotse", 0, "100"],
        ["base", 1, "100"],
        ["runner", 1, "100"],
      ],
    );
  });

  it("shows queues without a place, and circles, with what is wrong", () => {
    const stalled = {
      type: "Stalled",
      status: "True",
      reason: "ParentNotFound",
      message: "spec.parent: there is no TenantQueue nobody",
      lastTransitionTime: "2026-11-21T11:00:00Z",
    } as const;
    const lost = queue("lost", { parent: "nobody", status: { conditions: [stalled] } });
    const circle = [queue("a", { parent: "b" }), queue("b", { parent: "a" })];
    const lines = queueTree(queueViews([lost, ...circle]), plain);
    assert.deepEqual(
      lines.slice(1).map((line) => line.split("   ")[0]),
      ["a", "└─ b", "lost", "lost: Stalled (ParentNotFound): spec.parent: there is no TenantQueue nobody"],
    );
  });

  it("tells of what is being asked back, by name where the caller may list it", () => {
    const reclaim = {
      id: "x",
      state: "Acknowledged",
      workload: { kind: "ElasticJob", ref: workRef("uid-of-etl"), part: "20261121t120000z" },
      claimant: { queue: "hermes" },
      resources: { cpu: "5", pods: "5" },
      deadline: "2026-11-21T12:10:00Z",
    } as const;
    const queues = [queue("runner", { status: { reclaims: [reclaim] } })];
    const etl = { kind: "ElasticJob", namespace: "red", name: "etl" };
    const named = (work: NamedWork) => (work.ref === workRef("uid-of-etl") ? { ...work, ...etl } : work);
    const told = "is asked to give back 5 cpu for hermes by 2026-11-21T12:10:00Z";
    assert.equal(queueTree(queueViews(queues, { named }), plain).at(-1), `runner: ElasticJob red/etl 20261121t120000z ${told}`);
    assert.equal(queueTree(queueViews(queues), plain).at(-1), `runner: work of runner ${told}`);
  });
});
