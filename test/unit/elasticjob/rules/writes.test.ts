import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

/** The second run of an hourly job, with all that it causes until the third, as a count of requests by kind. */
function writesOfARun(spec: Partial<ElasticJobSpec>, play: (world: JobWorld) => void): Record<string, number> {
  const world = JobWorld.accepted({ spec, start: "10:59:00" });
  world.to("11:00:00");
  for (const pod of world.attempts()) world.runs(pod.item);
  world.to("11:30:00");
  world.to("12:00:00").writes.length = 0;
  world.forgetLog();
  world.now = at("12:00:00");
  play(world);
  world.to("12:59:59");
  const counts: Record<string, number> = {};
  for (const write of world.writes) {
    const kind = write.split(" ")[0] as string;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** The pods were created before the log was emptied: N creates come on top. elasticjob.md section 2, "Writes"; decision 21. */
describe("what a run writes besides the creation of its first pods", () => {
  it("one item of 1 s: one status patch and one deletecollection, 3 in all", () => {
    const counts = writesOfARun({}, (world) => {
      world.to("12:00:01").runs(0);
    });
    assert.deepEqual(counts, { status: 1, deletecollection: 1 });
  });

  it("one item of 60 s: one progress patch more, 4 in all", () => {
    const counts = writesOfARun({}, (world) => {
      world.start(0).to("12:01:00").exit(0);
    });
    assert.deepEqual(counts, { status: 2, deletecollection: 1 });
  });

  it("one item that fails once: another pod and a progress patch, 5 in all", () => {
    const counts = writesOfARun({ retry: { sameNode: 1 } }, (world) => {
      world.to("12:00:01").runs(0, 1).to("12:00:12").runs(0);
    });
    assert.deepEqual(counts, { create: 1, status: 2, deletecollection: 1 });
  });

  it("N = 100 over 30 s: N + 4", () => {
    const counts = writesOfARun({ sharding: { total: 100 }, podRetention: { succeeded: 0 } }, (world) => {
      for (let item = 0; item < 100; item++) world.start(item);
      for (let item = 0; item < 100; item++) world.to(at("12:00:00") + (item + 1) * 300).exit(item);
    });
    assert.deepEqual(counts, { status: 3, deletecollection: 1 });
  });

  it("none at rest", () => {
    const world = JobWorld.accepted({ spec: { schedule: { crons: ["0 0 1 1 *"] } } });
    world.to("12:00:00").to("15:00:00").to("23:00:00");
    assert.deepEqual(world.writes, []);
    assert.equal(world.plans.length < 10, true, "nor does it look again and again");
  });

  it("progress is written between 3 and 5 s, at 15 s, then every 30 s, and only when something moved", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 200 } } });
    world.to("12:00:00");
    for (let item = 0; item < 200; item++) world.start(item);
    const written: number[] = [];
    for (let item = 0; item < 190; item++) {
      const before = world.writes.length;
      world.to(at("12:00:00") + (item + 1) * 500).exit(item);
      if (world.writes.length > before) written.push((item + 1) / 2);
    }
    const [first = 0, ...others] = written;
    assert.ok(first >= 3 && first <= 5, `${first} s`);
    assert.deepEqual(others, [15, 45, 75]);
  });

  it("first progress of jobs that begin together is spread over two seconds, always the same for one job", () => {
    const firstOf = (uid: string): string => {
      const world = JobWorld.accepted();
      world.job = { ...world.job, metadata: { ...world.job.metadata, uid } };
      world.to("12:00:00").start(0).to("12:00:06");
      return world.active()?.updatedAt ?? "";
    };
    const firsts = Array.from({ length: 40 }, (_, index) => firstOf(`job-${index}`));
    assert.ok(new Set(firsts).size > 30);
    assert.ok(
      firsts.every((first) => first >= iso("12:00:03.000") && first <= iso("12:00:05.000")),
      firsts.join(),
    );
    assert.equal(firstOf("job-7"), firsts[7]);
  });

  it("nothing moves for an hour: nothing is written for an hour", () => {
    const world = JobWorld.accepted();
    world.to("12:00:00").start(0);
    world.to("12:00:05");
    world.forgetLog();
    world.to("12:59:00");
    assert.deepEqual(world.writes, []);
    assert.equal(world.plans.length < 3, true, "nor does it look again and again");
  });
});
