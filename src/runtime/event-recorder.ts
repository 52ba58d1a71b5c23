/**
 * Kubernetes events (events.k8s.io/v1). An event that is said again within six minutes becomes a series: its count is patched, at once
 * for the second time and then at most once a minute. Each object may have ten new events a minute and all together ten a second, so
 * that a broken calendar cannot fill etcd (decision 85). One request at a time; what does not fit into the queue is dropped and counted.
 */
import type { EventAction } from "../api/action.ts";
import type { KubeEvent } from "../api/core.ts";
import type { Logger } from "../api/logger.ts";
import { events } from "../api/resource.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { type Random, randomInteger } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { AlreadyExists, ApiError, NotFound, ServerTimeout, Throttled, Unavailable } from "../kube/errors.ts";
import { counted, type EventSink } from "./action-handlers.ts";
import { Fifo } from "./fifo.ts";
import type { Metrics } from "./metrics.ts";
import { microTime } from "./micro-time.ts";
import { TokenBucket } from "./token-bucket.ts";

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Whom people see as the reporter, such as "nuptse.dev/operator". */
  readonly reportingController: string;
  /** Which replica it was; at most 128 characters. */
  readonly reportingInstance: string;
}

export interface EventRecorder extends EventSink {
  /** Resolves when nothing is left to be sent; what is recorded afterwards is dropped. The caller bounds the wait. */
  drain(): Promise<void>;
}

interface Series {
  readonly key: string;
  readonly event: KubeEvent;
  /** The create was acknowledged. */
  stored: boolean;
  count: number;
  lastObserved: number;
  /** Monotonic. */
  seenAt: number;
  patchedAt: number | undefined;
  patchTimer: Timer | undefined;
  queued: boolean;
}

const seriesMs = 6 * 60_000;
const patchEachMs = 60_000;
const queueLimit = 1000;
const seriesLimit = 4096;
const bucketLimit = 4096;
const perObject = { burst: 10, perSecond: 10 / 60 };
const overall = { burst: 100, perSecond: 10 };
const longestNote = 1024;
const longestReason = 128;
/** Events of objects without a namespace are only taken there. */
const clusterNamespace = "default";
const retryWaitsMs = [1000, 2000, 4000];

/** Builds a recorder that is at work at once. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options);
}

class Recorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  /** By key, least recently seen first. */
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #overall: TokenBucket;
  readonly #queue = new Fifo<Series>();
  #sending = false;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#overall = new TokenBucket(options.clock, overall);
  }

  record(action: EventAction): void {
    const { clock } = this.#options;
    if (this.#closed) return;
    const { apiVersion, kind, metadata } = action.regarding;
    if (apiVersion === undefined || kind === undefined) {
      this.#drop("incomplete");
      return;
    }
    const key = [kind, metadata.uid ?? `${metadata.namespace}/${metadata.name}`, action.type, action.reason, action.note].join("|");
    const known = this.#series.get(key);
    if (known !== undefined && clock.monotonic() - known.seenAt < seriesMs) {
      this.#repeat(known);
      return;
    }
    const allowed = this.#allow(metadata.uid ?? key);
    if (allowed !== undefined) {
      this.#drop(allowed);
      return;
    }
    known?.patchTimer?.cancel();
    const series: Series = {
      key,
      event: this.#eventOf(action),
      stored: false,
      count: 1,
      lastObserved: clock.now(),
      seenAt: clock.monotonic(),
      patchedAt: undefined,
      patchTimer: undefined,
      queued: false,
    };
    this.#remember(series);
    this.#enqueue(series);
  }

  drain(): Promise<void> {
    this.#closed = true;
    for (const series of this.#series.values()) series.patchTimer?.cancel();
    return this.#sending || this.#queue.size > 0 ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve();
  }

  #repeat(series: Series): void {
    const { clock } = this.#options;
    series.count += 1;
    series.lastObserved = clock.now();
    series.seenAt = clock.monotonic();
    this.#remember(series);
    if (series.queued || series.patchTimer !== undefined) return;
    const waitMs = series.patchedAt === undefined ? 0 : series.patchedAt + patchEachMs - clock.monotonic();
    if (waitMs <= 0) {
      this.#enqueue(series);
      return;
    }
    series.patchTimer = clock.after(waitMs, () => {
      series.patchTimer = undefined;
      this.#enqueue(series);
    });
  }

  /** undefined = allowed, else why not. */
  #allow(object: string): "object_rate" | "global_rate" | undefined {
    const { clock } = this.#options;
    const bucket = this.#buckets.get(object) ?? new TokenBucket(clock, perObject);
    this.#buckets.delete(object);
    this.#buckets.set(object, bucket);
    if (this.#buckets.size > bucketLimit) {
      for (const [old, other] of this.#buckets) {
        if (!other.full && this.#buckets.size <= 2 * bucketLimit) break;
        this.#buckets.delete(old);
      }
    }
    if (!bucket.take()) return "object_rate";
    return this.#overall.take() ? undefined : "global_rate";
  }

  #remember(series: Series): void {
    this.#series.delete(series.key);
    this.#series.set(series.key, series);
    for (const [key, oldest] of this.#series) {
      const stale = this.#options.clock.monotonic() - oldest.seenAt >= seriesMs;
      if (!stale && this.#series.size <= seriesLimit) break;
      // One that still has a count to tell keeps its timer, and is told without being remembered.
      this.#series.delete(key);
    }
  }

  #enqueue(series: Series): void {
    if (series.queued) return;
    if (this.#queue.size >= queueLimit) {
      this.#drop("queue_full");
      return;
    }
    series.queued = true;
    this.#queue.push(series);
    if (!this.#sending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    for (let series = this.#queue.shift(); series !== undefined; series = this.#queue.shift()) {
      series.queued = false;
      await this.#sendPatiently(series);
    }
    this.#sending = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #sendPatiently(series: Series): Promise<void> {
    const { clock, logger } = this.#options;
    for (const waitMs of [...retryWaitsMs, undefined]) {
      try {
        await this.#send(series);
        return;
      } catch (error) {
        const refused = error instanceof ApiError && !isPassing(error);
        if (refused || waitMs === undefined || this.#closed) {
          logger.debug("an event was not written", { error, reason: series.event.reason });
          this.#drop(refused ? "refused" : "unavailable");
          return;
        }
        await clock.sleep(waitMs);
      }
    }
  }

  async #send(series: Series): Promise<void> {
    const { client, clock, metrics } = this.#options;
    const { event } = series;
    if (series.stored) {
      const patch = { series: { count: series.count, lastObservedTime: microTime(series.lastObserved) } };
      const ref = { name: event.metadata.name, ...(event.metadata.namespace === undefined ? {} : { namespace: event.metadata.namespace }) };
      try {
        await counted(metrics, "patch", events, client.patch(events, ref, { type: "merge", body: patch }));
        series.patchedAt = clock.monotonic();
        return;
      } catch (error) {
        // Events live an hour: the series goes on in a new one.
        if (!(error instanceof NotFound)) throw error;
      }
    }
    const repeated = series.count > 1 ? { series: { count: series.count, lastObservedTime: microTime(series.lastObserved) } } : {};
    const count = series.count;
    try {
      await counted(metrics, "create", events, client.create<KubeEvent>(events, { ...event, ...repeated }));
    } catch (error) {
      if (!(error instanceof AlreadyExists)) throw error;
    }
    series.stored = true;
    if (count > 1) series.patchedAt = clock.monotonic();
    if (series.count > count) this.#enqueue(series);
  }

  #eventOf(action: EventAction): KubeEvent {
    const { clock, random, reportingController, reportingInstance } = this.#options;
    const { apiVersion = "", kind = "", metadata } = action.regarding;
    const suffix = `${clock.now().toString(16)}${randomInteger(random, 0x10000).toString(16).padStart(4, "0")}`;
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: `${metadata.name.slice(0, 200)}.${suffix}`, namespace: metadata.namespace ?? clusterNamespace },
      eventTime: microTime(clock.now()),
      action: "Reconcile",
      reason: action.reason.slice(0, longestReason),
      type: action.type,
      note: cut(action.note, longestNote),
      reportingController,
      reportingInstance: reportingInstance.slice(0, 128),
      regarding: {
        apiVersion,
        kind,
        name: metadata.name,
        uid: metadata.uid ?? "",
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      },
    };
  }

  #drop(reason: "object_rate" | "global_rate" | "queue_full" | "refused" | "unavailable" | "incomplete"): void {
    this.#options.metrics.count("nuptse_events_dropped_total", { reason });
  }
}

/** The server could not, as opposed to would not. */
function isPassing(error: ApiError): boolean {
  return error instanceof Throttled || error instanceof Unavailable || error instanceof ServerTimeout;
}

/** The API server counts bytes, and refuses what is longer. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let end = Math.min(text.length, bytes - 3);
  while (Buffer.byteLength(text.slice(0, end)) > bytes - 3) end -= 1;
  // Half of a surrogate pair is no character.
  if (/[\uD800-\uDBFF]$/.test(text.slice(0, end))) end -= 1;
  return `${text.slice(0, end)}...`;
}
