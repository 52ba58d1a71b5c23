import type { Transport, TransportRequest, TransportResponse, TransportStream } from "../../kube/transport.ts";
import type { ApiServer } from "./api-server.ts";
import type { ApiReply } from "./reply.ts";
import { cloneJson } from "./json.ts";
import type { ApiRequest } from "./request-path.ts";
import type { WatchEventOut } from "./watches.ts";

/** Who uses a transport, and what may stand between it and the server. */
export interface InProcessOptions {
  readonly userAgent: string;
  readonly user?: string;
  /** Called for every request and every opening of a watch; may wait, answer itself, reject, or pass it on (even more than once). */
  readonly intercept?: (request: ApiRequest, next: (request: ApiRequest) => Promise<ApiReply>) => Promise<ApiReply>;
  /** What a request is refused with when its fence has fallen; absent = a plain error of the name FencedError. */
  readonly fenced?: () => Error;
}

const fallen = (): Error => Object.assign(new Error("the fence has fallen: nothing was sent"), { name: "FencedError" });

/** The client's side of an API server in the same process: no sockets, answers one turn of the microtask queue later, objects shared. */
export function inProcessTransport(server: ApiServer, options: InProcessOptions): Transport {
  const named = (request: TransportRequest): ApiRequest => ({
    ...request,
    userAgent: options.userAgent,
    ...(options.user === undefined ? {} : { user: options.user }),
    // the caller goes on using what it sent; what the server stores must be its own
    ...(request.body === undefined ? {} : { body: cloneJson(request.body) }),
  });
  const checkFence = (request: TransportRequest): void => {
    if (request.fence?.() === false) throw options.fenced?.() ?? fallen();
  };
  const pass = (handle: (request: ApiRequest) => ApiReply | Promise<ApiReply>, request: ApiRequest): Promise<ApiReply> => {
    const next = async (passed: ApiRequest): Promise<ApiReply> => {
      await Promise.resolve();
      checkFence(passed);
      return handle(passed);
    };
    return options.intercept === undefined ? next(request) : options.intercept(request, next);
  };
  return {
    async request(request): Promise<TransportResponse> {
      return pass((passed) => server.respond(passed), named(request));
    },
    async stream(request, signal): Promise<TransportStream> {
      signal.throwIfAborted();
      const queue = new EventQueue();
      const reply = await pass((passed) => {
        const opened = server.watch(passed);
        if (!("subscribe" in opened)) return opened;
        opened.subscribe(queue);
        signal.addEventListener("abort", () => {
          opened.close();
          queue.fail(signal.reason);
        });
        return { status: 200, headers: { "content-type": "application/json" }, body: undefined };
      }, named(request));
      return {
        status: reply.status,
        headers: reply.headers,
        lines: reply.status === 200 && reply.body === undefined ? queue : once(reply.body),
      };
    },
  };
}

/** A refusal as a stream of one line, as it comes over the wire. */
async function* once(body: unknown): AsyncIterable<unknown> {
  yield body;
}

/** Events that wait for their reader. */
class EventQueue implements AsyncIterable<unknown> {
  readonly #events: WatchEventOut[] = [];
  #ended = false;
  #failure: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  event(event: WatchEventOut): void {
    this.#events.push(event);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(reason: unknown): void {
    this.#failure = { reason };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<unknown> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      const event = this.#events.shift();
      if (event !== undefined) {
        yield event;
        continue;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
