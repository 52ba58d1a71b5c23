import type { Status, StatusDetails } from "../../../api/meta.ts";
import { failureStatus } from "../status.ts";

/** Kubernetes' name for each HTTP code that the front itself answers with. */
const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  500: "InternalError",
  503: "ServiceUnavailable",
};

/** A Status that says why a request failed. */
export function failure(code: number, message: string, details: StatusDetails = {}): Status {
  return failureStatus(code, reasons[code] ?? "Unknown", message, Object.keys(details).length === 0 ? undefined : details);
}

/** True for a Status object, whatever it says. */
export function isStatus(value: unknown): value is Status {
  return typeof value === "object" && value !== null && (value as { readonly kind?: unknown }).kind === "Status";
}

/** A refusal on the way to an answer: thrown by the parts of the front, answered where requests are handled. */
export class Refusal extends Error {
  readonly status: Status;

  constructor(status: Status) {
    super(status.message ?? "refused");
    this.status = status;
  }

  /** A refusal with the given HTTP code and message. */
  static of(code: number, message: string, details?: StatusDetails): Refusal {
    return new Refusal(failure(code, message, details));
  }
}
