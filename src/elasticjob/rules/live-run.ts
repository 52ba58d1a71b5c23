import type { ElasticJobRun, ElasticJobRunStop, ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import { reduceItem } from "../../api/names.ts";
import type { GivenOptions } from "../../api/option-value.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { getOrMake } from "../../base/map.ts";
import { parseTime } from "../../base/time.ts";
import type { AttemptPod, RunAnnotation, RunKind, StopReason } from "./attempt.ts";
import type { VanishedPod } from "./observed.ts";
import { fireTimeOf } from "./run-id.ts";

/** An intention about an attempt, as status holds it. */
export interface RecordedStop {
  readonly reason: StopReason;
  readonly at: number;
}

/** A run that has not been recorded as ended: from status.active, or known by its pods alone while it is young. */
export interface LiveRun {
  readonly id: string;
  readonly kind: RunKind;
  readonly fireTime: number;
  readonly revision: string;
  readonly items: IntervalSet;
  readonly asked?: AskedRun;
  /** Its entry in status.active, as the server holds it. */
  readonly recorded?: ElasticJobRun;
  readonly startedAt?: number;
  readonly ending?: { readonly reason: string; readonly message: string; readonly at: number };
  /** Recorded intentions about attempts, by "item/attempt". */
  readonly stops: ReadonlyMap<string, RecordedStop>;
  /** Items whose end is recorded. */
  readonly succeeded: IntervalSet;
  readonly failed: IntervalSet;
  /** The newest attempt of each item, existing or vanished; of the reduce under reduceItem. */
  readonly newest: ReadonlyMap<number, AttemptPod>;
  readonly vanishedAt: ReadonlyMap<AttemptPod, number>;
  readonly pods: readonly AttemptPod[];
}

/** What a JobRequest gave to a run. */
export interface AskedRun {
  /** The request's UID. */
  readonly request: string;
  /** The run whose failed items are run again. */
  readonly retryOf?: string;
  /** Instead of the revision's parameter. */
  readonly parameter?: string;
  /** Values of options that are not the defaults. */
  readonly options?: GivenOptions;
}

/** All pods of a job, sorted by what is known of their runs. */
export interface SortedPods {
  /** By fire time, then id. */
  readonly live: readonly LiveRun[];
  /** Entries of status.active that have ended, and stay until the JobRequest that asked for them says so (decision 16). */
  readonly settling: readonly ElasticJobRun[];
  /** Of runs whose end is recorded, or older than all that are known: by run. */
  readonly ended: ReadonlyMap<string, readonly AttemptPod[]>;
}

/**
 * Rebuilds what is at work from status and pods. A run of a fire time after lastHandledFireTime that is not in status was started by us
 * or by a leader before us and not recorded yet: its pods tell all about it.
 */
export function sortPods(status: ElasticJobStatus, pods: readonly AttemptPod[], vanished: readonly VanishedPod[]): SortedPods {
  const handled = parseTime(status.lastHandledFireTime) ?? Number.NEGATIVE_INFINITY;
  const endedIds = new Set(status.history?.map((run) => run.run));
  const active = new Map(status.active?.map((run) => [run.run, run]));
  const byRun = new Map<string, { pods: AttemptPod[]; vanished: VanishedPod[] }>();
  const groupOf = (run: string) => getOrMake(byRun, run, () => ({ pods: [], vanished: [] }));
  for (const pod of pods) groupOf(pod.run).pods.push(pod);
  for (const gone of vanished) groupOf(gone.pod.run).vanished.push(gone);
  for (const id of active.keys()) groupOf(id);

  const live: LiveRun[] = [];
  const settling: ElasticJobRun[] = [];
  const ended = new Map<string, readonly AttemptPod[]>();
  for (const [id, group] of byRun) {
    const recorded = active.get(id);
    const fireTime = fireTimeOf(id);
    const unrecorded = recorded === undefined && fireTime !== undefined && fireTime > handled && !endedIds.has(id);
    if (recorded !== undefined && hasEnded(recorded)) settling.push(recorded);
    else if (recorded !== undefined || unrecorded) live.push(liveRun(id, recorded, group.pods, group.vanished));
    else if (group.pods.length > 0) ended.set(id, group.pods);
  }
  live.sort((a, b) => a.fireTime - b.fireTime || (a.id < b.id ? -1 : 1));
  return { live, settling, ended };
}

const endedPhases: ReadonlySet<string | undefined> = new Set(["Succeeded", "Failed", "Cancelled"]);

/** Whether the entry of a run says that it has ended. */
export const hasEnded = (entry: ElasticJobRun): boolean => endedPhases.has(entry.phase);

/** What a run's entry tells of the JobRequest that asked for it. */
export function askedOf({ request, retryOf, parameter, options }: ElasticJobRun): AskedRun | undefined {
  if (request === undefined) return undefined;
  return {
    request,
    ...(retryOf !== undefined && { retryOf }),
    ...(parameter !== undefined && { parameter }),
    ...(options !== undefined && { options }),
  };
}

/** A run that is to begin now. */
export function newRun(id: string, kind: RunKind, fireTime: number, revision: string, items: IntervalSet, asked?: AskedRun): LiveRun {
  return {
    id,
    kind,
    fireTime,
    revision,
    items,
    ...(asked !== undefined && { asked }),
    stops: new Map(),
    succeeded: new IntervalSet(),
    failed: new IntervalSet(),
    newest: new Map(),
    vanishedAt: new Map(),
    pods: [],
  };
}

/**
 * A recorded stop whose pod is gone tells that the attempt has ended, also after a restart that forgot the pod: it stands for the pod, with
 * what was recorded of its item.
 */
function considerStop(
  stop: ElasticJobRunStop,
  newest: Map<number, AttemptPod>,
  vanishedAt: Map<AttemptPod, number>,
  recorded: ElasticJobRun,
): void {
  const { item = reduceItem, attempt = 0 } = stop;
  const known = newest.get(item);
  if (known !== undefined && known.attempt >= attempt) return;
  const at = parseTime(stop.at) ?? 0;
  const history: RunAnnotation = known?.history ?? {
    kind: recorded.kind as RunKind,
    fireTime: recorded.fireTime ?? "",
    revision: recorded.revision ?? "",
    items: recorded.items ?? "",
    counted: 0,
    lost: 0,
    nodes: [],
    since: recorded.startedAt ?? "",
  };
  const gone: AttemptPod = {
    metadata: { name: "" },
    job: "",
    jobUid: "",
    run: recorded.run,
    item,
    attempt,
    history: { ...history, counted: stop.counted ?? 0, lost: stop.lost ?? 0 },
    createdAt: at,
    disrupted: false,
  };
  newest.set(item, gone);
  vanishedAt.set(gone, at);
}

function liveRun(id: string, recorded: ElasticJobRun | undefined, pods: readonly AttemptPod[], vanished: readonly VanishedPod[]): LiveRun {
  const newest = new Map<number, AttemptPod>();
  const vanishedAt = new Map<AttemptPod, number>();
  let startedAt = parseTime(recorded?.startedAt);
  const consider = (pod: AttemptPod) => {
    const known = newest.get(pod.item);
    if (known === undefined || known.attempt < pod.attempt) newest.set(pod.item, pod);
    const began = parseTime(pod.history.since) ?? pod.createdAt;
    if (startedAt === undefined || began < startedAt) startedAt = began;
  };
  // The vanished come first, so that a pod that exists under the same name wins.
  for (const gone of vanished) {
    vanishedAt.set(gone.pod, gone.at);
    consider(gone.pod);
  }
  for (const pod of pods) {
    const known = newest.get(pod.item);
    if (known !== undefined && vanishedAt.has(known) && known.attempt === pod.attempt) newest.delete(pod.item);
    consider(pod);
  }
  for (const stop of recorded?.stops ?? []) considerStop(stop, newest, vanishedAt, recorded as ElasticJobRun);
  const history = newest.values().next().value?.history;
  const ending = recorded?.ending;
  const asked = recorded === undefined ? undefined : askedOf(recorded);
  return {
    id,
    kind: (recorded?.kind ?? history?.kind ?? "Schedule") as RunKind,
    fireTime: parseTime(recorded?.fireTime ?? history?.fireTime) ?? (fireTimeOf(id) as number),
    revision: recorded?.revision ?? history?.revision ?? "",
    items: IntervalSet.parse(recorded?.items ?? history?.items),
    ...(asked !== undefined && { asked }),
    ...(recorded !== undefined && { recorded }),
    ...(startedAt !== undefined && { startedAt }),
    ...(ending !== undefined && { ending: { reason: ending.reason ?? "", message: ending.message ?? "", at: parseTime(ending.at) ?? 0 } }),
    stops: new Map(
      recorded?.stops?.map((stop) => [
        `${stop.item ?? reduceItem}/${stop.attempt}`,
        { reason: stop.reason as StopReason, at: parseTime(stop.at) ?? 0 },
      ]),
    ),
    succeeded: IntervalSet.parse(recorded?.succeeded),
    failed: IntervalSet.parse(recorded?.failed),
    newest,
    vanishedAt,
    pods,
  };
}
