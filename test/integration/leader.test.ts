import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { countWrites } from "../../hack/control-plane/audit.ts";
import { parseTime } from "../../src/base/time.ts";
import { eventually } from "./support/eventually.ts";
import { elasticJob, every, secondFromNow } from "./support/jobs.ts";
import { OperatorPair } from "./support/operator-pair.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { longTests, timeLimits } from "./support/time-limits.ts";
import { assertExactlyOnce, fireTimesBetween } from "./support/witness.ts";

const namespace = "leading";
const jobs = [0, 1, 2].map((index) => `steady-${index}`);
const periodSeconds = 3;
/** Below the lease of 15 s; above it; above the life of the lock of 90 s. */
const stops: readonly { readonly seconds: number; readonly takenOver: boolean; readonly long?: boolean }[] = [
  { seconds: 10, takenOver: false },
  { seconds: 20, takenOver: true },
  { seconds: 100, takenOver: true, long: true },
];

/** Two replicas with the default leases; the leader is stopped with SIGSTOP in the middle of its work and continued later, as if nothing had happened. */
describe("a leader that stood still", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace] });
  let pair: OperatorPair;
  let from = 0;

  before("start two replicas and what they work on", async function () {
    this.timeout(timeLimits.takeOver);
    from = secondFromNow(4000);
    const misfire = { onDowntime: "FireAll", onOverlap: "FireAll", limit: 20 } as const;
    for (const [index, name] of jobs.entries()) {
      const schedule = every(periodSeconds, from + index * 1000);
      await cluster().create(elasticJob(namespace, name, { schedule, misfire, sharding: { total: 2 }, script: { runMs: [200, 800] } }));
    }
    pair = await OperatorPair.start(cluster().plane, "15/10/2");
    await pair.leader();
  });
  after("end the replicas", () => pair?.close());

  for (const { seconds, takenOver, long } of stops) {
    // The long one with NUPTSE_LONG=1 only.
    (long === true && !longTests ? it.skip : it)(
      `for ${seconds} s ends itself, writes nothing more, and another one leads`,
      async function () {
        this.timeout(timeLimits.test + seconds * 1000);
        const { operator, proxy } = await pair.leader();
        await sleep(Math.random() * 2000);
        operator.pause();
        await sleep(seconds * 1000);
        const resumedAt = Date.now();
        const other = pair.operators.some((each) => each !== operator && each.leads && !each.ended);
        operator.resume();
        assert.deepEqual(await operator.end(), { code: 1, signal: null }, operator.text);
        assert.ok(operator.lines.some((line) => line.message.includes("the lease is lost")));
        const { user } = proxy;
        const events = cluster().plane.auditEvents({ user, since: resumedAt });
        const { byRequest } = await countWrites(events, "nuptse/");
        assert.deepEqual([...byRequest], [], "what it wrote after it was continued");
        assert.equal(other, takenOver, "whether another one led before it was continued");
        const next = await pair.leader();
        assert.notEqual(next.operator, operator);
      },
    );
  }

  it("every fire time has exactly one run, with every item in it once", async () => {
    const now = Date.now();
    for (const [index, job] of jobs.entries()) {
      const fireTimes = fireTimesBetween(periodSeconds, from + index * 1000, now);
      const last = fireTimes.at(-1) ?? 0;
      await eventually(`${job} to have ended its runs`, timeLimits.settled, async () => {
        const { status } = await cluster().job(namespace, job);
        const open = status?.active?.filter((run) => (parseTime(run.fireTime) ?? 0) <= last) ?? [];
        return open.length === 0 && (parseTime(status?.lastHandledFireTime) ?? 0) >= last;
      });
      await assertExactlyOnce(cluster(), { namespace, job, fireTimes, items: 2 });
    }
  });
});
