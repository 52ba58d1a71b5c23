import assert from "node:assert/strict";
import type { Pod } from "../../../../src/api/core.ts";
import type { ElasticJobRun, ElasticJobSpec, ElasticJobStatus } from "../../../../src/api/elastic-job.gen.ts";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { makePod } from "../../../support/builders/attempt-pod.ts";
import { iso, jobUid, makeJob } from "../../../support/builders/elastic-job.ts";
import { kubectlNuptse, type Objects, refusal } from "./plugin-double.ts";

const armed = { type: "Ready", status: "True" as const, reason: "Armed", message: "waits", lastTransitionTime: iso("09:30:01") };
const status = (differs: Partial<ElasticJobStatus> = {}): ElasticJobStatus => ({
  observedGeneration: 1,
  nextFireTime: iso("13:00:00"),
  schedule: { hash: "h", since: iso("09:30:00") },
  conditions: [armed],
  ...differs,
});
const run = (differs: Partial<ElasticJobRun> = {}): ElasticJobRun => ({
  run: "20261121t120000z",
  kind: "Schedule",
  phase: "Running",
  fireTime: iso("12:00:00"),
  items: "0",
  total: 1,
  startedAt: iso("12:00:00"),
  updatedAt: iso("12:00:05"),
  ...differs,
});
const unscheduled = (message: string): Pod => {
  const pod = makePod({ phase: "Pending" });
  return {
    ...pod,
    status: {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastTransitionTime: iso("12:00:01") }],
    },
  };
};
const withoutImage = (item: number): Pod => {
  const pod = makePod({ item, node: "n1", scheduled: "12:00:01", waiting: "ImagePullBackOff", phase: "Pending" });
  const message = 'Back-off pulling image "registry.example/reprot:1"';
  return {
    ...pod,
    status: {
      ...pod.status,
      containerStatuses: [
        { name: "main", image: "registry.example/reprot:1", state: { waiting: { reason: "ImagePullBackOff", message } } },
      ],
    },
  };
};
const ofReduce = (pod: Pod): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, "nuptse.dev/item": "reduce" } },
});
const event = (reason: string, message: string, time: string): KubeObject =>
  ({
    metadata: { name: `report.${reason}`, namespace: "tenant" },
    type: "Normal",
    reason,
    message,
    lastTimestamp: iso(time),
    involvedObject: { kind: "ElasticJob", name: "report", uid: jobUid },
  }) as KubeObject;

interface Case {
  readonly name: string;
  readonly spec?: Partial<ElasticJobSpec>;
  readonly status?: ElasticJobStatus;
  readonly pods?: readonly Pod[];
  readonly events?: readonly KubeObject[];
  readonly nodes?: readonly KubeObject[];
  readonly revisions?: readonly KubeObject[];
  readonly want: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: "nothing is wrong: when it fires next",
    status: status(),
    want: [
      "ElasticJob report in tenant is not running.",
      "Nothing is wrong: it waits for its next fire time.",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "suspended: since when, and how to resume",
    spec: { suspend: true },
    status: status({ schedule: { hash: "h", since: iso("11:00:00") } }),
    want: [
      "ElasticJob report in tenant is not running, and nothing will fire.",
      "- Suspended: it is suspended: spec.suspend is true",
      "    since   Sat 2026-11-21 11:00:00 +00:00 (1 h 30 min ago)",
      `    to do   set spec.suspend to false where the job is kept (Git, or kubectl patch ej report --type=merge -p '{"spec":{"suspend":false}}')`,
      "Next fire time: none",
    ],
  },
  {
    name: "for concurrency: which run is in the way",
    status: status({
      active: [
        run({ succeeded: "", failed: "" }),
        run({
          run: "20261121t110000z",
          kind: "Misfire",
          phase: "Waiting",
          reason: "ConcurrencyPolicy",
          message: "an earlier run is at work",
          fireTime: iso("11:00:00"),
          updatedAt: iso("12:00:10"),
        }),
      ],
    }),
    pods: [makePod({ node: "n1", scheduled: "12:00:01", started: "12:00:02" })],
    want: [
      "ElasticJob report in tenant is running.",
      "- Concurrency: run 20261121t110000z waits: an earlier run is at work; at work: 20261121t120000z",
      "    since   Sat 2026-11-21 12:00:10 +00:00 (29 min 50 s ago)",
      "    to do   see spec.concurrencyPolicy: Allow lets runs overlap, Replace ends the earlier one",
      "- AtWork: run 20261121t120000z is at work: 0 of 1 items have ended, at work: 0",
      "    since   Sat 2026-11-21 12:00:00 +00:00 (30 min ago)",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "for its window: before startAt",
    spec: { schedule: { crons: ["0 * * * *"], startAt: "2026-12-01T00:00:00Z" } },
    status: status({ nextFireTime: "2026-12-01T00:00:00Z" }),
    want: [
      "ElasticJob report in tenant is not running.",
      "- BeforeWindow: its window has not begun: nothing fires before spec.schedule.startAt, 2026-12-01T00:00:00Z",
      "Next fire time: Tue 2026-12-01 00:00:00 +00:00 (in 9 d 11 h)",
    ],
  },
  {
    name: "for its window: after endAt",
    spec: { schedule: { crons: ["0 * * * *"], endAt: iso("12:00:00") } },
    status: status(),
    want: [
      "ElasticJob report in tenant is not running, and nothing will fire.",
      "- AfterWindow: its window is over: nothing fires at or after spec.schedule.endAt, 2026-11-21T12:00:00Z",
      "    since   Sat 2026-11-21 12:00:00 +00:00 (30 min ago)",
      "    to do   set a later endAt, or take it away",
      "Next fire time: none",
    ],
  },
  {
    name: "for its window: a calendar leaves out what would come next",
    spec: { schedule: { crons: ["0 13 * * *"], calendars: [{ name: "holidays", effect: "Exclude" }] } },
    status: status({ nextFireTime: "2026-11-22T13:00:00Z", schedule: { hash: "h", since: iso("09:30:00"), calendars: "report-cal" } }),
    revisions: [
      {
        metadata: { name: "report-cal", namespace: "tenant" },
        data: { calendars: [{ name: "holidays", text: "2026-11-21 # a Saturday\n" }] },
      } as KubeObject,
    ],
    want: [
      "ElasticJob report in tenant is not running.",
      "- Calendar: its calendars (holidays) leave out the fire time 2026-11-21T13:00:00Z",
      "    to do   kubectl get configmap shows the dates of a calendar",
      "Next fire time: Sun 2026-11-22 13:00:00 +00:00 (in 1 d)",
    ],
  },
  {
    name: "the namespace only looks on",
    status: status({
      conditions: [{ ...armed, reason: "Observing", message: "the namespace is annotated" }],
      observed: { since: iso("10:00:00"), count: 3 },
    }),
    want: [
      "ElasticJob report in tenant is not running.",
      "- Observed: its namespace only looks on (annotation nuptse.dev/observe): 3 fire times have passed without a run",
      "    since   Sat 2026-11-21 10:00:00 +00:00 (2 h 30 min ago)",
      "    to do   take the annotation off the namespace when runs are to begin",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "no schedule of its own: the jobs that it runs after",
    spec: { schedule: undefined as never, after: [{ job: "load" }] },
    status: status(),
    want: [
      "ElasticJob report in tenant is not running.",
      "- Dependency: it has no schedule of its own: it runs when load has run",
      "    to do   kubectl nuptse why load tells when that is",
      "Next fire time: none",
    ],
  },
  {
    name: "waiting for dependency: which job, and since when",
    spec: { after: [{ job: "load" }] },
    status: status({
      active: [run({ phase: "Waiting", reason: "DependencyPending", message: "job load has not ended its run of 2026-11-21T12:00:00Z" })],
    }),
    want: [
      "ElasticJob report in tenant has a run that does not go on.",
      "- Dependency: run 20261121t120000z waits: job load has not ended its run of 2026-11-21T12:00:00Z",
      "    since   Sat 2026-11-21 12:00:05 +00:00 (29 min 55 s ago)",
      "    to do   it begins when the jobs of spec.after have run; ask why of the one that is named",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "waiting for its share of the queue: which queue, and where to look",
    status: status({
      active: [run({ phase: "Waiting", reason: "QueuePending", message: "waits for its share of the TenantQueue red" })],
    }),
    want: [
      "ElasticJob report in tenant has a run that does not go on.",
      "- Queue: run 20261121t120000z waits: waits for its share of the TenantQueue red",
      "    since   Sat 2026-11-21 12:00:05 +00:00 (29 min 55 s ago)",
      "    to do   it begins by itself when its turn comes; who has what it lacks: kubectl nuptse queue",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "executors of XXL-JOB that nobody hears: which flag is missing",
    status: status({
      active: [
        run({
          phase: "Waiting",
          reason: "RunnerUnheard",
          message: "the RunnerApp importers is given no tasks: nobody hears its executors",
        }),
      ],
    }),
    want: [
      "ElasticJob report in tenant has a run that does not go on.",
      "- Runner: run 20261121t120000z waits: the RunnerApp importers is given no tasks: nobody hears its executors",
      "    since   Sat 2026-11-21 12:00:05 +00:00 (29 min 55 s ago)",
      "    to do   start the operator with --xxl-admin-address (xxlAdmin.enabled of the chart), and lead the executors there: docs/xxl-job.md",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "misfire skipped: which fire time, and why",
    status: status({ outcomes: { from: iso("09:30:00"), notSucceeded: [{ fireTime: iso("12:00:00"), outcome: "Skipped" }] } }),
    events: [event("RunSkipped", "1 fire times skipped (Downtime), the newest at 2026-11-21T12:00:00.000Z", "12:10:00")],
    want: [
      "ElasticJob report in tenant is not running.",
      "- Misfire: the fire time 2026-11-21T12:00:00Z was skipped: it passed while no operator was running",
      "    since   Sat 2026-11-21 12:00:00 +00:00 (30 min ago)",
      "    to do   misfire.onDowntime: FireOnce or FireAll makes up for such fire times",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "a fire time that was skipped before the newest run is past",
    status: status({
      outcomes: { from: iso("09:30:00"), notSucceeded: [{ fireTime: iso("11:00:00"), outcome: "Skipped" }] },
      history: [run({ phase: "Succeeded", succeeded: "0", endedAt: iso("12:00:20") })],
    }),
    want: [
      "ElasticJob report in tenant is not running.",
      "Nothing is wrong: it waits for its next fire time.",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "image not there: which image, what the node says, which items",
    spec: { sharding: { total: 3 } },
    status: status({ active: [run({ items: "0-2", total: 3, succeeded: "1" })] }),
    pods: [withoutImage(0), withoutImage(2)],
    want: [
      "ElasticJob report in tenant has a run that does not go on.",
      '- Image: items 0,2: the image registry.example/reprot:1 cannot be had (ImagePullBackOff): Back-off pulling image "registry.example/reprot:1"',
      "    since   Sat 2026-11-21 12:00:01 +00:00 (29 min 59 s ago)",
      "    to do   correct the image in spec.template, or give the pod the imagePullSecrets for it; the attempt ends after spec.startTimeoutSeconds",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "no node fits the reduce",
    spec: { sharding: { total: 3 } },
    status: status({ active: [run({ items: "0-2", total: 3, succeeded: "0-2" })] }),
    pods: [ofReduce(unscheduled("0/4 nodes are available: 4 Insufficient memory."))],
    want: [
      "ElasticJob report in tenant has a run that does not go on.",
      "- NoNode: reduce: no node takes the pod: 0/4 nodes are available: 4 Insufficient memory.",
      "    since   Sat 2026-11-21 12:00:01 +00:00 (29 min 59 s ago)",
      "    to do   it starts when a node fits: look at resources, nodeSelector, affinity and tolerations of spec.template, and at kubectl get nodes",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "no node fits: what the scheduler says",
    status: status({ active: [run()] }),
    pods: [unscheduled("0/4 nodes are available: 4 Insufficient memory.")],
    want: [
      "ElasticJob report in tenant has a run that does not go on.",
      "- NoNode: no node takes the pod: 0/4 nodes are available: 4 Insufficient memory.",
      "    since   Sat 2026-11-21 12:00:01 +00:00 (29 min 59 s ago)",
      "    to do   it starts when a node fits: look at resources, nodeSelector, affinity and tolerations of spec.template, and at kubectl get nodes",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "API refuses: the quota, in the server's words",
    status: status({
      active: [
        run({
          phase: "Waiting",
          reason: "QuotaExceeded",
          message: "exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2",
        }),
      ],
    }),
    want: [
      "ElasticJob report in tenant has a run that does not go on.",
      "- Quota: run 20261121t120000z waits: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2",
      "    since   Sat 2026-11-21 12:00:05 +00:00 (29 min 55 s ago)",
      "    to do   it goes on by itself when there is room: kubectl describe resourcequota, then raise the quota or end what uses it",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "API refuses: the spec, in the words of the condition",
    spec: { schedule: { crons: ["0 25 * * *"] } },
    status: status({
      conditions: [
        { ...armed, status: "False", reason: "InvalidSpec", message: "spec.schedule.crons[0]: hour, character 3: 25 is not from 0 to 23" },
      ],
    }),
    want: [
      "ElasticJob report in tenant is not running, and nothing will fire.",
      "- NotAccepted: the job is not accepted (InvalidSpec): spec.schedule.crons[0]: hour, character 3: 25 is not from 0 to 23",
      "    since   Sat 2026-11-21 09:30:01 +00:00 (2 h 59 min ago)",
      "    to do   correct the field that is named; docs/conditions.md tells what to do about each reason",
      "Next fire time: none",
    ],
  },
  {
    name: "nobody handles it: the operator has never seen the job",
    want: [
      "ElasticJob report in tenant is not running.",
      "- OperatorSilent: the operator has not seen the job yet",
      "    since   Sat 2026-11-21 09:30:00 +00:00 (3 h ago)",
      "    to do   is it running? kubectl get lease -A shows who holds nuptse-operator, and when it was renewed",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "nobody handles it: a fire time has passed and nothing has happened",
    status: status({ nextFireTime: iso("12:00:00") }),
    want: [
      "ElasticJob report in tenant is not running.",
      "- OperatorSilent: the fire time 2026-11-21T12:00:00Z has come, and the operator has done nothing about it",
      "    since   Sat 2026-11-21 12:00:00 +00:00 (30 min ago)",
      "    to do   is it running? kubectl get lease -A shows who holds nuptse-operator, and when it was renewed",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "no schedule: it runs only when it is asked to",
    spec: { schedule: undefined as never },
    status: status(),
    want: [
      "ElasticJob report in tenant is not running, and nothing will fire.",
      "- NoSchedule: it has no spec.schedule, so nothing fires by itself",
      "    to do   kubectl nuptse run report",
      "Next fire time: none",
    ],
  },
  {
    name: "an item that failed waits for its back-off, others for their turn",
    spec: { sharding: { total: 3, parallelism: 1 } },
    status: status({ active: [run({ items: "0-2", total: 3 })] }),
    pods: [
      makePod({ item: 0, node: "n1", scheduled: "12:00:01", exits: [3], finished: "12:29:30", phase: "Failed" }),
      makePod({ item: 1, node: "n2", scheduled: "12:29:31", started: "12:29:40" }),
    ],
    want: [
      "ElasticJob report in tenant is running.",
      "- Retrying: item 0: attempt 1 has ended (Error, exit 3), and the next one waits for its back-off",
      "    since   Sat 2026-11-21 12:29:30 +00:00 (30 s ago)",
      "    to do   kubectl logs report-0a1b2c3d-20261121t120000z-0-1 says why it failed; spec.retry.backoff is the wait",
      "- Parallelism: 1 items wait for their turn: sharding.parallelism lets 1 be at work at once",
      "- AtWork: run 20261121t120000z is at work: 0 of 3 items have ended, at work: 1",
      "    since   Sat 2026-11-21 12:00:00 +00:00 (30 min ago)",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
  {
    name: "a node that does not answer is waited for",
    status: status({ active: [run()] }),
    pods: [makePod({ node: "n1", scheduled: "12:00:01", started: "12:00:02" })],
    nodes: [
      {
        metadata: { name: "n1" },
        status: { conditions: [{ type: "Ready", status: "Unknown", reason: "NodeStatusUnknown", lastTransitionTime: iso("12:10:00") }] },
      } as KubeObject,
    ],
    want: [
      "ElasticJob report in tenant is running.",
      "- NodeSilent: node n1 does not answer (NodeStatusUnknown); its program may still be at work, so nothing replaces it",
      "    since   Sat 2026-11-21 12:10:00 +00:00 (20 min ago)",
      "    to do   repair the node, or kubectl delete node n1 if it is gone for good",
      "- AtWork: run 20261121t120000z is at work: 0 of 1 items have ended, at work: 0",
      "    since   Sat 2026-11-21 12:00:00 +00:00 (30 min ago)",
      "Next fire time: Sat 2026-11-21 13:00:00 +00:00 (in 30 min)",
    ],
  },
];

function objectsOf(tc: Pick<Case, "spec" | "status" | "pods" | "events" | "nodes" | "revisions">): Objects {
  const { schedule, ...rest } = tc.spec ?? {};
  const job = makeJob({ ...rest, ...(schedule !== undefined && { schedule }) }, { ...(tc.status !== undefined && { status: tc.status }) });
  const { schedule: _none, ...without } = job.spec;
  const wanted = tc.spec !== undefined && "schedule" in tc.spec && schedule === undefined ? { ...job, spec: without } : job;
  return {
    "elasticjobs.nuptse.dev": [wanted],
    pods: tc.pods ?? [],
    events: tc.events ?? [],
    nodes: tc.nodes ?? [],
    "controllerrevisions.apps": tc.revisions ?? [],
  };
}

describe("cli/plugin why", () => {
  for (const tc of cases) {
    it(tc.name, async () => {
      const outcome = await kubectlNuptse(["why", "report"], { objects: objectsOf(tc) });
      assert.deepEqual(outcome.results, tc.want);
      assert.deepEqual([outcome.code, outcome.notes], [0, []]);
    });
  }

  it("says the same to programs", async () => {
    const outcome = await kubectlNuptse(["why", "ej/report", "-o", "json"], {
      objects: objectsOf({ spec: { suspend: true }, status: status() }),
    });
    assert.deepEqual(JSON.parse(outcome.results.join("\n")), {
      job: "report",
      namespace: "tenant",
      state: "Stopped",
      causes: [
        {
          cause: "Suspended",
          text: "it is suspended: spec.suspend is true",
          since: iso("09:30:00"),
          advice: `set spec.suspend to false where the job is kept (Git, or kubectl patch ej report --type=merge -p '{"spec":{"suspend":false}}')`,
        },
      ],
    });
  });

  it("a user who may read neither nodes nor events is still told the rest", async () => {
    const objects = objectsOf({
      status: status({ active: [run()] }),
      pods: [makePod({ node: "n1", scheduled: "12:00:01", started: "12:00:02" })],
    });
    const forbidden = (what: string) => refusal(403, "Forbidden", `${what} is forbidden: User "ann" cannot read resource "${what}"`);
    const outcome = await kubectlNuptse(["why", "report"], {
      objects,
      failures: { "get nodes": forbidden("nodes"), "list events": forbidden("events") },
    });
    assert.deepEqual([outcome.code, outcome.results[0]], [0, "ElasticJob report in tenant is running."]);
  });
});
