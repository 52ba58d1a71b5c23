import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { DagWorld } from "../../../support/builders/dag-world.ts";
import { at, iso, minutely } from "../../../support/builders/elastic-job.ts";

type After = NonNullable<ElasticJobSpec["after"]>[number];
const none = undefined as unknown as NonNullable<ElasticJobSpec["schedule"]>;
/** A job without a schedule, after others. */
const runsAfter = (...jobs: readonly (string | After)[]): Partial<ElasticJobSpec> => ({
  schedule: none,
  after: jobs.map((job) => (typeof job === "string" ? { job } : job)),
});
const hourly = { crons: ["0 * * * *"] };
const everyFive = { crons: ["*/5 * * * *"] };

describe("without a schedule, a run is born when the last upstream of a logical fire time ends", () => {
  it("in a chain of three, each with the fire time of the first", () => {
    const dag = new DagWorld({ extract: { schedule: hourly }, load: runsAfter("extract"), report: runsAfter("load") });
    dag.to("12:00:10").runs("extract");
    assert.deepEqual(dag.get("load").created, ["20261121t120000z/0/1"]);
    assert.deepEqual(dag.get("report").created, []);
    dag.to("12:05:00").runs("load").runs("report");
    assert.deepEqual(dag.runsOf("report"), ["120000 Succeeded"]);
    assert.equal(dag.get("report").history()?.kind, "Dependency");
    assert.equal(dag.get("report").status.lastHandledFireTime, iso("12:00:00"));
    assert.equal(dag.get("load").status.nextFireTime, iso("13:00:00"));
    assert.equal(dag.get("load").condition("Ready"), "True:Armed");
  });

  it("of two upstreams: the later of both ends, whichever that is", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: { schedule: { crons: ["*/30 * * * *"] } }, join: runsAfter("a", "b") });
    dag.to("12:00:10").runs("b");
    assert.deepEqual(dag.get("join").created, []);
    dag.to("12:10:00").runs("a");
    assert.deepEqual(dag.get("join").created, ["20261121t120000z/0/1"]);
    dag.runs("join").to("12:30:05").runs("b");
    assert.deepEqual(dag.runsOf("join"), ["120000 Succeeded"], "12:30 is no fire time that both have");
  });

  it("costs as many writes as a run with a schedule", () => {
    const dag = new DagWorld({ extract: { schedule: hourly }, load: runsAfter("extract") });
    dag.to("12:00:01").runs("extract").to("12:00:02").runs("load");
    assert.deepEqual(dag.get("load").writes, ["create 0/1", "status"]);
  });

  it("is not born when the upstream failed: the fire time is skipped, and passed on as skipped", () => {
    const dag = new DagWorld({
      a: { schedule: hourly },
      b: runsAfter("a"),
      onSuccess: runsAfter("b"),
      always: runsAfter({ job: "b", outcome: "Completed" }),
      onFailure: runsAfter({ job: "a", outcome: "Failed" }),
    });
    dag.to("12:00:10").runs("a", 1);
    assert.deepEqual(dag.get("b").status.outcomes?.notSucceeded, [{ fireTime: iso("12:00:00"), outcome: "Skipped" }]);
    assert.deepEqual(dag.get("b").events, [
      "RunSkipped: 1 fire times skipped (DependencyNotMet), the newest at 2026-11-21T12:00:00.000Z: the run of job a of 2026-11-21T12:00:00Z is Failed, not Succeeded",
    ]);
    assert.deepEqual(dag.get("onSuccess").created, []);
    assert.deepEqual(dag.get("always").created, ["20261121t120000z/0/1"]);
    assert.deepEqual(dag.get("onFailure").created, ["20261121t120000z/0/1"]);
  });

  it("is born only for F > own L", () => {
    const dag = new DagWorld({ a: { schedule: everyFive } });
    dag.to("12:06:00");
    const late = dag.add("b", runsAfter("a"));
    dag.settle().runs("a");
    assert.deepEqual(late.created, [], "a fire time before its creation is none of its");
    dag.to("12:10:01").runs("a");
    assert.deepEqual(late.created, ["20261121t121000z/0/1"]);
  });

  it("under Forbid one after the other, in the order of fire times, none lost", () => {
    const dag = new DagWorld({ a: { schedule: everyFive }, b: runsAfter("a") });
    for (const minute of ["00", "05", "10"]) dag.to(`12:${minute}:01`).runs("a");
    assert.deepEqual(dag.get("b").created, ["20261121t120000z/0/1"]);
    dag.to("12:11:00").runs("b").to("12:12:00").runs("b").to("12:13:00").runs("b");
    assert.deepEqual(dag.runsOf("b"), ["121000 Succeeded", "120500 Succeeded", "120000 Succeeded"]);
    assert.deepEqual(dag.get("b").status.outcomes?.notSucceeded, []);
  });

  it("under Replace the newest takes the place of the one before", () => {
    const dag = new DagWorld({ a: { schedule: everyFive }, b: { ...runsAfter("a"), concurrencyPolicy: "Replace" } });
    dag.to("12:00:01").runs("a").to("12:05:01");
    dag.get("b").now = dag.now;
    dag.get("b").start(0);
    dag.runs("a");
    assert.deepEqual(dag.runsOf("b"), ["120500 Waiting Replacing", "120000 Running"]);
    dag.get("b").vanish(0, "20261121t120000z");
    dag.to("12:06:00").runs("b");
    assert.deepEqual(dag.runsOf("b"), ["120500 Succeeded", "120000 Cancelled Replaced"]);
  });

  it("is no misfire when nobody led as its upstream ended, and is born once by the new leader", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: { ...runsAfter("a"), misfire: { onDowntime: "Skip" } } });
    dag.to("12:00:10");
    dag.get("a").now = dag.now;
    dag.get("a").runs(0);
    // The upstream's end is recorded, and the leader dies before anybody looks at b.
    dag.get("a").settle();
    dag.now = at("12:20:00");
    dag.restart();
    assert.deepEqual(dag.get("b").created, ["20261121t120000z/0/1"]);
    dag.restart().to("12:21:00").runs("b");
    assert.deepEqual(dag.get("b").created, ["20261121t120000z/0/1"]);
    assert.deepEqual(dag.runsOf("b"), ["120000 Succeeded"]);
  });

  it("waits for an upstream that is missing, and ends with DependencyTimeout when another has ended", () => {
    const dag = new DagWorld({
      a: { schedule: hourly },
      c: { schedule: hourly },
      b: { ...runsAfter("a", "c"), dependencyTimeoutSeconds: 600 },
    });
    dag.to("12:00:10").runs("a");
    dag.to("12:09:59");
    assert.deepEqual(dag.runsOf("b"), []);
    dag.to("12:10:00");
    assert.deepEqual(dag.runsOf("b"), ["120000 Failed DependencyTimeout"]);
    assert.match(
      dag.get("b").events.join("\n"),
      /^DependencyTimeout: run 20261121t120000z failed: waited for more than 600 s, .*the run of job c of/,
    );
    assert.deepEqual(dag.get("b").status.outcomes?.notSucceeded, [{ fireTime: iso("12:00:00"), outcome: "Failed" }]);
    assert.equal(dag.get("b").status.lastHandledFireTime, iso("12:00:00"));
  });

  it("while the upstream is missing it says so, and what the new one never ran is not owed", () => {
    const dag = new DagWorld({ b: runsAfter("a") });
    assert.equal(dag.get("b").condition("Ready"), "True:DependencyMissing");
    dag.to("12:07:00");
    dag.add("a", { schedule: everyFive });
    dag.settle();
    assert.equal(dag.get("b").condition("Ready"), "True:Armed");
    dag.to("12:10:01").runs("a");
    assert.deepEqual(dag.get("b").created, ["20261121t121000z/0/1"]);
  });

  it("what the upstream's suspension or edit dropped is not owed; what was at work then still counts", () => {
    const dag = new DagWorld({ a: { schedule: everyFive }, b: runsAfter("a"), c: runsAfter("b") });
    dag.to("12:00:10").edit("a", { suspend: true }).to("12:20:00").runs("a");
    assert.deepEqual(dag.get("b").created, ["20261121t120000z/0/1"], "the run that was at work goes on");
    dag.runs("b").runs("c").edit("a", { suspend: false }).to("12:25:01").runs("a").runs("b");
    assert.deepEqual(dag.runsOf("b"), ["122500 Succeeded", "120000 Succeeded"]);
    assert.deepEqual(dag.get("b").status.outcomes?.notSucceeded, []);
    assert.equal(dag.get("b").status.outcomes?.from, iso("12:20:00"), "nothing is known of what lies between");
    assert.deepEqual(dag.get("c").created, ["20261121t120000z/0/1", "20261121t122500z/0/1"]);
  });

  it("an end of suspension never fires for the past", () => {
    const dag = new DagWorld({ a: { schedule: everyFive }, b: { ...runsAfter("a"), suspend: true } });
    dag.to("12:00:05").runs("a").to("12:07:00").runs("a").edit("b", { suspend: false }).settle();
    assert.deepEqual(dag.get("b").created, []);
    dag.to("12:10:01").runs("a");
    assert.deepEqual(dag.get("b").created, ["20261121t121000z/0/1"]);
  });
});

describe("with a schedule both must hold", () => {
  it("the run waits in active with the reason, holds the lane, and begins when its upstream has ended", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: { schedule: hourly, after: [{ job: "a" }] } });
    dag.to("12:00:10");
    assert.deepEqual(dag.runsOf("b"), ["120000 Waiting DependencyPending"]);
    assert.deepEqual(dag.get("b").events, [], "waiting for an upstream at work is no news");
    dag.to("12:05:00").runs("a").runs("b");
    assert.deepEqual(dag.runsOf("b"), ["120000 Succeeded"]);
    assert.deepEqual(dag.get("b").writes, ["status", "create 0/1", "status"]);
  });

  it("nothing is written before it fires when the upstream had ended before", () => {
    const dag = new DagWorld({
      a: { schedule: hourly },
      b: { schedule: { crons: ["30 * * * *"] }, after: [{ job: "a", fireTime: "Latest" }] },
    });
    dag.to("12:01:00").runs("a").to("12:30:01").runs("b");
    assert.deepEqual(dag.get("b").writes, ["create 0/1", "status"]);
  });

  it("a fire time that waits for a dependency is not an overlap; one that comes meanwhile is", () => {
    const dag = new DagWorld({
      a: { schedule: hourly },
      b: { schedule: { crons: ["*/30 * * * *"] }, after: [{ job: "a", fireTime: "Latest", maxAgeSeconds: 3599 }] },
    });
    dag.to("12:31:00");
    assert.deepEqual(dag.runsOf("b"), ["120000 Waiting DependencyPending"]);
    dag.runs("a").runs("b");
    assert.deepEqual(dag.runsOf("b"), ["120000 Succeeded"]);
    assert.deepEqual(dag.get("b").status.outcomes?.notSucceeded, [{ fireTime: iso("12:30:00"), outcome: "Skipped" }]);
  });

  it("a fire time that its upstream cannot allow any more is skipped", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: { schedule: hourly, after: [{ job: "a" }] } });
    dag.to("12:00:10").runs("a", 1);
    assert.deepEqual(dag.runsOf("b"), []);
    assert.deepEqual(dag.get("b").status.outcomes?.notSucceeded, [{ fireTime: iso("12:00:00"), outcome: "Skipped" }]);
    dag.to("13:00:10").runs("a").runs("b");
    assert.deepEqual(dag.runsOf("b"), ["130000 Succeeded"]);
  });

  for (const { name, prepare, reason } of [
    { name: "gone", prepare: (dag: DagWorld) => dag.remove("a"), reason: "DependencyMissing" },
    { name: "suspended", prepare: (dag: DagWorld) => dag.edit("a", { suspend: true }), reason: "UpstreamSuspended" },
  ]) {
    it(`upstream ${name}: the run waits, says so, and ends with DependencyTimeout`, () => {
      const dag = new DagWorld({ a: { schedule: hourly }, b: { schedule: hourly, after: [{ job: "a" }], dependencyTimeoutSeconds: 900 } });
      prepare(dag);
      dag.to("12:00:10");
      assert.deepEqual(dag.runsOf("b"), [`120000 Waiting ${reason}`]);
      assert.match(dag.get("b").events[0] ?? "", new RegExp(`^RunWaiting: run 20261121t120000z waits: ${reason}`));
      dag.to("12:15:01");
      assert.deepEqual(dag.runsOf("b"), ["120000 Failed DependencyTimeout"]);
      assert.match(dag.get("b").events.at(-1) ?? "", /^DependencyTimeout: /);
      assert.equal(dag.get("b").status.consecutiveFailures, 1);
    });
  }

  it("under Allow each fire time waits for its own upstream", () => {
    const dag = new DagWorld({
      a: { ...minutely, concurrencyPolicy: "Allow" },
      b: { ...minutely, concurrencyPolicy: "Allow", after: [{ job: "a" }] },
    });
    dag.to("12:01:30").runs("a").to("12:01:40");
    assert.deepEqual(dag.runsOf("b"), ["120100 Running", "120000 Waiting DependencyPending"]);
  });

  it("under Replace a newer fire time takes the place of one that waits", () => {
    const dag = new DagWorld({
      a: { ...minutely, concurrencyPolicy: "Allow" },
      b: { ...minutely, concurrencyPolicy: "Replace", after: [{ job: "a" }] },
    });
    dag.to("12:01:30");
    assert.deepEqual(dag.runsOf("b"), ["120100 Waiting DependencyPending"]);
    assert.deepEqual(dag.get("b").status.outcomes?.notSucceeded, [{ fireTime: iso("12:00:00"), outcome: "Skipped" }]);
    dag.runs("a").runs("b");
    assert.deepEqual(dag.runsOf("b"), ["120100 Succeeded"]);
  });

  it("a new leader finds what waits, and starts it once", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: { schedule: hourly, after: [{ job: "a" }] } });
    dag.to("12:00:10").restart().to("12:01:00").runs("a").restart().runs("b");
    assert.deepEqual(dag.get("b").created, ["20261121t120000z/0/1"]);
    assert.deepEqual(dag.runsOf("b"), ["120000 Succeeded"]);
  });

  it("an edit of the schedule drops what waits (decision 12)", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: { schedule: hourly, after: [{ job: "a" }] } });
    dag.to("12:00:10").edit("b", { schedule: everyFive }).settle().runs("a");
    assert.deepEqual(dag.get("b").created, []);
    assert.match(dag.get("b").events.join("\n"), /RunSkipped: 1 fire times skipped \(ScheduleChanged\)/);
  });
});

describe("what cannot work is refused", () => {
  it("cycles through three jobs: all members that close it say DependencyCycle, others go on", () => {
    const dag = new DagWorld({
      a: { schedule: hourly, after: [{ job: "c" }] },
      b: { schedule: hourly, after: [{ job: "a" }] },
      c: { schedule: hourly, after: [{ job: "b" }] },
      below: { schedule: hourly, after: [{ job: "c", fireTime: "Latest" }] },
      apart: { schedule: hourly },
    });
    for (const name of ["a", "b", "c"]) {
      assert.equal(dag.get(name).condition("Ready"), "False:DependencyCycle");
      assert.equal(dag.get(name).condition("Stalled"), "True:DependencyCycle");
    }
    const message = dag.get("a").status.conditions?.find((condition) => condition.type === "Ready")?.message;
    assert.match(message ?? "", /^spec.after: a is after c is after b is after a; /);
    dag.to("12:00:05").runs("apart");
    assert.deepEqual(dag.runsOf("apart"), ["120000 Succeeded"]);
    assert.deepEqual(dag.runsOf("below"), ["120000 Waiting DependencyPending"]);
    assert.deepEqual(dag.runsOf("a"), []);
    dag.edit("a", { after: [] }).to("12:30:00");
    for (const name of ["a", "b", "c"]) assert.equal(dag.get(name).condition("Ready"), "True:Armed");
    assert.deepEqual(dag.runsOf("a"), [], "what passed while it was refused is not made up for");
    dag.to("13:00:01").runs("a").runs("b").runs("c");
    assert.deepEqual(dag.runsOf("c"), ["130000 Succeeded"]);
  });

  it("a job after itself", () => {
    const dag = new DagWorld({ a: { schedule: hourly, after: [{ job: "a" }] } });
    assert.equal(dag.get("a").condition("Ready"), "False:DependencyCycle");
  });

  const cases: readonly {
    readonly name: string;
    readonly jobs: Readonly<Record<string, Partial<ElasticJobSpec>>>;
    readonly want: string;
  }[] = [
    {
      name: "none of the next 1,000 fire times of both coincide",
      jobs: { a: { schedule: { crons: ["0 * * * *"] } }, b: { schedule: { crons: ["30 * * * *"] }, after: [{ job: "a" }] } },
      want: "spec.after[0].fireTime: none of the next 1,000 fire times of this job and of job a coincide; use Latest or AllInPeriod, or schedules that meet",
    },
    {
      name: "two upstreams that never fire together",
      jobs: { a: { schedule: { crons: ["0 * * * *"] } }, c: { schedule: { crons: ["30 * * * *"] } }, b: runsAfter("a", "c") },
      want: "spec.after: none of the next 1,000 fire times of jobs a and c coincide; give them schedules that meet",
    },
    {
      name: "an upstream that fires only by request",
      jobs: { a: { schedule: none }, b: { schedule: hourly, after: [{ job: "a" }] } },
      want: "spec.after[0].fireTime: job a has no schedule, so no fire time of it can be the same; use Latest",
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const ready = new DagWorld(tc.jobs).get("b").status.conditions?.find((condition) => condition.type === "Ready");
      assert.equal(ready?.reason, "InvalidSpec");
      assert.equal(ready?.message, tc.want);
    });
  }

  it("schedules that meet once in a while are no mistake", () => {
    const dag = new DagWorld({
      a: { schedule: { crons: ["0 0 * * *"] } },
      b: { schedule: { crons: ["*/5 * * * *"] }, after: [{ job: "a" }] },
    });
    assert.equal(dag.get("b").condition("Ready"), "True:Armed");
  });
});

describe("a change of a job is told to those who must look at it", () => {
  it("a change of a spec to all that hang below", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: runsAfter("a"), c: runsAfter("b"), d: { schedule: hourly } });
    assert.deepEqual([...dag.dependentsOf("a")].sort(), ["b", "c"]);
    assert.deepEqual(dag.dependentsOf("d"), []);
  });
});
