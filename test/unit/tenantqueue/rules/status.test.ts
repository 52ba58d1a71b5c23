import assert from "node:assert/strict";
import type { TenantQueueSpec, TenantQueueStatus, TenantQueueStatusReclaim } from "../../../../src/api/tenant-queue.gen.ts";
import { equalJson } from "../../../../src/base/diff.ts";
import { effectiveQueue } from "../../../../src/tenantqueue/rules/effective-spec.ts";
import { grantRecordOf, nextQueueStatus, type ObservedQueue, type QueueSnapshot } from "../../../../src/tenantqueue/rules/status.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";
import { makeQueue } from "../../../support/builders/tenant-queue.ts";

const now = at("12:00:00");
const capacity = { cpu: 100_000, memory: 1_048_576 };

const idle: QueueSnapshot = {
  used: {},
  fairShare: {},
  borrowed: {},
  lent: {},
  admitted: 0,
  waiting: 0,
  reclaims: [],
  debts: [],
  coolOffs: [],
};

function observed(
  differs: {
    readonly spec?: TenantQueueSpec;
    readonly status?: TenantQueueStatus;
    readonly snapshot?: Partial<QueueSnapshot>;
    readonly state?: Partial<ObservedQueue["state"]>;
    readonly capacity?: ObservedQueue["capacity"] | "unknown";
  } = {},
): ObservedQueue {
  const spec = differs.spec ?? { parent: "corp", guaranteed: { cpu: "50%" } };
  const queue = makeQueue("eng", spec, {
    generation: 4,
    createdAt: iso("08:00:00"),
    ...(differs.status !== undefined && { status: differs.status }),
  });
  const root = spec.parent === undefined;
  return {
    queue,
    spec: effectiveQueue(queue),
    state: {
      placement: { kind: "placed", root: "corp", path: root ? ["corp"] : ["eng", "corp"] },
      problems: [],
      capacityKnown: true,
      stop: { policy: "None", queue: "eng" },
      guarantee: { granted: { cpu: { share: 50_000, text: "50%" } }, effective: { cpu: 50_000 } },
      ...differs.state,
    },
    ...(differs.capacity !== "unknown" && { capacity: differs.capacity ?? capacity }),
    snapshot: { ...idle, ...differs.snapshot },
  };
}

const reclaim = (id: string, differs: Partial<TenantQueueStatusReclaim> = {}): TenantQueueStatusReclaim => ({
  id,
  state: "Released",
  updatedAt: iso("11:00:00"),
  ...differs,
});

describe("the status of a queue", () => {
  it("tells everything of a snapshot", () => {
    const status = nextQueueStatus(
      observed({
        snapshot: {
          used: { cpu: 62_500, memory: 524_288 },
          fairShare: { cpu: 70_000 },
          borrowed: { cpu: 12_500 },
          lent: { memory: 1024 },
          admitted: 7,
          waiting: 37,
          oldestWaitSince: at("11:30:00"),
          head: { reason: "NoCapacity", message: "lacks 3 of cpu", since: at("11:59:30") },
          reclaims: [reclaim("r1")],
          debts: [{ id: "r0", resources: { cpu: "2" }, until: iso("12:10:00") }],
          coolOffs: [{ ref: "u1", part: "fleet", kind: "RunnerApp", until: iso("12:30:00") }],
        },
      }),
      now,
    );
    assert.deepEqual(status, {
      observedGeneration: 4,
      summary: { guaranteed: "cpu 50", used: "cpu 62.5", fairShare: "cpu 70", lent: "memory 1Mi", borrowed: "cpu 12.5" },
      parent: "corp",
      guaranteed: { cpu: { granted: "50%", effective: "50" } },
      used: { cpu: "62500m", memory: "512Mi" },
      fairShare: { cpu: "70" },
      borrowed: { cpu: "12500m" },
      lent: { memory: "1Mi" },
      admitted: 7,
      waiting: 37,
      oldestWaitSince: iso("11:30:00"),
      head: { reason: "NoCapacity", message: "lacks 3 of cpu", since: iso("11:59:30") },
      reclaims: [reclaim("r1")],
      debts: [{ id: "r0", resources: { cpu: "2" }, until: iso("12:10:00") }],
      coolOffs: [{ ref: "u1", part: "fleet", kind: "RunnerApp", until: iso("12:30:00") }],
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "Placed",
          message: "placed under corp",
          lastTransitionTime: iso("12:00:00"),
          observedGeneration: 4,
        },
      ],
    });
  });

  it("a root tells its capacity, and no guarantee", () => {
    const root = observed({ spec: {}, state: { guarantee: { granted: {}, effective: capacity } } });
    const status = nextQueueStatus(root, now);
    assert.deepEqual(status.capacity, { cpu: "100", memory: "1Gi" });
    assert.deepEqual([status.guaranteed, status.parent, status.summary?.guaranteed], [undefined, undefined, undefined]);
  });

  it("pods that are not counted are not told", () => {
    const root = observed({ spec: {}, capacity: { cpu: 1000, pods: 2 ** 31 } });
    assert.deepEqual(nextQueueStatus(root, now).capacity, { cpu: "1" });
  });

  it("what was granted stays while the queue has no place", () => {
    const kept: TenantQueueStatus = { parent: "gone", guaranteed: { cpu: { granted: "20", effective: "18" } } };
    const { guarantee: _none, ...state } = observed({ status: kept }).state;
    const lost: ObservedQueue = {
      ...observed({ status: kept }),
      state: { ...state, placement: { kind: "orphan", missing: "gone", by: "eng" } },
    };
    const status = nextQueueStatus(lost, now);
    assert.deepEqual([status.parent, status.guaranteed], ["gone", { cpu: { granted: "20", effective: "18" } }]);
  });

  it("and is read back as it was granted, not as it is effective", () => {
    const queue = makeQueue(
      "eng",
      { parent: "corp" },
      { status: { parent: "corp", guaranteed: { cpu: { granted: "50%", effective: "45" } } } },
    );
    assert.deepEqual(grantRecordOf(queue), { parent: "corp", granted: { cpu: { share: 50_000, text: "50%" } } });
    assert.equal(grantRecordOf(makeQueue("new")), undefined);
  });

  it("the order in which a snapshot lists things does not matter", () => {
    const lists = {
      reclaims: [reclaim("a"), reclaim("b")],
      debts: [
        { id: "a", until: iso("13:00:00") },
        { id: "b", until: iso("13:00:00") },
      ],
      coolOffs: [
        { ref: "a", part: "fleet", until: iso("13:00:00") },
        { ref: "b", part: "fleet", until: iso("13:00:00") },
      ],
    };
    const other = { reclaims: lists.reclaims.toReversed(), debts: lists.debts.toReversed(), coolOffs: lists.coolOffs.toReversed() };
    const one = nextQueueStatus(observed({ snapshot: { ...lists, used: { cpu: 1, memory: 2 } } }), now);
    const two = nextQueueStatus(observed({ snapshot: { ...other, used: { memory: 2, cpu: 1 } } }), now);
    assert.equal(JSON.stringify(two), JSON.stringify(one));
  });

  it("what did not change is not written: a second look says the same", () => {
    const first = nextQueueStatus(observed({ snapshot: { waiting: 3 } }), now);
    const second = nextQueueStatus(observed({ status: first, snapshot: { waiting: 3 } }), at("12:05:00"));
    assert.ok(equalJson(first, second));
  });

  it("16 reclaims at most: open ones first, then the newest", () => {
    const minute = (index: number) => `11:${String(index).padStart(2, "0")}:00`;
    const ended = Array.from({ length: 16 }, (_, index) =>
      reclaim(`ended-${String(index).padStart(2, "0")}`, { updatedAt: iso(minute(index)) }),
    );
    const open = reclaim("open", { state: "Acknowledged", updatedAt: iso("10:00:00") });
    const kept = nextQueueStatus(observed({ snapshot: { reclaims: [...ended, open] } }), now).reclaims?.map(({ id }) => id) ?? [];
    assert.equal(kept.length, 16);
    assert.deepEqual([kept.includes("open"), kept.includes("ended-00"), kept.includes("ended-01")], [true, false, true]);
  });

  it("debts and cool-offs that are over are gone, and of the others the 16 longest stay", () => {
    const minute = (index: number) => `13:${String(index).padStart(2, "0")}:00`;
    const debts = Array.from({ length: 17 }, (_, index) => ({ id: `d${index}`, until: iso(minute(index)) }));
    const coolOffs = [
      { ref: "over", part: "fleet", until: iso("12:00:00") },
      { ref: "not-over", part: "fleet", until: iso("12:00:01") },
    ];
    const status = nextQueueStatus(observed({ snapshot: { debts, coolOffs } }), now);
    assert.equal(status.debts?.length, 16);
    assert.equal(
      status.debts?.some(({ id }) => id === "d0"),
      false,
    );
    assert.deepEqual(
      status.coolOffs?.map(({ ref }) => ref),
      ["not-over"],
    );
  });

  it("tells nothing of a capacity that is not known", () => {
    const status = nextQueueStatus(observed({ spec: {}, capacity: "unknown", state: { capacityKnown: false } }), now);
    assert.equal(status.capacity, undefined);
  });
});
