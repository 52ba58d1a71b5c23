// What a new leader takes a run to have been admitted with, and what is written for it.
import assert from "node:assert/strict";
import type { AdmissionAnswer } from "../../../../src/api/admission.ts";
import type { ElasticJobRunAdmitted } from "../../../../src/api/elastic-job.gen.ts";
import { type ElasticJobPlan, planElasticJob } from "../../../../src/elasticjob/rules/plan.ts";
import { makeAttempt } from "../../../support/builders/attempt-pod.ts";
import { at, iso, makeJob } from "../../../support/builders/elastic-job.ts";
import { makeObserved } from "../../../support/builders/observed-job.ts";

const run = "20261121t120000z";

interface Case {
  readonly name: string;
  /** What the entry of the run says, last written at 12:00:35. */
  readonly entry?: ElasticJobRunAdmitted;
  /** What the pods say, item by item; all are at work. */
  readonly pods: readonly { readonly admitted: number; readonly lowered?: number }[];
  /** Absent = nothing is decided. */
  readonly answer?: Pick<AdmissionAnswer, "allowed"> & Partial<AdmissionAnswer>;
  /** The revision of the run is not there. */
  readonly noRevision?: true;
}

/** A run of eight items of a queue. */
function plan({ entry, pods, answer, noRevision }: Case): ElasticJobPlan {
  const active = {
    run,
    kind: "Schedule",
    phase: "Running",
    fireTime: iso("12:00:00"),
    items: "0-7",
    total: 8,
    queue: "shop",
    revision: "report-1",
    startedAt: iso("12:00:00"),
    updatedAt: iso("12:00:35"),
    ...(entry !== undefined && { admitted: entry }),
  };
  const job = makeJob({ sharding: { total: 8 }, queue: { name: "shop", onReclaim: "Finish" } } as never, {
    status: { lastHandledFireTime: iso("12:00:00"), active: [active] } as never,
  });
  const attempts = pods.map((history, item) =>
    makeAttempt({ run, item, created: "12:00:00", node: "n1", started: "12:00:02", history: { ...history, items: "0-7" } }),
  );
  const observed = makeObserved({ job, pods: attempts, now: at("12:00:40") });
  const revision = { apiVersion: "apps/v1", kind: "ControllerRevision", metadata: { name: "report-1" }, revision: 1 };
  const answers = new Map<string, AdmissionAnswer>(answer === undefined ? [] : [[run, { unschedulableMs: 900_000, ...answer }]]);
  return planElasticJob({
    ...observed,
    revisions: noRevision ? [] : [{ ...revision, data: observed.pinned.data }],
    admission: { choice: { kind: "queue", queue: "shop" }, answers },
  });
}

describe("what stands recorded of what a run was admitted with", () => {
  const five = { admitted: 5 };
  const cases: readonly (Case & { readonly want: number })[] = [
    { name: "what status says", entry: { items: 5 }, pods: [], want: 5 },
    { name: "what pods say that were created since status was written", entry: { items: 2 }, pods: [{ admitted: 2 }, five], want: 5 },
    {
      name: "not what pods say that were created before some was given back",
      entry: { items: 2, lowered: 1 },
      pods: [five, five],
      want: 2,
    },
    {
      name: "not what status says, when a pod knows that some was given back since",
      entry: { items: 5 },
      pods: [five, { admitted: 3, lowered: 1 }],
      want: 3,
    },
    { name: "nothing, when all was given back", entry: { items: 0, lowered: 1 }, pods: [five], want: 0 },
  ];
  for (const { want, ...facts } of cases)
    it(facts.name, () => {
      const [asks] = plan({ ...facts, answer: { allowed: 5 } }).wants ?? [];
      assert.equal(asks?.recorded, want);
    });
});

describe("what is recorded of what a run is admitted with", () => {
  const reclaim = { claimant: "bank", deadline: at("12:10:00") };
  const two = [{ admitted: 5 }, { admitted: 5 }];
  const written = ({ status }: ElasticJobPlan) => {
    const [entry] = (status?.status["active"] ?? []) as readonly { readonly admitted?: ElasticJobRunAdmitted }[];
    return entry?.admitted === undefined ? undefined : { items: entry.admitted.items, lowered: entry.admitted.lowered };
  };
  const cases: readonly (Case & { readonly want: ReturnType<typeof written> })[] = [
    {
      name: "that it is asked to come down is written before it does",
      entry: { items: 5 },
      pods: two,
      answer: { allowed: 2, reclaim },
      want: { items: 2, lowered: 1 },
    },
    { name: "and once", entry: { items: 2, lowered: 1 }, pods: two, answer: { allowed: 2, reclaim }, want: undefined },
    { name: "that it got more waits for the next write", entry: { items: 2 }, pods: two, answer: { allowed: 5 }, want: undefined },
    { name: "what a leader has not decided yet is not lowered", entry: { items: 5 }, pods: two, want: undefined },
    {
      name: "it stays while the revision is not there",
      entry: { items: 5 },
      pods: two,
      answer: { allowed: 2 },
      noRevision: true,
      want: { items: 5, lowered: undefined },
    },
    {
      name: "that it gave all back is written too",
      entry: { items: 5, lowered: 1 },
      pods: [],
      answer: { allowed: 0 },
      want: { items: 0, lowered: 2 },
    },
  ];
  for (const { want, ...facts } of cases) it(facts.name, () => assert.deepEqual(written(plan(facts)), want));

  it("pods that are created after it was lowered know of it", () => {
    const { actions } = plan({ name: "", entry: { items: 2, lowered: 1 }, pods: [{ admitted: 5 }], answer: { allowed: 2 } });
    const [created] = actions.flatMap((action) => (action.tag === "create" ? [action.object] : []));
    const history = JSON.parse(created?.metadata.annotations?.["nuptse.dev/run"] ?? "{}");
    assert.deepEqual([history.admitted, history.lowered], [2, 1]);
  });
});
