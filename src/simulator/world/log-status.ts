import type { Status } from "../../api/meta.ts";

/** The API server's answer where there is no log to read. */
export function noLog(pod: string, container: string, why: "waiting" | "previous"): Status {
  const message =
    why === "previous"
      ? `previous terminated container "${container}" in pod "${pod}" not found`
      : `container "${container}" in pod "${pod}" is waiting to start: ContainerCreating`;
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "BadRequest", code: 400 };
}
