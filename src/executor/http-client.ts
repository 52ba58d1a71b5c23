import type { ExecutorClient, ExecutorTarget, ExecutorTask, TaskAnswer } from "../api/executor.ts";
import type { Clock } from "../base/clock.ts";
import type { Exchange, ExchangeOutcome, Exchanger } from "./exchange.ts";
import { answerToStart, answerToWait, runBody } from "./http-messages.ts";
import { tokenProblem, withoutToken } from "./token.ts";

export interface HttpExecutorClientOptions {
  readonly exchanger: Exchanger;
  readonly clock: Clock;
}

/** So long an executor may hold an answer back; what is told to it, and what is waited for beyond it. */
const holdSeconds = 30;
const slackMs = 10_000;
const cancelMs = 10_000;
/** An executor that answers at once that nothing has changed is asked no more often. */
const shortestPollMs = 1000;
const mostBytes = 64 * 1024;

/** Speaks docs/executor-protocol.md. */
export function createHttpExecutorClient({ exchanger, clock }: HttpExecutorClientOptions): ExecutorClient {
  async function ask(
    target: ExecutorTarget,
    exchange: Omit<Exchange, "headers" | "mostBytes">,
    more: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ExchangeOutcome | { readonly kind: "unsendable"; readonly message: string }> {
    const { token } = target;
    const problem = token === undefined ? undefined : tokenProblem(token);
    if (problem !== undefined) return { kind: "unsendable", message: problem };
    const headers = { accept: "application/json", ...more, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    return exchanger.send({ ...exchange, headers, mostBytes }, signal);
  }

  return {
    async start(target, task, signal) {
      const { traceparent } = task;
      const exchange = {
        method: "POST",
        url: `${target.baseUrl}/run`,
        body: runBody(task),
        withinMs: holdSeconds * 1000 + slackMs,
      } as const;
      const headers = { "content-type": "application/json", ...(traceparent !== undefined && { traceparent }) };
      const outcome = await ask(target, exchange, headers, signal);
      if (outcome.kind === "unsendable") return { kind: "refused", message: outcome.message };
      return withoutToken(
        outcome.kind === "silent" ? unclear(outcome) : answerToStart(outcome.status, outcome.text, task.id),
        target.token,
      );
    },
    async wait(target, task, signal) {
      const since = clock.monotonic();
      const url = `${taskUrl(target, task)}?wait=${holdSeconds}s`;
      const outcome = await ask(target, { method: "GET", url, withinMs: holdSeconds * 1000 + slackMs }, {}, signal);
      if (outcome.kind === "unsendable") return { kind: "unclear", message: outcome.message };
      const answer = outcome.kind === "silent" ? unclear(outcome) : answerToWait(outcome.status, outcome.text, task.id);
      if (answer.kind === "accepted" || answer.kind === "progress") {
        const early = since + shortestPollMs - clock.monotonic();
        if (early > 0) await clock.sleep(early, signal).catch(() => undefined);
      }
      return withoutToken(answer, target.token);
    },
    async cancel(target, task, signal) {
      await ask(target, { method: "DELETE", url: taskUrl(target, task), withinMs: cancelMs }, {}, signal);
    },
    recorded: () => undefined,
  };
}

const taskUrl = (target: ExecutorTarget, task: ExecutorTask): string => `${target.baseUrl}/run/${encodeURIComponent(task.id)}`;

function unclear({ message, neverSent }: ExchangeOutcome & { readonly kind: "silent" }): TaskAnswer {
  return { kind: "unclear", message, ...(neverSent && { neverSent }) };
}
