import { request } from "undici";
import type { Post } from "./outbox.ts";

/** Posts over HTTP. Redirects are not followed: they would lead to addresses that nobody allowed. */
export const httpPost: Post = async ({ url, headers, body, signal }) => {
  const answer = await request(url, { method: "POST", headers, body, signal });
  await answer.body.dump({ limit: 64 * 1024, signal });
  const wait = Number(answer.headers["retry-after"]);
  return { status: answer.statusCode, ...(Number.isFinite(wait) && wait > 0 && { retryAfterMs: wait * 1000 }) };
};
