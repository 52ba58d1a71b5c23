import type { Pod } from "../../api/core.ts";
import type { ElasticJobRun, ElasticJobSpec, ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import { reduceItem } from "../../api/names.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { parseTime } from "../../base/time.ts";
import type { ApiHistory, JobFacts, PodFacts, StatusFact } from "./api-history.ts";

type Say = (text: string) => void;
type RetryRule = NonNullable<NonNullable<ElasticJobSpec["retry"]>["rules"]>[number];

/** What the annotation of an attempt says of those before it. */
interface Told {
  readonly counted: number;
  readonly lost: number;
}

/** How many items of a run may fail, as completion.maxFailedItems says. */
export function mayFail(spec: ElasticJobSpec, total: number): number {
  const most = spec.completion?.maxFailedItems ?? 0;
  return typeof most === "number" ? most : Math.floor((Number(most.replace("%", "")) / 100) * total + 1e-9);
}

/**
 * An attempt after one whose program failed by itself, for all to see, is what retry.rules and resetAfterSeconds make of it; after any
 * other one no more is counted than it can have cost.
 */
export function checkRetry(pod: PodFacts, before: PodFacts, job: JobFacts, spec: ElasticJobSpec, history: ApiHistory, say: Say): void {
  const told = toldBy(pod.object);
  const earlier = toldBy(before.object);
  const failure = plainFailure(before, job, spec, history);
  if (failure === undefined) {
    if (told.counted > earlier.counted + 1 || told.lost > earlier.lost + 1 || told.counted + told.lost > earlier.counted + earlier.lost + 1)
      say("with more behind it than the attempt before it can have cost");
    return;
  }
  const retry = retryOf(before, spec);
  const action = ruleFor(failure, retry)?.action ?? "Count";
  if (action === "FailItem" || action === "FailRun") say(`although retry.rules say ${action} of the end of ${before.name}`);
  const resetAfter = retry?.resetAfterSeconds;
  const base = resetAfter !== undefined && failure.ranMs >= resetAfter * 1000 ? 0 : earlier.counted;
  const counted = base + (action === "Ignore" ? 0 : 1);
  if (told.counted !== counted) say(`with ${told.counted} failures behind it; by retry.rules there were ${counted}`);
}

/** Whether a failure was none of its node's: retry.rules ignore its exit code, unless a time limit took its place. */
export function mayBeIgnored(before: PodFacts, spec: ElasticJobSpec): boolean {
  const state = terminatedState(before);
  if (state === undefined || state.exitCode === 0) return false;
  const failure = { code: state.exitCode, outOfMemory: state.reason === "OOMKilled", ranMs: 0 };
  return ruleFor(failure, retryOf(before, spec))?.action === "Ignore";
}

/** A pod keeps away from nodes that nodeRules exclude. */
export function checkNodeRules(spec: ElasticJobSpec, excluded: ReadonlySet<string>, now: number, say: Say): void {
  for (const { node, effect, expiresAt } of spec.nodeRules ?? [])
    if (effect === "Exclude" && (parseTime(expiresAt) ?? Number.POSITIVE_INFINITY) > now && !excluded.has(node))
      say(`without leaving out ${node}, which nodeRules exclude`);
}

interface PlainFailure {
  readonly code: number;
  readonly outOfMemory: boolean;
  readonly ranMs: number;
}

/** The end of a program that nobody touched, and that the operator did not mean to stop. */
function plainFailure(pod: PodFacts, job: JobFacts, spec: ElasticJobSpec, history: ApiHistory): PlainFailure | undefined {
  if (pod.endedAt === undefined || pod.askedAt !== undefined || pod.disturbedAt !== undefined || history.nodeWasDeleted(pod))
    return undefined;
  const limit = pod.item === reduceItem ? spec.reduce?.timeoutSeconds : spec.itemTimeoutSeconds;
  if (pod.stray || pod.goneAt !== undefined || limit !== undefined) return undefined;
  if (job.statuses.some(({ status }) => wasStopped(status, pod))) return undefined;
  const state = terminatedState(pod);
  if (state === undefined || state.exitCode === 0) return undefined;
  const started = parseTime(state.startedAt);
  const ranMs = started === undefined ? 0 : (parseTime(state.finishedAt) ?? 0) - started;
  return { code: state.exitCode, outOfMemory: state.reason === "OOMKilled", ranMs };
}

function wasStopped(status: ElasticJobStatus, pod: PodFacts): boolean {
  const run = status.active?.find((entry) => entry.run === pod.run);
  return run?.stops?.some((stop) => stop.item === pod.item && stop.attempt === pod.attempt) ?? false;
}

const terminatedState = (pod: PodFacts) => pod.object.status?.containerStatuses?.[0]?.state?.terminated;

/** A reduce may have a policy of its own. */
function retryOf(pod: PodFacts, spec: ElasticJobSpec): ElasticJobSpec["retry"] {
  return (pod.item === reduceItem ? spec.reduce?.retry : undefined) ?? spec.retry;
}

function ruleFor(failure: PlainFailure, retry: ElasticJobSpec["retry"]): RetryRule | undefined {
  return retry?.rules?.find(({ onExitCodes, onReasons }) => {
    if (onExitCodes !== undefined) {
      const listed = onExitCodes.values.some((value) => value === failure.code);
      return onExitCodes.operator === "In" ? listed : !listed;
    }
    return failure.outOfMemory && (onReasons ?? []).some((reason) => reason === "OOMKilled");
  });
}

function toldBy(pod: Pod): Told {
  const { counted = 0, lost = 0 } = JSON.parse(pod.metadata.annotations?.["nuptse.dev/run"] ?? "{}") as Partial<Told>;
  return { counted, lost };
}

/** A run succeeds with no more failed items than completion allows, and is given up at once beyond that, if it is to be. */
export function checkCompletion(
  job: JobFacts,
  { status, previous }: StatusFact,
  spec: ElasticJobSpec,
  history: ApiHistory,
  say: Say,
): void {
  const known = new Set(previous.history?.map((run) => run.run));
  for (const run of status.history ?? []) if (!known.has(run.run)) checkEnd(job, run, spec, history, say);
  // What reduces also what failed waits for all items.
  if (spec.completion?.failFast === false || job.versions.some((version) => version.spec.reduce?.when === "Completed")) return;
  for (const run of status.active ?? []) {
    // One that was asked for stays for a moment after its end.
    if (run.endedAt !== undefined) continue;
    const failed = sizeOf(run.failed);
    if (failed > mayFail(spec, run.total ?? 0) && run.ending === undefined)
      say(`${failed} of ${run.total} items of run ${run.run} have failed, and it is not given up`);
  }
}

function checkEnd(job: JobFacts, run: ElasticJobRun, spec: ElasticJobSpec, history: ApiHistory, say: Say): void {
  const failed = sizeOf(run.failed);
  const allowed = mayFail(spec, run.total ?? 0);
  if (run.phase === "Succeeded") {
    const rest = IntervalSet.parse(run.items).minus(IntervalSet.parse(run.succeeded)).minus(IntervalSet.parse(run.failed));
    if (rest.size > 0) say(`run ${run.run} is called succeeded without items ${rest}`);
    if (failed > allowed) say(`run ${run.run} is called succeeded with ${failed} failed items, and ${allowed} may fail`);
    const pods = job.runs.get(run.run)?.pods ?? [];
    for (const pod of pods) {
      const failure = plainFailure(pod, job, spec, history);
      if (failure !== undefined && ruleFor(failure, retryOf(pod, spec))?.action === "FailRun")
        say(`run ${run.run} is called succeeded, and retry.rules say FailRun of the end of ${pod.name}`);
    }
  } else if (run.reason === "ItemsFailed") {
    if (failed <= allowed) say(`run ${run.run} is called failed with ${failed} failed items, and ${allowed} may fail`);
    const items = new Set(job.runs.get(run.run)?.pods.map((pod) => pod.item));
    if (spec.completion?.failFast === false && items.size < (run.total ?? 0))
      say(`items of run ${run.run} never began, though completion.failFast is false`);
  }
}

const sizeOf = (set: string | undefined): number => IntervalSet.parse(set).size;
