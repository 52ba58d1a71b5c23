import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import type { JobRequestSpec } from "../../../../src/api/job-request.gen.ts";
import { iso } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";
import { idOf, quiet } from "../../../support/builders/requested-run.ts";

/** The job after a failed run of three items at 11:00, of which item 1 failed. */
function failedRun(spec: Partial<ElasticJobSpec> = {}): JobWorld {
  const world = JobWorld.accepted({ spec: { sharding: { total: 3 }, history: { succeeded: 3, failed: 3 }, ...spec }, start: "10:59:00" });
  world.to("11:00:00").runs(0).runs(1, 7).runs(2);
  world.to("11:05:00");
  world.forgetLog();
  return world;
}

describe("JobRequest.run", () => {
  it("is written in the order of decision 16: active as Waiting, the request Running, pods, history, the request ended, active gone", () => {
    const world = quiet();
    world.ask("now", { run: {} });
    world.settle().runs(0).settle();
    assert.deepEqual(world.writes, ["status", "request now Running", "create 0/1", "status", "request now Succeeded", "status"]);
    const run = idOf("111000", "now");
    assert.deepEqual(world.created, [`${run}/0/1`]);
    assert.equal(world.history()?.run, run);
    assert.equal(world.history()?.kind, "Requested");
    assert.equal(world.active(), undefined);
    assert.equal(world.requests.get("now")?.status?.run, run);
  });

  it("is begun once, whichever of its writes is the last before a crash", () => {
    for (let crash = 0; crash < 12; crash++) {
      const world = quiet();
      world.ask("now", { run: {} });
      for (let step = 0; step < 12; step++) {
        if (step === crash) world.restart();
        world.step();
        const pod = [...world.pods.values()].find((other) => other.status?.phase === "Pending");
        if (pod !== undefined && step > 6) world.runs(0);
      }
      world.settle();
      assert.deepEqual(world.created, [`${idOf("111000", "now")}/0/1`], `crash before step ${crash}`);
      assert.equal(world.request("now"), "Succeeded:Completed", `crash before step ${crash}`);
    }
  });

  it("the request's Running was lost: the run that stands in active is adopted, not begun again", () => {
    const world = quiet();
    world.ask("now", { run: {} });
    world.step();
    world.step((action) => action.tag !== "status");
    assert.equal(world.request("now"), "undefined:undefined");
    assert.deepEqual(world.created, [], "no pod before the request is Running");
    world.restart().settle();
    assert.equal(world.request("now"), "Running:Accepted");
    assert.deepEqual(world.created, [`${idOf("111000", "now")}/0/1`]);
  });

  it("the request's end was lost and history keeps no run: the entry that stays in active tells of it", () => {
    const world = quiet({ history: { succeeded: 0, failed: 0 } });
    world.ask("now", { run: {} });
    world.settle().runs(0);
    world.step();
    assert.equal(world.active()?.phase, "Succeeded");
    assert.equal(world.history(), undefined);
    world.restart().settle();
    assert.equal(world.request("now"), "Succeeded:Completed");
    assert.equal(world.active(), undefined);
  });

  it("ends as Failed when its run fails", () => {
    const world = quiet();
    world.ask("now", { run: {} });
    world.settle().runs(0, 3).settle();
    assert.equal(world.request("now"), "Failed:RunFailed");
  });

  it("runs while the job is suspended, and does not move lastHandledFireTime or what counts as failed in a row", () => {
    const world = quiet({ suspend: true });
    const before = world.status.lastHandledFireTime;
    world.ask("now", { run: {} });
    world.settle().runs(0, 1).settle();
    assert.equal(world.request("now"), "Failed:RunFailed");
    assert.equal(world.status.lastHandledFireTime, before);
    assert.equal(world.status.consecutiveFailures, 0);
    assert.deepEqual(world.status.outcomes?.notSucceeded, []);
  });

  it("gives its parameter to its items and to their retries", () => {
    const world = quiet({ parameter: "all", retry: { sameNode: 1, backoff: { initialSeconds: 1 } } });
    world.ask("now", { run: { parameter: "only this" } });
    world.settle().runs(0, 1);
    world.restart();
    world.to("11:10:05");
    const parameters = [...world.pods.values()].map(
      (pod) => pod.spec.containers[0]?.env?.find((variable) => variable.name === "JOB_PARAMETER")?.value,
    );
    assert.deepEqual(parameters, ["only this", "only this"]);
  });

  it("of some items: these are its whole, SHARDING_TOTAL_COUNT stays the job's (decision 45)", () => {
    const world = quiet({ sharding: { total: 10 } });
    world.ask("now", { run: { items: "2,5-6" } });
    world.settle();
    assert.deepEqual(
      world.created.map((which) => which.split("/")[1]),
      ["2", "5", "6"],
    );
    assert.equal(world.active()?.total, 3);
    const total = world.pod(2).spec.containers[0]?.env?.find((variable) => variable.name === "SHARDING_TOTAL_COUNT")?.value;
    assert.equal(total, "10");
  });

  it("waits under Forbid for the run at work, goes before fire times that wait, and is in the way of them (decision 47)", () => {
    const world = quiet({ misfire: { onOverlap: "FireOnce" } });
    world.to("12:00:00").start(0);
    world.to("12:10:00").ask("now", { run: {} });
    world.to("12:11:00");
    assert.equal(world.created.length, 1);
    assert.equal(world.active(idOf("121000", "now"))?.reason, "ConcurrencyPolicy");
    world.to("13:10:00").exit(0, 0, { run: "20261121t120000z" });
    world.to("13:10:01");
    assert.equal(world.created.at(-1), `${idOf("121000", "now")}/0/1`);
    world.runs(0).to("13:11:00");
    assert.equal(world.created.at(-1), "20261121t130000z/0/1", "the fire time that both were in the way of");
  });

  it("does not keep its place from others under Allow", () => {
    const world = quiet({ concurrencyPolicy: "Allow" });
    world.to("12:00:00").start(0);
    world.ask("now", { run: {} });
    world.settle();
    assert.deepEqual(world.created, ["20261121t120000z/0/1", `${idOf("120000", "now")}/0/1`]);
  });

  it("that is deleted cancels nothing", () => {
    const world = quiet();
    world.ask("now", { run: {} });
    world.settle().start(0);
    world.requests.delete("now");
    world.to("11:12:00").exit(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.active(), undefined);
  });

  it("is deleted ttlSecondsAfterFinished after its end", () => {
    const world = quiet();
    world.ask("now", { run: {}, ttlSecondsAfterFinished: 600 });
    world.settle().runs(0).settle();
    world.to("11:19:59");
    assert.equal(world.request("now"), "Succeeded:Completed");
    world.to("11:20:00");
    assert.equal(world.request("now"), undefined);
  });
});

describe("JobRequest: refusals", () => {
  const cases: readonly {
    readonly name: string;
    readonly world?: () => JobWorld;
    readonly spec: Partial<JobRequestSpec>;
    readonly want: string;
    readonly wantMessage: RegExp;
  }[] = [
    {
      name: "an item that the job does not have",
      spec: { run: { items: "0-3" } },
      want: "Failed:InvalidRequest",
      wantMessage: /^spec\.run\.items: .*0 to sharding\.total - 1 = 0/,
    },
    {
      name: "an item that is disabled",
      world: () => quiet({ sharding: { total: 4, disabledItems: "2" } }),
      spec: { run: { items: "1-3" } },
      want: "Failed:InvalidRequest",
      wantMessage: /^spec\.run\.items: 2 are disabled/,
    },
    { name: "cancel of a run that is not there", spec: { cancel: { run: "x" } }, want: "Failed:RunNotFound", wantMessage: /no run x/ },
    {
      name: "cancel of a run that has ended",
      world: failedRun,
      spec: { cancel: { run: "20261121t110000z" } },
      want: "Failed:RunEnded",
      wantMessage: /has ended already: Failed/,
    },
    { name: "retry of a run that is not there", spec: { retry: { run: "x" } }, want: "Failed:RunNotFound", wantMessage: /no run x/ },
    {
      name: "retry of a run at work",
      world: () => JobWorld.accepted({ start: "11:59:00" }).to("12:00:00"),
      spec: { retry: { run: "20261121t120000z" } },
      want: "Failed:RunNotEnded",
      wantMessage: /cancel it first/,
    },
    {
      name: "retry of a run without failed items",
      world: () => JobWorld.accepted({ start: "11:59:00" }).to("12:00:00").runs(0).to("12:00:01"),
      spec: { retry: { run: "20261121t120000z" } },
      want: "Failed:NothingToDo",
      wantMessage: /no failed items/,
    },
    {
      name: "markSucceeded of an item that is not of the run",
      world: failedRun,
      spec: { markSucceeded: { run: "20261121t110000z", items: "1,5" } },
      want: "Failed:InvalidRequest",
      wantMessage: /^spec\.markSucceeded\.items: 5 are no items/,
    },
    {
      name: "suspend until an instant that is past",
      spec: { suspend: { until: iso("11:00:00") } },
      want: "Failed:InvalidRequest",
      wantMessage: /^spec\.suspend\.until: is past/,
    },
    {
      name: "backfill into the future",
      spec: { backfill: { from: iso("10:00:00"), to: iso("12:00:00") } },
      want: "Failed:InvalidRequest",
      wantMessage: /^spec\.backfill\.to: must not be in the future/,
    },
    {
      name: "backfill of more than 10,000 fire times names the bound",
      world: () => quiet({ schedule: { crons: ["* * * * * ?"] }, suspend: true }),
      spec: { backfill: { from: iso("01:00:00"), to: iso("11:00:00") } },
      want: "Failed:TooManyFireTimes",
      wantMessage: /more than 10000 fire times; the 10000th is at 2026-11-21T03:46:39Z/,
    },
  ];
  for (const tc of cases) {
    it(`${tc.name} is refused with the reason`, () => {
      const world = (tc.world ?? quiet)();
      world.ask("bad", tc.spec).settle();
      assert.equal(world.request("bad"), tc.want);
      assert.match(world.requests.get("bad")?.status?.message ?? "", tc.wantMessage);
      assert.ok(world.events.some((event) => event.startsWith("RequestRefused")));
      const conditions = world.requests.get("bad")?.status?.conditions?.map(({ type, status }) => `${type}=${status}`);
      assert.deepEqual(conditions, ["Accepted=False"]);
    });
  }

  it("a job that is wrong is waited for for 30 s", () => {
    const world = quiet().edit({ schedule: { crons: ["61 * * * *"] } });
    world.ask("now", { run: {} }).to("11:10:29");
    assert.equal(world.request("now"), "Pending:WaitingForJob");
    world.to("11:10:30");
    assert.equal(world.request("now"), "Failed:JobNotReady");
  });

  it("more than 100 open requests of a job: the newest are refused (decision 87)", () => {
    const world = quiet();
    for (let count = 0; count < 102; count++) world.ask(`s${count}`, { suspend: {} });
    world.settle();
    const phases = [...world.requests.keys()].map((name) => world.request(name));
    assert.equal(phases.filter((phase) => phase === "Running:Accepted").length, 100);
    assert.equal(phases.filter((phase) => phase === "Failed:TooManyRequests").length, 2);
  });
});

describe("JobRequest.cancel", () => {
  it("is recorded before pods are deleted, and succeeds when they have ended", () => {
    const world = quiet();
    world.to("12:00:00").start(0);
    world.forgetLog();
    world.ask("stop", { cancel: { run: "20261121t120000z" }, requestedBy: "ada" });
    world.settle();
    assert.deepEqual(world.writes, ["request stop Running", "status", "delete 0/1"]);
    assert.equal(world.active()?.ending?.reason, "Cancelled");
    assert.equal(world.request("stop"), "Running:Accepted");
    world.vanish(0).settle();
    assert.equal(world.request("stop"), "Succeeded:Completed");
    assert.deepEqual(
      [world.history()?.phase, world.history()?.reason, world.history()?.message],
      ["Cancelled", "Cancelled", "cancelled by JobRequest stop of ada"],
    );
  });

  it("of a run that ends by itself first has failed, and says so", () => {
    const world = quiet();
    world.to("12:00:00").start(0);
    world.ask("stop", { cancel: { run: "20261121t120000z" } });
    world.step();
    world.exit(0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.request("stop"), "Failed:RunEnded");
  });

  it("of a requested run that waits: no pod is ever made, and its request has failed", () => {
    const world = quiet();
    world.to("12:00:00").start(0);
    world.ask("now", { run: {} }).settle();
    world.ask("stop", { cancel: { run: idOf("120000", "now") } }).settle();
    assert.equal(world.request("now"), "Failed:RunCancelled");
    assert.equal(world.request("stop"), "Succeeded:Completed");
    assert.equal(world.created.length, 1);
  });
});

describe("JobRequest.retry", () => {
  it("is a new run with the fire time, revision and total of the run it names, and only its failed items", () => {
    const world = failedRun();
    const first = world.history();
    world.edit({ parameter: "changed" }).settle();
    world.ask("more", { retry: { run: "20261121t110000z" } }).settle();
    const run = idOf("110000", "more");
    assert.deepEqual(world.created, [`${run}/1/1`]);
    const entry = world.active(run);
    assert.deepEqual(
      [entry?.kind, entry?.retryOf, entry?.fireTime, entry?.revision, entry?.items],
      ["Retry", "20261121t110000z", iso("11:00:00"), first?.revision, "1"],
    );
    world.runs(1).settle();
    assert.equal(world.request("more"), "Succeeded:Completed");
  });

  it("that succeeds corrects the outcome of the fire time", () => {
    const world = failedRun();
    assert.equal(world.status.consecutiveFailures, 1);
    world.ask("more", { retry: { run: "20261121t110000z" } }).settle();
    world.runs(1).settle();
    assert.deepEqual(world.status.outcomes?.notSucceeded, []);
    assert.equal(world.status.consecutiveFailures, 0);
  });

  it("may be retried again when it fails, down to the items that failed then", () => {
    const world = failedRun();
    world.ask("one", { retry: { run: "20261121t110000z" } }).settle();
    world.runs(1, 1).settle();
    assert.equal(world.request("one"), "Failed:RunFailed");
    world.ask("two", { retry: { run: idOf("110000", "one") } }).settle();
    world.runs(1).settle();
    assert.equal(world.request("two"), "Succeeded:Completed");
    assert.deepEqual(world.status.outcomes?.notSucceeded, []);
  });
});

describe("JobRequest.markSucceeded", () => {
  it("makes a run without failed items Succeeded, and corrects the outcome and the condition", () => {
    const world = failedRun();
    world.ask("mark", { markSucceeded: { run: "20261121t110000z" }, requestedBy: "ada" }).settle();
    const entry = world.history();
    assert.deepEqual([entry?.phase, entry?.reason, entry?.succeeded, entry?.failed], ["Succeeded", "MarkedSucceeded", "0-2", ""]);
    assert.equal(world.request("mark"), "Succeeded:Completed");
    assert.equal(world.condition("LastRunSucceeded"), "True:Succeeded");
    assert.equal(world.status.consecutiveFailures, 0);
    assert.deepEqual(world.writes, ["status", "request mark Succeeded"]);
  });

  it("of some items leaves the others failed", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 3 } }, start: "10:59:00" });
    world.to("11:00:00").runs(0, 1).runs(1, 1).runs(2);
    world.to("11:05:00").ask("mark", { markSucceeded: { run: "20261121t110000z", items: "0" } });
    world.settle();
    assert.deepEqual([world.history()?.phase, world.history()?.failed], ["Failed", "1"]);
    assert.equal(world.request("mark"), "Succeeded:Completed");
  });

  it("is done once when its last write was lost", () => {
    const world = failedRun();
    world.ask("mark", { markSucceeded: { run: "20261121t110000z" } });
    world.step();
    world.restart().settle();
    assert.deepEqual(world.writes, ["status", "request mark Succeeded"]);
  });
});

describe("JobRequest.suspend", () => {
  it("lets nothing fire while it is Running, and the past does not fire when it is deleted (decision 12)", () => {
    const world = quiet();
    world.ask("hold", { suspend: { reason: "release" } }).to("12:30:00");
    assert.deepEqual(world.created, []);
    assert.equal(world.condition("Ready"), "True:Suspended");
    world.requests.delete("hold");
    world.to("12:59:59");
    assert.deepEqual(world.created, []);
    world.to("13:00:00");
    assert.deepEqual(world.created, ["20261121t130000z/0/1"]);
  });

  it("ends by itself at `until`; a fire time at that instant is owed, and none before it", () => {
    const world = quiet();
    world.ask("hold", { suspend: { until: iso("13:00:00") } }).to("12:59:59");
    assert.deepEqual(world.created, []);
    world.to("13:00:00");
    assert.equal(world.request("hold"), "Succeeded:Completed");
    assert.deepEqual(world.created, ["20261121t130000z/0/1"]);
  });

  it("leaves a run at work alone, and drops what waits", () => {
    const world = quiet();
    world.to("12:00:00").start(0);
    world.ask("hold", { suspend: {} }).to("12:10:00").exit(0).to("12:11:00");
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("survives a restart of the operator, and is not handled twice", () => {
    const world = quiet();
    world.ask("hold", { suspend: {} }).settle();
    world.restart().to("12:30:00");
    assert.deepEqual(world.created, []);
    assert.equal(world.writes.filter((write) => write.startsWith("request")).length, 1);
  });
});

describe("at rest", () => {
  it("requests that have ended, and one that suspends, cost no write", () => {
    const world = quiet({ schedule: { crons: ["0 0 1 1 *"] } });
    world.ask("now", { run: {} }).settle().runs(0).settle();
    world.ask("hold", { suspend: {} }).settle();
    world.to("11:15:00").forgetLog();
    world.to("23:00:00");
    assert.deepEqual(world.writes, []);
  });
});
