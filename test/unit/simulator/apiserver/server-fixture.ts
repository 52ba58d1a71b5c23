import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { ApiServer } from "../../../../src/simulator/apiserver/api-server.ts";
import type { ApiServerOptions } from "../../../../src/simulator/apiserver/server-options.ts";
import type { ApiReply } from "../../../../src/simulator/apiserver/reply.ts";
import type { ApiRequest } from "../../../../src/simulator/apiserver/request-path.ts";
import type { WatchEventOut, WatchHandle } from "../../../../src/simulator/apiserver/watches.ts";

/** 2026-11-20T10:00:00Z */
export const start = Date.UTC(2026, 10, 20, 10);

/** An answer whose body tests look into. */
// biome-ignore lint/suspicious/noExplicitAny: bodies of many kinds
export type Answer = Omit<ApiReply, "body"> & { readonly body: any };

/** A server on virtual time, and short ways to talk to it. */
export class ServerFixture {
  readonly clock = new VirtualClock(start);
  readonly server: ApiServer;

  constructor(options: Partial<ApiServerOptions> = {}) {
    this.server = new ApiServer({ clock: this.clock, random: createSeededRandom(1), ...options });
  }

  call(method: ApiRequest["method"], path: string, body?: unknown, more: Partial<ApiRequest> = {}): Answer {
    return this.server.handle({ method, path, ...(body === undefined ? {} : { body }), userAgent: "test/1", ...more }) as Answer;
  }

  configMap(name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}): Answer {
    return this.call("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name, labels }, data });
  }

  pod(name: string, more: { readonly metadata?: object; readonly spec?: object } = {}): Answer {
    const containers = [{ name: "main", image: "example.test/image:1" }];
    return this.call("POST", "/api/v1/namespaces/default/pods", {
      metadata: { name, ...more.metadata },
      spec: { containers, ...more.spec },
    });
  }

  merge(path: string, body: unknown): Answer {
    return this.call("PATCH", path, body, { contentType: "application/merge-patch+json" });
  }

  watch(path: string, query: Readonly<Record<string, string>> = {}): Watched {
    return new Watched(this.server.watch({ method: "GET", path, query, userAgent: "test/1" }) as WatchHandle);
  }
}

/** What came over a watch. */
export class Watched {
  readonly events: WatchEventOut[] = [];
  ended = false;
  readonly #handle: WatchHandle;

  constructor(handle: WatchHandle) {
    this.#handle = handle;
    handle.subscribe({
      event: (event) => this.events.push(event),
      end: () => {
        this.ended = true;
      },
    });
  }

  /** "ADDED a", ... */
  names(): readonly string[] {
    return this.events.map((event) =>
      "name" in event.object.metadata ? `${event.type} ${String(event.object.metadata.name)}` : event.type,
    );
  }

  close(): void {
    this.#handle.close();
  }
}
