/**
 * What hangs below a run that a JobRequest asked for with `cascade`: its status lists all jobs that take part, each with what has become of
 * it, and each job's own plan moves its entry on. As with the run that was asked for (decision 16):
 *
 *   1. all upstreams that take part have ended as spec.after asks; the run stands in status.active of the job below as Waiting
 *   2. the entry of the job in the request is Running
 *   3. pods, the end in status.history
 *   4. the entry tells of the end; the request has ended when all entries have
 *   5. the run's entry in status.active goes
 */
import type { ElasticJobRun } from "../../api/elastic-job.gen.ts";
import type { JobRequest, JobRequestStatusCascadeItem } from "../../api/job-request.gen.ts";
import { requestReasons } from "../../api/reasons.ts";
import type { Dependency } from "./effective-spec.ts";
import type { RequestChange } from "./request-status.ts";
import { fireTimeOf, runIdOf } from "./run-id.ts";

/** Jobs that may hang below one run. */
export const mostBelow = 100;

/** What has become of one job of a cascade. */
export type CascadeEntry = JobRequestStatusCascadeItem;

type CascadePhase = NonNullable<CascadeEntry["phase"]>;

const over: ReadonlySet<string | undefined> = new Set(["Succeeded", "Failed", "Cancelled", "Skipped"]);

/** Whether nothing more is to be done for the job of an entry. */
export const isEntryOver = (entry: CascadeEntry): boolean => over.has(entry.phase);

/** Whether a request asks for what hangs below too. */
export const cascades = ({ spec }: JobRequest): boolean => (spec.run?.cascade ?? spec.retry?.cascade) === true;

/** The entries of a request that begins: the job itself, then all below it. */
export function firstEntries(job: string, below: readonly string[]): readonly CascadeEntry[] {
  return [{ job, phase: "Running" }, ...below.map((name): CascadeEntry => ({ job: name, phase: "Pending" }))];
}

/** The entry of a job. */
export function entryOf({ status }: JobRequest, job: string): CascadeEntry | undefined {
  return status?.cascade?.find((entry) => entry.job === job);
}

/** The logical fire time of all runs of a cascade, and the id that they share. */
export function cascadeRun({ metadata, status }: JobRequest): { readonly id: string; readonly fireTime: number } | undefined {
  const fireTime = fireTimeOf(status?.run?.slice(0, 16) ?? "");
  return fireTime === undefined ? undefined : { id: `${runIdOf(fireTime)}-r${metadata.uid?.slice(0, 8)}`, fireTime };
}

/** What the upstreams that take part say to a job whose turn has not come. Those that take no part are not asked. */
export function cascadeTurn(
  request: JobRequest,
  after: readonly Dependency[],
): { readonly kind: "waits" } | { readonly kind: "starts" } | { readonly kind: "skipped"; readonly message: string } {
  let kind: "waits" | "starts" = "starts";
  for (const { job, outcome } of after) {
    const entry = entryOf(request, job);
    if (entry === undefined) continue;
    if (!isEntryOver(entry)) kind = "waits";
    else if (outcome !== "Completed" && entry.phase !== outcome)
      return { kind: "skipped", message: `the run of job ${job} is ${entry.phase}, not ${outcome}` };
  }
  return { kind };
}

/** The request with one entry moved on; it goes on until all have ended. */
export function moveEntry(request: JobRequest, job: string, phase: CascadePhase, message = ""): RequestChange {
  const cascade = (request.status?.cascade ?? []).map(
    (entry): CascadeEntry => (entry.job === job ? { job, phase, ...(message !== "" && { message: message.slice(0, 256) }) } : entry),
  );
  return { phase: "Running", reason: requestReasons.accepted, cascade };
}

/** What an entry says of a run that is not at work any more; without a trace of it, nobody can tell how it ended. */
export function entryPhase(run: ElasticJobRun | undefined): CascadePhase {
  return run?.phase === "Succeeded" || run?.phase === "Cancelled" ? run.phase : "Failed";
}

/** How the request ends; undefined while some job of it has not ended. */
export function cascadeEnd(request: JobRequest): RequestChange | undefined {
  const entries = request.status?.cascade ?? [];
  if (!entries.every(isEntryOver)) return undefined;
  const bad = entries.filter((entry) => entry.phase === "Failed" || entry.phase === "Cancelled");
  const ran = entries.filter((entry) => entry.phase === "Succeeded").length;
  const skipped = entries.filter((entry) => entry.phase === "Skipped").length;
  const counts = `${ran} of ${entries.length} jobs succeeded${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  if (bad.length === 0) return { phase: "Succeeded", reason: requestReasons.completed, message: counts };
  const names = bad.slice(0, 10).map((entry) => `${entry.job} ${entry.phase}`);
  return { phase: "Failed", reason: requestReasons.runsFailed, message: `${counts}; ${names.join(", ")}` };
}
