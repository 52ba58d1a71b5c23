import type { ExecutorTask, TaskAnswer } from "../api/executor.ts";
import { clip } from "../base/clip.ts";
import { formatMillis } from "../base/time.ts";

/** Of the texts that an executor tells, in bytes of UTF-8. */
const longestMessage = 4000;
const longestResult = 4096;

/** The body of `POST <base>/run`. */
export function runBody(task: ExecutorTask): string {
  const { id, job, run, fireTime, item, total, handler, parameter, itemParameter, attempt, deadline } = task;
  return JSON.stringify({
    task: id,
    job,
    run,
    fireTime: formatMillis(fireTime),
    item,
    total,
    handler,
    parameter,
    itemParameter,
    attempt,
    ...(deadline !== undefined && { deadline: formatMillis(deadline) }),
  });
}

/** Reads the answer to `POST <base>/run`. Only 200 and 202 that name the task are what they seem; no other status is ever a success. */
export function answerToStart(status: number, text: string, taskId: string): TaskAnswer {
  if (status === 200 || status === 202) return told(status, text, taskId);
  const message = sentence(status, text);
  if (status === 429) return { kind: "busy", message };
  // 408: somebody between us and the executor has given up, or the executor has read half of it.
  return { kind: status >= 500 || status === 408 ? "unclear" : "refused", message };
}

/**
 * Reads the answer to `GET <base>/run/<task>`. The task was accepted, so no refusal ends it: a token that is being changed, or a proxy in the
 * way, says nothing about work that goes on.
 */
export function answerToWait(status: number, text: string, taskId: string): TaskAnswer {
  if (status === 200 || status === 202) return told(status, text, taskId);
  return status === 404 ? { kind: "unknown" } : { kind: "unclear", message: sentence(status, text) };
}

function told(status: 200 | 202, text: string, taskId: string): TaskAnswer {
  const body = objectOf(text);
  if (body === undefined) return { kind: "unclear", message: `answered ${status} with what is no JSON object` };
  // Any server may answer 200 to anything, such as one that has this address by now.
  if (body["task"] !== taskId) return { kind: "unclear", message: `answered ${status} without the id of the task` };
  const message = typeof body["message"] === "string" ? clip(body["message"], longestMessage) : undefined;
  if (status === 202) {
    const percent = percentOf(body["progress"]);
    return percent === undefined && message === undefined ? { kind: "accepted" } : { kind: "progress", percent, message };
  }
  const { outcome, result } = body;
  if (outcome !== "Succeeded" && outcome !== "Failed")
    return { kind: "unclear", message: "answered 200 without an outcome, which is Succeeded or Failed" };
  return {
    kind: "ended",
    outcome,
    message,
    result:
      result === undefined || result === null
        ? undefined
        : clip(typeof result === "string" ? result : JSON.stringify(result), longestResult),
    continue: body["continue"] === true,
  };
}

function percentOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? Math.min(100, Math.max(0, Math.round(value))) : undefined;
}

/** Why a status is none of those that one hopes for, with what the executor says of it. */
function sentence(status: number, text: string): string {
  const said = objectOf(text)?.["message"];
  const why =
    typeof said === "string" && said !== ""
      ? `: ${clip(said, longestMessage)}`
      : status === 401 || status === 403
        ? ": the executor does not take the token of executor.tokenSecretRef"
        : status >= 300 && status < 400
          ? ", a redirect, which is not followed"
          : status < 300
            ? ", which is neither 200 nor 202"
            : "";
  return `answered ${status}${why}`;
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
