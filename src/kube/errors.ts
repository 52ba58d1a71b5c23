import type { Status, StatusCause } from "../api/meta.ts";
import type { TransportResponse } from "./transport.ts";

/** What an answer of the API server says when it is not a success. */
export interface ApiErrorDetails {
  /** Verb and object, such as "create pods shop/nightly-0": the first words of the message. */
  readonly request: string;
  /** HTTP status. */
  readonly status: number;
  /** Kubernetes' machine-readable reason, such as "AlreadyExists"; "" when the answer has none. */
  readonly reason: string;
  readonly text: string;
  /** Absent when the answer was no Status: a 429 is plain text, a proxy's page is anything. */
  readonly statusObject?: Status | undefined;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** The API server answered, and the answer is not a success. The subclasses are the ones that callers tell apart. */
export class ApiError extends Error {
  readonly request: string;
  readonly status: number;
  readonly reason: string;
  readonly statusObject: Status | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(details: ApiErrorDetails) {
    const reason = details.reason === "" ? "" : ` ${details.reason}`;
    super(`${details.request}: ${details.status}${reason}: ${details.text}`);
    this.name = new.target.name;
    this.request = details.request;
    this.status = details.status;
    this.reason = details.reason;
    this.statusObject = details.statusObject;
    this.retryAfterMs = details.retryAfterMs;
  }

  get causes(): readonly StatusCause[] {
    return this.statusObject?.details?.causes ?? [];
  }
}

/** 409: a precondition (resourceVersion, uid, field manager) does not hold. */
export class Conflict extends ApiError {}

/** 409: the name is taken. By whom the answer does not say: that needs a GET. */
export class AlreadyExists extends ApiError {}

/** 404. */
export class NotFound extends ApiError {
  /** The API server knows no such kind (a missing CRD), as opposed to no such object. */
  get isUnknownKind(): boolean {
    return this.statusObject?.details?.name === undefined;
  }
}

/** 410: the version or the continue token is too old. */
export class Gone extends ApiError {}

/** 422: the object itself is wrong, or a JSON patch's `test` failed, which Kubernetes does not tell apart. `causes` has the fields. */
export class Invalid extends ApiError {}

/** 403: not allowed. True now, perhaps not later. */
export class Forbidden extends ApiError {
  /** A ResourceQuota has no room left. */
  get isQuota(): boolean {
    return this.message.includes("exceeded quota");
  }

  get isNamespaceTerminating(): boolean {
    return this.causes.some((cause) => cause.reason === "NamespaceTerminating") || this.message.includes("because it is being terminated");
  }
}

/** 400: the request itself is wrong. */
export class BadRequest extends ApiError {}

/** 429: refused before anything was done; also an eviction that a disruption budget holds back. */
export class Throttled extends ApiError {}

/** 401: the credentials are not valid, also after they were read anew. */
export class Unauthorized extends ApiError {}

/** 504, or a reason that says the same: the server gave up, and the request may have been executed. */
export class ServerTimeout extends ApiError {}

/** 500, 502, 503: the server, or what stands before it, could not answer now; the request may have been executed. */
export class Unavailable extends ApiError {}

/** There is no answer. */
export class TransportError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The request was sent, or part of it, and no whole answer came: it may have happened. */
export class TimedOutError extends TransportError {}

/** No byte of the request was sent: it surely did not happen. */
export class UnreachableError extends TransportError {}

/** The fence said no in the moment of sending: it surely did not happen. */
export class FencedError extends TransportError {
  constructor(request: string) {
    super(`${request}: not sent, since this process may no longer write`);
  }
}

/** Makes the error that an answer with a status of 300 or more stands for. `request` are verb and object, for the message. */
export function errorFromResponse(request: string, response: Pick<TransportResponse, "status" | "headers" | "body">): ApiError {
  const statusObject = isStatus(response.body) ? response.body : undefined;
  const afterHeader = retryAfterMs(response.headers["retry-after"]);
  const afterDetails = statusObject?.details?.retryAfterSeconds;
  return errorFromDetails({
    request,
    status: response.status,
    reason: statusObject?.reason ?? "",
    text: statusObject?.message ?? plainText(response.body),
    statusObject,
    retryAfterMs: afterHeader ?? (afterDetails === undefined ? undefined : afterDetails * 1000),
  });
}

/** Makes the error that a Status inside of a watch stands for. */
export function errorFromStatus(request: string, status: Status): ApiError {
  return errorFromResponse(request, { status: status.code ?? 500, headers: {}, body: { ...status, kind: "Status" } });
}

/** A Retry-After header of whole seconds in milliseconds; undefined for none, or for a date, which Kubernetes never sends. */
export function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) * 1000 : undefined;
}

function errorFromDetails(details: ApiErrorDetails): ApiError {
  if (details.reason === "Timeout" || details.reason === "ServerTimeout") return new ServerTimeout(details);
  switch (details.status) {
    case 400:
      return new BadRequest(details);
    case 401:
      return new Unauthorized(details);
    case 403:
      return new Forbidden(details);
    case 404:
      return new NotFound(details);
    case 409:
      return details.reason === "AlreadyExists" ? new AlreadyExists(details) : new Conflict(details);
    case 410:
      return new Gone(details);
    case 422:
      return new Invalid(details);
    case 429:
      return new Throttled(details);
    case 504:
      return new ServerTimeout(details);
    case 500:
    case 502:
    case 503:
      return new Unavailable(details);
    default:
      return new ApiError(details);
  }
}

/** A 504 may lack kind and apiVersion, so a Status is told by what it says. */
function isStatus(body: unknown): body is Status {
  if (typeof body !== "object" || body === null) return false;
  const { kind, status, message, reason } = body as Partial<Record<keyof Status, unknown>>;
  if (kind === "Status") return true;
  return kind === undefined && (status === "Failure" || typeof message === "string" || typeof reason === "string");
}

const longestText = 500;

function plainText(body: unknown): string {
  const text = (typeof body === "string" ? body : body === undefined || body === null ? "" : JSON.stringify(body)).trim();
  if (text === "") return "an answer without text";
  return text.length > longestText ? `${text.slice(0, longestText)}...` : text;
}
