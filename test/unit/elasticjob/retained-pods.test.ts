import assert from "node:assert/strict";
import { jobsToTrim } from "../../../src/elasticjob/retained-pods.ts";
import { makeAttempt, type PodFacts } from "../../support/builders/attempt-pod.ts";

const of = (jobUid: string, facts: PodFacts) => ({ ...makeAttempt(facts), jobUid });

describe("finished pods of the whole cluster (decision 21)", () => {
  it("none are trimmed up to the limit; pods at work do not count", () => {
    const pods = [of("a", { exits: [0] }), of("b", { exits: [0] }), of("c", { exits: [null] })];
    assert.deepEqual([...jobsToTrim(pods, 2)], []);
  });

  it("beyond it the oldest succeeded go first, and failed ones stay longest", () => {
    const pods = [
      of("failed", { exits: [1], finished: "11:00:00" }),
      of("old", { exits: [0], finished: "11:30:00" }),
      of("new", { exits: [0], finished: "11:50:00" }),
    ];
    assert.deepEqual([...jobsToTrim(pods, 2)].sort(), ["new", "old"], "down to nine tenths of the limit: one pod of two stays");
    assert.deepEqual([...jobsToTrim([...pods, of("newest", { exits: [0], finished: "11:55:00" })], 3)].sort(), ["new", "old"]);
  });
});
