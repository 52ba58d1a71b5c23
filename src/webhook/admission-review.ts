import type { JsonPatchOperation } from "../api/json-patch.ts";
import type { KubeObject, Status } from "../api/meta.ts";
import { problemsText, type SpecProblem } from "../api/problem.ts";
import { andOthers } from "../base/and-others.ts";
import { clip } from "../base/clip.ts";

/** The part of an AdmissionRequest (admission.k8s.io/v1) that is read here. */
export interface AdmissionRequest {
  /** The answer must carry it. */
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  /** "status", "scale"; absent or "" for the object itself. */
  readonly subResource?: string;
  readonly namespace?: string;
  readonly userInfo: { readonly username: string };
  /** Absent on DELETE. */
  readonly object?: KubeObject;
  /** Only on UPDATE and DELETE. */
  readonly oldObject?: KubeObject;
}

/** What a webhook says to a request. */
export type AdmissionAnswer =
  | { readonly kind: "allowed"; readonly patch?: readonly JsonPatchOperation[] }
  | { readonly kind: "refused"; readonly problems: readonly SpecProblem[] };

export const allowed: AdmissionAnswer = { kind: "allowed" };

/** A body that is no AdmissionReview of the version that is served here; the message says so to whoever sent it. */
export class ReviewError extends Error {}

const reviewVersion = "admission.k8s.io/v1";

/** Reads the body of a call. Throws ReviewError. */
export function readReview(body: string): AdmissionRequest {
  const review = jsonOf(body) as {
    readonly apiVersion?: unknown;
    readonly kind?: unknown;
    readonly request?: Partial<AdmissionRequest> | null;
  };
  if (typeof review !== "object" || review === null || review.kind !== "AdmissionReview" || review.apiVersion !== reviewVersion)
    throw new ReviewError(`the body must be an AdmissionReview of ${reviewVersion}`);
  const { request } = review;
  if (typeof request?.uid !== "string" || typeof request.operation !== "string" || typeof request.kind?.kind !== "string")
    throw new ReviewError("the AdmissionReview has no request with uid, kind and operation");
  const { object, oldObject, userInfo, ...rest } = request as AdmissionRequest & { readonly object?: null; readonly oldObject?: null };
  return {
    ...rest,
    userInfo: { username: userInfo?.username ?? "" },
    // The API server writes null for what there is not.
    ...(isObject(object) && { object }),
    ...(isObject(oldObject) && { oldObject }),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is KubeObject =>
  typeof value === "object" && value !== null && typeof (value as Partial<KubeObject>).metadata === "object";

/** The AdmissionReview that answers a request. */
export function reviewOf(request: AdmissionRequest, answer: AdmissionAnswer): Readonly<Record<string, unknown>> {
  return { apiVersion: reviewVersion, kind: "AdmissionReview", response: { uid: request.uid, ...responseOf(request, answer) } };
}

function responseOf(request: AdmissionRequest, answer: AdmissionAnswer): Readonly<Record<string, unknown>> {
  if (answer.kind === "refused") return { allowed: false, status: refusalOf(request, answer.problems) };
  if (answer.patch === undefined) return { allowed: true };
  return { allowed: true, patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(answer.patch)).toString("base64") };
}

/** Problems that are told one by one; a hundred wrong crons are the same mistake. */
const mostCauses = 50;
const longestMessage = 16 * 1024;

/** The Status as the API server itself words it for an invalid object, so that clients print a line for each field. */
function refusalOf({ kind, object }: AdmissionRequest, problems: readonly SpecProblem[]): Omit<Status, "kind" | "apiVersion"> {
  const told = problems.slice(0, mostCauses);
  return {
    metadata: {},
    status: "Failure",
    reason: "Invalid",
    code: 422,
    message: clip(problemsText(told) + andOthers(problems.length - told.length), longestMessage),
    details: {
      name: object?.metadata.name ?? "",
      group: kind.group,
      kind: kind.kind,
      causes: told.map(({ path, message }) => ({ reason: "FieldValueInvalid", field: path, message })),
    },
  };
}
