/**
 * The bodies of XXL-JOB's protocol, 2.2 to 3.5. Its dialects differ in small things, so that one reader takes all of them, and what is sent is
 * right for all of them:
 *
 * - A0 (2.2): answers `{code, msg, content}`; a callback carries `executeResult: {code, msg}`
 * - A (2.3 to 3.2, and the executors of other languages): `handleCode` and `handleMsg`; `logDateTim`, spelt so
 * - B (3.3 to 3.4): answers `{code, msg, data}`
 * - C (3.5): `/trigger` instead of `/run`, callbacks as `{callbackList}`, `logDateTime`, and a header with the name of the executor
 *
 * Java reads with Gson, which ignores what it does not know; so do the other clients.
 */
import type { ExecutorTask, TaskAnswer, TaskLog } from "../../api/executor.ts";
import { clip } from "../../base/clip.ts";

export const tokenHeader = "xxl-job-access-token";
export const appNameHeader = "xxl-job-appname";

export const successCode = 200;
export const failureCode = 500;
const timeoutCode = 502;

/** Said of a run that was killed before it began. */
const neverBegun = "[job not executed, in the job queue, killed.]";
const longestMessage = 4000;

type Fields = Readonly<Record<string, unknown>>;

/** What an executor answers to a call. */
export interface Said {
  readonly code: number;
  readonly message: string;
  readonly data: unknown;
}

/** A part of the log of a run. */
export interface LogPage extends TaskLog {
  /** Whether there is a log at all. */
  readonly exists: boolean;
}

/** The end of a run, as the executor reports it. */
export interface Callback {
  readonly logId: number;
  readonly end: TaskAnswer & { readonly kind: "ended" };
  /** It was killed while it waited, and nothing was done. */
  readonly neverBegun: boolean;
}

/** The body of `/run` and `/trigger`. `timeoutSeconds`: 0 = none. */
export function triggerBody(task: ExecutorTask, ids: { readonly jobId: number; readonly logId: number }, timeoutSeconds: number): string {
  return JSON.stringify({
    jobId: ids.jobId,
    executorHandler: task.handler,
    executorParams: task.itemParameter === "" ? task.parameter : task.itemParameter,
    // Never to queue: what waits is ours to order, and a request that comes again while its run is at work must not run again after it.
    executorBlockStrategy: "DISCARD_LATER",
    executorTimeout: timeoutSeconds,
    logId: ids.logId,
    // Names the folder of the log, so it must be the same whoever asks for the log later.
    logDateTime: task.fireTime,
    glueType: "BEAN",
    glueSource: "",
    glueUpdatetime: 0,
    broadcastIndex: task.item,
    broadcastTotal: task.total,
  });
}

/** The body of `/idleBeat` and `/kill`. */
export const jobBody = (jobId: number): string => JSON.stringify({ jobId });

/** The body of `/log`. */
export function logBody(task: Pick<ExecutorTask, "fireTime">, logId: number, fromLine: number): string {
  return JSON.stringify({ logId, logDateTim: task.fireTime, logDateTime: task.fireTime, fromLineNum: fromLine });
}

/** Reads the answer to a call; undefined when it is none. */
export function readSaid(text: string): Said | undefined {
  const value = parse(text);
  // The client in Go refuses a run in the shape of its callback.
  const body = Array.isArray(value) ? objectOf(value[0]) : objectOf(value);
  const code = body === undefined ? undefined : (body["code"] ?? codeOfCallback(body));
  if (body === undefined || typeof code !== "number") return undefined;
  const message = body["msg"] ?? messageOfCallback(body);
  return { code, message: typeof message === "string" ? clip(message, longestMessage) : "", data: body["content"] ?? body["data"] };
}

/** Reads what `/log` answers; undefined when it is no log. */
export function readLogPage({ data }: Said): LogPage | undefined {
  const page = objectOf(data);
  if (page === undefined || !Number.isInteger(page["toLineNum"])) return undefined;
  const { fromLineNum, toLineNum, logContent, isEnd } = page;
  // From 3.3 on the last line is told only of lines that were asked for; where there is no log, the end is said to be reached.
  const exists = (toLineNum as number) > 0 || isEnd === false;
  return {
    fromLine: Number.isInteger(fromLineNum) ? (fromLineNum as number) : 1,
    toLine: toLineNum as number,
    text: exists && typeof logContent === "string" ? logContent : "",
    exists,
  };
}

/** Reads the body of `/api/callback`; undefined when it is none. */
export function readCallbacks(text: string): readonly Callback[] | undefined {
  const value = parse(text);
  const list = Array.isArray(value) ? value : objectOf(value)?.["callbackList"];
  if (!Array.isArray(list)) return undefined;
  const callbacks: Callback[] = [];
  for (const entry of list) {
    const fields = objectOf(entry);
    const code = fields === undefined ? undefined : codeOfCallback(fields);
    if (fields === undefined || typeof fields["logId"] !== "number" || typeof code !== "number") return undefined;
    callbacks.push(callbackOf(fields["logId"], code, messageOfCallback(fields)));
  }
  return callbacks;
}

/** Reads the body of `/api/registry` and `/api/registryRemove`; undefined when it is none. */
export function readRegistration(text: string): { readonly appName: string; readonly address: string } | undefined {
  const fields = objectOf(parse(text));
  if (fields === undefined) return undefined;
  const { registryKey, registryValue } = fields;
  return typeof registryKey === "string" && typeof registryValue === "string"
    ? { appName: registryKey, address: registryValue }
    : undefined;
}

/** What an admin answers, for readers of `content` and of `data`. */
export const answerBody = (code: number, message: string | null): string =>
  JSON.stringify({ code, msg: message, content: null, data: null });

const codeOfCallback = (fields: Fields): unknown => objectOf(fields["executeResult"])?.["code"] ?? fields["handleCode"];
const messageOfCallback = (fields: Fields): unknown => objectOf(fields["executeResult"])?.["msg"] ?? fields["handleMsg"];

function callbackOf(logId: number, code: number, said: unknown): Callback {
  const words = typeof said === "string" ? said : "";
  const why = words !== "" ? words : code === timeoutCode ? "it took too long" : `it ended with code ${code}`;
  const message = code === successCode ? words : why;
  return {
    logId,
    end: {
      kind: "ended",
      outcome: code === successCode ? "Succeeded" : "Failed",
      message: message === "" ? undefined : clip(message, longestMessage),
      result: undefined,
      continue: false,
    },
    neverBegun: words.endsWith(neverBegun),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}
