import type { LogAnswer } from "../../api/item-log.ts";
import type { Clock } from "../../base/clock.ts";
import type { JsonAnswer, JsonEndpoint } from "../../runtime/json-server.ts";
import { TokenBucket } from "../../runtime/token-bucket.ts";
import type { ReadItemLog } from "./item-logs.ts";

export interface LogEndpointOptions {
  readonly readLog: ReadItemLog;
  readonly clock: Clock;
  /** Whether this process leads. */
  readonly mayAnswer: () => boolean;
}

export const logPath = "/v1/log";

const mostAnswers = { burst: 100, perSecond: 20 };
/** Of executors' answers, which have up to 8 MiB each. */
const mostAtOnce = 4;
const withinMs = 30_000;

const forms: Readonly<Record<string, RegExp>> = {
  namespace: /^[\w.-]{1,253}$/,
  name: /^[\w.-]{1,253}$/,
  uid: /^[\w-]{1,64}$/,
  run: /^[\w.-]{1,253}$/,
  item: /^\d{1,9}$/,
  attempt: /^[1-9]\d{0,3}$/,
  from: /^[1-9]\d{0,8}$/,
};

/**
 * Answers `GET /v1/log?namespace=&name=&uid=&run=&item=[&attempt=][&from=]`: what an item of a resident job wrote at its executor, from a line on. The job's
 * UID is the proof that the caller may know, as for /v1/why (docs/decisions).
 */
export function createLogEndpoint({ readLog, clock, mayAnswer }: LogEndpointOptions): JsonEndpoint {
  const bucket = new TokenBucket(clock, mostAnswers);
  let reading = 0;
  return async ({ method, url }) => {
    if (method !== "GET") return refused(405, `${logPath} takes GET only`);
    const { searchParams } = new URL(url, "http://explain");
    const given = Object.fromEntries(searchParams);
    const isKnown = searchParams.size === Object.keys(given).length && Object.keys(given).every((key) => Object.hasOwn(forms, key));
    if (!isKnown) return refused(400, `the parameters are ${Object.keys(forms).join(", ")}, each once`);
    for (const [key, form] of Object.entries(forms)) {
      const value = given[key];
      if (value === undefined ? key !== "attempt" && key !== "from" : !form.test(value))
        return refused(400, `${key} is missing, or is not what it must be`);
    }
    if (!mayAnswer()) return refused(503, "this replica does not lead: ask again");
    if (reading >= mostAtOnce || !bucket.take()) return refused(429, "too many questions at once: ask again in a second");
    const late = new AbortController();
    const timer = clock.after(withinMs, () => late.abort());
    reading++;
    try {
      const { namespace = "", name = "", uid = "", run = "", item, attempt, from } = given;
      const question = {
        job: { namespace, name },
        uid,
        run,
        item: Number(item),
        fromLine: Number(from ?? 1),
        ...(attempt !== undefined && { attempt: Number(attempt) }),
      };
      const log = await readLog(question, late.signal);
      return "problem" in log ? refused(log.status, log.problem) : { status: 200, body: { logs: [log] } satisfies LogAnswer };
    } finally {
      timer.cancel();
      reading--;
    }
  };
}

const refused = (status: number, error: string): JsonAnswer => ({ status, body: { error } });
