import assert from "node:assert/strict";
import type { ElasticJob } from "../../../src/api/elastic-job.gen.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { problemsText } from "../../../src/api/problem.ts";
import type { TenantQueue } from "../../../src/api/tenant-queue.gen.ts";
import type { AdmissionRequest } from "../../../src/webhook/admission-review.ts";
import { createJudge, NotReadyError } from "../../../src/webhook/judge.ts";
import { at, makeJob } from "../../support/builders/elastic-job.ts";
import { runnerApp } from "../../support/builders/runner-app.ts";
import { makeQueue, queuesByName } from "../../support/builders/tenant-queue.ts";

const now = at("12:00:00");
const corp = makeQueue("corp", { capacity: { resources: { cpu: 100 } } });
const job = (spec: Partial<ElasticJob["spec"]>): ElasticJob => makeJob(spec);
const badImage = { template: { spec: { containers: [{ name: "main", image: "Busy_Box" }] } } };
const badCron = { schedule: { crons: ["0 0 30 2 *"] } };

interface Case {
  readonly name: string;
  readonly kind?: string;
  readonly group?: string;
  readonly operation?: AdmissionRequest["operation"];
  readonly subResource?: string;
  readonly object: KubeObject | object;
  readonly old?: KubeObject | object;
  /** What caches hold; absent = corp. */
  readonly cached?: readonly TenantQueue[];
  /** What the API server holds; absent = the same. */
  readonly live?: readonly TenantQueue[];
  readonly cachedJob?: ElasticJob;
  readonly liveJob?: ElasticJob;
  /** The first words of each problem; none = allowed. */
  readonly want: readonly string[];
  /** What was read live. */
  readonly wantReads?: readonly string[];
}

const request = (spec: object) => ({ metadata: { name: "r", namespace: "tenant" }, spec: { jobName: "nightly", ...spec } });
const deleting = <T extends KubeObject>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: "2026-11-21T00:00:00Z" },
});
const relabelled = <T extends KubeObject>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, labels: { a: "b" }, finalizers: [] },
});

const orphan = makeQueue("orphan", { parent: "gone" });

const cases: readonly Case[] = [
  { name: "a job that is right", object: job({}), want: [] },
  { name: "a job with a cron that never comes", object: job(badCron), want: ["spec.schedule.crons[0]: "] },
  {
    name: "all that is wrong with a job at once",
    object: job({ schedule: { crons: ["x", "0 0 30 2 *"], timeZone: "Mars/Olympus" } }),
    want: ["spec.schedule.timeZone: ", "spec.schedule.crons[0]: ", "spec.schedule.crons[1]: "],
  },
  {
    name: "an edit that brings something wrong",
    operation: "UPDATE",
    object: job(badCron),
    old: job({}),
    want: ["spec.schedule.crons[0]: "],
  },
  { name: "labels of a job that was wrong before", operation: "UPDATE", object: relabelled(job(badCron)), old: job(badCron), want: [] },
  {
    name: "another field of a job that was wrong before",
    operation: "UPDATE",
    object: job({ ...badCron, suspend: true }),
    old: job(badCron),
    want: [],
  },
  {
    name: "something wrong besides what was wrong before: only that is told",
    operation: "UPDATE",
    object: job({ schedule: { crons: ["0 0 30 2 *"], timeZone: "Mars/Olympus" } }),
    old: job(badCron),
    want: ["spec.schedule.timeZone: "],
  },
  {
    name: "a wrong field made wrong otherwise",
    operation: "UPDATE",
    object: job({ schedule: { crons: ["0 0 31 4 *"] } }),
    old: job({ schedule: { crons: ["gibberish"] } }),
    want: ["spec.schedule.crons[0]: "],
  },
  { name: "a job that is being deleted", operation: "UPDATE", object: deleting(job(badCron)), old: job({}), want: [] },
  { name: "the status of a job", operation: "UPDATE", subResource: "status", object: job(badCron), want: [] },
  { name: "the deletion of a job", operation: "DELETE", object: job(badCron), want: [] },
  { name: "a kind of somebody else", group: "example.org", object: job(badCron), want: [] },
  { name: "a version that we do not know", group: "nuptse.dev/v9", object: job(badCron), want: [] },

  { name: "an app that is right", kind: "RunnerApp", object: runnerApp(), want: [] },
  {
    name: "all that is wrong with an app at once",
    kind: "RunnerApp",
    object: runnerApp({ spec: { ...badImage, selector: { matchLabels: { a: "b" } }, restartedAt: "2026-11-22T12:00:01Z" } }),
    want: [
      'spec.template.spec.containers[0].image: "Busy_Box" is no part of an image name',
      "spec.template.metadata.labels: must have the labels that spec.selector selects: a=b",
      "spec.restartedAt: is 2026-11-22T12:00:01Z; must be no more than 24 h ahead",
    ],
  },
  {
    name: "an edit of an app that was wrong before: only what it brings is told",
    kind: "RunnerApp",
    operation: "UPDATE",
    object: runnerApp({ spec: { ...badImage, restartedAt: "2027-11-21T12:00:00Z" } }),
    old: runnerApp({ spec: badImage }),
    want: ["spec.restartedAt: "],
  },
  {
    name: "the scale of an app that was wrong before",
    kind: "RunnerApp",
    operation: "UPDATE",
    object: runnerApp({ spec: { ...badImage, replicas: 9 } }),
    old: runnerApp({ spec: badImage }),
    want: [],
  },

  { name: "a queue that is right by the cache needs no read", kind: "TenantQueue", object: makeQueue("q", { parent: "corp" }), want: [] },
  {
    name: "an unknown parent",
    kind: "TenantQueue",
    object: makeQueue("q", { parent: "gone" }),
    want: ["spec.parent: there is no TenantQueue gone; create it, or name another one"],
    wantReads: ["queues"],
  },
  {
    name: "a parent that the cache does not know yet",
    kind: "TenantQueue",
    object: makeQueue("q", { parent: "fresh" }),
    live: [corp, makeQueue("fresh", { parent: "corp" })],
    want: [],
    wantReads: ["queues"],
  },
  {
    name: "a queue that becomes its own ancestor",
    kind: "TenantQueue",
    operation: "UPDATE",
    object: makeQueue("a", { parent: "b" }),
    old: makeQueue("a", { parent: "corp" }),
    cached: [corp, makeQueue("a", { parent: "corp" }), makeQueue("b", { parent: "a" })],
    want: ["spec.parent: leads back to the queue itself (a -> b -> a)"],
    wantReads: ["queues"],
  },
  {
    name: "a promise of more than the parent has",
    kind: "TenantQueue",
    object: makeQueue("q", { parent: "corp", guaranteed: { cpu: 60 } }),
    cached: [corp, makeQueue("p", { parent: "corp", guaranteed: { cpu: 50 } })],
    want: ["spec.guaranteed.cpu: is 60 where corp has a capacity of 100 and its other queues are guaranteed 50 of it; ask for 50 at most"],
    wantReads: ["queues"],
  },
  {
    name: "labels of a queue whose parent is gone",
    kind: "TenantQueue",
    operation: "UPDATE",
    object: relabelled(orphan),
    old: orphan,
    cached: [orphan],
    want: [],
  },
  {
    name: "the weight of a queue whose siblings were promised more meanwhile",
    kind: "TenantQueue",
    operation: "UPDATE",
    object: makeQueue("q", { parent: "corp", weight: 2, guaranteed: { cpu: 60 } }),
    old: makeQueue("q", { parent: "corp", guaranteed: { cpu: 60 } }),
    cached: [corp, makeQueue("p", { parent: "corp", guaranteed: { cpu: 50 } })],
    want: [],
  },

  {
    name: "a request for a job that is not there yet is waited for",
    kind: "JobRequest",
    object: request({ run: { items: "99" } }),
    want: [],
  },
  {
    name: "a request that suspends to the past",
    kind: "JobRequest",
    object: request({ suspend: { until: "2026-11-21T11:59:59Z" } }),
    want: ["spec.suspend.until: is past; it must be in the future"],
  },
  {
    name: "a backfill into the future",
    kind: "JobRequest",
    object: request({ backfill: { from: "2026-11-21T00:00:00Z", to: "2026-11-21T12:00:01Z" } }),
    want: ["spec.backfill.to: must not be in the future; the latest is now, 2026-11-21T12:00:00Z"],
  },
  {
    name: "a backfill of a job without a schedule",
    kind: "JobRequest",
    object: request({ backfill: { from: "2026-11-21T00:00:00Z", to: "2026-11-21T12:00:00Z" } }),
    cachedJob: job({ schedule: undefined } as unknown as Partial<ElasticJob["spec"]>),
    want: ["spec.backfill: the job has no spec.schedule"],
    wantReads: ["job"],
  },
  {
    name: "items and options that the job does not have",
    kind: "JobRequest",
    object: request({ run: { items: "3", options: { x: "1" } } }),
    cachedJob: job({ sharding: { total: 3 } }),
    want: ["spec.run.options.x: is no option of the job; it has none", "spec.run.items: "],
    wantReads: ["job"],
  },
  {
    name: "items that the cached job does not have yet",
    kind: "JobRequest",
    object: request({ run: { items: "3" } }),
    cachedJob: job({ sharding: { total: 3 } }),
    liveJob: job({ sharding: { total: 4 } }),
    want: [],
    wantReads: ["job"],
  },
  {
    name: "a request for a job that is wrong itself waits until that is put right",
    kind: "JobRequest",
    object: request({ run: { items: "3" } }),
    cachedJob: job({ ...badCron, sharding: { total: 3 } }),
    want: [],
  },
  {
    name: "labels of a request whose time has passed",
    kind: "JobRequest",
    operation: "UPDATE",
    object: relabelled(request({ suspend: { until: "2026-11-21T11:00:00Z" } })),
    old: request({ suspend: { until: "2026-11-21T11:00:00Z" } }),
    want: [],
  },
];

describe("webhook/judge", () => {
  for (const tc of cases) {
    it(tc.name, async () => {
      const reads: string[] = [];
      const worldOf = (queues: readonly TenantQueue[]) => ({ queues: queuesByName(...queues), complete: true, namespaces: new Map() });
      const cached = tc.cached ?? [corp];
      const judge = createJudge({
        cached: { queueWorld: () => worldOf(cached), job: () => tc.cachedJob },
        live: {
          async queueWorld() {
            reads.push("queues");
            return worldOf(tc.live ?? cached);
          },
          async job() {
            reads.push("job");
            return tc.liveJob ?? tc.cachedJob;
          },
        },
        now: () => now,
      });
      const [group = "nuptse.dev", version = "v1alpha1"] = (tc.group ?? "nuptse.dev").split("/");
      const answer = await judge({
        uid: "u",
        kind: { group, version, kind: tc.kind ?? "ElasticJob" },
        operation: tc.operation ?? "CREATE",
        ...(tc.subResource !== undefined && { subResource: tc.subResource }),
        namespace: "tenant",
        userInfo: { username: "alice" },
        object: tc.object as KubeObject,
        ...(tc.old !== undefined && { oldObject: tc.old as KubeObject }),
      });
      const told = answer.kind === "refused" ? answer.problems.map((problem) => problemsText([problem])) : [];
      assert.equal(told.length, tc.want.length, told.join("\n"));
      for (const [index, words] of tc.want.entries())
        assert.ok(told[index]?.startsWith(words), `${told[index]} does not begin with ${words}`);
      assert.deepEqual(reads, tc.wantReads ?? []);
    });
  }

  it("says nothing of queues while the caches are not filled, and judges jobs all the same", async () => {
    const never = () => Promise.reject(new Error("is not read"));
    const judge = createJudge({
      cached: { queueWorld: () => undefined, job: () => undefined },
      live: { queueWorld: never, job: never },
      now: () => now,
    });
    const of = (kind: string, object: KubeObject): AdmissionRequest => ({
      uid: "u",
      kind: { group: "nuptse.dev", version: "v1alpha1", kind },
      operation: "CREATE",
      userInfo: { username: "alice" },
      object,
    });
    await assert.rejects(judge(of("TenantQueue", corp)), NotReadyError);
    assert.equal((await judge(of("ElasticJob", job(badCron)))).kind, "refused");
  });
});
