import type { Status } from "../../api/meta.ts";
import { ApiFailure, internalError } from "./status.ts";
import type { WriteReply } from "./writes.ts";

/** An answer. The body is shared with the store, with watchers and with other readers: nobody may change it. */
export interface ApiReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What paths answer that nobody serves. */
export const pageNotFound: ApiReply = {
  status: 404,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body: "404 page not found\n",
};

/** A success. */
export function reply(status: number, body: unknown, warnings: readonly string[] = []): ApiReply {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (warnings.length > 0) headers.warning = warnings.map((warning) => `299 - ${JSON.stringify(warning)}`).join(", ");
  return { status, headers, body };
}

/** The answer to a write. */
export const writeReply = (written: WriteReply): ApiReply => reply(written.code, written.object, written.warnings);

/** A refusal; what is none is a defect, and a 500. */
export function failureReply(error: unknown): ApiReply {
  const failure =
    error instanceof ApiFailure ? error : internalError(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const status: Status = failure.status;
  const retryAfter = status.details?.retryAfterSeconds;
  const headers: Record<string, string> = { "content-type": "application/json", ...failure.headers };
  if (retryAfter !== undefined && retryAfter > 0) headers["retry-after"] = String(retryAfter);
  return { status: status.code ?? 500, headers, body: status };
}
