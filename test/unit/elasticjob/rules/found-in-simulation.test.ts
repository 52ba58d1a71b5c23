// Mistakes that the simulation found, each as small as it can be.
import assert from "node:assert/strict";
import { JobNotes } from "../../../../src/elasticjob/job-memory.ts";
import { judge } from "../../../../src/elasticjob/rules/attempt.ts";
import { planElasticJob } from "../../../../src/elasticjob/rules/plan.ts";
import { makeAttempt } from "../../../support/builders/attempt-pod.ts";
import { at, iso, makeJob } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";
import { makeObserved } from "../../../support/builders/observed-job.ts";

describe("found in the simulation", () => {
  describe("a program that was told to stop and exits with 0", () => {
    // The request came at 12:00:20, the program ended at 12:00:30. The kubelet's last act, a deletion with a grace of 0, moves the
    // timestamp to its own instant.
    const cases = [
      { name: "is lost, by the request's own timestamp", deletionTimestamp: "12:00:50", grace: 30, seen: false, want: "Lost" },
      { name: "is lost, after the kubelet's last deletion too", deletionTimestamp: "12:00:35", grace: 0, seen: false, want: "Lost" },
      { name: "is lost, after a grace that was shortened too late", deletionTimestamp: "12:00:35", grace: 1, seen: false, want: "Lost" },
      {
        name: "has succeeded when its end was seen before any request",
        deletionTimestamp: "12:00:35",
        grace: 0,
        seen: true,
        want: "Succeeded",
      },
      {
        name: "has succeeded when the request came after its end",
        deletionTimestamp: "12:01:10",
        grace: 30,
        seen: false,
        want: "Succeeded",
      },
    ];
    for (const { name, deletionTimestamp, grace, seen, want } of cases) {
      it(name, () => {
        const pod = makeAttempt({ node: "n1", exits: [0], finished: "12:00:30", deletionTimestamp, grace });
        assert.equal(judge(pod, { endedUndeleted: seen })?.outcome, want);
      });
    }
  });

  it("an end that came before the request stays one when the kubelet's last deletion hides when that was", () => {
    const notes = new JobNotes(new Map());
    const shown = { node: "n1", exits: [0], finished: "12:00:30", uid: "pod-a" };
    notes.seePod("modified", makeAttempt({ ...shown, deletionTimestamp: "12:01:10", grace: 30 }), at("12:00:50"));
    const last = makeAttempt({ ...shown, deletionTimestamp: "12:00:51", grace: 0 });
    notes.seePod("deleted", last, at("12:00:51"));
    assert.equal(judge(last, { endedUndeleted: notes.endedUndeleted.has("pod-a"), vanishedAt: at("12:00:51") })?.outcome, "Succeeded");
  });

  describe("a leader whose clock jumps plans nothing", () => {
    const job = makeJob({ runTimeoutSeconds: 60 }, { status: { lastHandledFireTime: iso("11:00:00") } });
    const pods = [makeAttempt({ node: "n1", started: "12:00:02" })];
    const cases = [
      { name: "while it does not know the server's time", serverNow: undefined, wantPlan: false },
      { name: "while it is an hour ahead", serverNow: at("11:01:00"), wantPlan: false },
      { name: "but goes on within what it may be off", serverNow: at("12:00:31"), wantPlan: true },
    ];
    for (const { name, serverNow, wantPlan } of cases) {
      it(name, () => {
        const plan = planElasticJob(makeObserved({ job, pods, now: at("12:01:00"), serverNow }));
        assert.equal(plan.actions.length > 0 || plan.status !== undefined, wantPlan);
        if (!wantPlan) assert.ok((plan.wakeAt ?? 0) > at("12:01:00"), "it looks again");
      });
    }
  });

  it("a pod that is stopped is deleted only as it is known: its end may not have been seen yet", () => {
    const run = { run: "20261121t120000z", phase: "Running", fireTime: iso("12:00:00"), items: "0", total: 1, revision: "report-1" };
    const stops = [{ item: 0, attempt: 1, reason: "ItemTimeout", at: iso("12:05:00") }];
    const job = makeJob({}, { status: { lastHandledFireTime: iso("12:00:00"), active: [{ ...run, kind: "Schedule", stops }] } });
    const plan = planElasticJob(makeObserved({ job, pods: [makeAttempt({ node: "n1", started: "12:00:02" })], now: at("12:05:01") }));
    const deletions = plan.actions.filter((action) => action.tag === "delete");
    assert.deepEqual(
      deletions.map((action) => action.resourceVersion),
      ["7"],
    );
  });

  it("a fire time that was skipped without a record is not passed by the record of the run after it", () => {
    // The run of 12:00 was recorded as ended at 13:00:10 by a leader whose clock was ahead, so 13:00 is skipped; the record of that was lost.
    const world = JobWorld.accepted({ start: "11:30:00" });
    const observed = world.observe();
    const ended = {
      run: "20261121t120000z",
      phase: "Succeeded",
      fireTime: iso("12:00:00"),
      startedAt: iso("12:00:00"),
      endedAt: iso("13:00:10"),
    };
    const status = { ...world.status, lastHandledFireTime: iso("12:00:00"), history: [ended] };
    const history = { fireTime: iso("14:00:00.000"), revision: observed.revisions[0]?.metadata.name as string, since: iso("14:00:00.000") };
    const pods = [makeAttempt({ run: "20261121t140000z", created: "14:00:00", node: "n1", started: "14:00:02", history })];
    const now = at("14:00:06");
    const plan = planElasticJob({ ...observed, job: { ...observed.job, status }, pods, now, serverNow: now });
    const written = plan.status?.status["lastHandledFireTime"];
    assert.ok(plan.status !== undefined, "progress is due");
    assert.ok(written === undefined || written === iso("12:00:00"), String(written));
  });

  it("a run that waits for another begins once the end of that one is recorded, not in the plan that records it", () => {
    // The record was lost and the pod's node took its object along: the next leader ran the first one again beside the second.
    const world = JobWorld.accepted({ start: "11:30:00" });
    const observed = world.observe();
    const revision = observed.revisions[0]?.metadata.name as string;
    const first = {
      run: "20261121t120000z",
      kind: "Schedule",
      phase: "Running",
      fireTime: iso("12:00:00"),
      items: "0",
      total: 1,
      revision,
    };
    const second = { ...first, run: "20261121t130000z", kind: "Misfire", phase: "Waiting", fireTime: iso("13:00:00") };
    const status = { ...world.status, lastHandledFireTime: iso("13:00:00"), active: [first, second] };
    const pods = [makeAttempt({ node: "n1", exits: [0], finished: "13:05:00", history: { revision } })];
    const now = at("13:05:01");
    const plan = planElasticJob({ ...observed, job: { ...observed.job, status }, pods, now, serverNow: now });
    assert.deepEqual(plan.recorded.ended, [{ kind: "Schedule", phase: "Succeeded" }]);
    assert.deepEqual(
      plan.actions.filter((action) => action.tag === "create"),
      [],
    );
  });

  describe("finished pods of a run", () => {
    const ended = { run: "20261121t110000z", phase: "Succeeded", fireTime: iso("11:00:00"), endedAt: iso("11:00:40") };
    const job = makeJob(
      { podRetention: { succeeded: 0, failed: 0, minSeconds: 90 } },
      { status: { lastHandledFireTime: iso("11:00:00"), history: [ended] } },
    );
    const pods = [makeAttempt({ run: ended.run, created: "11:00:00", node: "n1", exits: [0], finished: "11:00:30" })];
    const tags = (foreignRuns: ReadonlySet<string>) =>
      planElasticJob(makeObserved({ job, pods, foreignRuns, now: at("11:30:00") }))
        .actions.map((action) => action.tag)
        .filter((tag) => tag === "delete" || tag === "deleteCollection");

    it("go in a collection", () => assert.deepEqual(tags(new Set()), ["deleteCollection"]));
    it("go one by one where somebody else's pod carries the run's labels", () => assert.deepEqual(tags(new Set([ended.run])), ["delete"]));
  });

  describe("a pod of a node that was deleted: its machine may come back under that name and start it", () => {
    const entry = {
      run: "20261121t120000z",
      kind: "Schedule",
      phase: "Running",
      fireTime: iso("12:00:00"),
      items: "0",
      total: 1,
      running: "0",
    };
    const stops = [{ item: 0, attempt: 1, reason: "NodeGone", at: iso("12:00:21") }];
    const cases = [
      { name: "that it is to end is recorded first", recorded: [], asked: false, wantStops: ["NodeGone"], wantTags: [] },
      { name: "then its deletion is asked for", recorded: stops, asked: false, wantStops: [], wantTags: ["delete"] },
      { name: "and only then its item goes elsewhere", recorded: stops, asked: true, wantStops: [], wantTags: ["create", "event"] },
    ];
    for (const { name, recorded, asked, wantStops, wantTags } of cases)
      it(name, () => {
        const active = [{ ...entry, stops: recorded, startedAt: iso("12:00:00") }] as never;
        const job = makeJob({}, { status: { lastHandledFireTime: iso("12:00:00"), active } });
        const deletion = asked ? { deletionTimestamp: "12:00:52", grace: 30 } : {};
        const pods = [makeAttempt({ run: entry.run, created: "12:00:00", node: "n9", scheduled: "12:00:00", ...deletion })];
        const observed = makeObserved({ job, pods, now: at("12:00:40") });
        const data = observed.pinned.data;
        const revisions = [{ apiVersion: "apps/v1", kind: "ControllerRevision", metadata: { name: "report-1" }, revision: 1, data }];
        const plan = planElasticJob({
          ...observed,
          revisions,
          memory: { ...observed.memory, goneNodes: new Map([["n9", at("12:00:20")]]) },
        });
        const next = plan.status?.status["active"] as readonly { readonly stops?: readonly { readonly reason: string }[] }[] | undefined;
        const newStops = next?.[0]?.stops?.map((stop) => stop.reason) ?? [];
        assert.deepEqual(recorded.length > 0 ? [] : newStops, wantStops);
        const tags = plan.actions.map((action) => action.tag).filter((tag) => tag !== "dryRun" && tag !== "probe");
        assert.deepEqual(tags.sort(), wantTags);
      });
  });

  it("what a node took with it when it was deleted is no stray of a deposed leader", () => {
    const ended = { run: "20261121t110000z", phase: "Succeeded", fireTime: iso("11:00:00"), endedAt: iso("11:00:40") };
    const job = makeJob({}, { status: { lastHandledFireTime: iso("11:00:00"), history: [ended] } });
    const pods = [makeAttempt({ run: ended.run, created: "11:00:00", node: "n9", started: "11:00:02" })];
    const observed = makeObserved({ job, pods, now: at("11:30:00") });
    const gone = { ...observed, memory: { ...observed.memory, goneNodes: new Map([["n9", at("11:00:20")]]) } };
    assert.equal(planElasticJob(observed).strays, 1);
    const plan = planElasticJob(gone);
    assert.equal(plan.strays, 0);
    assert.equal(plan.actions.filter((action) => action.tag === "delete").length, 1);
  });
});
