import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { TraceAttempt, TraceState } from "../api/trace.ts";
import type { Clock } from "../base/clock.ts";
import type { NumberedRequest, SqliteAnswer, SqliteRequest } from "./sqlite-messages.ts";
import { type TracePage, TraceQueryError, type TraceStore } from "./store.ts";

/** How long a thread that is asked to end may take; its disk may hang. */
const closeWithinMs = 3000;

/** A trace in a SQLite file, worked on by a thread of its own. Nothing is opened before the first call, and no call throws at once. */
export function createSqliteStore(options: { readonly path: string; readonly clock: Clock }): TraceStore {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let worker: Worker | undefined;
  let lastId = 0;

  function thread(): Worker {
    if (worker !== undefined) return worker;
    const started = new Worker(workerFile(), { workerData: { path: options.path } });
    // A process that has nothing else to do may end.
    started.unref();
    started.on("message", ({ id, value, error }: SqliteAnswer) => {
      const waiter = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) waiter?.resolve(value);
      else waiter?.reject(error.isQuery ? new TraceQueryError(error.message) : new Error(`${options.path}: ${error.message}`));
    });
    started.on("error", (error) => lose(started, error instanceof Error ? error : new Error(String(error))));
    started.on("exit", () => lose(started, new Error("the thread of the trace has ended")));
    worker = started;
    return started;
  }

  function lose(lost: Worker, error: Error): void {
    if (worker !== lost) return;
    worker = undefined;
    for (const waiter of waiting.values()) waiter.reject(error);
    waiting.clear();
  }

  function ask<Value>(request: SqliteRequest): Promise<Value> {
    return new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      const message: NumberedRequest = { id, request };
      thread().postMessage(message);
    });
  }

  return {
    append: (rows) => ask({ call: "append", rows }),
    runs: (query) => ask<TracePage<TraceState>>({ call: "query", kind: "runs", query }),
    states: (query) => ask<TracePage<TraceState>>({ call: "query", kind: "states", query }),
    attempts: (query) => ask<TracePage<TraceAttempt>>({ call: "query", kind: "attempts", query }),
    prune: (retention, now) => ask({ call: "prune", retention, now }),
    async close() {
      const ending = worker;
      if (ending === undefined) return;
      const late = Promise.withResolvers<void>();
      const timer = options.clock.after(closeWithinMs, late.resolve);
      await Promise.race([ask({ call: "close" }).catch(() => undefined), late.promise]);
      timer.cancel();
      await ending.terminate();
    },
  };
}

/** The program may be a bundle, or a part of one in a folder: then the thread's code lies beside it, or above. */
function workerFile(): URL {
  const places = ["./sqlite-worker.ts", "./nuptse-trace-worker.js", "../nuptse-trace-worker.js"].map(
    (place) => new URL(place, import.meta.url),
  );
  return places.find((place) => existsSync(fileURLToPath(place))) ?? (places[0] as URL);
}
