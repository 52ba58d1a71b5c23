import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { DagWorld } from "../../../support/builders/dag-world.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";

type After = NonNullable<ElasticJobSpec["after"]>[number];
const byRequest = undefined as unknown as NonNullable<ElasticJobSpec["schedule"]>;
const hourly = { crons: ["0 * * * *"] };
const runsAfter = (...jobs: readonly (string | After)[]): Partial<ElasticJobSpec> => ({
  schedule: byRequest,
  after: jobs.map((job) => (typeof job === "string" ? { job } : job)),
});
/** The run of the request "now", which was made at 12:10. */
const run = "20261121t121000z-r6e6f7700";

/** Asks at 12:10, in the middle between two fire times. */
function asking(dag: DagWorld, job: string, cascade = true): DagWorld {
  dag.to("12:10:00");
  dag.get(job).now = dag.now;
  dag.get(job).ask("now", { run: { cascade } });
  return dag.settle();
}

describe("a requested run starts what hangs below only with cascade", () => {
  const diamond = { a: { schedule: byRequest }, b: runsAfter("a"), c: runsAfter("a"), d: runsAfter("b", "c") };

  it("each job when its upstreams have ended, with the same fire time and run id", () => {
    const dag = asking(new DagWorld(diamond), "a");
    assert.deepEqual(dag.cascadeOf("now"), ["a Running", "b Pending", "c Pending", "d Pending"]);
    assert.deepEqual(dag.get("b").created, []);
    dag.runs("a");
    for (const name of ["b", "c"]) assert.deepEqual(dag.get(name).created, [`${run}/0/1`]);
    dag.runs("b");
    assert.deepEqual(dag.get("d").created, []);
    dag.runs("c").runs("d");
    assert.deepEqual(dag.cascadeOf("now"), ["a Succeeded", "b Succeeded", "c Succeeded", "d Succeeded"]);
    assert.equal(dag.get("a").request("now"), "Succeeded:Completed");
    assert.equal(dag.requests.get("now")?.status?.message, "4 of 4 jobs succeeded");
    assert.equal(dag.get("d").history()?.fireTime, iso("12:10:00"));
    for (const name of ["a", "b", "c", "d"]) assert.equal(dag.get(name).status.active, undefined, `${name} keeps no entry of it`);
  });

  it("without it, nothing below runs", () => {
    const dag = asking(new DagWorld(diamond), "a", false).runs("a");
    assert.equal(dag.get("a").request("now"), "Succeeded:Completed");
    assert.deepEqual(dag.get("b").created, []);
  });

  it("what its upstream's end does not allow is skipped, and so is what needs that; the rest runs", () => {
    const dag = asking(
      new DagWorld({
        a: { schedule: byRequest },
        b: runsAfter("a"),
        c: runsAfter("b"),
        alarm: runsAfter({ job: "a", outcome: "Failed" }),
        last: runsAfter({ job: "b", outcome: "Completed" }),
      }),
      "a",
    );
    dag.runs("a", 1).runs("alarm").runs("last");
    assert.deepEqual(dag.cascadeOf("now"), ["a Failed", "alarm Succeeded", "b Skipped", "c Skipped", "last Succeeded"]);
    assert.equal(dag.get("a").request("now"), "Failed:RunsFailed");
    assert.equal(dag.requests.get("now")?.status?.message, "2 of 5 jobs succeeded, 2 skipped; a Failed");
  });

  it("upstreams that take no part are not asked", () => {
    const dag = asking(new DagWorld({ a: { schedule: hourly }, apart: { schedule: hourly }, b: runsAfter("a", "apart") }), "a");
    dag.get("a").now = dag.now;
    dag.get("a").start(0, "n1", "20261121t120000z").exit(0, 0, { run: "20261121t120000z" });
    dag.settle().runs("a");
    assert.deepEqual(dag.get("b").created, [`${run}/0/1`]);
  });

  it("goes before fire times that wait, in a job with a schedule too", () => {
    const waits = { schedule: hourly, after: [{ job: "a", fireTime: "Latest" as const }] };
    const dag = asking(new DagWorld({ a: { schedule: byRequest }, b: waits }), "a");
    assert.deepEqual(dag.runsOf("b"), ["120000 Waiting DependencyPending"]);
    dag.runs("a");
    assert.deepEqual(dag.get("b").created, [`${run}/0/1`]);
  });

  it("a new leader at any moment starts nothing twice", () => {
    const dag = asking(new DagWorld(diamond), "a")
      .restart()
      .runs("a")
      .restart()
      .runs("b")
      .restart()
      .runs("c")
      .restart()
      .runs("d")
      .restart();
    for (const name of ["a", "b", "c", "d"]) assert.deepEqual(dag.get(name).created, [`${run}/0/1`]);
    assert.equal(dag.get("a").request("now"), "Succeeded:Completed");
  });

  it("a crash after each write of a job below starts nothing twice", () => {
    const dag = asking(new DagWorld({ a: { schedule: byRequest }, b: { ...runsAfter("a"), history: { succeeded: 0, failed: 0 } } }), "a");
    const world = dag.get("b");
    dag.get("a").now = dag.now;
    dag.get("a").runs(0).settle();
    for (let step = 0; step < 8; step++) {
      world.step();
      world.restart();
      dag.get("a").settle();
    }
    dag.runs("b");
    for (let step = 0; step < 8; step++) dag.restart();
    assert.deepEqual(world.created, [`${run}/0/1`]);
    assert.deepEqual(dag.cascadeOf("now"), ["a Succeeded", "b Succeeded"]);
  });

  it("a job that is deleted meanwhile is skipped when it has been missing for 30 s", () => {
    const dag = asking(new DagWorld({ a: { schedule: byRequest }, b: runsAfter("a") }), "a");
    dag.remove("b");
    dag.runs("a");
    assert.deepEqual(dag.cascadeOf("now"), ["a Succeeded", "b Pending"]);
    dag.missing("b", at("12:10:00"), at("12:10:29"));
    assert.deepEqual(dag.cascadeOf("now"), ["a Succeeded", "b Pending"]);
    dag.missing("b", at("12:10:00"), at("12:10:31"));
    dag.settle();
    assert.deepEqual(dag.cascadeOf("now"), ["a Succeeded", "b Skipped"]);
    assert.equal(dag.get("a").request("now"), "Succeeded:Completed");
  });

  it("deleting the request starts nothing more below", () => {
    const dag = asking(new DagWorld({ a: { schedule: byRequest }, b: runsAfter("a") }), "a");
    dag.requests.delete("now");
    dag.runs("a");
    assert.deepEqual(dag.get("b").created, []);
  });
});

describe("retry with cascade re-runs failed items and what hangs below", () => {
  it("with the fire time of the run that it names, and corrects the outcomes of that fire time", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: runsAfter("a"), c: runsAfter("b") });
    dag.to("12:00:10").runs("a", 1);
    const skipped = [{ fireTime: iso("12:00:00"), outcome: "Skipped" }];
    assert.deepEqual(dag.get("b").status.outcomes?.notSucceeded, skipped);
    assert.deepEqual(dag.get("c").status.outcomes?.notSucceeded, skipped);
    dag
      .to("12:20:00")
      .get("a")
      .ask("now", { retry: { run: "20261121t120000z", cascade: true } });
    dag.settle().runs("a").runs("b").runs("c");
    assert.deepEqual(dag.get("c").created, ["20261121t120000z-r6e6f7700/0/1"]);
    assert.equal(dag.get("c").history()?.kind, "Retry");
    for (const name of ["a", "b", "c"]) assert.deepEqual(dag.get(name).status.outcomes?.notSucceeded, [], name);
    assert.equal(dag.get("a").request("now"), "Succeeded:Completed");
  });

  it("without cascade, a success that comes later starts nothing below (decision 17)", () => {
    const dag = new DagWorld({ a: { schedule: hourly }, b: runsAfter("a") });
    dag
      .to("12:00:10")
      .runs("a", 1)
      .to("12:20:00")
      .get("a")
      .ask("now", { retry: { run: "20261121t120000z" } });
    dag.settle().runs("a");
    assert.deepEqual(dag.get("a").status.outcomes?.notSucceeded, []);
    assert.deepEqual(dag.get("b").created, []);
  });
});
