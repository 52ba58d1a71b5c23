import type { Transport, TransportRequest, TransportResponse, TransportStream } from "../../kube/transport.ts";
import { type ArmedFault, CrashSignal, type FaultClass, type Faults } from "./faults.ts";
import { expiredStatus, FaultyWatch } from "./faulty-watch.ts";
import { draw } from "./range.ts";

export interface FaultyTransportOptions {
  readonly faults: Faults;
  readonly process: string;
  readonly inner: Transport;
  readonly onCrash: (signal: CrashSignal) => void;
  /** Lets the process stand still. */
  readonly pause: (durationMs: number) => void;
  /** What to wait for while the process is paused. */
  readonly resumed: () => Promise<void> | undefined;
}

const writeFaults: ReadonlySet<FaultClass> = new Set([
  "crashBeforeWrite",
  "crashAfterWrite",
  "conflict409",
  "throttled429",
  "internal500",
  "timeout504",
  "connectionRefused",
  "timedOutNotDone",
  "timedOutDone",
  "delayedWrite",
]);
const readFaults: ReadonlySet<FaultClass> = new Set(["throttled429", "internal500", "timeout504", "connectionRefused", "timedOutNotDone"]);
const defaultTimeoutMs = 30_000;
const delayedMs = [5_000, 40_000] as const;
const listDelayMs = [1_000, 5_000] as const;

/** A transport on which the faults strike that are armed for its process. After a crash nothing passes in either direction. */
export class FaultyTransport implements Transport {
  readonly #options: FaultyTransportOptions;
  readonly #watches = new Set<FaultyWatch>();
  /** Watches (path and query without version) that lost an event and must list again, whatever else happens to them. */
  readonly #mustRelist = new Set<string>();
  #crash: CrashSignal | undefined;
  #writes = 0;

  constructor(options: FaultyTransportOptions) {
    this.#options = options;
  }

  get dead(): boolean {
    return this.#crash !== undefined;
  }

  get writes(): number {
    return this.#writes;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const { faults, inner, resumed } = this.#options;
    this.#checkAlive();
    const isWrite = request.method !== "GET";
    const number = isWrite ? ++this.#writes : undefined;
    const resource = resourceOf(request.path);
    const fault = faults.isArmed ? faults.take((each) => this.#strikes(each, request, resource, number)) : undefined;
    const where = `write ${number} (${request.method} ${request.path})`;
    if (fault?.class === "crashBeforeWrite") throw this.#die(`before ${where}`);
    if (fault?.class === "connectionRefused") throw faults.options.errors.unreachable(`${request.method} ${request.path}`);

    const { clock, random } = faults.options;
    const latencyMs = draw(faults.options.latencyMs ?? [1, 10], random);
    const there = random.next() * latencyMs;
    await clock.sleep(there);
    await resumed();
    this.#checkAlive();
    const response = await this.#exchange(request, fault, inner);
    if (fault?.class === "crashAfterWrite") throw this.#die(`after ${where}`);
    await clock.sleep(fault?.class === "listsApart" ? draw(listDelayMs, random) : latencyMs - there);
    await resumed();
    this.#checkAlive();
    return response;
  }

  async stream(request: TransportRequest, signal: AbortSignal): Promise<TransportStream> {
    const { faults, inner, resumed, process } = this.#options;
    this.#checkAlive();
    const { clock, random } = faults.options;
    await clock.sleep(draw(faults.options.latencyMs ?? [1, 10], random));
    await resumed();
    this.#checkAlive();
    const isWatch = request.query?.["watch"] !== undefined && request.query["watch"] !== "false";
    if (!isWatch) return inner.stream(request, signal);
    const resource = resourceOf(request.path);
    const key = watchKey(request);
    const expired =
      faults.isArmed && faults.take((each) => each.class === "watchExpired" && matches(each, process, resource) && random.next() < 0.5);
    if (expired || this.#mustRelist.delete(key)) return { status: 410, headers: jsonHeaders, lines: lines([expiredStatus()]) };
    const own = new AbortController();
    const abort = () => own.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    const opened = await inner.stream(request, own.signal);
    if (opened.status !== 200) return opened;
    const watch = new FaultyWatch({
      faults,
      process,
      resource,
      inner: opened.lines,
      signal,
      resumed,
      lostEvent: () => this.#mustRelist.add(key),
      toldExpired: () => this.#mustRelist.delete(key),
      closed: () => {
        this.#watches.delete(watch);
        signal.removeEventListener("abort", abort);
        own.abort();
      },
    });
    this.#watches.add(watch);
    return { ...opened, lines: watch.lines() };
  }

  async #exchange(request: TransportRequest, fault: ArmedFault | undefined, inner: Transport): Promise<TransportResponse> {
    const { faults } = this.#options;
    const { clock, random, errors } = faults.options;
    const what = `${request.method} ${request.path}`;
    const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
    // A fenced write is not sent at all, so nothing can happen to it either.
    if (fault !== undefined && request.fence?.() === false) return inner.request(request);
    switch (fault?.class) {
      case "conflict409":
        return failure(409, "Conflict", "the object has been modified; please apply your changes to the latest version and try again");
      case "throttled429":
        return {
          status: 429,
          headers: { "content-type": "text/plain; charset=utf-8", "retry-after": "1" },
          body: "Too many requests, please try again later.\n",
        };
      case "internal500":
        return failure(500, "InternalError", "Internal error occurred: etcdserver: leader changed");
      case "timeout504": {
        if (random.next() < 0.5) await inner.request(request);
        return failure(504, "Timeout", "Timeout: request did not complete within the allotted timeout");
      }
      case "timedOutNotDone":
        await clock.sleep(timeoutMs);
        throw errors.timedOut(what);
      case "timedOutDone":
        await inner.request(request);
        await clock.sleep(timeoutMs);
        throw errors.timedOut(what);
      case "delayedWrite":
        return this.#delayed(request, inner, timeoutMs, what, fault.thenPausedMs ?? 0);
      default:
        return inner.request(request);
    }
  }

  /** The bytes are on their way: the fence was asked when they were written, and nothing can stop them any more. */
  async #delayed(
    request: TransportRequest,
    inner: Transport,
    timeoutMs: number,
    what: string,
    thenPausedMs: number,
  ): Promise<TransportResponse> {
    const { clock, random, errors } = this.#options.faults.options;
    const { fence: _, ...unfenced } = request;
    const delayMs = draw(delayedMs, random);
    const answer = clock.sleep(delayMs).then(() => inner.request(unfenced));
    if (thenPausedMs > 0) this.#options.pause(thenPausedMs);
    if (delayMs < timeoutMs) return answer;
    answer.catch(() => undefined);
    await clock.sleep(timeoutMs);
    throw errors.timedOut(what);
  }

  #strikes(fault: ArmedFault, request: TransportRequest, resource: string, write: number | undefined): boolean {
    if (!matches(fault, this.#options.process, resource)) return false;
    if (write === undefined) {
      if (fault.class === "listsApart") return isCollection(request.path, resource);
      return fault.scope === "reads" && readFaults.has(fault.class);
    }
    if (!writeFaults.has(fault.class) || fault.scope === "reads") return false;
    if (fault.write !== undefined) return fault.write === write;
    const isLease = resource === "leases";
    if (isLease !== (fault.scope === "leases")) return false;
    return fault.class !== "conflict409" || request.method === "PATCH" || request.method === "PUT";
  }

  #die(where: string): CrashSignal {
    const crash = new CrashSignal(this.#options.process, where);
    this.#crash = crash;
    this.#options.onCrash(crash);
    for (const watch of [...this.#watches]) watch.fail(crash);
    return crash;
  }

  #checkAlive(): void {
    if (this.#crash !== undefined) throw this.#crash;
  }
}

const jsonHeaders = { "content-type": "application/json" };

function matches(fault: ArmedFault, process: string, resource: string): boolean {
  return (fault.process === undefined || fault.process === process) && (fault.resource === undefined || fault.resource === resource);
}

/** The plural in the path of a request. */
export function resourceOf(path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  const rest = parts.slice(parts[0] === "api" ? 2 : 3);
  return (rest[0] === "namespaces" && rest.length > 2 ? rest[2] : rest[0]) ?? "";
}

function isCollection(path: string, resource: string): boolean {
  return path.endsWith(`/${resource}`);
}

function watchKey(request: TransportRequest): string {
  const { resourceVersion: _, timeoutSeconds: __, ...query } = request.query ?? {};
  return `${request.path}?${JSON.stringify(query)}`;
}

function failure(code: number, reason: string, message: string): TransportResponse {
  const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  return { status: code, headers: jsonHeaders, body };
}

async function* lines(values: readonly unknown[]): AsyncGenerator<unknown> {
  yield* values;
}
