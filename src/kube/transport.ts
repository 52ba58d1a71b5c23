/** One HTTP exchange with an API server, below the verbs. The seam at which tests and the embedded cluster step in. */
export interface Transport {
  /**
   * Sends a request and reads the whole answer.
   * Rejects with TimedOutError when it may have been executed without our knowing, and with UnreachableError when it surely was not.
   */
  request(request: TransportRequest): Promise<TransportResponse>;
  /** Opens an answer that is read as it comes: watches (`lines`) and logs. Rejects as `request` does. */
  stream(request: TransportRequest, signal: AbortSignal): Promise<TransportStream>;
}

/**
 * Where a request waits for a connection while all are busy. `prompt` goes before `normal`: somebody waits for it. A lease must not wait behind a
 * storm of either: `lease` has a place of its own.
 */
export type RequestLane = "normal" | "prompt" | "lease";

export interface TransportRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly accept?: string;
  /** A value that JSON can hold. It must not be changed afterwards: an embedded cluster may keep it. */
  readonly body?: unknown;
  /** Over this, the exchange ends with TimedOutError. Absent = the transport's default. */
  readonly timeoutMs?: number;
  readonly lane?: RequestLane;
  /** Asked in the very tick in which the bytes of the request are written; false = FencedError, and nothing was sent (decision 10). */
  readonly fence?: () => boolean;
  /** Told the text of a successful answer before it is parsed, where there is a text: an embedded cluster has none. Must not throw. */
  readonly onText?: (text: string) => void;
}

export interface TransportResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed when the answer's content type is JSON, else the text. */
  readonly body: unknown;
}

export interface TransportStream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The answer line by line, parsed when its content type is JSON; ends when the server ends it or the signal aborts, throws when the
   * connection breaks. With a status of 300 or more it is one element, the whole body.
   */
  readonly lines: AsyncIterable<unknown>;
}
