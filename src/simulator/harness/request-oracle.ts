import type { JobRequest } from "../../api/job-request.gen.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import type { Ledger } from "../world/ledger.ts";
import type { ApiHistory, JobFacts, PodFacts, RunFacts } from "./api-history.ts";
import { mayFail } from "./attempt-invariants.ts";
import { fireTimesBetween } from "./fire-times.ts";

type Say = (text: string) => void;

/** One object of the kind JobRequest. */
export interface RequestFacts {
  readonly uid: string;
  readonly name: string;
  readonly createdAt: number;
  stored: JobRequest;
  /** Whether it has ever been Running. */
  begun: boolean;
  deletedAt?: number;
}

const suffixOf = ({ uid, stored }: RequestFacts): string => `-${stored.spec.backfill === undefined ? "r" : "b"}${uid.slice(0, 8)}`;

/** No pod of a run that was asked for before its request is Running (decision 16); what has begun goes on when the request ends before it. */
export function checkAskedPod(pod: PodFacts, history: ApiHistory, say: Say): void {
  const request = [...history.requests.values()].find((other) => pod.run.endsWith(suffixOf(other)));
  if (request === undefined || request.deletedAt !== undefined) return;
  if (!request.begun) say(`${pod.name} was created while its request ${request.name} is ${request.stored.status?.phase ?? "not begun"}`);
}

/** Each request is done exactly once, or refused with a reason; judged when everything is at rest. */
export function judgeRequests(history: ApiHistory, ledger: Ledger, now: number, say: Say): void {
  for (const request of history.requests.values()) {
    const told = (text: string) => say(`request ${request.name} ${text}`);
    const { spec, status = {} } = request.stored;
    const over = status.phase === "Succeeded" || status.phase === "Failed";
    if (!over && request.deletedAt === undefined && now - request.createdAt > 60_000) told(`is still ${status.phase}: ${status.reason}`);
    if (status.phase === "Failed" && (status.reason ?? "") === "") told("has failed without a reason");
    const runs = runsOf(request, history);
    const real = runs.filter(({ run }) => run.pods.some((pod) => !pod.stray));
    const refused = status.conditions?.some((condition) => condition.type === "Accepted" && condition.status === "False") ?? false;
    if (refused && real.length > 0) told(`was refused (${status.reason}), and run ${real[0]?.run.run} ran`);
    if (spec.backfill === undefined && new Set(real.map(({ job, run }) => `${job.uid} ${run.run}`)).size > 1)
      told(`ran ${real.length} times: ${real.map(({ run }) => run.run).join(", ")}`);
    if (status.phase === "Succeeded") judgeSucceeded(request, real, history, ledger, told);
  }
}

function runsOf(request: RequestFacts, history: ApiHistory): readonly { readonly job: JobFacts; readonly run: RunFacts }[] {
  const suffix = suffixOf(request);
  return [...history.jobs.values()].flatMap((job) =>
    [...job.runs.values()].filter((run) => run.run.endsWith(suffix)).map((run) => ({ job, run })),
  );
}

function judgeSucceeded(
  request: RequestFacts,
  runs: readonly { readonly job: JobFacts; readonly run: RunFacts }[],
  history: ApiHistory,
  ledger: Ledger,
  say: Say,
): void {
  const { spec, status = {} } = request.stored;
  const job = history.jobs.get(status.jobUid ?? "");
  if (job === undefined) return;
  if (spec.run !== undefined || spec.retry !== undefined) {
    if (runs.length === 0) say("has succeeded, and nothing ran");
    for (const { job, run } of runs) judgeItems(job, run, ledger, say);
  }
  if (spec.backfill === undefined || status.reason === "NothingToDo") return;
  const begun = parseTime(status.startedAt) ?? request.createdAt;
  const schedule = job.versions.findLast((version) => version.at <= begun + 1000) ?? job.versions[0];
  if (schedule === undefined) return;
  const [from, to] = [parseTime(spec.backfill.from) as number, parseTime(spec.backfill.to) as number];
  const byTime = new Map(runs.map(({ run }) => [run.run.slice(0, run.run.indexOf("-")), run]));
  for (const time of fireTimesBetween(schedule, from - 1, to - 1)) {
    const run = byTime.get(formatSeconds(time).replaceAll(/[-:]/g, "").toLowerCase());
    if (run === undefined) say(`has succeeded, and ${formatSeconds(time)} did not run`);
    else judgeItems(job, run, ledger, say);
    if (run !== undefined) byTime.delete(run.run.slice(0, run.run.indexOf("-")));
  }
  for (const time of byTime.keys()) say(`ran ${time}, which is no fire time of its interval`);
}

/** A run that is called succeeded did each of its items, but for as many as completion lets fail. */
function judgeItems(job: JobFacts, run: RunFacts, ledger: Ledger, say: Say): void {
  const annotation = run.pods[0]?.object.metadata.annotations?.["nuptse.dev/run"] ?? "{}";
  const items = IntervalSet.parse((JSON.parse(annotation) as { readonly items?: string }).items);
  const undone = [...items].filter((item) => !run.pods.some((pod) => pod.item === item && ledger.ofPod(pod.uid)?.outcome === "Succeeded"));
  const allowed = Math.max(0, ...job.versions.map(({ spec }) => mayFail(spec, items.size)));
  if (undone.length > allowed) say(`has succeeded, and items ${undone.join(", ")} of run ${run.run} never did; ${allowed} may fail`);
}
