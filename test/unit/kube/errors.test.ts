import assert from "node:assert/strict";
import {
  AlreadyExists,
  ApiError,
  BadRequest,
  Conflict,
  errorFromResponse,
  errorFromStatus,
  Forbidden,
  Gone,
  Invalid,
  NotFound,
  ServerTimeout,
  Throttled,
  Unauthorized,
  Unavailable,
} from "../../../src/kube/errors.ts";

interface Case {
  readonly name: string;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly wantClass: new (...details: never[]) => ApiError;
  readonly wantMessage: string;
  readonly want?: Readonly<Record<string, unknown>>;
}

function status(code: number, reason: string, message: string, details?: unknown): unknown {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code, ...(details ? { details } : {}) };
}

const cases: readonly Case[] = [
  {
    name: "a name that is taken",
    status: 409,
    body: status(409, "AlreadyExists", 'pods "a" already exists', { name: "a", kind: "pods" }),
    wantClass: AlreadyExists,
    wantMessage: 'create pods shop/a: 409 AlreadyExists: pods "a" already exists',
  },
  {
    name: "a precondition that does not hold",
    status: 409,
    body: status(409, "Conflict", "the object has been modified"),
    wantClass: Conflict,
    wantMessage: "create pods shop/a: 409 Conflict: the object has been modified",
  },
  {
    name: "a field that belongs to another manager",
    status: 409,
    body: status(409, "Conflict", "Apply failed with 1 conflict", { causes: [{ reason: "FieldManagerConflict", field: ".spec.x" }] }),
    wantClass: Conflict,
    wantMessage: "create pods shop/a: 409 Conflict: Apply failed with 1 conflict",
    want: { causes: [{ reason: "FieldManagerConflict", field: ".spec.x" }] },
  },
  {
    name: "an absent object",
    status: 404,
    body: status(404, "NotFound", 'pods "a" not found', { name: "a", kind: "pods" }),
    wantClass: NotFound,
    wantMessage: 'create pods shop/a: 404 NotFound: pods "a" not found',
    want: { isUnknownKind: false },
  },
  {
    name: "an absent kind, as text",
    status: 404,
    body: "404 page not found\n",
    wantClass: NotFound,
    wantMessage: "create pods shop/a: 404: 404 page not found",
    want: { isUnknownKind: true, statusObject: undefined },
  },
  {
    name: "an absent kind, as Status",
    status: 404,
    body: status(404, "NotFound", "the server could not find the requested resource", {}),
    wantClass: NotFound,
    wantMessage: "create pods shop/a: 404 NotFound: the server could not find the requested resource",
    want: { isUnknownKind: true },
  },
  {
    name: "a version that is too old",
    status: 410,
    body: status(410, "Expired", "The provided continue parameter is too old"),
    wantClass: Gone,
    wantMessage: "create pods shop/a: 410 Expired: The provided continue parameter is too old",
  },
  {
    name: "an object that is wrong",
    status: 422,
    body: status(422, "Invalid", "spec.x: Required value", {
      name: "a",
      causes: [{ reason: "FieldValueRequired", message: "Required value", field: "spec.x" }],
    }),
    wantClass: Invalid,
    wantMessage: "create pods shop/a: 422 Invalid: spec.x: Required value",
    want: { causes: [{ reason: "FieldValueRequired", message: "Required value", field: "spec.x" }] },
  },
  {
    name: "a quota without room",
    status: 403,
    body: status(403, "Forbidden", 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'),
    wantClass: Forbidden,
    wantMessage:
      'create pods shop/a: 403 Forbidden: pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
    want: { isQuota: true, isNamespaceTerminating: false },
  },
  {
    name: "a namespace that is being deleted",
    status: 403,
    body: status(403, "Forbidden", "unable to create new content in namespace shop because it is being terminated", {
      causes: [{ reason: "NamespaceTerminating", field: "metadata.namespace" }],
    }),
    wantClass: Forbidden,
    wantMessage: "create pods shop/a: 403 Forbidden: unable to create new content in namespace shop because it is being terminated",
    want: { isQuota: false, isNamespaceTerminating: true },
  },
  {
    name: "a request that is wrong",
    status: 400,
    body: status(400, "BadRequest", "strict decoding error: unknown field"),
    wantClass: BadRequest,
    wantMessage: "create pods shop/a: 400 BadRequest: strict decoding error: unknown field",
  },
  {
    name: "too many requests, in text",
    status: 429,
    headers: { "retry-after": "2" },
    body: "Too many requests, please try again later.\n",
    wantClass: Throttled,
    wantMessage: "create pods shop/a: 429: Too many requests, please try again later.",
    want: { retryAfterMs: 2000 },
  },
  {
    name: "credentials that are not valid",
    status: 401,
    body: status(401, "Unauthorized", "Unauthorized"),
    wantClass: Unauthorized,
    wantMessage: "create pods shop/a: 401 Unauthorized: Unauthorized",
  },
  {
    name: "a 504 without kind and apiVersion",
    status: 504,
    body: {
      metadata: {},
      status: "Failure",
      message: "Timeout: request did not complete",
      reason: "Timeout",
      details: { retryAfterSeconds: 1 },
    },
    wantClass: ServerTimeout,
    wantMessage: "create pods shop/a: 504 Timeout: Timeout: request did not complete",
    want: { retryAfterMs: 1000 },
  },
  {
    name: "an internal error whose reason is a time-out",
    status: 500,
    body: status(500, "ServerTimeout", "try again"),
    wantClass: ServerTimeout,
    wantMessage: "create pods shop/a: 500 ServerTimeout: try again",
  },
  {
    name: "a server that starts",
    status: 503,
    headers: { "retry-after": "5" },
    body: status(503, "ServiceUnavailable", "the request has been made before all known HTTP paths have been installed"),
    wantClass: Unavailable,
    wantMessage: "create pods shop/a: 503 ServiceUnavailable: the request has been made before all known HTTP paths have been installed",
    want: { retryAfterMs: 5000 },
  },
  {
    name: "a proxy's page",
    status: 502,
    body: "",
    wantClass: Unavailable,
    wantMessage: "create pods shop/a: 502: an answer without text",
  },
  {
    name: "a wait that is a date is no wait",
    status: 429,
    headers: { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" },
    body: "slow down",
    wantClass: Throttled,
    wantMessage: "create pods shop/a: 429: slow down",
    want: { retryAfterMs: undefined },
  },
  {
    name: "a media type that is not known",
    status: 415,
    body: status(415, "UnsupportedMediaType", "the body of the request was in an unknown format"),
    wantClass: ApiError,
    wantMessage: "create pods shop/a: 415 UnsupportedMediaType: the body of the request was in an unknown format",
  },
];

describe("kube/errors", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const error = errorFromResponse("create pods shop/a", { status: tc.status, headers: tc.headers ?? {}, body: tc.body });
      assert.equal(error.constructor, tc.wantClass);
      assert.equal(error.name, tc.wantClass.name);
      assert.equal(error.message, tc.wantMessage);
      for (const [field, want] of Object.entries(tc.want ?? {})) assert.deepEqual(error[field as keyof ApiError], want, field);
    });
  }

  it("cuts long pages short", () => {
    const error = errorFromResponse("get pods a/b", { status: 500, headers: {}, body: "x".repeat(10_000) });
    assert.equal(error.message, `get pods a/b: 500: ${"x".repeat(500)}...`);
  });

  it("reads the Status inside of a watch", () => {
    const error = errorFromStatus("watch pods", {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: "Too large resource version: 99, current: 9",
      reason: "Timeout",
      code: 504,
      details: { causes: [{ reason: "ResourceVersionTooLarge" }], retryAfterSeconds: 1 },
    });
    assert.ok(error instanceof ServerTimeout);
    assert.equal(error.retryAfterMs, 1000);
  });
});
