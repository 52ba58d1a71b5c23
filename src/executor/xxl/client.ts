import type { ExecutorClient, ExecutorTarget, TaskAnswer } from "../../api/executor.ts";
import type { Clock } from "../../base/clock.ts";
import type { ExchangeOutcome, Exchanger } from "../exchange.ts";
import { tokenProblem, withoutToken } from "../token.ts";
import type { CallbackBoard, OpenTask } from "./board.ts";
import {
  appNameHeader,
  failureCode,
  jobBody,
  logBody,
  readLogPage,
  readSaid,
  type Said,
  successCode,
  tokenHeader,
  triggerBody,
} from "./codec.ts";
import { logIdOf } from "./ids.ts";
import type { Registrations } from "./registrations.ts";

export interface XxlExecutorClientOptions {
  readonly exchanger: Exchanger;
  readonly board: CallbackBoard;
  readonly registrations: Registrations;
  readonly clock: Clock;
}

/** Speaks with executors of XXL-JOB as its admin does; their callbacks come in through the board. */
export type XxlExecutorClient = ExecutorClient & Required<Pick<ExecutorClient, "log">>;

type Silent = ExchangeOutcome & { readonly kind: "silent" };
/** The two names of the call that begins a run. */
type Route = "run" | "trigger";

const answerMs = 10_000;
const mostBytes = 64 * 1024;
/** An executor answers with all the rest of a log, however long. */
const mostLogBytes = 8 * 1024 * 1024;
/** So long a callback is waited for before the executor is asked. */
const quietMs = 30_000;
/** XXL-JOB's admin gives a run up as long after it has heard of it last; executors repeat a callback every 30 s. */
const lostMs = 600_000;
const mostRoutes = 10_000;
const noToken = "an executor of XXL-JOB needs executor.tokenSecretRef: without it anybody could report that a run succeeded";

/** Speaks docs/xxl-job.md with one set of executors; `board` must be the one that the admin's server reports to. */
export function createXxlExecutorClient({ exchanger, board, registrations, clock }: XxlExecutorClientOptions): XxlExecutorClient {
  const routes = new Map<string, Route>();

  async function call(target: ExecutorTarget, path: string, body: string, signal: AbortSignal, most = mostBytes): Promise<Said | Silent> {
    const headers = {
      "content-type": "application/json;charset=UTF-8",
      [tokenHeader]: target.token ?? "",
      [appNameHeader]: registrations.nameOf(target),
    };
    const exchange = { method: "POST", url: `${target.baseUrl}/${path}`, headers, body, withinMs: answerMs, mostBytes: most } as const;
    const outcome = await exchanger.send(exchange, signal);
    if (outcome.kind === "silent") return outcome;
    const { status, text } = outcome;
    if (status === 404) return { code: failureCode, message: unmapped, data: undefined };
    const said = status === 200 ? readSaid(text) : undefined;
    if (said !== undefined) return said;
    const message = status === 200 ? "answered with what XXL-JOB does not say" : `answered ${status}`;
    return { kind: "silent", message, neverSent: false };
  }

  /** Executors from 3.5 on know another name of the call; which one an address knows is found by trying, and remembered. */
  async function trigger(target: ExecutorTarget, body: string, signal: AbortSignal): Promise<Said | Silent> {
    const first = routes.get(target.baseUrl) ?? "run";
    const said = await call(target, first, body, signal);
    if (isSilent(said) || !isUnmapped(said)) return said;
    const other: Route = first === "run" ? "trigger" : "run";
    const second = await call(target, other, body, signal);
    if (isSilent(second) || isUnmapped(second)) return second;
    routes.delete(target.baseUrl);
    routes.set(target.baseUrl, other);
    for (const oldest of routes.keys()) {
      if (routes.size <= mostRoutes) break;
      routes.delete(oldest);
    }
    return second;
  }

  /** Whether an executor that was silent, or that somebody else spoke with, has a run: it is asked for the job, and then for the log of the run. */
  async function look(entry: OpenTask, signal: AbortSignal): Promise<TaskAnswer> {
    const { target, task, jobId, logId } = entry;
    const busy = await call(target, "idleBeat", jobBody(jobId), signal);
    if (entry.end !== undefined) return handOn(entry);
    if (isSilent(busy)) return unclear(busy);
    if (isRejected(busy)) return { kind: "unclear", message: busy.message };
    if (busy.code !== successCode) {
      entry.silentSince = undefined;
      return { kind: "accepted" };
    }
    // From after its last line on, a log says that it is there, and none of its lines.
    const said = await call(target, "log", logBody(task, logId, lastLine), signal);
    if (entry.end !== undefined) return handOn(entry);
    if (isSilent(said)) return unclear(said);
    const page = readLogPage(said);
    if (page === undefined) return { kind: "unclear", message: said.message || "does not tell of its logs" };
    if (!page.exists) return { kind: "unknown" };
    entry.silentSince ??= clock.monotonic();
    if (clock.monotonic() < entry.silentSince + lostMs) return { kind: "accepted" };
    const message = `it ran, and how it ended was not told within ${lostMs / 60_000} minutes: see its log at the executor`;
    return { kind: "ended", outcome: "Failed", message, result: undefined, continue: false };
  }

  function handOn(entry: OpenTask): TaskAnswer {
    entry.toldAt ??= clock.monotonic();
    return entry.end ?? { kind: "accepted" };
  }

  async function begin(entry: OpenTask, signal: AbortSignal): Promise<TaskAnswer> {
    const { target, task } = entry;
    if (entry.end !== undefined) return handOn(entry);
    const again = entry.sent;
    if (again) {
      const found = await look(entry, signal);
      if (found.kind !== "unknown") return found;
    }
    if (board.rival(entry) !== undefined) return { kind: "busy", message: "another task is at work there under the same number" };
    entry.sent = true;
    entry.givenBack = false;
    const seconds = task.deadline === undefined ? 0 : Math.max(1, Math.ceil((task.deadline - clock.now()) / 1000));
    const said = await trigger(target, triggerBody(task, entry, seconds), signal);
    if (entry.end !== undefined) return handOn(entry);
    if (isSilent(said)) {
      if (said.neverSent) entry.sent = again;
      return unclear(said);
    }
    if (said.code === successCode || /repeate? trigger/i.test(said.message)) return { kind: "accepted" };
    const message = said.message === "" ? `answered with code ${said.code}` : said.message;
    const busy = isRejected(said) ? said : await call(target, "idleBeat", jobBody(entry.jobId), signal);
    const isBusy = !isSilent(busy) && busy.code !== successCode && !isRejected(busy);
    // What is at work under the number may be this very task, if it was sent before and has only now come in.
    if (isBusy && again) return { kind: "accepted" };
    entry.sent = false;
    return { kind: isBusy ? "busy" : "refused", message };
  }

  return {
    async start(target, task, signal) {
      const problem = target.token === undefined ? noToken : tokenProblem(target.token);
      if (problem !== undefined) return { kind: "refused", message: problem };
      const entry = board.open(target, task);
      if (entry === undefined) return { kind: "busy", message: "another task has the same number" };
      const answer = await begin(entry, signal);
      if (!entry.sent && entry.end === undefined) board.close(entry);
      return withoutToken(answer, target.token);
    },
    async wait(target, task, signal) {
      const entry = board.open(target, task);
      if (entry === undefined) return { kind: "unclear", message: "another task has the same number" };
      const isTold = () => entry.end !== undefined || entry.givenBack;
      // What this process has not sent itself is looked for at once: a former leader may have died before it was.
      if (entry.sent) await board.until(entry, isTold, quietMs, signal);
      if (signal.aborted) return { kind: "unclear", message: "nobody waits for it any more" };
      if (entry.givenBack) return { kind: "unknown" };
      const answer = entry.end === undefined ? await look(entry, signal) : handOn(entry);
      if (answer.kind === "accepted") entry.sent = true;
      if (answer.kind === "unknown") board.close(entry);
      return withoutToken(answer, target.token);
    },
    async cancel(target, task, signal) {
      const entry = board.open(target, task);
      // A kill ends whatever runs under the number.
      if (entry === undefined || entry.end !== undefined || board.rival(entry) !== undefined) return;
      entry.cancelled = true;
      await call(target, "kill", jobBody(entry.jobId), signal);
    },
    recorded: (task) => board.recorded(task),
    async log(target, task, fromLine, signal) {
      const problem = target.token === undefined ? noToken : tokenProblem(target.token);
      if (problem !== undefined) return { problem };
      const said = await call(target, "log", logBody(task, logIdOf(task.id), fromLine), signal, mostLogBytes);
      if (isSilent(said)) return { problem: said.message };
      const page = readLogPage(said);
      if (page === undefined) return { problem: said.message || "does not tell of its logs" };
      return page.exists ? page : "absent";
    },
  };
}

/** As an executor says that it does not know a call. */
const unmapped = "uri-mapping not found";
const lastLine = 2 ** 31 - 1;

const isUnmapped = ({ code, message }: Said): boolean => code !== successCode && /uri-mapping.*not found/.test(message);
/** It does not take the call, which says nothing of what it has at work. */
const isRejected = (said: Said): boolean =>
  isUnmapped(said) || (said.code !== successCode && /access ?token|app ?name/i.test(said.message));
const isSilent = (said: Said | Silent): said is Silent => "kind" in said;

function unclear({ message, neverSent }: Silent): TaskAnswer {
  return { kind: "unclear", message, ...(neverSent && { neverSent }) };
}
