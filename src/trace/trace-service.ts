import type { Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { createTraceBuffer, type TraceBuffer } from "./buffer.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { openTraceStore, type TraceFiles } from "./open-store.ts";
import type { TraceReader, TraceRetention } from "./store.ts";
import { shownTarget, type TraceTarget } from "./target.ts";

export interface TraceServiceOptions {
  readonly target: Exclude<TraceTarget, { readonly kind: "none" }>;
  readonly retention: TraceRetention;
  readonly files?: TraceFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** A trace that is written and kept in order. */
export interface TraceService {
  readonly buffer: TraceBuffer;
  readonly reader: TraceReader;
  /** Gives what waits a few seconds to be written, then lets go of the store. */
  close(): Promise<void>;
}

const drainMs = 5000;

/** Puts a store, its buffer and its housekeeping together. A store that is away is no error: the buffer goes on trying. */
export async function startTrace(options: TraceServiceOptions): Promise<TraceService> {
  const { target, clock, random, metrics } = options;
  const logger = options.logger.child({ trace: shownTarget(target) });
  const store = await openTraceStore(target, { clock, logger, ...(options.files !== undefined && { files: options.files }) });
  const buffer = createTraceBuffer({ store, clock, random, logger, metrics });
  const housekeeping = startHousekeeping({ store, retention: options.retention, clock, logger });
  return {
    buffer,
    reader: store,
    async close() {
      housekeeping.stop();
      await buffer.drain(drainMs);
      await store.close();
    },
  };
}
