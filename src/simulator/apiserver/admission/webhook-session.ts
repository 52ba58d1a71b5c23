import type { Fields } from "../json.ts";

/** A question to a webhook, as an HTTPS client needs it. */
export interface WebhookCall {
  readonly webhook: string;
  readonly target: WebhookTarget;
  /** Of the authority that signed the webhook's certificate, PEM; absent = those of this machine. */
  readonly caPem?: string;
  readonly timeoutMs: number;
  /** An AdmissionReview. */
  readonly body: Fields;
}

export type WebhookTarget =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "service"; readonly namespace: string; readonly name: string; readonly port: number; readonly path: string };

/** What came of a call: the body of the answer, or why there is none. */
export type WebhookAnswer = { readonly review: unknown } | { readonly failure: string };

/** Thrown where a request cannot go on before webhooks have answered. Nothing was written then. */
export class PendingCalls extends Error {
  readonly calls: readonly PendingCall[];

  constructor(calls: readonly PendingCall[]) {
    super("this request needs an answer of a webhook, and who made it cannot wait for one");
    this.name = "PendingCalls";
    this.calls = calls;
  }
}

export interface PendingCall {
  readonly key: string;
  readonly call: WebhookCall;
}

/**
 * What is kept of a request that waits for webhooks: it is begun anew after each answer, and then finds the answers, and the names, UIDs
 * and the time that it was given before. If what it writes to has changed meanwhile, its questions are other ones, and are asked anew.
 */
export class WebhookSession {
  readonly #answers = new Map<string, WebhookAnswer>();
  readonly #drawn = new Map<string, string[]>();
  readonly #taken = new Map<string, number>();
  readonly now: number;
  /** Of the webhooks that were asked before the object was complete. */
  readonly warnings: string[] = [];

  constructor(now: number) {
    this.now = now;
  }

  /** The request begins anew. */
  begin(): void {
    this.#taken.clear();
    this.warnings.length = 0;
  }

  answer(key: string): WebhookAnswer | undefined {
    return this.#answers.get(key);
  }

  remember(key: string, answer: WebhookAnswer): void {
    this.#answers.set(key, answer);
  }

  /** How many calls were answered. */
  get count(): number {
    return this.#answers.size;
  }

  /** The next random value of a sort, the same in every attempt. */
  draw(sort: string, make: () => string): string {
    const drawn = this.#drawn.get(sort) ?? [];
    const at = this.#taken.get(sort) ?? 0;
    this.#drawn.set(sort, drawn);
    this.#taken.set(sort, at + 1);
    drawn[at] ??= make();
    return drawn[at];
  }
}
