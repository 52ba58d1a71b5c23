import type { Clock } from "../../base/clock.ts";
import type { ServerTime } from "../../kube/server-time.ts";
import type { Transport } from "../../kube/transport.ts";

/** Tells each answer's Date, in whole seconds of the server's clock, as an HTTP transport does. */
export function withServerDate(inner: Transport, serverTime: ServerTime, own: Clock, server: Clock): Transport {
  return {
    async request(request) {
      const sentMs = own.now();
      const response = await inner.request(request);
      serverTime.observe({ serverMs: Math.floor(server.now() / 1000) * 1000, sentMs, receivedMs: own.now() });
      return response;
    },
    stream: (request, signal) => inner.stream(request, signal),
  };
}
