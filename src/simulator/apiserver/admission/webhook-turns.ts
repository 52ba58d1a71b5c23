import type { ApiReply } from "../reply.ts";
import { failureReply } from "../reply.ts";
import { internalError } from "../status.ts";
import type { AskWebhook } from "./webhook-client.ts";
import { PendingCalls, WebhookSession } from "./webhook-session.ts";

/** A request for which webhooks were called so often gets no further: what it writes to changes all the time, or they never agree. */
const mostCalls = 200;

/** Carries requests out in turns: each from its beginning, until no question to a webhook is open. Nothing is written before that. */
export class WebhookTurns {
  readonly #ask: AskWebhook;
  #session: WebhookSession | undefined;

  constructor(ask: AskWebhook) {
    this.#ask = ask;
  }

  /** Of the request that is being carried out now, where it can wait for webhooks. */
  get session(): WebhookSession | undefined {
    return this.#session;
  }

  /** @param route carries the request out, and throws PendingCalls where it cannot go on; @param now wall time in milliseconds */
  async respond(route: () => ApiReply, now: number): Promise<ApiReply> {
    const session = new WebhookSession(now);
    while (session.count < mostCalls) {
      try {
        return this.#within(session, route);
      } catch (error) {
        if (!(error instanceof PendingCalls)) return failureReply(error);
        await Promise.all(error.calls.map(async ({ key, call }) => session.remember(key, await this.#ask(call))));
      }
    }
    return failureReply(internalError(`webhooks were called ${session.count} times for one request`));
  }

  #within(session: WebhookSession, route: () => ApiReply): ApiReply {
    session.begin();
    this.#session = session;
    try {
      return route();
    } finally {
      this.#session = undefined;
    }
  }
}
