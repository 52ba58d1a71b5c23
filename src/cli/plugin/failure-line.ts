import { ApiError, Forbidden, Invalid, NotFound, Throttled, TimedOutError, Unauthorized, UnreachableError } from "../../kube/errors.ts";
import { CommandFailure } from "./command-failure.ts";

/** What went wrong and what to do about it, in one line without "error: ". */
export function failureLine(error: unknown): string {
  return lineOf(error)
    .trim()
    .replaceAll(/\s*\n\s*/g, " ");
}

function lineOf(error: unknown): string {
  if (error instanceof CommandFailure) return error.message;
  if (error instanceof UnreachableError)
    return `the API server cannot be reached (${reasonOf(error)}): is it the right cluster (--context, --kubeconfig, KUBECONFIG), and is the network there?`;
  if (error instanceof TimedOutError) return `the API server gave no answer: ${error.message}; try again`;
  if (error instanceof Unauthorized)
    return "the API server does not accept these credentials (401 Unauthorized): log in anew, or name another context with --context";
  if (error instanceof Forbidden && error.reason === "Forbidden" && /\bcannot\b/.test(error.message))
    return `${textOf(error)}: ask whoever administers the cluster for this right`;
  if (error instanceof NotFound && error.isUnknownKind && error.request.includes("nuptse.dev"))
    return `this cluster does not know the kind (${error.request}): install it with kubectl apply --server-side -f crds/, or name another cluster with --context`;
  if (error instanceof Throttled) return `the API server has too much to do (${textOf(error)}): try again later`;
  if (error instanceof Invalid || error instanceof ApiError) return textOf(error);
  return error instanceof Error ? error.message : String(error);
}

/** What the server says, without our own words before it. */
function textOf(error: ApiError): string {
  return error.statusObject?.message ?? error.message;
}

/** Behind the last colon of "get x: cannot connect to the API server: connect ECONNREFUSED 127.0.0.1:1" stands why, with colons of its own. */
function reasonOf(error: Error): string {
  return error.message.replace(/^.*?: cannot connect to the API server: /, "");
}
