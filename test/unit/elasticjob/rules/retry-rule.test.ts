import assert from "node:assert/strict";
import { judge } from "../../../../src/elasticjob/rules/attempt.ts";
import type { RetryPolicy } from "../../../../src/elasticjob/rules/effective-spec.ts";
import { afterAttempt } from "../../../../src/elasticjob/rules/next-attempt.ts";
import type { RetryRule } from "../../../../src/elasticjob/rules/retry-rule.ts";
import { makeAttempt, makePod, type PodFacts } from "../../../support/builders/attempt-pod.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const ignoring = (match: Omit<RetryRule, "action">): RetryRule => ({ ...match, action: "Ignore" });
const anyCode: RetryRule = { onExitCodes: { operator: "NotIn", values: [0] }, action: "FailItem" };

interface Case {
  readonly name: string;
  readonly rules: readonly RetryRule[];
  readonly pod?: PodFacts;
  readonly vanished?: boolean;
  readonly stop?: "StartTimeout" | "ImagePull" | "ItemTimeout" | "NotScheduled";
  readonly nodes?: readonly string[];
  readonly policy?: Partial<RetryPolicy>;
  /** The reason of a final failure ("run:" when the run fails with it), or "counted/lost" of the next attempt. */
  readonly want: string;
}

const cases: readonly Case[] = [
  { name: "without a rule a failure counts", rules: [], want: "1/0" },
  {
    name: "In matches a code that is listed",
    rules: [ignoring({ onExitCodes: { operator: "In", values: [7, 42] } })],
    pod: { exits: [42] },
    want: "0/0",
  },
  {
    name: "In does not match another code",
    rules: [ignoring({ onExitCodes: { operator: "In", values: [7, 42] } })],
    pod: { exits: [43] },
    want: "1/0",
  },
  {
    name: "NotIn matches a code that is not listed",
    rules: [ignoring({ onExitCodes: { operator: "NotIn", values: [7] } })],
    pod: { exits: [8] },
    want: "0/0",
  },
  {
    name: "NotIn does not match a listed code",
    rules: [ignoring({ onExitCodes: { operator: "NotIn", values: [7] } })],
    pod: { exits: [7] },
    want: "1/0",
  },
  {
    name: "the code may be that of any container, not only of the one that stands for the pod",
    rules: [ignoring({ onExitCodes: { operator: "In", values: [9] } })],
    pod: { exits: [0, 9] },
    want: "0/0",
  },
  {
    name: "NotIn does not speak of containers that exited with 0",
    rules: [ignoring({ onExitCodes: { operator: "NotIn", values: [9] } })],
    pod: { exits: [0, 9] },
    want: "1/0",
  },
  {
    name: "an init container's code is one of the pod's",
    rules: [{ onExitCodes: { operator: "In", values: [3] }, action: "FailItem" }],
    pod: { exits: [], initExit: 3, phase: "Failed" },
    want: "RetryRule",
  },
  {
    name: "first match wins: what stands below is not asked",
    rules: [{ onExitCodes: { operator: "In", values: [7] }, action: "Count" }, anyCode],
    want: "1/0",
  },
  {
    name: "and where the first does not match, the second decides",
    rules: [ignoring({ onReasons: ["OOMKilled"] }), anyCode],
    want: "RetryRule",
  },
  { name: "FailItem: failed, whatever attempts are left", rules: [anyCode], want: "RetryRule" },
  { name: "FailRun: the run fails with the item", rules: [{ ...anyCode, action: "FailRun" }], want: "run:RetryRule" },
  {
    name: "a condition that the pod has",
    rules: [ignoring({ onPodConditions: [{ type: "DisruptionTarget" }] })],
    pod: { exits: [143], disrupted: true },
    want: "0/0",
  },
  {
    name: "a condition of another status does not match",
    rules: [ignoring({ onPodConditions: [{ type: "DisruptionTarget", status: "False" }] })],
    pod: { exits: [143], disrupted: true },
    want: "0/1",
  },
  {
    name: "the rules come before failover: a loss that counts",
    rules: [{ onReasons: ["Evicted"], action: "Count" }],
    pod: { exits: [143], disrupted: true },
    want: "1/0",
  },
  {
    name: "a loss that is ignored does not use up failover.limit",
    rules: [ignoring({ onReasons: ["Evicted"] })],
    pod: { exits: [143], disrupted: true },
    want: "0/0",
  },
  {
    name: "a loss that no rule matches is a failover",
    rules: [ignoring({ onReasons: ["NodeLost"] })],
    pod: { exits: [143], disrupted: true },
    want: "0/1",
  },
  {
    name: "Evicted for its own ephemeral-storage limit counts",
    rules: [],
    pod: { exits: [], phase: "Failed", reason: "Evicted" },
    want: "1/0",
  },
  {
    name: "and is Evicted for rules",
    rules: [{ onReasons: ["Evicted"], action: "FailItem" }],
    pod: { exits: [], phase: "Failed", reason: "Evicted" },
    want: "RetryRule",
  },
  {
    name: "deleted by somebody before its end is Evicted",
    rules: [ignoring({ onReasons: ["Evicted"] })],
    pod: { exits: [null], node: "n1" },
    vanished: true,
    want: "0/0",
  },
  {
    name: "a pod that vanished with its node is NodeLost",
    rules: [ignoring({ onReasons: ["NodeLost"] })],
    pod: { exits: [null], node: "n9" },
    vanished: true,
    want: "0/0",
  },
  {
    name: "the kubelet ends it for a shutdown of its node: NodeLost",
    rules: [ignoring({ onReasons: ["NodeLost"] })],
    pod: { exits: [], phase: "Failed", reason: "Terminated" },
    want: "0/0",
  },
  {
    name: "a kubelet's rejection is none of the reasons",
    rules: [ignoring({ onReasons: ["NodeLost", "Evicted"] })],
    pod: { exits: [], phase: "Failed", reason: "OutOfcpu" },
    want: "0/1",
  },
  {
    name: "ImagePull",
    rules: [{ onReasons: ["ImagePull"], action: "FailItem" }],
    pod: { waiting: "ErrImagePull" },
    vanished: true,
    stop: "ImagePull",
    want: "RetryRule",
  },
  {
    name: "StartTimeout",
    rules: [{ onReasons: ["StartTimeout"], action: "FailRun" }],
    pod: {},
    vanished: true,
    stop: "StartTimeout",
    want: "run:RetryRule",
  },
  {
    name: "StartTimeout is not ImagePull",
    rules: [{ onReasons: ["ImagePull"], action: "FailItem" }],
    pod: {},
    vanished: true,
    stop: "StartTimeout",
    want: "1/0",
  },
  {
    name: "what was withdrawn unscheduled is no end that rules speak of",
    rules: [{ onReasons: ["Evicted"], action: "FailRun" }],
    pod: {},
    vanished: true,
    stop: "NotScheduled",
    want: "0/0",
  },
  {
    name: "100 attempts of an item are the end of all, also where every one is ignored",
    rules: [ignoring({ onExitCodes: { operator: "In", values: [7] } })],
    pod: { exits: [7], attempt: 100 },
    want: "TooManyAttempts",
  },
  {
    name: "the 99th ignored one is followed by another",
    rules: [ignoring({ onExitCodes: { operator: "In", values: [7] } })],
    pod: { exits: [7], attempt: 99 },
    want: "0/0",
  },
];

describe("retry.rules: first match wins, then failover, then it counts (decision 18)", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const pod = makeAttempt({ exits: [7], node: "n1", ...tc.pod });
      const verdict = judge(pod, {
        ...(tc.vanished === true && { vanishedAt: at("12:03:00") }),
        ...(tc.stop !== undefined && { stop: tc.stop }),
      });
      assert.ok(verdict !== undefined);
      const policy = {
        sameNode: 0,
        otherNodes: 9,
        failoverLimit: 3,
        backoff: { initialMs: 10_000, factor: 2, maxMs: 300_000 },
        resetAfterMs: Number.POSITIVE_INFINITY,
        rules: tc.rules,
        ...tc.policy,
      };
      const after = afterAttempt(pod, verdict, policy, {
        mayReuse: () => true,
        known: (name) => (tc.nodes ?? ["n1", "n2"]).includes(name),
      });
      const got =
        after.kind === "again"
          ? `${after.next.counted}/${after.next.lost}`
          : `${after.failsRun === undefined ? "" : "run:"}${after.reason}`;
      assert.equal(got, tc.want);
    });
  }

  it("a container that was killed for its memory limit is OOMKilled, also behind one that merely failed", () => {
    const made = makePod({ exits: [1, 137], node: "n1" });
    const statuses = made.status?.containerStatuses?.map((status, index) =>
      index === 0 ? status : { ...status, state: { terminated: { ...status.state?.terminated, exitCode: 137, reason: "OOMKilled" } } },
    );
    const world = JobWorld.accepted({ spec: { retry: { otherNodes: 3, rules: [{ onReasons: ["OOMKilled"], action: "FailItem" }] } } });
    world.to("12:00:01").start(0, "n1");
    world.show({ ...world.pod(), spec: { ...made.spec, nodeName: "n1" } }, { phase: "Failed", containerStatuses: statuses ?? [] });
    world.settle();
    assert.equal(world.history()?.failures?.[0]?.reason, "RetryRule");
    assert.match(world.history()?.failures?.[0]?.message ?? "", /^OOMKilled/);
  });
});

describe("a rule that fails the run", () => {
  const failing = (action: RetryRule["action"]) =>
    JobWorld.accepted({
      spec: {
        sharding: { total: 3 },
        retry: { otherNodes: 5, rules: [{ onExitCodes: { operator: "In", values: [42] }, action }] },
        completion: { maxFailedItems: 2 },
      },
    });

  it("cancels the other items: the record first, then their pods", () => {
    const world = failing("FailRun");
    world.to("12:00:01").start(0).start(1).start(2);
    world.to("12:00:06").forgetLog();
    world.exit(1, 42);
    world.step();
    assert.deepEqual(world.writes, ["status"], "the record alone");
    assert.equal(world.active()?.ending?.reason, "RetryRule");
    assert.equal(world.active()?.failed, "1");
    world.step();
    assert.deepEqual(world.writes, ["status", "delete 0/1", "delete 2/1"]);
    world.exit(0, 143).exit(2, 143).settle();
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.reason, "RetryRule");
    assert.equal(world.history()?.message, "item 1, attempt 1: Error; retry.rules[0] fails the run");
    assert.match(
      world.events.find((text) => text.startsWith("RunFailed")) ?? "",
      /RetryRule: item 1, attempt 1: Error; retry\.rules\[0\] fails the run exit 42 after 1 attempt/,
    );
  });

  it("needs no second record where it was the last item; completion.maxFailedItems does not save the run", () => {
    const world = failing("FailRun");
    world.to("12:00:01").runs(0).runs(2).start(1);
    world.to("12:00:06").forgetLog();
    world.exit(1, 42);
    world.step();
    assert.deepEqual(world.writes, ["status"]);
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.reason, "RetryRule");
  });

  it("FailItem leaves the others alone", () => {
    const world = failing("FailItem");
    world.to("12:00:01").start(0).start(2).runs(1, 42).settle();
    world.exit(0).exit(2).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.message, "1 of 3 items failed, and 2 may");
  });

  it("a new leader after the record goes on ending the run, and starts nothing again", () => {
    const world = failing("FailRun");
    world.to("12:00:01").start(0).runs(1, 42).start(2);
    world.step();
    world.forgetLog();
    world.now += 20_000;
    world.restart().settle();
    assert.deepEqual(world.writes, ["delete 0/1", "delete 2/1"]);
    assert.deepEqual(world.created, []);
  });
});

describe("what is ignored", () => {
  const rules: readonly RetryRule[] = [{ onExitCodes: { operator: "In", values: [75] }, action: "Ignore" }];

  it("is tried again with the back-off of its number, on any node, and uses up no attempt", () => {
    const world = JobWorld.accepted({ spec: { retry: { rules } } });
    world.to("12:00:00").runs(0, 75, "n1");
    // 10 s, 20 s, 40 s: from 12:00:00 at 12:00:10, 12:00:30, 12:01:10.
    for (const time of ["12:00:10", "12:00:30", "12:01:10"]) {
      world.to(at(time) - 1);
      const before = world.created.length;
      world.to(time);
      assert.equal(world.created.length, before + 1, time);
      assert.equal(world.pod().spec.affinity, undefined, "no node is to blame");
      world.runs(0, 75, "n1");
    }
    world.to("12:02:30").runs(0, 0).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.attempts, 5);
  });

  it("stays on the node where the attempt before it was to be repeated", () => {
    const world = JobWorld.accepted({ spec: { retry: { sameNode: 1, rules } } });
    world.to("12:00:00").runs(0, 1, "n1");
    world.to("12:00:10").runs(0, 75, "n1");
    world.to("12:00:30");
    assert.equal(world.attempts().find((pod) => pod.attempt === 3)?.history.pinned, "n1");
  });
});
