import assert from "node:assert/strict";
import { planStatusWrites, reasonDueAt, type StaleStatus } from "../../../../src/tenantqueue/rules/status-writes.ts";
import { at } from "../../../support/builders/elastic-job.ts";

const now = at("12:00:00");
const seconds = (value: number) => now - value * 1000;
const stale = (name: string, since: number, writtenAt?: number): StaleStatus => ({
  name,
  since: seconds(since),
  ...(writtenAt !== undefined && { writtenAt: seconds(writtenAt) }),
});
const many = (count: number) => Array.from({ length: count }, (_, index) => stale(`q${String(index).padStart(4, "0")}`, count - index));

describe("how often the status of queues is written", () => {
  it("one patch per queue and 10 s: what was written 9 s ago waits 1 s more", () => {
    assert.deepEqual(planStatusWrites([stale("a", 3, 9), stale("b", 1, 10)], [], now), { names: ["b"], wakeAt: now + 1000 });
  });

  it("what was never written is due at once", () => {
    assert.deepEqual(planStatusWrites([stale("a", 0)], [], now), { names: ["a"] });
  });

  it("20 per second in all, stalest first; the others when the second is over", () => {
    const { names, wakeAt } = planStatusWrites(many(25).toReversed(), [], now);
    assert.deepEqual(
      names,
      many(20).map(({ name }) => name),
    );
    assert.equal(wakeAt, now + 1000);
  });

  it("patches of the second before count, and make room when they are a second old", () => {
    const recent = Array.from({ length: 18 }, (_, index) => now - 700 + index);
    const { names, wakeAt } = planStatusWrites(many(5), [now - 1000, ...recent], now);
    assert.deepEqual(names, ["q0000", "q0001"]);
    assert.equal(wakeAt, now - 700 + 1000);
  });

  it("of equally stale ones the lower name comes first", () => {
    assert.deepEqual(planStatusWrites([stale("b", 1), stale("a", 1)], [], now).names, ["a", "b"]);
  });

  it("nothing stale: nothing to do, and no need to wake", () => {
    assert.deepEqual(planStatusWrites([], [now], now), { names: [] });
  });

  it("a clock that was set back does not stop writing for longer than the interval", () => {
    assert.deepEqual(planStatusWrites([stale("a", 1, -3600)], [now + 3_600_000], now), { names: [], wakeAt: now + 10_000 });
  });

  it("2,500 queues that change all the time are written 20 a second, each within 125 s and none twice in 10 s", () => {
    const writtenAt = new Map<string, number>();
    const since = new Map(many(2500).map(({ name }) => [name, now]));
    let recent: readonly number[] = [];
    let clock = now;
    for (const end = now + 250_000; clock < end; ) {
      const queues = [...since].map(([name, at]) => ({
        name,
        since: at,
        ...(writtenAt.has(name) && { writtenAt: writtenAt.get(name) as number }),
      }));
      const { names, wakeAt } = planStatusWrites(queues, recent, clock);
      recent = [...recent.filter((instant) => instant > clock - 1000), ...names.map(() => clock)];
      assert.ok(recent.length <= 20);
      for (const name of names) {
        assert.ok(clock - (writtenAt.get(name) ?? 0) >= 10_000);
        assert.ok(clock - (since.get(name) ?? 0) <= 125_000, name);
        writtenAt.set(name, clock);
        since.set(name, clock);
      }
      assert.ok(wakeAt !== undefined && wakeAt > clock);
      clock = wakeAt;
    }
    assert.equal(writtenAt.size, 2500);
  });
});

describe("how often the reason of a waiting workload is written", () => {
  it("once, and then at most every 60 s", () => {
    assert.deepEqual(
      [reasonDueAt(undefined, now), reasonDueAt(seconds(20), now), reasonDueAt(seconds(-60), now)],
      [now, now + 40_000, now + 60_000],
    );
  });
});
