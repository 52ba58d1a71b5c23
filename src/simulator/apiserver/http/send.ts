import type { ServerResponse } from "node:http";
import type { ApiReply } from "../reply.ts";
import { contentTypeOf, type Form } from "./negotiation.ts";

type Headers = Readonly<Record<string, string>>;

/** Sends an answer of the core, JSON or text, and ends the answer. */
export function sendReply(response: ServerResponse, reply: ApiReply, form: Form): void {
  const { "content-type": _, ...headers } = reply.headers ?? {};
  if (typeof reply.body === "string") sendText(response, reply.status, reply.body, headers);
  else sendJson(response, reply.status, reply.body, { ...headers, "content-type": contentTypeOf(form) });
}

/** Sends a JSON value and ends the answer. */
export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Headers = {}): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-cache, private",
    ...headers,
    "content-length": String(Buffer.byteLength(text)),
  });
  response.end(text);
}

/** Sends a plain text and ends the answer. */
export function sendText(response: ServerResponse, status: number, text: string, headers: Headers = {}): void {
  response.writeHead(status, {
    ...headers,
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(Buffer.byteLength(text)),
  });
  response.end(text);
}
