import assert from "node:assert/strict";
import type { JobRequest, JobRequestStatus } from "../../../../src/api/job-request.gen.ts";
import { planMissingJob } from "../../../../src/elasticjob/rules/missing-job.ts";

const at = (time: string) => Date.parse(`2026-11-21T${time}Z`);

/** A request that was made at noon for a job that does not exist. */
function request(status?: JobRequestStatus): JobRequest {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "JobRequest",
    metadata: { name: "asked", namespace: "tenant", uid: "5eed", creationTimestamp: "2026-11-21T12:00:00Z" },
    spec: { jobName: "gone", run: {} },
    ...(status !== undefined && { status }),
  };
}

function decide(asked: JobRequest, since: string, now: string) {
  const missing = { namespace: "tenant", name: "gone" };
  const { actions, wakeAt } = planMissingJob({ missing, requests: [asked], cascades: [], since: at(since), now: at(now) });
  const written = actions.find((action) => action.tag === "status")?.status as JobRequestStatus | undefined;
  const accepted = written?.conditions?.find(({ type }) => type === "Accepted")?.status;
  return {
    actions: actions.map(({ tag }) => tag),
    wakeAt,
    phase: written?.phase,
    reason: written?.reason,
    message: written?.message,
    accepted,
  };
}

describe("requests for a job that does not exist", () => {
  it("wait 30 s, since GitOps applies in any order", () => {
    const { actions, wakeAt } = decide(request(), "12:00:00", "12:00:29");
    assert.deepEqual([actions, wakeAt], [[], at("12:00:30")]);
  });

  it("have failed then, and were never accepted", () => {
    const got = decide(request(), "12:00:00", "12:00:30");
    assert.deepEqual([got.actions, got.phase, got.reason, got.accepted], [["status", "event"], "Failed", "JobNotFound", "False"]);
    assert.equal(got.message, "there is no ElasticJob gone in the namespace");
  });

  it("one that had begun before its job was deleted has failed too, but it was accepted", () => {
    const begun: JobRequestStatus = { phase: "Running", reason: "Accepted", run: "20261121t120000z-r5eed", jobUid: "1" };
    const got = decide(request(begun), "12:05:00", "12:05:30");
    assert.deepEqual([got.actions, got.phase, got.reason, got.accepted], [["status"], "Failed", "JobNotFound", "True"]);
    assert.equal(got.message, "the ElasticJob gone was deleted meanwhile");
  });
});
