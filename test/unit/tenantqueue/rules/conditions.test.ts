import assert from "node:assert/strict";
import type { Condition } from "../../../../src/api/meta.ts";
import type { TenantQueueStatusReclaim } from "../../../../src/api/tenant-queue.gen.ts";
import { type QueueState, queueConditions } from "../../../../src/tenantqueue/rules/conditions.ts";
import type { QueueGuarantee } from "../../../../src/tenantqueue/rules/guarantees.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";

const now = at("12:00:00");

const state = (differs: Partial<QueueState> = {}): QueueState => ({
  name: "web",
  generation: 3,
  placement: { kind: "placed", root: "corp", path: ["web", "eng", "corp"] },
  problems: [],
  capacityKnown: true,
  stop: { policy: "None", queue: "web" },
  guarantee: { granted: {}, effective: {} },
  reclaims: [],
  ...differs,
});

const refused: QueueGuarantee = {
  granted: { cpu: { units: 50_000, text: "50" } },
  effective: { cpu: 50_000 },
  refused: { kind: "siblings", resource: "cpu", parent: "eng", has: "100", root: false, asked: "80% (80)", siblings: "50", most: "50" },
};

const reclaim = (id: string, differs: Partial<TenantQueueStatusReclaim> = {}): TenantQueueStatusReclaim => ({
  id,
  state: "Requested",
  workload: { kind: "ElasticJob", ref: "0123456789abcdef", part: "20261121t110000z" },
  deadline: iso("11:50:00"),
  ...differs,
});

/** Type, status, reason and message of each. */
const said = (conditions: readonly Condition[]) => conditions.map(({ type, status, reason, message }) => [type, status, reason, message]);

interface Case {
  readonly name: string;
  readonly state: Partial<QueueState>;
  readonly want: readonly (readonly string[])[];
}

/** Not ready, and stalled for the same reason. */
const stalled = (reason: string, message: string) => [
  ["Ready", "False", reason, message],
  ["Stalled", "True", reason, message],
];

const cases: readonly Case[] = [
  { name: "placed in the tree, capacity known: Ready", state: {}, want: [["Ready", "True", "Placed", "placed under eng"]] },
  {
    name: "a root is, too",
    state: { name: "corp", placement: { kind: "placed", root: "corp", path: ["corp"] } },
    want: [["Ready", "True", "Placed", "it is a root"]],
  },
  {
    name: "an unknown parent: Stalled(ParentNotFound)",
    state: { placement: { kind: "orphan", missing: "egn", by: "web" } },
    want: stalled("ParentNotFound", "spec.parent: there is no TenantQueue egn; create it, or name another one"),
  },
  {
    name: "below an orphan: it names whose parent is missing",
    state: { placement: { kind: "orphan", missing: "crop", by: "eng" } },
    want: stalled(
      "ParentNotFound",
      "spec.parent: the TenantQueue crop, which eng above it names as its parent, does not exist; create it, or correct eng",
    ),
  },
  {
    name: "a cycle: Stalled(Cycle)",
    state: { placement: { kind: "cycle", cycle: ["eng", "web"], member: true } },
    want: stalled("Cycle", "spec.parent: leads back to the queue itself (eng -> web -> eng); name another parent in one of them"),
  },
  {
    name: "below a cycle",
    state: { placement: { kind: "cycle", cycle: ["a", "b"], member: false } },
    want: stalled("Cycle", "spec.parent: leads to queues that are each other's parents (a -> b -> a); name another parent in one of them"),
  },
  {
    name: "a root that claims an older one's nodes: Stalled(CapacityOverlap)",
    state: { name: "corp", placement: { kind: "placed", root: "corp", path: ["corp"] }, overlap: { holder: "old", node: "n1", count: 3 } },
    want: stalled(
      "CapacityOverlap",
      "spec.capacity: selects n1 and 2 others, which the root old has already; give the two roots different nodeSelectors, or hang this queue below old",
    ),
  },
  {
    name: "below such a root: it names the root",
    state: { overlap: { holder: "old", node: "n1", count: 1 } },
    want: stalled(
      "CapacityOverlap",
      "spec.capacity of the root corp: selects n1, which the root old has already; give the two roots different nodeSelectors, or hang this queue below old",
    ),
  },
  {
    name: "a field that is wrong: Stalled(InvalidSpec) with each field",
    state: {
      problems: [
        { path: "spec.max.cpu", message: "is wrong" },
        { path: "spec.defaultQueue", message: "is, too" },
      ],
    },
    want: stalled("InvalidSpec", "spec.max.cpu: is wrong; spec.defaultQueue: is, too"),
  },
  {
    name: "capacity not known yet: not ready, and nobody need do anything",
    state: { capacityKnown: false },
    want: [["Ready", "False", "Progressing", "the nodes are being read"]],
  },
  {
    name: "held by its own policy: Ready, and it says so",
    state: { stop: { policy: "Hold", queue: "web" } },
    want: [["Ready", "True", "Held", "spec.stopPolicy is Hold: nothing new is admitted"]],
  },
  {
    name: "held and drained by a queue above",
    state: { stop: { policy: "HoldAndDrain", queue: "eng" } },
    want: [
      ["Ready", "True", "Held", "spec.stopPolicy of eng is HoldAndDrain: nothing new is admitted, and yieldable work is asked to leave"],
    ],
  },
  {
    name: "a guarantee that is not in force: OverCommitted, and the queue is ready all the same",
    state: { guarantee: refused },
    want: [
      ["Ready", "True", "Placed", "placed under eng"],
      [
        "OverCommitted",
        "True",
        "ParentHasLess",
        "spec.guaranteed.cpu: is 80% (80) where eng has a guarantee of 100 and its other queues are guaranteed 50 of it; ask for 50 at most, lower theirs, or raise that of eng. Until then status.guaranteed is in force, which was granted before",
      ],
    ],
  },
  {
    name: "a guarantee below that of the queues below",
    state: { guarantee: { ...refused, refused: { kind: "children", resource: "cpu", asked: "40", children: "50" } } },
    want: [
      ["Ready", "True", "Placed", "placed under eng"],
      [
        "OverCommitted",
        "True",
        "ChildrenHaveMore",
        "spec.guaranteed.cpu: is 40, and the queues below are guaranteed 50 together; lower theirs first, or keep it at 50 or more. Until then status.guaranteed is in force, which was granted before",
      ],
    ],
  },
  {
    name: "what was not given back in time: ReclaimOverdue, with the deadline, and without the name of the workload",
    state: { reclaims: [reclaim("a"), reclaim("b", { state: "Released" }), reclaim("c", { deadline: iso("12:00:01") })] },
    want: [
      ["Ready", "True", "Placed", "placed under eng"],
      [
        "ReclaimOverdue",
        "True",
        "DeadlinePassed",
        "1 workload should have given back by 2026-11-21T11:50:00Z what another queue is guaranteed; until then the queue admits nothing new. Let them end, or scale them down: kubectl nuptse queue web tells which they are",
      ],
    ],
  },
  {
    name: "of many of them: how many, and the first deadline",
    state: {
      reclaims: ["11:50:00", "11:40:00", "11:45:00"].map((deadline) =>
        reclaim(deadline, { state: "Acknowledged", deadline: iso(deadline) }),
      ),
    },
    want: [
      ["Ready", "True", "Placed", "placed under eng"],
      [
        "ReclaimOverdue",
        "True",
        "DeadlinePassed",
        "3 workloads should have given back by 2026-11-21T11:40:00Z what another queue is guaranteed; until then the queue admits nothing new. Let them end, or scale them down: kubectl nuptse queue web tells which they are",
      ],
    ],
  },
];

describe("the conditions of a queue", () => {
  for (const tc of cases) it(tc.name, () => assert.deepEqual(said(queueConditions(state(tc.state), [], now)), tc.want));

  it("troubles that are over are told as False", () => {
    const before = queueConditions(
      state({ problems: [{ path: "spec.max.cpu", message: "is wrong" }], guarantee: refused, reclaims: [reclaim("a")] }),
      [],
      now,
    );
    assert.deepEqual(said(queueConditions(state(), before, now)), [
      ["Ready", "True", "Placed", "placed under eng"],
      ["Stalled", "False", "Placed", ""],
      ["OverCommitted", "False", "WithinParent", ""],
      ["ReclaimOverdue", "False", "AllReturned", ""],
    ]);
  });

  it("while the capacity is not known it stays said whether a guarantee is in force", () => {
    const before = queueConditions(state({ guarantee: refused }), [], now);
    const { guarantee: _left, ...lost } = state({ capacityKnown: false });
    const overCommitted = queueConditions(lost, before, now).find(({ type }) => type === "OverCommitted");
    assert.equal(overCommitted?.status, "True");
  });

  it("a time of transition moves only when a status does", () => {
    const before = queueConditions(state(), [], at("09:00:00"));
    const [held] = queueConditions(state({ stop: { policy: "Hold", queue: "web" } }), before, now);
    assert.deepEqual([held?.reason, held?.lastTransitionTime, held?.observedGeneration], ["Held", iso("09:00:00"), 3]);
  });
});
