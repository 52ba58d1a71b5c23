import assert from "node:assert/strict";
import { silentLogger } from "../../../src/api/logger.ts";
import type { TraceRow } from "../../../src/api/trace.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createTraceBuffer, type TraceTrouble } from "../../../src/trace/buffer.ts";
import { TraceRefused } from "../../../src/trace/store.ts";
import { makeTraceAttempt } from "../../support/builders/trace-row.ts";
import { recordingMetrics } from "../runtime/scripted-transport.ts";

const rows = (from: number, to: number): TraceRow[] =>
  Array.from({ length: to - from }, (_, index) => makeTraceAttempt({ item: from + index }));

/** A buffer of 10,000 rows before a store that a test can take away. */
function bench(maxRows?: number) {
  const clock = new VirtualClock(0);
  const metrics = recordingMetrics();
  const stored: number[] = [];
  const batches: number[] = [];
  const troubles: TraceTrouble[] = [];
  const store = {
    /** undefined = it works. "hangs" = it never answers. */
    broken: undefined as Error | "hangs" | undefined,
    tries: 0,
    append(batch: readonly TraceRow[]): Promise<void> {
      store.tries++;
      if (store.broken === "hangs") return new Promise(() => undefined);
      if (store.broken !== undefined) return Promise.reject(store.broken);
      batches.push(batch.length);
      for (const row of batch) if (row.type === "attempt") stored.push(row.item);
      return Promise.resolve();
    },
  };
  const buffer = createTraceBuffer({
    store,
    clock,
    random: createSeededRandom(1),
    logger: silentLogger,
    metrics,
    ...(maxRows !== undefined && { maxRows }),
  });
  buffer.onTrouble((trouble) => troubles.push(trouble));
  const kinds = () => troubles.map(({ kind }) => kind);
  const droppedFor = (reason: string) => metrics.counts.get(`nuptse_trace_rows_dropped_total{reason=${reason}}`) ?? 0;
  return { clock, metrics, stored, batches, store, buffer, troubles, kinds, droppedFor };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("trace/buffer, decision 29", () => {
  it("hands rows on in their order, in batches of at most 500", async () => {
    const { clock, buffer, stored, batches } = bench();
    buffer.write(rows(0, 700));
    buffer.write(rows(700, 1200));
    await clock.runUntil(1000);
    assert.deepEqual(batches, [500, 500, 200]);
    assert.deepEqual(stored, upTo(1200));
    assert.equal(buffer.size, 0);
  });

  it("rows of one moment go together", async () => {
    const { clock, buffer, batches } = bench();
    for (let item = 0; item < 20; item++) buffer.write(rows(item, item + 1));
    await clock.runUntil(1000);
    assert.deepEqual(batches, [20]);
  });

  it("a store that is away for a minute loses nothing while 10,000 rows hold what comes", async () => {
    const { clock, buffer, stored, store, kinds } = bench();
    store.broken = new Error("connection refused");
    for (let second = 0; second < 60; second++) {
      buffer.write(rows(second * 166, (second + 1) * 166));
      await clock.runUntil((second + 1) * 1000);
    }
    store.broken = undefined;
    await clock.runUntil(120_000);
    assert.deepEqual(stored, upTo(60 * 166));
    assert.equal(buffer.dropped, 0);
    assert.deepEqual([kinds()[0], kinds().at(-1)], ["unavailable", "recovered"]);
  });

  it("beyond the bound the oldest rows that wait are dropped and counted, and memory stays bounded", async () => {
    const { clock, buffer, stored, store, kinds, droppedFor } = bench(1000);
    store.broken = new Error("disk is full");
    buffer.write(rows(0, 500));
    await clock.runUntil(1000);
    buffer.write(rows(500, 3000));
    assert.equal(buffer.size, 1000);
    store.broken = undefined;
    await clock.runUntil(60_000);
    // the first batch was under way, and may have been stored
    assert.deepEqual(stored, [...upTo(500), ...upTo(3000).slice(2500)]);
    assert.equal(droppedFor("full"), 2000);
    assert.equal(kinds().includes("dropping"), true);
  });

  it("tries again with growing waits, at most 5 s plus a fifth", async () => {
    const { clock, buffer, store } = bench();
    store.broken = new Error("no");
    buffer.write(rows(0, 1));
    await clock.runUntil(10 * 60_000);
    assert.equal(store.tries > 100 && store.tries < 150, true, `${store.tries} tries in ten minutes`);
    store.broken = undefined;
    await clock.runUntil(10 * 60_000 + 6_000);
    assert.equal(buffer.size, 0);
  });

  it("a store that refuses rows for good loses those alone", async () => {
    const { clock, buffer, store, stored, droppedFor } = bench();
    store.broken = new TraceRefused("rows[0].item: must be a whole number");
    buffer.write(rows(0, 10));
    await clock.runUntil(1000);
    store.broken = undefined;
    buffer.write(rows(10, 20));
    await clock.runUntil(2000);
    assert.equal(droppedFor("refused"), 10);
    assert.deepEqual(stored, upTo(20).slice(10));
  });

  it("a store that hangs is noticed: lag and trouble are told, and told again every minute", async () => {
    const { clock, buffer, store, kinds, troubles, metrics } = bench();
    store.broken = "hangs";
    buffer.write(rows(0, 1));
    await clock.runUntil(100_000);
    assert.deepEqual(kinds(), ["unavailable", "unavailable"]);
    assert.match(troubles[0]?.note ?? "", /cannot be written for 5 s, jobs go on: the store does not answer/);
    assert.equal(metrics.gauges.get("nuptse_trace_lag_seconds{}"), 100);
  });

  it("a short absence is nobody's concern", async () => {
    const { clock, buffer, store, kinds } = bench();
    store.broken = new Error("no");
    buffer.write(rows(0, 1));
    await clock.runUntil(3000);
    store.broken = undefined;
    await clock.runUntil(60_000);
    assert.deepEqual(kinds(), []);
  });

  it("gives what waits to the store before it ends", async () => {
    const { clock, buffer, stored } = bench();
    buffer.write(rows(0, 1200));
    const drained = buffer.drain(5000);
    await clock.runUntil(5000);
    await drained;
    assert.deepEqual(stored, upTo(1200));
    buffer.write(rows(0, 1));
    assert.equal(buffer.dropped, 1);
  });

  it("does not wait for ever for a store that hangs, and counts what is lost", async () => {
    const { clock, buffer, store, droppedFor } = bench();
    store.broken = "hangs";
    buffer.write(rows(0, 30));
    await clock.runUntil(1000);
    const drained = buffer.drain(5000);
    await clock.runUntil(7000);
    await drained;
    assert.equal(droppedFor("closed"), 30);
  });
});
