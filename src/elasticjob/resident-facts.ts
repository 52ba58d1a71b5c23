import type { ElasticJob } from "../api/elastic-job.gen.ts";
import { type Fleets, type FoundFleet, hasNoPod } from "../api/fleet.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import type { FleetPlaces } from "./dispatch/places.ts";
import type { JobNotes } from "./job-memory.ts";
import type { AttemptPod } from "./rules/attempt.ts";
import { hasEnded } from "./rules/live-run.ts";
import { attemptAtExecutor, type DispatchRecord, recordsOf, taskKey, type TaskPlace } from "./rules/resident/dispatch-record.ts";
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

const noFacts: ResidentFacts = { attempts: [] };

/** Reads what a plan needs of fleets and tasks, and lets go of what nothing tells of any more. */
export function residentFacts(sources: ResidentSources, job: ElasticJob, memory: JobNotes, priority: number, now: number): ResidentFacts {
  const { namespace, uid: own } = job.metadata;
  const uid = own as string;
  const { runnerRef } = job.spec;
  const entries = (job.status?.active ?? []).filter((entry) => entry.runner !== undefined && !hasEnded(entry));
  if (runnerRef === undefined && entries.length === 0) return noFacts;
  const fleets = new Map<string, ObservedFleet>();
  for (const name of [runnerRef?.name, ...entries.map(({ runner }) => runner)]) {
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
  sources.dispatcher.keep(uid, keys);
  memory.keepInstances(instances);
  return { attempts, fleets };
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
