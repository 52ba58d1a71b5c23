import assert from "node:assert/strict";
import type { AdmissionAnswer } from "../../../../src/api/admission.ts";
import type { Pod } from "../../../../src/api/core.ts";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { type ObservedPodWorkload, planPodWorkload } from "../../../../src/podgate/rules/plan.ts";
import { type QueuedPod, queuedPod } from "../../../../src/podgate/rules/queued-pod.ts";

const now = Date.UTC(2026, 10, 21, 12, 0, 0);
const gate = { name: "nuptse.dev/queue" };

interface PodWords {
  readonly gated?: boolean;
  /** Seconds before now. */
  readonly age?: number;
  readonly cpu?: string;
  readonly phase?: string;
  readonly revision?: string;
  readonly surge?: boolean;
  readonly group?: string | undefined;
  readonly total?: string;
  readonly deleted?: boolean;
  readonly spec?: object;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: { readonly kind: string; readonly name: string };
}

function pod(name: string, words: PodWords = {}): QueuedPod {
  const { gated = true, age = 60, cpu = "1", phase = gated ? "Pending" : "Running", revision, owner } = words;
  return queuedPod({
    metadata: {
      name,
      namespace: "red",
      uid: `uid-${name}`,
      resourceVersion: "7",
      creationTimestamp: new Date(now - age * 1000).toISOString(),
      ...(words.deleted === true && { deletionTimestamp: new Date(now).toISOString() }),
      labels: {
        "nuptse.dev/queue": "q",
        ...(revision !== undefined && { "pod-template-hash": revision }),
        ...(words.group !== undefined && { "nuptse.dev/pod-group": words.group }),
        ...(words.total !== undefined && { "nuptse.dev/pod-group-total": words.total }),
      },
      ...((words.surge === true || words.annotations !== undefined) && {
        annotations: { ...(words.surge === true && { "nuptse.dev/surge": "true" }), ...words.annotations },
      }),
      ...(owner !== undefined && { ownerReferences: [{ apiVersion: "apps/v1", ...owner, uid: "o", controller: true }] }),
    },
    spec: {
      ...(gated && { schedulingGates: [{ name: "other/gate" }, gate] }),
      containers: [{ name: "main", resources: { requests: { cpu } } }],
      ...words.spec,
    },
    status: { phase },
  } as unknown as Pod & KubeObject);
}

function observed(
  pods: readonly QueuedPod[],
  more: Partial<ObservedPodWorkload> & { readonly allowed?: number } = {},
): ObservedPodWorkload {
  const { allowed, ...rest } = more;
  const base: ObservedPodWorkload = {
    now,
    key: { namespace: "red", name: "x" },
    workload: pods[0]?.workload ?? { kind: "Deployment", name: "web" },
    pods,
    choices: new Map([["q", { kind: "queue", queue: "q" }]]),
    answers: new Map(),
    held: new Map(),
    refused: new Map(),
    ...rest,
  };
  if (allowed === undefined) return base;
  const part = planPodWorkload(base).wants?.[0]?.part ?? "";
  const waits = { reason: "QueuePending", message: "waits" };
  const answer: AdmissionAnswer = { allowed, waits, unschedulableMs: 900_000 };
  return { ...base, answers: new Map([[part, answer]]) };
}

const releasedBy = (input: ObservedPodWorkload) =>
  planPodWorkload(input).actions.map(({ ref, operations }) => ({ name: ref.name, operations }));
const names = (input: ObservedPodWorkload) => releasedBy(input).map(({ name }) => name);
const web = (revision: string) => ({ revision, owner: { kind: "ReplicaSet", name: `web-${revision}` } });

describe("what becomes of somebody else's pods", () => {
  it("one workload asks for all of its pods, and says which are at work", () => {
    const owner = { kind: "Job", name: "count" };
    const plan = planPodWorkload(
      observed([pod("a", { owner, gated: false }), pod("b", { owner }), pod("c", { owner, phase: "Succeeded" })]),
    );
    assert.deepEqual(
      plan.wants?.map(({ queue, wanted, atWork, recorded, onReclaim, atLeast, priority, item }) => ({
        queue,
        wanted,
        atWork,
        recorded,
        onReclaim,
        atLeast,
        priority,
        item,
      })),
      [{ queue: "q", wanted: 2, atWork: 1, recorded: 1, onReclaim: "Refuse", atLeast: 1, priority: 0, item: { cpu: 1000, pods: 1 } }],
    );
  });

  it("pods of several sizes are asked for apart", () => {
    const plan = planPodWorkload(observed([pod("a", { cpu: "2" }), pod("b"), pod("c")]));
    assert.deepEqual(plan.wants?.map(({ wanted, item }) => [wanted, item.cpu]).sort(), [
      [1, 2000],
      [2, 1000],
    ]);
  });

  it("a pod that its deadline ends is promised to last that long, with its grace", () => {
    const spec = { activeDeadlineSeconds: 600, terminationGracePeriodSeconds: 20 };
    assert.deepEqual(
      planPodWorkload(observed([pod("a", { spec })])).wants?.map(({ promiseSeconds }) => promiseSeconds),
      [620],
    );
  });

  it("as many are released as are allowed, the oldest first, and only their own gate is taken away", () => {
    const input = observed([pod("new", { age: 10 }), pod("old", { age: 90 }), pod("run", { gated: false })], { allowed: 2 });
    assert.deepEqual(releasedBy(input), [
      {
        name: "old",
        operations: [
          { op: "test", path: "/spec/schedulingGates/1/name", value: "nuptse.dev/queue" },
          { op: "remove", path: "/spec/schedulingGates/1" },
        ],
      },
    ]);
  });

  it("nothing is asked for and nothing released while the queues are not known", () => {
    const plan = planPodWorkload(observed([pod("a")], { choices: new Map([["q", undefined]]) }));
    assert.deepEqual([plan.wants, plan.actions], [undefined, []]);
  });

  it("a pod whose queue refuses its namespace is asked for no more, and the refusal is told", () => {
    const refusal = { kind: "refused", reason: "QueueNotAllowed", message: "not open" } as const;
    const plan = planPodWorkload(observed([pod("a")], { choices: new Map([["q", refusal]]) }));
    assert.deepEqual([plan.wants, plan.waiting?.reason], [[], "QueueNotAllowed"]);
  });

  it("a pod that the API server would not release is tried again a minute later, and its word is told", () => {
    const refused = new Map([["uid-a", { message: "no", retryAt: now + 1000 }]]);
    const input = observed([pod("a")], { allowed: 1, refused });
    const plan = planPodWorkload(input);
    assert.deepEqual([plan.actions, plan.waiting?.reason, plan.waiting?.message, plan.wakeAt], [[], "ReleaseRefused", "no", now + 1000]);
    assert.deepEqual(names({ ...input, now: now + 1000 }), ["a"]);
  });

  describe("surge of a Deployment whose queue is full", () => {
    const old = ["o1", "o2", "o3"].map((name) => pod(name, { gated: false, ...web("aa") }));
    const rollout = { replicas: 3, maxSurge: 1 };
    const fresh = (name: string, more: PodWords = {}) => pod(name, { age: 5, ...web("bb"), ...more });

    it("the Deployment is read only when pods of it wait while others run", () => {
      assert.equal(planPodWorkload(observed([...old, fresh("n1")], { allowed: 3 })).asksForRollout, true);
      assert.equal(planPodWorkload(observed(old, { allowed: 3 })).asksForRollout, false);
      assert.equal(planPodWorkload(observed([fresh("n1")], { allowed: 0 })).asksForRollout, false);
    });

    it("maxSurge pods of the newest template begin beyond the share, and are marked", () => {
      const released = releasedBy(observed([...old, fresh("n1"), fresh("n2")], { allowed: 3, rollout: { replicas: 3, maxSurge: 1 } }));
      assert.deepEqual(
        released.map(({ name, operations }) => [name, operations.at(-1)?.value]),
        [["n1", { "nuptse.dev/surge": "true" }]],
      );
    });

    it("none begins beyond the replicas that there are to be", () => {
      assert.deepEqual(names(observed([...old.slice(0, 2), fresh("n1")], { allowed: 2, rollout })), []);
    });

    it("a pod that surges already is counted against it", () => {
      assert.deepEqual(names(observed([...old, fresh("n1", { gated: false, surge: true }), fresh("n2")], { allowed: 3, rollout })), []);
    });

    it("whoever surges again and again gets no more than twice what the queue has admitted", () => {
      const surging = pod("s1", { gated: false, surge: true, ...web("bb") });
      const input = observed([...old.slice(0, 1), surging, pod("n1", { age: 5, ...web("cc") })], {
        allowed: 1,
        rollout: { replicas: 1, maxSurge: 10 },
      });
      assert.deepEqual(names(input), []);
    });

    it("scaling up is no surge", () => {
      assert.deepEqual(names(observed([...old, pod("o4", web("aa"))], { allowed: 3, rollout: { replicas: 3, maxSurge: 1 } })), []);
    });

    it("when an old pod has gone, the queue counts the one that surged, before others are released", () => {
      const surging = fresh("n1", { gated: false, surge: true });
      const input = observed([...old.slice(0, 2), surging, fresh("n2")], { allowed: 3 });
      assert.deepEqual(releasedBy(input), [
        {
          name: "n1",
          operations: [
            { op: "test", path: "/metadata/annotations/nuptse.dev~1surge", value: "true" },
            { op: "remove", path: "/metadata/annotations/nuptse.dev~1surge" },
          ],
        },
      ]);
    });
  });

  describe("a group", () => {
    const group = (name: string, words: PodWords = {}) => pod(name, { group: "mpi", total: "3", ...words });

    it("waits until all of its pods exist", () => {
      const plan = planPodWorkload(observed([group("a"), group("b")]));
      assert.deepEqual(
        [plan.wants, plan.waiting?.reason, plan.waiting?.message],
        [[], "PodGroupIncomplete", "2 of 3 pods of the group exist"],
      );
    });

    it("is one item, as large as its pods are together, and all are released at once", () => {
      const input = observed([group("a", { cpu: "4" }), group("b"), group("c")], { allowed: 1 });
      assert.deepEqual(
        planPodWorkload(input).wants?.map(({ wanted, item }) => ({ wanted, item })),
        [{ wanted: 1, item: { cpu: 6000, pods: 3 } }],
      );
      assert.deepEqual(names(input), ["a", "b", "c"]);
      assert.deepEqual(names({ ...input, answers: new Map() }), []);
    });

    it("of which some were released before the operator died has all of its share still", () => {
      const input = observed([group("a", { gated: false }), group("b"), group("c")], { allowed: 1 });
      assert.deepEqual(
        planPodWorkload(input).wants?.map(({ wanted, atWork }) => [wanted, atWork]),
        [[1, 1]],
      );
      assert.deepEqual(names(input), ["b", "c"]);
    });

    it("that has begun gets a new pod for one that failed, if the queue has room for it", () => {
      const begun = [group("a", { gated: false }), group("b", { gated: false }), group("c", { phase: "Failed", gated: false })];
      const input = observed([...begun, group("d")]);
      assert.deepEqual(
        planPodWorkload(input).wants?.map(({ wanted, atWork }) => [wanted, atWork]),
        [[3, 2]],
      );
    });

    const wrong: readonly (readonly [string, readonly QueuedPod[], RegExp])[] = [
      [
        "no total",
        [pod("a", { group: "mpi" })],
        /nuptse\.dev\/pod-group-total must be the number of pods of the group, 1 to 10000; it is missing/,
      ],
      ["a total that is none", [group("a", { total: "many" })], /it is many/],
      ["totals that differ", [group("a"), group("b", { total: "2" })], /differ in nuptse\.dev\/pod-group-total/],
      ["more pods than the total", ["a", "b", "c", "d"].map((name) => group(name)), /has 4 pods, and nuptse\.dev\/pod-group-total says 3/],
    ];
    for (const [what, pods, words] of wrong) {
      it(`with ${what} does not begin, and says what is wrong`, () => {
        const plan = planPodWorkload(observed(pods));
        assert.deepEqual([plan.wants, plan.waiting?.reason], [[], "PodGroupInvalid"]);
        assert.match(plan.waiting?.message ?? "", words);
      });
    }
  });

  describe("the place of a pod that has gone", () => {
    const owner = { kind: "StatefulSet", name: "db" };
    const two = [pod("a", { owner, gated: false }), pod("b", { owner, gated: false })];
    const planAfter = (ms: number, held: ObservedPodWorkload["held"], kind = owner.kind) =>
      planPodWorkload(observed(two.slice(0, 1), { now: now + ms, held, workload: { kind, name: "db" } }));

    it("is kept for ten seconds where a controller makes another, and then given up", () => {
      const first = planAfter(0, planPodWorkload(observed(two)).held);
      assert.deepEqual([first.wants?.map(({ wanted }) => wanted), first.wakeAt], [[2], now + 10_000]);
      const still = planAfter(9_999, first.held);
      assert.deepEqual(
        still.wants?.map(({ wanted }) => wanted),
        [2],
      );
      const later = planAfter(10_000, still.held);
      assert.deepEqual([later.wants?.map(({ wanted }) => wanted), later.wakeAt], [[1], undefined]);
    });

    it("is not kept for a Job, whose pods end", () => {
      assert.deepEqual(
        planAfter(0, planPodWorkload(observed(two)).held, "Job").wants?.map(({ wanted }) => wanted),
        [1],
      );
    });
  });

  it("a pod that finds no node keeps its share, and says so when limits.unschedulableSeconds are over", () => {
    const since = now - 899_000;
    const lost: QueuedPod = { ...pod("a", { gated: false }), unschedulableSince: since };
    const input = observed([lost], { allowed: 1 });
    assert.deepEqual([planPodWorkload(input).waiting, planPodWorkload(input).wakeAt], [undefined, now + 1000]);
    const late = planPodWorkload({ ...input, now: now + 1000 });
    assert.equal(late.waiting?.reason, "NotScheduled");
    assert.deepEqual(
      late.wants?.map(({ atWork }) => atWork),
      [1],
    );
  });
});
