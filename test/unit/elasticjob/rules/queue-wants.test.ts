import assert from "node:assert/strict";
import type { WorkloadWant } from "../../../../src/api/admission.ts";
import type { ElasticJobRun } from "../../../../src/api/elastic-job.gen.ts";
import type { AttemptPod } from "../../../../src/elasticjob/rules/attempt.ts";
import { planElasticJob } from "../../../../src/elasticjob/rules/plan.ts";
import { makeAttempt } from "../../../support/builders/attempt-pod.ts";
import { at, iso, makeJob } from "../../../support/builders/elastic-job.ts";
import { makeObserved } from "../../../support/builders/observed-job.ts";

/** A run of three items that has begun, as status tells of it. */
const recorded: ElasticJobRun = {
  run: "20261121t120000z",
  kind: "Schedule",
  phase: "Running",
  fireTime: iso("12:00:00"),
  startedAt: iso("12:00:00"),
  items: "0-2",
  total: 3,
  revision: "report-1",
  queue: "team-a",
};

/** What runs ask of their queues at 12:00:40; `revisions` are those that are there. */
function wantsOf(
  active: readonly ElasticJobRun[],
  pods: readonly AttemptPod[],
  revisions: readonly string[] = ["report-1"],
): readonly WorkloadWant[] | undefined {
  const job = makeJob({ sharding: { total: 3 } }, { status: { lastHandledFireTime: iso("12:00:00"), active } });
  const observed = makeObserved({ job, pods, now: at("12:00:40"), admission: { answers: new Map() } });
  const { data } = observed.pinned;
  const stored = revisions.map((name) => ({ apiVersion: "apps/v1", kind: "ControllerRevision", metadata: { name }, revision: 1, data }));
  return planElasticJob({ ...observed, revisions: stored }).wants;
}

describe("what a run asks of its queue", () => {
  describe("where its revision is gone, that cannot be told: nothing is declared, and what the job asked for stands", () => {
    const pods = [makeAttempt({ node: "n1", started: "12:00:02", history: { items: "0-2", admitted: 3 } })];
    const later = { ...recorded, run: "20261121t110000z", fireTime: iso("11:00:00"), startedAt: iso("11:00:00"), revision: "report-0" };

    it("not an empty list, which would give its share back", () => assert.equal(wantsOf([recorded], pods, []), undefined));
    it("neither for the runs beside it, since wants are declared as a whole", () =>
      assert.equal(wantsOf([later, recorded], pods, ["report-1"]), undefined));
    it("with its revision it asks", () => assert.deepEqual(wantsOf([recorded], pods)?.length, 1));
  });
});
