import assert from "node:assert/strict";
import { type SignalKind, reactions, signalOf } from "../../../../src/runnerapp/rules/signal.ts";
import { instanceReason, type InstanceReason, lastExitText } from "../../../../src/runnerapp/rules/instance-reason.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { type RunnerPodFacts, runnerPod } from "../../../support/builders/runner-pod.ts";

interface Case {
  readonly name: string;
  readonly pod: RunnerPodFacts;
  readonly now?: string;
  /** Since when its node is unheard of. */
  readonly lost?: string;
  readonly want: SignalKind;
  readonly wantReason: InstanceReason;
  readonly wantExit?: string;
  readonly wantChange?: string;
}

const backOff = (exit: number, word?: string) => ({ waiting: "CrashLoopBackOff", exit, restarts: 2, ...(word !== undefined && { word }) });

const cases: readonly Case[] = [
  { name: "Ready", pod: {}, want: "Serving", wantReason: "None" },
  { name: "runs and is not Ready", pod: { ready: false }, want: "NotReady", wantReason: "NotReady" },
  {
    name: "served again after a restart",
    pod: { containers: { main: { running: true, exit: 1, restarts: 1 } } },
    want: "Serving",
    wantReason: "None",
  },
  {
    name: "a container exits with another code than 0",
    pod: { ready: false, containers: { main: { exit: 3 } } },
    want: "Exit",
    wantReason: "CrashLoop",
    wantExit: "exit 3",
  },
  {
    name: "and waits for the kubelet's back-off",
    pod: { ready: false, containers: { main: backOff(3) } },
    want: "Exit",
    wantReason: "CrashLoop",
    wantExit: "exit 3 (CrashLoopBackOff)",
  },
  {
    name: "one container is down, another runs",
    pod: { ready: false, containers: { main: { running: true }, side: backOff(1) } },
    want: "Exit",
    wantReason: "CrashLoop",
    wantExit: "exit 1 (CrashLoopBackOff)",
  },
  {
    name: "killed for its memory limit",
    pod: { ready: false, containers: { main: backOff(137, "OOMKilled") } },
    want: "OOMKilled",
    wantReason: "OOMKilled",
    wantExit: "exit 137 (OOMKilled)",
  },
  {
    name: "a daemon that exits with 0",
    pod: { ready: false, containers: { main: { exit: 0 } } },
    want: "Completed",
    wantReason: "CrashLoop",
    wantExit: "exit 0",
  },
  {
    name: "an init container that is through is none",
    pod: { inits: { setup: { exit: 0 } } },
    want: "Serving",
    wantReason: "None",
  },
  {
    name: "an init container that fails keeps the others from beginning",
    pod: { ready: false, phase: "Pending", inits: { setup: backOff(2) }, containers: { main: { waiting: "PodInitializing" } } },
    want: "Exit",
    wantReason: "CrashLoop",
    wantExit: "exit 2 (CrashLoopBackOff)",
  },
  {
    name: "a sidecar that exits with 0 should have gone on",
    pod: { ready: false, inits: { proxy: { exit: 0 } }, sidecars: ["proxy"] },
    want: "Completed",
    wantReason: "CrashLoop",
    wantExit: "exit 0",
  },
  { name: "evicted by its kubelet", pod: { phase: "Failed", reason: "Evicted", containers: {} }, want: "Evicted", wantReason: "Dead" },
  {
    name: "evicted by its kubelet, which calls it a disruption",
    pod: { phase: "Failed", reason: "Evicted", disrupted: "TerminationByKubelet", containers: { main: { exit: 137 } } },
    want: "Evicted",
    wantReason: "Dead",
  },
  {
    name: "preempted",
    pod: { phase: "Failed", disrupted: "PreemptionByScheduler", containers: { main: { exit: 143 } } },
    want: "Disrupted",
    wantReason: "Dead",
  },
  {
    name: "its node is shut down in order",
    pod: { phase: "Failed", reason: "Terminated", disrupted: "TerminationByKubelet", containers: { main: { exit: 143 } } },
    want: "Disrupted",
    wantReason: "Dead",
  },
  {
    name: "its node's object is gone",
    pod: { phase: "Failed", disrupted: "DeletionByPodGC", containers: { main: { running: true } } },
    want: "Disrupted",
    wantReason: "Dead",
  },
  { name: "the kubelet refuses it", pod: { phase: "Failed", reason: "OutOfcpu", containers: {} }, want: "Rejected", wantReason: "Dead" },
  {
    name: "activeDeadlineSeconds is over",
    pod: { phase: "Failed", reason: "DeadlineExceeded", containers: { main: { exit: 137 } } },
    want: "Exit",
    wantReason: "CrashLoop",
    wantExit: "exit 137 (DeadlineExceeded)",
  },
  {
    name: "is set up, within its time",
    pod: { ready: false, phase: "Pending", scheduled: "12:00:00", containers: { main: { waiting: "ContainerCreating" } } },
    now: "12:09:59",
    want: "Starting",
    wantReason: "NotStarted",
    wantChange: "12:10:00",
  },
  {
    name: "is set up for longer than the start time-out",
    pod: { ready: false, phase: "Pending", scheduled: "12:00:00", containers: { main: { waiting: "ContainerCreating" } } },
    now: "12:10:00",
    want: "StartTimeout",
    wantReason: "NotStarted",
  },
  {
    name: "one container has started, the other has not for longer than the start time-out",
    pod: { ready: false, scheduled: "12:00:00", containers: { main: { running: true }, side: { waiting: "ContainerCreating" } } },
    now: "12:10:00",
    want: "StartTimeout",
    wantReason: "NotStarted",
  },
  {
    name: "a ConfigMap that is not there, however long",
    pod: { ready: false, phase: "Pending", containers: { main: { waiting: "CreateContainerConfigError" } } },
    now: "12:30:00",
    want: "ConfigError",
    wantReason: "InstallFailed",
  },
  {
    name: "the image cannot be pulled, within its time",
    pod: { ready: false, phase: "Pending", scheduled: "12:00:00", containers: { main: { waiting: "ImagePullBackOff" } } },
    now: "12:05:00",
    want: "ImagePull",
    wantReason: "InstallFailed",
    wantChange: "12:10:00",
  },
  {
    name: "the image of one container cannot be pulled, the other one is merely set up",
    pod: {
      ready: false,
      phase: "Pending",
      scheduled: "12:00:00",
      containers: { main: { waiting: "ContainerCreating" }, side: { waiting: "ErrImagePull" } },
    },
    want: "ImagePull",
    wantReason: "InstallFailed",
    wantChange: "12:10:00",
  },
  {
    name: "the image cannot be pulled for longer than the start time-out",
    pod: { ready: false, phase: "Pending", scheduled: "12:00:00", containers: { main: { waiting: "ErrImagePull" } } },
    now: "12:10:00",
    want: "ImagePullTimeout",
    wantReason: "InstallFailed",
  },
  {
    name: "no node fits",
    pod: { node: null, ready: false, phase: "Pending", unscheduled: "Unschedulable", containers: {} },
    want: "Unschedulable",
    wantReason: "NotScheduled",
  },
  {
    name: "its node is unheard of, not yet for long",
    pod: { ready: false },
    lost: "12:01:30",
    want: "NotReady",
    wantReason: "NotReady",
    wantChange: "12:02:30",
  },
  { name: "its node is unheard of for long", pod: { ready: false }, lost: "12:01:00", want: "NodeLost", wantReason: "Lost" },
  { name: "it is being deleted", pod: { deleting: true }, want: "Deleted", wantReason: "Released" },
];

describe("what ended or ails an instance (research 5a)", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const signal = signalOf(runnerPod(tc.pod), {
        now: at(tc.now ?? "12:02:00"),
        startTimeoutMs: 600_000,
        nodeLostMs: 60_000,
        ...(tc.lost !== undefined && { nodeLostSince: at(tc.lost) }),
      });
      assert.equal(signal.kind, tc.want);
      assert.equal(instanceReason({ signal }), tc.wantReason);
      if (tc.wantExit !== undefined) assert.equal(lastExitText(signal), tc.wantExit);
      assert.equal(signal.changesAt, tc.wantChange === undefined ? undefined : at(tc.wantChange));
    });
});

describe("what a signal counts as, and whether the node is to blame (research 5a)", () => {
  const table: readonly (readonly [SignalKind, string])[] = [
    ["Exit", "Local, WhenExhausted"],
    ["OOMKilled", "Local, Never"],
    ["Completed", "Local, Never"],
    ["Evicted", "Move, AtOnce"],
    ["Disrupted", "Replace, Never"],
    ["Rejected", "Move, AtOnce"],
    ["StartTimeout", "Move, AtOnce"],
    ["ConfigError", "None, Never"],
    ["ImagePull", "None, Never"],
    ["ImagePullTimeout", "Move, AtOnce"],
    ["NodeLost", "None, Never"],
    ["Unschedulable", "None, Never"],
    ["Deleted", "None, Never"],
  ];
  for (const [kind, want] of table)
    it(`${kind}: ${want}`, () => assert.equal(`${reactions[kind].counts}, ${reactions[kind].blames}`, want));
});

describe("the reason of an instance", () => {
  const serving = signalOf(runnerPod(), { now: at("12:02:00"), startTimeoutMs: 600_000, nodeLostMs: 60_000 });
  const failing = signalOf(runnerPod({ ready: false, containers: { main: backOff(1) } }), {
    now: at("12:02:00"),
    startTimeoutMs: 600_000,
    nodeLostMs: 60_000,
  });
  const table: readonly (readonly [string, Parameters<typeof instanceReason>[0], InstanceReason])[] = [
    ["suspended before all", { signal: serving, suspended: true, evacuating: true }, "Suspended"],
    ["no pod, and the queue has not granted it", { notAdmitted: true }, "NotAdmitted"],
    ["no pod yet", {}, "NotScheduled"],
    ["retries are used up", { signal: failing, exhausted: true }, "RetriesExhausted"],
    ["retries were used up, and it serves", { signal: serving, exhausted: true }, "None"],
    ["it moves and serves", { signal: serving, evacuating: true }, "Evacuating"],
    ["it moves and ails", { signal: failing, evacuating: true }, "CrashLoop"],
  ];
  for (const [name, facts, want] of table) it(name, () => assert.equal(instanceReason(facts), want));
});
