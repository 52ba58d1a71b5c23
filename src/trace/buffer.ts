/**
 * Between the operator and a store: rows are taken at once and kept in memory, at most so many, until the store has them. One batch is
 * under way at a time. A batch that fails is tried again with growing waits, as long as it takes; meanwhile the oldest rows beyond the
 * bound are dropped and counted, so nothing is lost while the store is away for less than it takes to fill the buffer.
 */
import type { Logger } from "../api/logger.ts";
import type { TraceRow, TraceSink } from "../api/trace.ts";
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { Fifo } from "../runtime/fifo.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { TraceRefused, type TraceStore } from "./store.ts";

export interface TraceBufferOptions {
  readonly store: Pick<TraceStore, "append">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Rows in memory at most, those under way included; absent = 10,000. */
  readonly maxRows?: number;
}

/** What people are told about the store. */
export interface TraceTrouble {
  readonly kind: "unavailable" | "dropping" | "recovered";
  /** A sentence. */
  readonly note: string;
}

export interface TraceBuffer extends TraceSink {
  /** Who tells people; called at most once a minute for the same kind. */
  onTrouble(listener: (trouble: TraceTrouble) => void): void;
  /** Takes nothing more; resolves when the store has everything, or the time is over: then the rest is dropped and counted. */
  drain(withinMs: number): Promise<void>;
  /** Rows that the store does not have yet. */
  readonly size: number;
  /** Rows that were lost so far. */
  readonly dropped: number;
}

interface Entry {
  readonly row: TraceRow;
  /** When it was taken, monotonic. */
  readonly takenAt: number;
}

const defaultMaxRows = 10_000;
const batchRows = 500;
/** Rows of one moment go together. */
const gatherMs = 100;
const retryBackoff: BackoffPolicy = { initialMs: 200, factor: 2, maxMs: 5000, jitter: 0.2 };
/** A store that is away for a moment is nobody's concern. */
const patienceMs = 5000;
const lookMs = 5000;
const tellAgainMs = 60_000;

/** Builds an empty buffer; it does nothing until a row comes. */
export function createTraceBuffer(options: TraceBufferOptions): TraceBuffer {
  const { store, clock, random, logger, metrics, maxRows = defaultMaxRows } = options;
  const waiting = new Fifo<Entry>();
  let underWay: readonly Entry[] = [];
  let working = false;
  let closed = false;
  let dropped = 0;
  let lastError = "";
  let troubled = false;
  let look: Timer | undefined;
  const giveUp = new AbortController();
  const idle: (() => void)[] = [];
  const toldAt = new Map<string, number>();
  let listener: (trouble: TraceTrouble) => void = () => undefined;

  const size = () => waiting.size + underWay.length;

  function write(rows: readonly TraceRow[]): void {
    if (closed) {
      drop("closed", rows.length);
      return;
    }
    const takenAt = clock.monotonic();
    for (const row of rows) waiting.push({ row, takenAt });
    // What is under way may be in the store already, so what waits longest goes first.
    let excess = 0;
    while (size() > maxRows && waiting.shift() !== undefined) excess++;
    if (excess > 0) {
      drop("full", excess);
      tell("dropping", `the event trace loses rows: ${maxRows} wait for the store, which says: ${lastError || "nothing yet"}`);
    }
    if (!working && waiting.size > 0) void work();
  }

  async function work(): Promise<void> {
    working = true;
    look ??= clock.after(lookMs, lookAgain);
    let failures = 0;
    await pause(gatherMs);
    while (size() > 0) {
      if (underWay.length === 0) underWay = take();
      const result = await attempt();
      if (result === "failed") {
        failures++;
        if (giveUp.signal.aborted) break;
        await pause(backoffDelay(retryBackoff, failures, random));
        continue;
      }
      failures = 0;
      underWay = [];
    }
    working = false;
    metrics.set("nuptse_trace_lag_seconds", {}, 0);
    look?.cancel();
    look = undefined;
    for (const resolve of idle.splice(0)) resolve();
  }

  function take(): readonly Entry[] {
    const batch: Entry[] = [];
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
      batch.push(entry);
      if (batch.length === batchRows) break;
    }
    return batch;
  }

  async function attempt(): Promise<"stored" | "refused" | "failed"> {
    const rows = underWay.map((entry) => entry.row);
    try {
      await store.append(rows);
      metrics.count("nuptse_trace_rows_total", {}, rows.length);
      lastError = "";
      if (troubled) {
        troubled = false;
        tell("recovered", `the event trace is written again; ${dropped} rows were lost since the start of this process`);
      }
      return "stored";
    } catch (error) {
      lastError = error instanceof Error ? error.message : String(error);
      if (error instanceof TraceRefused) {
        drop("refused", rows.length);
        logger.error("the trace's store refuses rows, they are dropped", { error, rows: rows.length });
        return "refused";
      }
      report();
      return "failed";
    }
  }

  /** A store that hangs never answers, and is to be noticed too. */
  function lookAgain(): void {
    report();
    look = clock.after(lookMs, lookAgain);
  }

  function report(): void {
    const oldest = underWay[0];
    const lagMs = oldest === undefined ? 0 : clock.monotonic() - oldest.takenAt;
    metrics.set("nuptse_trace_lag_seconds", {}, lagMs / 1000);
    if (lagMs < patienceMs) return;
    troubled = true;
    tell(
      "unavailable",
      `the event trace cannot be written for ${Math.round(lagMs / 1000)} s, jobs go on: ${lastError || "the store does not answer"}; ` +
        `${size()} rows wait, the oldest beyond ${maxRows} will be lost`,
    );
  }

  function tell(kind: TraceTrouble["kind"], note: string): void {
    const last = toldAt.get(kind);
    if (kind !== "recovered" && last !== undefined && clock.monotonic() - last < tellAgainMs) return;
    toldAt.set(kind, clock.monotonic());
    if (kind === "recovered") {
      toldAt.clear();
      logger.info("the trace's store is back", { note });
    } else {
      troubled = true;
      logger.warn("the event trace is in trouble", { kind, note });
    }
    listener({ kind, note });
  }

  function drop(reason: "full" | "refused" | "closed", count: number): void {
    dropped += count;
    metrics.count("nuptse_trace_rows_dropped_total", { reason }, count);
  }

  async function pause(waitMs: number): Promise<void> {
    await clock.sleep(waitMs, giveUp.signal).catch(() => undefined);
  }

  return {
    write,
    onTrouble(told) {
      listener = told;
    },
    async drain(withinMs) {
      closed = true;
      if (!working) return;
      const done = new Promise<void>((resolve) => idle.push(resolve));
      const timer = clock.after(withinMs, () => giveUp.abort(new Error("the time is over")));
      const late = new Promise<void>((resolve) => giveUp.signal.addEventListener("abort", () => resolve(), { once: true }));
      await Promise.race([done, late]);
      timer.cancel();
      look?.cancel();
      if (size() > 0) {
        drop("closed", size());
        logger.warn("rows of the event trace are lost with this process", { rows: size(), error: lastError });
      }
    },
    get size() {
      return size();
    },
    get dropped() {
      return dropped;
    },
  };
}
