import type { ServerResponse } from "node:http";
import type { WatchEventOut, WatchHandle } from "../watches.ts";

/** A reader that is this many events behind is cut off, as the real server does: it then lists and watches anew. */
const MAX_EVENTS_BEHIND = 10_000;

/**
 * Sends a watch as one JSON object a line until either side ends it. The headers go out at once, since clients wait for them.
 * Events that the socket does not take yet wait as objects, not as text: they are shared with the store and cost nothing.
 */
export function streamWatch(watch: WatchHandle, response: ServerResponse, transform: (event: WatchEventOut) => unknown): void {
  const waiting: WatchEventOut[] = [];
  let blocked = false;
  let ended = false;
  let closed = false;

  const close = () => {
    if (closed) return;
    closed = true;
    waiting.length = 0;
    watch.close();
  };
  const send = (event: WatchEventOut) => {
    blocked = !response.write(`${JSON.stringify({ type: event.type, object: transform(event) })}\n`);
  };
  const drain = () => {
    blocked = false;
    let sent = 0;
    while (!blocked && sent < waiting.length) send(waiting[sent++]!);
    waiting.splice(0, sent);
    if (ended && waiting.length === 0 && !closed) response.end();
  };

  response.on("close", close);
  response.on("error", close);
  response.on("drain", drain);
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
  response.flushHeaders();
  watch.subscribe({
    event(event) {
      if (closed || ended) return;
      if (!blocked) send(event);
      else if (waiting.length < MAX_EVENTS_BEHIND) waiting.push(event);
      else response.destroy();
    },
    end() {
      ended = true;
      if (waiting.length === 0 && !closed) response.end();
    },
  });
}
