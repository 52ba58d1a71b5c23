import type { ElasticJob } from "../api/elastic-job.gen.ts";
import { type Fleet, type Fleets, type FoundFleet, hasNoPod } from "../api/fleet.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import type { FleetPlaces } from "./dispatch/places.ts";
import type { JobNotes } from "./job-memory.ts";
import type { AttemptPod } from "./rules/attempt.ts";
import { hasEnded } from "./rules/live-run.ts";
import {
  attemptAtExecutor,
  clockMarginMs,
  type DispatchRecord,
  recordsOf,
  taskKey,
  type TaskPlace,
} from "./rules/resident/dispatch-record.ts";
import { namedRun, type NamedRun, type NamedRunTerms } from "./rules/resident/named-run.ts";
import type { ObservedFleet } from "./rules/resident/observed-fleet.ts";

/** Where jobs learn of fleets, of places in them, and of their tasks there. */
export interface ResidentSources {
  readonly fleets: Fleets;
  readonly places: FleetPlaces;
  readonly dispatcher: Pick<Dispatcher, "state" | "keep" | "abandon" | "stop" | "hindrance">;
}

/** What a job has to do with fleets. */
export interface ResidentFacts {
  /** Its tasks at executors, as stored status tells of them. */
  readonly attempts: readonly AttemptPod[];
  readonly fleets?: ReadonlyMap<string, ObservedFleet>;
}

/** By what a job's facts are read; instants are milliseconds since the epoch. */
export interface ResidentTerms extends NamedRunTerms {
  readonly priority: number;
  /** When this process began to lead. */
  readonly termStart: number;
  /** Whether a revision of the job is there. */
  readonly hasRevision: (name: string) => boolean;
  readonly now: number;
}

const noFacts: ResidentFacts = { attempts: [] };

/** Reads what a plan needs of fleets and tasks, and lets go of what nothing tells of any more. */
export function residentFacts(sources: ResidentSources, job: ElasticJob, memory: JobNotes, terms: ResidentTerms): ResidentFacts {
  const { priority, now } = terms;
  const { namespace, uid: own } = job.metadata;
  const uid = own as string;
  const { runnerRef } = job.spec;
  const entries = (job.status?.active ?? []).filter((entry) => entry.runner !== undefined && !hasEnded(entry));
  const named = namedRun(job, terms, now);
  if (runnerRef === undefined && entries.length === 0 && named === undefined) return noFacts;
  const fleets = new Map<string, ObservedFleet>();
  for (const name of [runnerRef?.name, named?.runner, ...entries.map(({ runner }) => runner)]) {
    if (name === undefined || fleets.has(name)) continue;
    const ref = { namespace: namespace as string, name };
    const fleet = sources.fleets.fleet(ref);
    const hindrance = typeof fleet === "object" ? sources.dispatcher.hindrance(fleet.executor.protocol) : undefined;
    fleets.set(name, { ...sources.places.view(ref, fleet, uid, priority), ...(hindrance !== undefined && { hindrance }) });
  }
  const keys = new Set<string>();
  const instances = new Set<string>();
  const attempts = entries.flatMap((entry) => {
    const runner = entry.runner as string;
    const fleet = fleets.get(runner)?.fleet;
    return recordsOf(entry).map((record) => {
      const key = taskKey(entry.run, record.item, record.attempt);
      keys.add(key);
      instances.add(record.instance);
      const place = placeOf(fleet, record, memory, now);
      return attemptAtExecutor(job, entry, runner, record, sources.dispatcher.state(uid, key), place, now);
    });
  });
  if (named !== undefined) {
    const fleet = fleets.get(named.runner)?.fleet;
    const attempt = namedAttempt(sources, job, memory, named, typeof fleet === "object" ? fleet : undefined, terms);
    instances.add(named.record.instance);
    if (attempt !== undefined) {
      keys.add(attempt.metadata.name);
      attempts.push(attempt);
    }
  }
  sources.dispatcher.keep(uid, keys);
  memory.keepInstances(instances);
  return { attempts, fleets };
}

/**
 * The attempt of a run that status names ahead: of one that this process has handed over, and of one that a leader before it may have handed over. Undefined
 * when no executor has it.
 */
function namedAttempt(
  { dispatcher }: ResidentSources,
  job: ElasticJob,
  memory: JobNotes,
  { runner, entry, record }: NamedRun,
  fleet: Fleet | undefined,
  { termStart, hasRevision, now }: ResidentTerms,
): AttemptPod | undefined {
  const state = dispatcher.state(job.metadata.uid as string, taskKey(entry.run, record.item, record.attempt));
  const isKnown = state !== undefined && state.uncertainSince === undefined;
  if (!isKnown) {
    // One that is not there to be asked, and that would not know, was told nothing without a record.
    const { executor, isForeign } = fleet ?? {};
    const isAskable = isForeign !== true && executor?.protocol === "HTTP" && executor.remembers && hasRevision(entry.revision ?? "");
    // The leader before may have had a clock that is ahead of ours.
    const isAnswered = memory.notBegun?.run === entry.run && memory.notBegun.termStart === termStart;
    if (isAnswered || !isAskable || record.at >= termStart + clockMarginMs) return undefined;
  }
  const place = placeOf(fleet, record, memory, now);
  if (!isKnown && (place.goneAt !== undefined || state?.end?.reason === "NeverBegun")) {
    const { instance, at } = record;
    memory.notBegun = { run: entry.run, termStart, instance, until: at < termStart ? at + clockMarginMs : at };
    return undefined;
  }
  const attempt = attemptAtExecutor(job, entry, runner, record, state, place, now);
  // An executor that says nothing for long may have it: then the run is one that goes on.
  const isOpen = state === undefined || (!state.accepted && state.end === undefined && now < (state.uncertainSince ?? 0) + clockMarginMs);
  if (isKnown || !isOpen || attempt.executor === undefined) return attempt;
  return { ...attempt, executor: { ...attempt.executor, isUncertain: true } };
}

function placeOf(fleet: FoundFleet | undefined, { instance, name }: DispatchRecord, memory: JobNotes, now: number): TaskPlace {
  const instances = typeof fleet === "object" ? fleet.instances : [];
  const found = instances.find(({ id }) => id === instance);
  // A namesake: two pods of one name never exist at once.
  const isReplaced = found === undefined && !hasNoPod(instance) && instances.some((each) => each.name === name);
  if (found?.isOver === true || isReplaced) memory.seeInstance(instance, true, now);
  const known = memory.instances.get(instance);
  return { isUnready: fleet !== "unread" && found?.isReady !== true, ...(known?.isGone === true && { goneAt: known.at }) };
}
