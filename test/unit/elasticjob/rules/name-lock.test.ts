import assert from "node:assert/strict";
import { planElasticJob } from "../../../../src/elasticjob/rules/plan.ts";
import { makeAttempt, type PodFacts } from "../../../support/builders/attempt-pod.ts";
import { at, iso, makeJob } from "../../../support/builders/elastic-job.ts";
import { makeObserved } from "../../../support/builders/observed-job.ts";

const run = "20261121t120000z";

describe("the next attempt of an item whose pod is gone, when the leader before may still create that pod anew", () => {
  const evicted = { node: "n1", started: "12:00:12", exits: [137], finished: "12:00:20" } as const;
  const going = { ...evicted, deletionTimestamp: "12:00:49", grace: 30 };
  const cases: readonly {
    readonly name: string;
    readonly pod: PodFacts;
    readonly vanished?: boolean;
    /** When the lease was taken; absent = it had been given up. */
    readonly taken?: string;
    readonly serverAheadMs?: number;
    readonly now?: string;
    readonly want: "now" | string;
  }[] = [
    { name: "waits while its object goes", pod: going, taken: "12:00:05", want: "12:01:05" },
    { name: "waits after its object has gone", pod: evicted, vanished: true, taken: "12:00:05", want: "12:01:05" },
    { name: "comes 60 s after the lease was taken", pod: going, taken: "12:00:05", now: "12:01:05", want: "now" },
    { name: "comes at once when the object stays", pod: evicted, taken: "12:00:05", want: "now" },
    { name: "comes at once when the lease had been given up", pod: going, want: "now" },
    { name: "comes at once when the pod was there before the lease was taken", pod: going, taken: "12:00:15", want: "now" },
    { name: "is told that by the server's clock", pod: going, taken: "12:00:05", serverAheadMs: 10_000, want: "now" },
  ];
  for (const { name, pod: facts, vanished = false, taken, serverAheadMs = 0, now = "12:00:40", want } of cases)
    it(name, () => {
      const active = {
        run,
        kind: "Schedule",
        phase: "Running",
        fireTime: iso("12:00:00"),
        items: "0",
        total: 1,
        startedAt: iso("12:00:00"),
      };
      const job = makeJob(
        { retry: { otherNodes: 3, backoff: { initialSeconds: 1, maxSeconds: 1 } } },
        { status: { lastHandledFireTime: iso("12:00:00"), active: [active] } as never },
      );
      const pod = makeAttempt({ run, created: "12:00:10", ...facts });
      const observed = makeObserved({ job, now: at(now), serverNow: at(now) + serverAheadMs });
      const plan = planElasticJob({
        ...observed,
        pods: vanished ? [] : [pod],
        vanished: vanished ? [{ pod, at: at("12:00:21") }] : [],
        revisions: [
          {
            apiVersion: "apps/v1",
            kind: "ControllerRevision",
            metadata: { name: "report-1" },
            revision: 1,
            data: observed.pinned.data,
          },
        ],
        ...(taken !== undefined && { lateWritesFrom: at(taken) }),
      });
      const isCreated = plan.actions.some(({ tag }) => tag === "create");
      assert.equal(isCreated ? "now" : new Date(plan.wakeAt ?? 0).toISOString().slice(11, 19), want);
    });
});
