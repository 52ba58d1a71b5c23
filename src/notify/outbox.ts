import type { Logger } from "../api/logger.ts";
import type { Notification, NotificationSink } from "../api/notification.ts";
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { TokenBucket } from "../runtime/token-bucket.ts";
import { bodyOf, notificationKey, signature, signatureHeader } from "./body.ts";
import { addressProblem, type Receiver, type Receivers } from "./receiver.ts";

/** Sends one request; resolves with the answer's status, rejects when there is none before the signal aborts. */
export type Post = (request: {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}) => Promise<{ readonly status: number; readonly retryAfterMs?: number }>;

export interface OutboxOptions extends Receivers {
  readonly post: Post;
  /** Reads a file with a secret, without the line's end. */
  readonly readSecret: (path: string) => Promise<string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Absent = 1 s, doubled up to a minute. */
  readonly backoff?: BackoffPolicy;
}

/** Delivers notifications, each receiver by itself: one that hangs or is gone holds up nobody else. */
export interface Outbox extends NotificationSink {
  /** Gives up whatever is under way or waits. */
  close(): void;
}

const defaultBackoff: BackoffPolicy = { initialMs: 1000, factor: 2, maxMs: 60_000, jitter: 0.2 };
/** Tries of one notification, and for how long it is worth telling. */
const mostTries = 5;
const oldestMs = 3_600_000;
const longestRetryAfterMs = 300_000;
/** Notifications that wait for one receiver; the oldest are dropped beyond that. */
const mostWaiting = 100;
/** Objects and events of which is remembered when a receiver was told last. */
const mostRemembered = 10_000;
/** A receiver may be told so many at once after a rest. */
const burst = 10;

/** Builds the outbox; nothing is sent before something is offered. */
export function createOutbox(options: OutboxOptions): Outbox {
  const { clock, metrics, logger } = options;
  const stop = new AbortController();
  const mailboxes = new Map(options.receivers.map((receiver) => [receiver.name, new Mailbox(receiver, options, stop.signal)]));
  const toldAt = new Map<string, number>();

  function isQuiet({ of, receiver, event, quietMs }: Notification): boolean {
    const key = `${of.uid}/${receiver}/${event}`;
    const last = toldAt.get(key);
    const now = clock.monotonic();
    if (last !== undefined && now < last + quietMs) return true;
    toldAt.delete(key);
    if (quietMs === 0) return false;
    toldAt.set(key, now);
    for (const oldest of toldAt.keys()) {
      if (toldAt.size <= mostRemembered) break;
      toldAt.delete(oldest);
    }
    return false;
  }

  return {
    offer(notification) {
      const mailbox = mailboxes.get(notification.receiver);
      if (mailbox === undefined) {
        metrics.count("nuptse_notifications_total", { receiver: "unknown", result: "unknown_receiver" });
        logger.warn("an object names a receiver that the operator's configuration lacks", {
          ...loggedName(notification),
          receiver: notification.receiver,
        });
      } else if (isQuiet(notification)) metrics.count("nuptse_notifications_total", { receiver: notification.receiver, result: "quiet" });
      else mailbox.add(notification);
    },
    close: () => stop.abort(new Error("closed")),
  };
}

const loggedName = ({ of }: Notification) => ({ kind: of.kind, object: `${of.namespace}/${of.name}` });

/** What waits for one receiver; one notification at a time is under way. */
class Mailbox {
  readonly #receiver: Receiver;
  readonly #options: OutboxOptions;
  readonly #stop: AbortSignal;
  readonly #bucket: TokenBucket;
  readonly #waiting: Notification[] = [];
  #working = false;

  constructor(receiver: Receiver, options: OutboxOptions, stop: AbortSignal) {
    this.#receiver = receiver;
    this.#options = options;
    this.#stop = stop;
    this.#bucket = new TokenBucket(options.clock, { burst: Math.min(burst, receiver.perMinute), perSecond: receiver.perMinute / 60 });
  }

  add(notification: Notification): void {
    if (this.#waiting.length >= mostWaiting) {
      this.#waiting.shift();
      this.#count("dropped");
    }
    this.#waiting.push(notification);
    this.#tellWaiting();
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        this.#tellWaiting();
        while (!this.#bucket.take()) await this.#options.clock.sleep(60_000 / this.#receiver.perMinute, this.#stop);
        this.#count(await this.#deliver(next));
      }
    } catch {
      // Closed: nobody is to be told any more.
      this.#waiting.length = 0;
    } finally {
      this.#working = false;
    }
  }

  async #deliver(notification: Notification): Promise<"sent" | "failed" | "expired"> {
    const { clock, random, logger, backoff = defaultBackoff } = this.#options;
    const until = notification.at + oldestMs;
    let why = "";
    for (let tries = 1; tries <= mostTries; tries++) {
      if (clock.now() > until) return "expired";
      let retryAfterMs = 0;
      try {
        const answer = await this.#try(notification);
        if (answer.status >= 200 && answer.status < 300) return "sent";
        why = `it answered ${answer.status}`;
        // What it does not want now it will not want later; a redirect leads to an address that nobody allowed.
        if (answer.status < 500 && answer.status !== 408 && answer.status !== 429) break;
        retryAfterMs = Math.min(longestRetryAfterMs, answer.retryAfterMs ?? 0);
      } catch (error) {
        if (this.#stop.aborted) throw error;
        why = error instanceof Error ? error.message : String(error);
      }
      if (tries < mostTries) await clock.sleep(Math.max(retryAfterMs, backoffDelay(backoff, tries, random)), this.#stop);
    }
    logger.warn("a notification could not be delivered", {
      receiver: this.#receiver.name,
      ...loggedName(notification),
      event: notification.event,
      why,
    });
    return "failed";
  }

  async #try(notification: Notification): Promise<{ readonly status: number; readonly retryAfterMs?: number }> {
    const { post, readSecret, clock, allowedHosts } = this.#options;
    const { url, urlFile, signingKeyFile, bearerTokenFile, format, timeoutMs } = this.#receiver;
    const address = url ?? (await readSecret(urlFile as string));
    const problem = addressProblem(address, allowedHosts);
    if (problem !== undefined) throw new Error(`the address in urlFile: ${problem}`);
    const body = bodyOf(notification, format);
    const headers = {
      "content-type": "application/json",
      "user-agent": "nuptse",
      "idempotency-key": notificationKey(notification),
      ...(bearerTokenFile !== undefined && { authorization: `Bearer ${await readSecret(bearerTokenFile)}` }),
      ...(signingKeyFile !== undefined && { [signatureHeader]: signature(await readSecret(signingKeyFile), body, clock.now()) }),
    };
    const late = new AbortController();
    const timer = clock.after(timeoutMs, () => late.abort(new Error(`no answer in ${timeoutMs / 1000} s`)));
    const signal = AbortSignal.any([late.signal, this.#stop]);
    const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    try {
      return await Promise.race([post({ url: address, headers, body, signal }), aborted]);
    } finally {
      timer.cancel();
    }
  }

  #count(result: "sent" | "failed" | "expired" | "dropped"): void {
    this.#options.metrics.count("nuptse_notifications_total", { receiver: this.#receiver.name, result });
  }

  #tellWaiting(): void {
    this.#options.metrics.set("nuptse_notifications_waiting", { receiver: this.#receiver.name }, this.#waiting.length);
  }
}
