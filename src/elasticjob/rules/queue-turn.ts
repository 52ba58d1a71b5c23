import type { ElasticJobRun } from "../../api/elastic-job.gen.ts";
import type { AdmissionAnswer, Amounts, PoolFields, WorkloadWant } from "../../api/admission.ts";
import { reduceItem } from "../../api/names.ts";
import { formatResources, multiplyResources } from "../../quota/resource-vector.ts";
import { podRequest, type RequestingPod } from "../../quota/pod-request.ts";
import { parseTime } from "../../base/time.ts";
import type { AttemptPod, StopReason } from "./attempt.ts";
import type { ItemSweep } from "./item-sweep.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import type { RevisionData } from "./pod.ts";
import { revisionOf } from "./revision.ts";

const never = Number.POSITIVE_INFINITY;
/** Kubernetes' own default for terminationGracePeriodSeconds. */
const defaultGraceSeconds = 30;

/** How a run stands with its queue; a run of no queue has no turn. */
export interface QueueTurn {
  readonly queue: string;
  /** What it asks for; absent while nothing may begin, and when it has ended. */
  readonly want?: WorkloadWant;
  /** What it asks for cannot be told, since its revision is not there (any more). */
  readonly isUnknown: boolean;
  /** Items that may be at work. */
  readonly allowed: number;
  /** How often what was allowed has been lowered, this time included. */
  readonly lowered: number;
  /** Of what stands recorded the run could use more than it is allowed: the next leader must not take that for granted. */
  readonly isOutdated: boolean;
  /** What stands in the entry while nothing is decided, or what it asks for cannot be told. */
  readonly kept?: NonNullable<ElasticJobRun["admitted"]>;
  /** Why no more are. */
  readonly waits?: NonNullable<AdmissionAnswer["waits"]>;
  readonly pool?: PoolFields;
  /** Attempts that give back their share: asked back, or without a node for too long. */
  readonly stops: readonly { readonly item: number; readonly attempt: number; readonly reason: StopReason }[];
  readonly wakeAt: number;
}

/**
 * Asks for what the run could have at work, and reads what it was given. The share is asked for before the first pod, and again whenever items
 * end, begin or wait; what it was given stands in its entry in status and on its pods.
 * @param mayAsk the run is at work, or has its place among the runs of the job
 */
export function queueTurn(observed: ObservedJob, run: LiveRun, sweep: ItemSweep, mayAsk: boolean): QueueTurn | undefined {
  const { admission } = observed;
  const queue = queueOf(observed, run);
  if (admission === undefined || queue === undefined) return undefined;
  if (queue.kind === "refused") {
    const { reason, message } = queue;
    const none = { isUnknown: false, allowed: 0, lowered: 0, isOutdated: false, stops: [], wakeAt: never };
    return { ...none, queue: "", waits: { reason, message } };
  }
  const name = queue.queue;
  const answer = admission.answers.get(run.id);
  const allowed = answer?.allowed ?? 0;
  const record = admittedRecord(run);
  const want = mayAsk ? wantOf(observed, run, sweep, name, record.items) : undefined;
  const isUnknown = mayAsk && want === undefined;
  const isLower = answer !== undefined && allowed < record.items;
  const late = unschedulable(observed, run, sweep, answer);
  return {
    queue: name,
    ...(want !== undefined && { want }),
    isUnknown,
    allowed,
    lowered: record.lowered + (isLower ? 1 : 0),
    isOutdated: isLower && allowed < usable(observed, run, sweep, sweep.waiting),
    ...((answer === undefined || isUnknown) && run.recorded?.admitted !== undefined && { kept: run.recorded.admitted }),
    ...(answer?.waits !== undefined && { waits: answer.waits }),
    ...(answer?.pool !== undefined && { pool: answer.pool }),
    stops: [...late.stops, ...givenBack(observed, run, sweep, answer, late.stops.length)],
    wakeAt: late.wakeAt,
  };
}

/** The queue that the run has been of so far, by its entry or its pods. */
export function knownQueue(run: LiveRun): string | undefined {
  return run.recorded?.queue ?? run.newest.values().next().value?.queue;
}

/** A run keeps the queue with which it began; one that began without a queue does without to its end. */
function queueOf({ admission }: ObservedJob, run: LiveRun): NonNullable<ObservedJob["admission"]>["choice"] {
  if (run.newest.size === 0 && run.startedAt === undefined) return admission?.choice;
  const queue = knownQueue(run);
  return queue === undefined ? undefined : { kind: "queue", queue };
}

function wantOf(observed: ObservedJob, run: LiveRun, sweep: ItemSweep, queue: string, recorded: number): WorkloadWant | undefined {
  const { spec } = observed;
  const template = templateOf(observed, run, sweep);
  if (template === undefined) return undefined;
  return {
    part: run.id,
    queue,
    priority: spec.queue.priority,
    since: sinceOf(observed, run),
    item: requestOf(template),
    atLeast: spec.queue.minCount,
    wanted: usable(observed, run, sweep, sweep.waiting - sweep.parked),
    atWork: sweep.atWork.size,
    recorded,
    onReclaim: spec.queue.onReclaim,
    promiseSeconds: promiseOf(observed, template),
  };
}

/** Items that it could have at work together with so many that wait. */
function usable({ spec }: ObservedJob, run: LiveRun, { atWork }: ItemSweep, waiting: number): number {
  const open = run.ending === undefined ? waiting : 0;
  return Math.max(atWork.size, Math.min(spec.parallelism, atWork.size + open));
}

/**
 * What stands recorded as admitted: in the entry in status, which may be older than the last grant, and on pods, which may be older than what was
 * given back since. Whoever knows of the last time that it was lowered is right, and of those the largest.
 */
function admittedRecord({ recorded, newest }: LiveRun): { readonly items: number; readonly lowered: number } {
  let { items = 0, lowered = 0 } = recorded?.admitted ?? {};
  for (const { history } of newest.values()) {
    const { admitted = 0, lowered: known = 0 } = history;
    if (known < lowered) continue;
    items = known > lowered ? admitted : Math.max(items, admitted);
    lowered = known;
  }
  return { items, lowered };
}

/** How long the run can last at most from its admission on (decision 9). */
function promiseOf({ spec }: ObservedJob, template: RequestingTemplate): number {
  const grace = template.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
  if (spec.queue.onReclaim === "Stop") return grace;
  return spec.queue.onReclaim === "Finish" ? spec.runTimeoutMs / 1000 + grace : never;
}

/** A run that somebody asked for waits since then, whatever its fire time. */
function sinceOf({ requests, jitterMs, now }: ObservedJob, run: LiveRun): number {
  if (run.asked === undefined) return run.fireTime + jitterMs;
  const request = requests.find(({ metadata }) => metadata.uid === run.asked?.request);
  return parseTime(request?.metadata.creationTimestamp) ?? run.startedAt ?? now;
}

interface RequestingTemplate {
  readonly spec: RequestingPod["spec"] & { readonly terminationGracePeriodSeconds?: number };
}

/** That of the items, or of the reduce once they have all ended. */
function templateOf(observed: ObservedJob, run: LiveRun, sweep: ItemSweep): RequestingTemplate | undefined {
  const revision = revisionOf(observed.revisions, run.revision)?.data as RevisionData | undefined;
  const reduces = sweep.toReduce || sweep.atWork.has(reduceItem) || sweep.due[0]?.item === reduceItem;
  return (reduces ? (revision?.reduce?.template ?? revision?.template) : revision?.template) as RequestingTemplate | undefined;
}

const requests = new WeakMap<object, Amounts>();

/** Templates stay in the cache, so each is read once. */
function requestOf(template: RequestingTemplate): Amounts {
  const known = requests.get(template);
  if (known !== undefined) return known;
  const request = podRequest(template);
  requests.set(template, request);
  return request;
}

/** With Stop as many attempts as were asked back, those of the highest items; what has not begun to run goes first. */
function givenBack(
  { spec }: ObservedJob,
  run: LiveRun,
  sweep: ItemSweep,
  answer: AdmissionAnswer | undefined,
  stopped: number,
): QueueTurn["stops"] {
  const excess = answer?.reclaim === undefined ? 0 : sweep.atWork.size - answer.allowed - stopped - stopping(run, sweep);
  if (spec.queue.onReclaim !== "Stop" || excess <= 0 || run.ending !== undefined) return [];
  const order = (pod: AttemptPod) => (pod.startedAt === undefined ? 0 : 1);
  return [...sweep.atWork]
    .map((item) => run.newest.get(item) as AttemptPod)
    .filter(({ item, attempt, deletion }) => deletion === undefined && !run.stops.has(`${item}/${attempt}`))
    .sort((left, right) => order(left) - order(right) || right.item - left.item)
    .slice(0, excess)
    .map(({ item, attempt }) => ({ item, attempt, reason: "Reclaimed" }));
}

/** Attempts at work whose stop is recorded already. */
function stopping(run: LiveRun, sweep: ItemSweep): number {
  let count = 0;
  for (const item of sweep.atWork) {
    const pod = run.newest.get(item);
    if (pod !== undefined && run.stops.has(`${item}/${pod.attempt}`)) count++;
  }
  return count;
}

/**
 * Pods that found no node for limits.unschedulableSeconds give back their share (decision 24): all that have none; of a gang that does not stand
 * as a whole those at work too, since two half ones would block each other for ever.
 */
function unschedulable(
  { spec, now }: ObservedJob,
  run: LiveRun,
  sweep: ItemSweep,
  answer: AdmissionAnswer | undefined,
): { readonly stops: QueueTurn["stops"]; readonly wakeAt: number } {
  const patience = answer?.unschedulableMs ?? never;
  const atWork = [...sweep.atWork].map((item) => run.newest.get(item) as AttemptPod);
  const free = atWork.filter(({ item, attempt, deletion }) => deletion === undefined && !run.stops.has(`${item}/${attempt}`));
  const homeless = free.filter(({ node, scheduledAt }) => node === undefined && scheduledAt === undefined);
  if (patience === never || homeless.length === 0 || run.ending !== undefined) return { stops: [], wakeAt: never };
  const due = Math.min(...homeless.map(({ createdAt }) => createdAt + patience));
  if (due > now) return { stops: [], wakeAt: due };
  const isGang = Math.min(spec.queue.minCount, run.items.size) > atWork.length - homeless.length + sweep.endedItems;
  const stopped = isGang && spec.queue.minCount > 1 ? free : homeless;
  return { stops: stopped.map(({ item, attempt }) => ({ item, attempt, reason: "Unschedulable" })), wakeAt: never };
}

/** What stands in the run's entry of its queue. */
export function queueEntry({ queue, want, allowed, lowered, kept }: QueueTurn): Pick<ElasticJobRun, "queue" | "admitted"> {
  if (queue === "") return {};
  if (kept !== undefined) return { queue, admitted: kept };
  if (want === undefined || allowed + lowered === 0) return { queue };
  const resources = formatResources(multiplyResources(want.item, allowed));
  return { queue, admitted: { items: allowed, resources, ...(lowered > 0 && { lowered }) } };
}
