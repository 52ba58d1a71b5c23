import assert from "node:assert/strict";
import { defaultContainer } from "../../../../src/api/default-container.ts";
import { type AttemptContext, attemptPod, judge } from "../../../../src/elasticjob/rules/attempt.ts";
import { makeAttempt, makePod, type PodFacts } from "../../../support/builders/attempt-pod.ts";
import { at } from "../../../support/builders/elastic-job.ts";

/** Sentences of decision 4 and of elasticjob.md section 2, "When an attempt has ended". */
const verdicts: readonly {
  readonly name: string;
  readonly pod: PodFacts;
  readonly context?: AttemptContext;
  /** "Outcome:Reason"; absent = it may still be at work. */
  readonly want?: string;
}[] = [
  { name: "a pod that nobody has scheduled is at work", pod: { phase: "Pending" } },
  { name: "a running container is at work", pod: { exits: [null], node: "n1" } },
  { name: "deletionTimestamp ends nothing by itself", pod: { exits: [null], node: "n1", deletionTimestamp: "12:01:00" } },
  { name: "DisruptionTarget ends nothing by itself", pod: { exits: [null], node: "n1", disrupted: true } },
  {
    name: "a partitioned node's pod (DisruptionTarget and deletionTimestamp by the taint manager) is at work",
    pod: { exits: [null], node: "n1", disrupted: true, deletionTimestamp: "12:05:50" },
  },
  { name: "one of two containers still runs: at work", pod: { exits: [0, null] } },
  { name: "a recorded stop ends nothing by itself", pod: { exits: [null], node: "n1" }, context: { stop: "ItemTimeout" } },
  { name: "a container status that is missing proves no end", pod: { exits: [0], containers: 2 } },

  { name: "all containers are at 0 before the phase says so: succeeded", pod: { exits: [0] }, want: "Succeeded:Completed" },
  { name: "phase Succeeded", pod: { exits: [0], phase: "Succeeded" }, want: "Succeeded:Completed" },
  { name: "two containers at 0", pod: { exits: [0, 0] }, want: "Succeeded:Completed" },
  { name: "exit 1 is a failure", pod: { exits: [1] }, want: "Failed:Error" },
  { name: "the main container at 0 and another at 3 is a failure", pod: { exits: [0, 3] }, want: "Failed:Error" },

  {
    name: "exit 0 a second before the deletion was asked for (deletionTimestamp is request plus grace): succeeded",
    pod: { exits: [0], finished: "12:00:29", deletionTimestamp: "12:01:00", grace: 30 },
    want: "Succeeded:Completed",
  },
  {
    name: "exit 0 in the second of the deletion counts as disrupted",
    pod: { exits: [0], finished: "12:00:30", deletionTimestamp: "12:01:00", grace: 30 },
    want: "Lost:Disrupted",
  },
  {
    name: "exit 0 after the deletion was asked for, though before deletionTimestamp: it trapped TERM and has not done its work",
    pod: { exits: [0], finished: "12:00:40", deletionTimestamp: "12:01:00", grace: 30 },
    want: "Lost:Disrupted",
  },
  {
    name: "exit 0 in the second of the deletion, but seen before there was a deletionTimestamp: succeeded",
    pod: { exits: [0], finished: "12:00:30", deletionTimestamp: "12:01:00", grace: 30 },
    context: { endedUndeleted: true },
    want: "Succeeded:Completed",
  },
  {
    name: "exit 143 of a pod that is being deleted is a loss, not a failure",
    pod: { exits: [143], finished: "12:00:40", deletionTimestamp: "12:01:00" },
    want: "Lost:Disrupted",
  },
  { name: "exit 137 with DisruptionTarget is a loss", pod: { exits: [137], disrupted: true, phase: "Failed" }, want: "Lost:Disrupted" },
  {
    name: "a program that traps TERM and exits 0 while the kubelet evicts it has not done its work",
    pod: { exits: [0], phase: "Failed", reason: "Evicted", disrupted: true },
    want: "Lost:Disrupted",
  },
  {
    name: "evicted for its own ephemeral storage (no DisruptionTarget) counts, whatever its exit code",
    pod: { exits: [0], phase: "Failed", reason: "Evicted" },
    want: "Failed:Evicted",
  },
  {
    name: "a program that traps TERM and exits 0 when activeDeadlineSeconds is over has run out of time",
    pod: { exits: [0], phase: "Failed", reason: "DeadlineExceeded" },
    want: "Failed:ItemTimeout",
  },
  {
    name: "activeDeadlineSeconds with exit 137 has run out of time",
    pod: { exits: [137], phase: "Failed", reason: "DeadlineExceeded" },
    want: "Failed:ItemTimeout",
  },

  {
    name: "the kubelet rejects the pod (OutOfcpu, no container state): lost",
    pod: { phase: "Failed", reason: "OutOfcpu" },
    want: "Lost:OutOfcpu",
  },
  { name: "rejected for NodeAffinity: lost", pod: { phase: "Failed", reason: "NodeAffinity" }, want: "Lost:NodeAffinity" },
  {
    name: "Failed by the pod garbage collector, container never ended: lost",
    pod: { phase: "Failed", exits: [null] },
    want: "Lost:Rejected",
  },
  {
    name: "an init container that fails is the program's failure, not a rejection",
    pod: { phase: "Failed", waiting: "PodInitializing", initExit: 7 },
    want: "Failed:Error",
  },

  {
    name: "gone before any end was seen: lost",
    pod: { exits: [null], node: "n1" },
    context: { vanishedAt: at("12:03:00") },
    want: "Lost:Vanished",
  },
  {
    name: "gone after its success was seen: succeeded",
    pod: { exits: [0] },
    context: { vanishedAt: at("12:03:00"), endedUndeleted: true },
    want: "Succeeded:Completed",
  },
  {
    name: "its node is surely gone: lost",
    pod: { exits: [null], node: "n1" },
    context: { nodeGoneAt: at("12:04:00") },
    want: "Lost:NodeGone",
  },

  {
    name: "our recorded intention comes first: ended by our own deletion for a time-out it has failed, and is not lost",
    pod: { exits: [143], finished: "12:00:40", deletionTimestamp: "12:01:00" },
    context: { stop: "ItemTimeout" },
    want: "Failed:ItemTimeout",
  },
  {
    name: "a stopped attempt that traps TERM and exits 0 has failed of its time-out",
    pod: { exits: [0], finished: "12:00:40", deletionTimestamp: "12:01:00" },
    context: { stop: "StartTimeout" },
    want: "Failed:StartTimeout",
  },
  {
    name: "a stopped attempt whose pod is gone has failed of its time-out",
    pod: { phase: "Pending", waiting: "ErrImagePull" },
    context: { stop: "ImagePull", vanishedAt: at("12:11:00") },
    want: "Failed:ImagePull",
  },
  {
    name: "an unscheduled same-node attempt that was withdrawn is neither failed nor lost",
    pod: { phase: "Pending" },
    context: { stop: "NotScheduled", vanishedAt: at("12:02:00") },
    want: "Withdrawn:NotScheduled",
  },
  {
    name: "withdrawn, although it began in the last moment and was killed by our deletion: uncounted all the same",
    pod: { exits: [143], node: "n1", finished: "12:01:05", deletionTimestamp: "12:01:30", grace: 30 },
    context: { stop: "NotScheduled" },
    want: "Withdrawn:NotScheduled",
  },
];

describe("what an attempt's end means", () => {
  for (const tc of verdicts) {
    it(tc.name, () => {
      const verdict = judge(makeAttempt(tc.pod), tc.context);
      assert.equal(verdict === undefined ? undefined : `${verdict.outcome}:${verdict.reason}`, tc.want);
    });
  }

  it("tells when it ended, how, and what it said", () => {
    const verdict = judge(makeAttempt({ exits: [4], finished: "12:00:30", message: "no space left" }));
    assert.deepEqual(verdict, { outcome: "Failed", reason: "Error", at: at("12:00:30"), exitCode: 4, message: "no space left" });
  });

  it("a lost attempt ended when it was seen to be gone", () => {
    assert.equal(judge(makeAttempt({ exits: [null] }), { vanishedAt: at("12:03:00") })?.at, at("12:03:00"));
  });

  it("a failed init container gives exit code and message", () => {
    const verdict = judge(makeAttempt({ phase: "Failed", waiting: "PodInitializing", initExit: 7 }));
    assert.equal(verdict?.exitCode, 7);
  });
});

describe("which container stands for the pod", () => {
  const cases: readonly { name: string; facts: PodFacts; want: string }[] = [
    { name: "the first, without an annotation", facts: { containers: 2 }, want: "main" },
    {
      name: "the one that kubectl.kubernetes.io/default-container names",
      facts: { containers: 2, annotations: { "kubectl.kubernetes.io/default-container": "side1" } },
      want: "side1",
    },
    {
      name: "the first, when the annotation names none of them",
      facts: { containers: 2, annotations: { "kubectl.kubernetes.io/default-container": "other" } },
      want: "main",
    },
  ];
  for (const tc of cases) it(tc.name, () => assert.equal(defaultContainer(makePod(tc.facts)), tc.want));

  it("its exit code is the pod's", () => {
    const facts = { exits: [0, 9], annotations: { "kubectl.kubernetes.io/default-container": "side1" } };
    assert.equal(makeAttempt(facts).end?.exitCode, 9);
    assert.equal(makeAttempt({ exits: [0, 9] }).end?.exitCode, 0);
    assert.equal(makeAttempt({ exits: [0, 9] }).end?.success, false);
  });
});

describe("which pods are attempts of ours", () => {
  const pod = makePod({ exits: [null], node: "n1", scheduled: "12:00:01", started: "12:00:03" });
  const { metadata } = pod;
  const cases: readonly { name: string; metadata: typeof metadata }[] = [
    { name: "a pod without an owner", metadata: { ...metadata, ownerReferences: [] } },
    {
      name: "a pod whose label names another job's UID than its owner",
      metadata: { ...metadata, labels: { ...metadata.labels, "nuptse.dev/job-uid": "x" } },
    },
    { name: "a pod without our annotation", metadata: { ...metadata, annotations: {} } },
    { name: "a pod whose annotation is no JSON", metadata: { ...metadata, annotations: { "nuptse.dev/run": "{" } } },
    {
      name: "a pod whose annotation lacks the fire time",
      metadata: { ...metadata, annotations: { "nuptse.dev/run": '{"revision":"r","nodes":[]}' } },
    },
    { name: "a pod whose item is no number", metadata: { ...metadata, labels: { ...metadata.labels, "nuptse.dev/item": "a" } } },
  ];
  for (const tc of cases) it(`not ${tc.name}`, () => assert.equal(attemptPod({ ...pod, metadata: tc.metadata }), undefined));

  it("keeps what rules read", () => {
    const attempt = attemptPod(pod);
    assert.equal(attempt?.job, "report");
    assert.equal(attempt?.run, "20261121t120000z");
    assert.equal(attempt?.node, "n1");
    assert.equal(attempt?.scheduledAt, at("12:00:01"));
    assert.equal(attempt?.startedAt, at("12:00:03"));
    assert.equal(attempt?.end, undefined);
  });

  it("has started only when all ordinary containers have", () => {
    assert.equal(makeAttempt({ exits: [null], containers: 2 }).startedAt, undefined);
    assert.equal(makeAttempt({ waiting: "ContainerCreating" }).startedAt, undefined);
  });
});
