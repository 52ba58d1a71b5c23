import type { JobRequest } from "../../api/job-request.gen.ts";

/** Whether a request has come to its end. */
export const isOver = (request: JobRequest): boolean => request.status?.phase === "Succeeded" || request.status?.phase === "Failed";

/** What has become of a request, in one line. */
export function requestLine(request: JobRequest): string {
  const { status, metadata } = request;
  const words = [status?.reason, status?.message].filter((part) => part !== undefined && part !== "").join(": ");
  const about = status?.run === undefined ? `request ${metadata.name}` : `run ${status.run}`;
  return `${about}: ${status?.phase ?? "Pending"}${words === "" ? "" : ` (${words})`}`;
}
