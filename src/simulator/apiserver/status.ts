import type { Status, StatusCause, StatusDetails } from "../../api/meta.ts";
import { type Resource, resourceName } from "../../api/resource.ts";

/** A request that the server refuses: what it answers. */
export class ApiFailure extends Error {
  readonly status: Status;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: Status, headers: Readonly<Record<string, string>> = {}) {
    super(status.message ?? status.reason ?? "failure");
    this.name = "ApiFailure";
    this.status = status;
    this.headers = headers;
  }
}

/** One thing that is wrong with an object; `detail` is the message without the field. */
export interface FieldError {
  readonly field: string;
  readonly reason: string;
  readonly detail: string;
}

/** The Status body of a failure. */
export function failureStatus(code: number, reason: string, message: string, details?: StatusDetails): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  };
}

const failure = (code: number, reason: string, message: string, details?: StatusDetails): ApiFailure =>
  new ApiFailure(failureStatus(code, reason, message, details));

const detailsOf = (resource: Resource, name: string, causes?: readonly StatusCause[]): StatusDetails => ({
  ...(name === "" ? {} : { name }),
  ...(resource.group === "" ? {} : { group: resource.group }),
  kind: resource.plural,
  ...(causes === undefined ? {} : { causes }),
});

/** "Pod", or "ElasticJob.nuptse.dev": how a kind is named in messages about invalid objects. */
export const kindName = (resource: Resource): string => (resource.group === "" ? resource.kind : `${resource.kind}.${resource.group}`);

export const notFound = (resource: Resource, name: string): ApiFailure =>
  failure(404, "NotFound", `${resourceName(resource)} "${name}" not found`, detailsOf(resource, name));

/** The path names no collection that is served. */
export const resourceUnknown = (): ApiFailure => failure(404, "NotFound", "the server could not find the requested resource", {});

export const alreadyExists = (resource: Resource, name: string): ApiFailure =>
  failure(409, "AlreadyExists", `${resourceName(resource)} "${name}" already exists`, detailsOf(resource, name));

export const conflict = (resource: Resource, name: string, why: string): ApiFailure =>
  failure(409, "Conflict", `Operation cannot be fulfilled on ${resourceName(resource)} "${name}": ${why}`, detailsOf(resource, name));

/** The words for a write from an outdated version. */
export const modifiedMessage = "the object has been modified; please apply your changes to the latest version and try again";

/** The words for a write that is aimed at another object of the same name. */
export const uidMismatch = (wanted: string, found: string): string =>
  `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${found}`;

export const badRequest = (message: string): ApiFailure => failure(400, "BadRequest", message);

export const forbidden = (resource: Resource, name: string, why: string, causes?: readonly StatusCause[]): ApiFailure =>
  failure(403, "Forbidden", `${resourceName(resource)} "${name}" is forbidden: ${why}`, detailsOf(resource, name, causes));

/** 429; with `retryAfterSeconds` of 0 the client is told no time. */
export const tooManyRequests = (message: string, retryAfterSeconds: number, causes: readonly StatusCause[]): ApiFailure =>
  failure(429, "TooManyRequests", message, { causes, ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }) });

export const methodNotAllowed = (): ApiFailure =>
  failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});

export const unsupportedMediaType = (accepted: readonly string[]): ApiFailure =>
  failure(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );

export const expired = (message: string, continueToken?: string): ApiFailure => {
  const status = failureStatus(410, "Expired", message);
  return new ApiFailure(continueToken === undefined ? status : { ...status, metadata: { continue: continueToken } });
};

export const tooLargeResourceVersion = (wanted: string, current: string): ApiFailure =>
  failure(504, "Timeout", `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });

export const internalError = (message: string): ApiFailure =>
  failure(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });

/** A refusal that is not one of the named ones: an error inside the server that has no reason of its own. */
export const unknownError = (message: string): ApiFailure =>
  new ApiFailure({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 });

/** What a JSON patch that does not fit answers. */
export const unprocessablePatch = (): ApiFailure =>
  failure(422, "Invalid", "the server rejected our request due to an error in our request", {});

/** 422 with one cause an error; the same error twice is said once. */
export function invalid(kind: string, group: string, name: string, errors: readonly FieldError[]): ApiFailure {
  const messages = [...new Set(errors.map((error) => (error.field === "" ? error.detail : `${error.field}: ${error.detail}`)))];
  const text = messages.length === 1 ? messages[0] : `[${messages.join(", ")}]`;
  const qualified = group === "" ? kind : `${kind}.${group}`;
  return failure(422, "Invalid", `${qualified} "${name}" is invalid${errors.length === 0 ? "" : `: ${text}`}`, {
    ...(name === "" ? {} : { name }),
    ...(group === "" ? {} : { group }),
    kind,
    causes: errors.map((error) => ({ reason: error.reason, message: error.detail, field: error.field })),
  });
}

export const invalidObject = (resource: Resource, name: string, errors: readonly FieldError[]): ApiFailure =>
  invalid(resource.kind, resource.group, name, errors);

/** A value as Go's field errors print it. */
export function printValue(value: unknown): string {
  if (value === undefined || value === null) return "null";
  return typeof value === "object" ? JSON.stringify(value) : typeof value === "string" ? JSON.stringify(value) : String(value);
}

export const invalidValue = (field: string, value: unknown, detail: string): FieldError => ({
  field,
  reason: "FieldValueInvalid",
  detail: `Invalid value: ${printValue(value)}${detail === "" ? "" : `: ${detail}`}`,
});

export const typeInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  field,
  reason: "FieldValueTypeInvalid",
  detail: `Invalid value: ${printValue(value)}: ${detail}`,
});

export const requiredValue = (field: string, detail = ""): FieldError => ({
  field,
  reason: "FieldValueRequired",
  detail: `Required value${detail === "" ? "" : `: ${detail}`}`,
});

export const forbiddenField = (field: string, detail: string): FieldError => ({
  field,
  reason: "FieldValueForbidden",
  detail: `Forbidden: ${detail}`,
});

export const duplicateValue = (field: string, value: unknown): FieldError => ({
  field,
  reason: "FieldValueDuplicate",
  detail: `Duplicate value: ${printValue(value)}`,
});

export const unsupportedValue = (field: string, value: unknown, supported: readonly unknown[]): FieldError => ({
  field,
  reason: "FieldValueNotSupported",
  detail: `Unsupported value: ${printValue(value)}: supported values: ${supported.map((item) => JSON.stringify(String(item))).join(", ")}`,
});

export const notFoundField = (field: string, value: unknown): FieldError => ({
  field,
  reason: "FieldValueNotFound",
  detail: `Not found: ${printValue(value)}`,
});

export const tooLong = (field: string, maximum: number): FieldError => ({
  field,
  reason: "FieldValueTooLong",
  detail: `Too long: may not be more than ${maximum} bytes`,
});

export const tooMany = (field: string, count: number, maximum: number): FieldError => ({
  field,
  reason: "FieldValueTooMany",
  detail: `Too many: ${count}: must have at most ${maximum} items`,
});
