import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { parseTime } from "../../src/base/time.ts";
import { eventually } from "./support/eventually.ts";
import type { Held, Moment, WriteKind } from "./support/holding-proxy.ts";
import { elasticJob, every, type JobSpec, secondFromNow } from "./support/jobs.ts";
import { OperatorPair } from "./support/operator-pair.ts";
import { ownTestCluster, type TestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";
import { assertExactlyOnce, fireTimesBetween } from "./support/witness.ts";

const namespace = "crash";
/** As short as leases can be, so that many take-overs fit into a test. */
const shortestLease = "1/0.7/0.2";
const usualLease = "15/10/2";
const randomKills = 20;
/** At random from the moment at which controllers begin to work. */
const longestLifeMs = 1500;
const shardedJobs = 5;
const periodSeconds = 10;
const firings = 50;
/** Jobs whose pods never end by themselves: they are deleted when the run has lasted too long, and an event tells. */
const limited = ["limited-0", "limited-1"];
const kinds: readonly WriteKind[] = [
  "create pods",
  "patch elasticjobs/status",
  "delete pods",
  "create events",
  "create controllerrevisions",
  "delete controllerrevisions",
  "update leases",
];
const moments: readonly Moment[] = ["before", "after"];

/**
 * Two replicas, and sharded jobs that fire all the time. The leader is killed with -9 again and again: at random moments, and before and after each
 * kind of write, for which a proxy holds the request or its answer until the process is gone. In the end every fire time has had exactly one run.
 */
describe("kill -9", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace] });
  let pair: OperatorPair;
  let edits = 0;
  const jobs = new Map<string, { readonly from: number; readonly items: number }>();

  const makeUp = { onDowntime: "FireAll", onOverlap: "FireAll", limit: 20 } as const;
  async function create(name: string, from: number, spec: JobSpec): Promise<void> {
    jobs.set(name, { from, items: spec.sharding?.total ?? 1 });
    await cluster().create(elasticJob(namespace, name, { schedule: every(periodSeconds, from), misfire: makeUp, ...spec }));
  }

  before("start two replicas and what they work on", async function () {
    this.timeout(timeLimits.operatorReady);
    const from = secondFromNow(3000);
    for (let index = 0; index < shardedJobs; index++)
      await create(`sharded-${index}`, from + index * 2000, { sharding: { total: 3 }, script: { runMs: [300, 1500] } });
    for (const [index, name] of limited.entries())
      await create(name, from + 1000 + index * 5000, { runTimeoutSeconds: 2, script: { runMs: "forever" } });
    await create("edited", from + 3000, { parameter: "0", history: { succeeded: 1, failed: 1 } });
    pair = await OperatorPair.start(cluster().plane, shortestLease);
    await pair.leader();
  });
  after("end the replicas", () => pair?.close());

  it(`at ${randomKills} random moments`, async () => {
    for (let kill = 0; kill < randomKills; kill++) {
      const replica = await pair.leader();
      await sleep(Math.random() * longestLifeMs);
      await pair.kill(replica);
    }
  });

  for (const kind of kinds) for (const moment of moments) placed(kind, moment);

  it("with the default leases of 15/10/2 s", async () => {
    await restart(usualLease);
    const replica = await pair.leader();
    await sleep(longestLifeMs);
    await pair.kill(replica);
    assert.notEqual((await pair.leader()).operator, replica.operator);
    await restart(shortestLease);
  });

  // No pod goes before it is 90 s old, so this comes last.
  for (const moment of moments) placed("deletecollection pods", moment);

  describe("in the end", () => {
    const expected = new Map<string, readonly number[]>();
    const shardedFirings = () =>
      [...expected].filter(([name]) => name.startsWith("sharded-")).reduce((sum, [, times]) => sum + times.length, 0);

    before("all that had come is over", async function () {
      this.timeout(timeLimits.settled);
      await restart(usualLease);
      // On a fast machine all crashes are over before there were so many.
      do {
        await sleep(1000);
        const now = Date.now();
        for (const [name, { from }] of jobs) expected.set(name, fireTimesBetween(periodSeconds, from, now));
      } while (shardedFirings() < firings);
      for (const [name, fireTimes] of expected) await settled(cluster(), name, fireTimes.at(-1) ?? 0);
    });

    it(`sharded jobs had fired ${firings} times at least`, () => {
      assert.ok(shardedFirings() >= firings, `${shardedFirings()} firings`);
    });

    it("every fire time of every job has exactly one run, with every item in it once", async () => {
      for (const [name, fireTimes] of expected)
        await assertExactlyOnce(cluster(), { namespace, job: name, fireTimes, items: jobs.get(name)?.items ?? 1 });
    });

    it("status tells the same: all succeeded but for the job that runs into its time-out", async () => {
      for (const [name, fireTimes] of expected) {
        const { outcomes } = (await cluster().job(namespace, name)).status ?? {};
        const last = fireTimes.at(-1) ?? 0;
        const notSucceeded = outcomes?.notSucceeded?.filter((entry) => (parseTime(entry.fireTime) ?? 0) <= last) ?? [];
        assert.deepEqual(
          notSucceeded.map((entry) => [parseTime(entry.fireTime), entry.outcome]),
          limited.includes(name) ? fireTimes.map((time) => [time, "Failed"]) : [],
          name,
        );
      }
    });
  });

  /** A test that kills the leader around its next request of the kind. */
  function placed(kind: WriteKind, moment: Moment): void {
    it(`${moment} it has made a request to ${kind}`, async () => {
      const before = await cluster().plane.auditPosition();
      const { held, user } = await holdAndKill(kind, moment);
      const asked = (await Array.fromAsync(cluster().plane.auditEvents({ fromByte: before, user }))).filter((event) =>
        event.userAgent.endsWith(held.mark),
      );
      // The audit log is the witness of where the process was killed.
      assert.deepEqual(
        asked.map(({ verb, objectRef, responseStatus }) => [
          `${verb} ${[objectRef?.resource, objectRef?.subresource].filter(Boolean).join("/")}`,
          responseStatus.code < 300,
        ]),
        moment === "before" ? [] : [[kind, true]],
      );
    });
  }

  async function restart(lease: string): Promise<void> {
    await pair.close();
    pair = await OperatorPair.start(cluster().plane, lease);
  }

  /** Provokes a request of the kind, holds it, and kills the process that made it. */
  async function holdAndKill(kind: WriteKind, moment: Moment): Promise<{ readonly held: Held; readonly user: string }> {
    for (;;) {
      const replica = await pair.leader();
      const holding = replica.proxy.hold(kind, moment);
      if (kind.endsWith("controllerrevisions")) await editTwice();
      const lost = replica.operator.whenEnded.then(() => undefined);
      const held = await Promise.race([holding, lost]);
      if (held === undefined) continue;
      await pair.kill(replica);
      return { held, user: replica.proxy.user };
    }
  }

  /** Two edits make two revisions, and the first of them is of no use to anybody. */
  async function editTwice(): Promise<void> {
    for (const _ of [1, 2]) {
      await cluster().edit(namespace, "edited", { parameter: String(++edits) });
      await sleep(400);
    }
  }
});

/** Resolves when all runs up to a fire time are recorded as ended. */
async function settled(cluster: TestCluster, name: string, fireTime: number): Promise<void> {
  await eventually(`${name} to have ended its runs`, timeLimits.settled, async () => {
    const { status } = await cluster.job(namespace, name);
    const open = status?.active?.filter((run) => (parseTime(run.fireTime) ?? 0) <= fireTime) ?? [];
    if (open.length === 0 && (parseTime(status?.lastHandledFireTime) ?? 0) >= fireTime) return true;
    throw new Error(`its status is ${JSON.stringify(status, undefined, 1)}`);
  });
}
