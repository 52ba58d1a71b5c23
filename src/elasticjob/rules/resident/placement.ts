import type { ElasticJobStatusAssignments } from "../../../api/elastic-job.gen.ts";
import type { FleetInstance } from "../../../api/fleet.ts";
import type { DueAttempt } from "../attempt-pods.ts";
import type { LiveRun } from "../live-run.ts";
import type { ObservedJob } from "../observed.ts";
import { assignedInstances, deal, nextAssignments, readyInstances } from "./assignments.ts";
import type { DispatchRecord } from "./dispatch-record.ts";
import { anywhere } from "./observed-fleet.ts";
import type { PlaceBudget } from "./place-budget.ts";
import { choosesAnew, type ShardingStrategy } from "./strategies.ts";

/** Entries of dispatches in the status of one job: what does not fit waits (decision 46). */
export const mostDispatchEntries = 400;

/** Where attempts of a run go. */
export interface Placement {
  /** To be recorded before any executor hears of them (decision 7). */
  readonly records: readonly DispatchRecord[];
  /** How many of them are failovers. */
  readonly lost: number;
  /** Set when items were dealt anew and came out otherwise than status says. */
  readonly assignments?: ElasticJobStatusAssignments;
  /** Items of a broadcast whose instance is gone for good. */
  readonly orphans: readonly number[];
}

/** What a run is placed by. */
export interface PlacementOrder {
  readonly runner: string;
  readonly strategy: ShardingStrategy;
  /** Items of the job. */
  readonly total: number;
  readonly instances: readonly FleetInstance[];
  readonly budget: PlaceBudget;
  /** Since when the run waits for its turn. */
  readonly since: number;
}

/**
 * Chooses instances for attempts that are due, then for items that never began. Items have their places by the strategy, which deals them when
 * a run begins and no other run of the job is at work; an item whose instance is out of service by then goes to one that has room, as a
 * repeated one does. What finds no place is asked for.
 * @param places how many may be placed
 */
export function place(
  observed: ObservedJob,
  run: LiveRun,
  due: readonly DueAttempt[],
  fresh: readonly number[],
  places: number,
  order: PlacementOrder,
): Placement {
  const { strategy, budget, since } = order;
  const ready = readyInstances(order.instances);
  const bound = boundInstance(observed, run, order);
  const dealt: DealtItems = bound === undefined ? dealtItems(observed, run, ready, order) : { byItem: new Map([[0, bound]]) };
  const byName = new Map(ready.map((instance) => [instance.name, instance]));
  const byId = new Map(ready.map((instance) => [instance.id, instance]));
  const exists = new Set(order.instances.flatMap(({ id, isOver }) => (isOver ? [] : [id])));
  const isBroadcast = strategy === "Broadcast";
  const records: DispatchRecord[] = [];
  const orphans: number[] = [];
  let lost = 0;
  let entries = (observed.job.status?.active ?? []).reduce((sum, { dispatches = [] }) => sum + dispatches.length, 0);
  const used = new Set<string>();

  const decide = (instance: FleetInstance, item: number, next?: DueAttempt["next"]) => {
    // First attempts on one instance share an entry; what is repeated has one of its own.
    if (next !== undefined || !used.has(instance.id)) entries++;
    used.add(instance.id);
    budget.hold(instance.id);
    records.push({
      item,
      attempt: next?.attempt ?? 1,
      instance: instance.id,
      name: instance.name,
      at: observed.now,
      deadline: observed.now + observed.spec.itemTimeoutMs,
      counted: next?.counted ?? 0,
      lost: next?.lost ?? 0,
      left: next?.nodes ?? [],
      round: 1,
    });
  };
  /** The one instance that it must be, or whichever has room. */
  const choose = (own: FleetInstance | undefined, leave: readonly string[]): FleetInstance | undefined => {
    const found = own ?? (strategy === "First" ? firstWithRoom : roomiest)(withoutThese(ready, leave), budget);
    if (found !== undefined && budget.left(found.id) > 0) return found;
    budget.want(own?.id ?? anywhere, since);
    return undefined;
  };
  const mayDecide = () => records.length < places && entries < mostDispatchEntries;

  for (const attempt of due) {
    if (!mayDecide()) break;
    const { item, next, lostFrom } = attempt;
    const home = dealt.byItem.get(item);
    if (isBroadcast && home !== undefined && !exists.has(home)) orphans.push(item);
    if (isBroadcast && (home === undefined || !byId.has(home))) continue;
    const own = isBroadcast ? byId.get(home as string) : next.node === undefined ? undefined : byName.get(next.node);
    const instance = choose(own, next.nodes);
    if (instance === undefined) continue;
    decide(instance, item, next);
    if (lostFrom !== undefined) lost++;
  }
  for (const item of fresh) {
    if (!mayDecide()) break;
    const home = dealt.byItem.get(item);
    const own = home === undefined ? undefined : byId.get(home);
    if (bound !== undefined && own === undefined) {
      budget.want(bound, since);
      continue;
    }
    if (isBroadcast && own === undefined) {
      if (home === undefined || !exists.has(home)) orphans.push(item);
      continue;
    }
    const instance = choose(own, []);
    if (instance !== undefined) decide(instance, item);
  }
  return { records, lost, orphans, ...(dealt.next !== undefined && { assignments: dealt.next }) };
}

/** Where a run of one item must begin, though it was not begun there: a word of a leader before this one may still be on its way to it. */
function boundInstance({ memory, now }: ObservedJob, run: LiveRun, { instances }: PlacementOrder): string | undefined {
  const { notBegun } = memory;
  if (notBegun?.run !== run.id || notBegun.until <= now) return undefined;
  return instances.some(({ id, isOver }) => id === notBegun.instance && !isOver) ? notBegun.instance : undefined;
}

interface DealtItems {
  readonly byItem: ReadonlyMap<number, string>;
  /** Set when it is another than status tells. */
  readonly next?: ElasticJobStatusAssignments;
}

/** Which instance each item is dealt to; nothing is kept of strategies that choose for each item anew. */
function dealtItems(
  observed: ObservedJob,
  run: LiveRun,
  ready: readonly FleetInstance[],
  { runner, strategy, total }: PlacementOrder,
): DealtItems {
  if (choosesAnew(strategy)) return { byItem: new Map() };
  const { job, armed } = observed;
  const stored = job.status?.assignments;
  if (ready.length === 0 || !mayDealAnew(observed, run)) return { byItem: assignedInstances(stored, runner) };
  const nextFireTime = armed?.schedule.next(run.fireTime);
  const dealt = deal(ready, {
    strategy: strategy as Parameters<typeof deal>[1]["strategy"],
    jobName: job.metadata.name,
    total,
    fireTime: run.fireTime,
    periodMs: nextFireTime === undefined ? 1000 : nextFireTime - run.fireTime,
  });
  const next = nextAssignments(stored, runner, dealt);
  return { byItem: assignedInstances(next, runner), ...(next !== stored && { next }) };
}

/** Only between runs, never under one that has begun. */
function mayDealAnew({ job }: ObservedJob, run: LiveRun): boolean {
  const begun = (entry: { readonly startedAt?: string; readonly endedAt?: string }) =>
    entry.startedAt !== undefined && entry.endedAt === undefined;
  return run.startedAt === undefined && run.newest.size === 0 && !(job.status?.active ?? []).some(begun);
}

/** With every one left out nothing could ever go on. */
function withoutThese(ready: readonly FleetInstance[], names: readonly string[]): readonly FleetInstance[] {
  const rest = names.length === 0 ? ready : ready.filter(({ name }) => !names.includes(name));
  return rest.length === 0 ? ready : rest;
}

const firstWithRoom = (ready: readonly FleetInstance[], budget: PlaceBudget): FleetInstance | undefined =>
  ready.find(({ id }) => budget.left(id) > 0);

/** The one with the most room, the first of equals. */
function roomiest(ready: readonly FleetInstance[], budget: PlaceBudget): FleetInstance | undefined {
  let best: FleetInstance | undefined;
  let most = 0;
  for (const instance of ready) {
    const left = budget.left(instance.id);
    if (left <= most) continue;
    best = instance;
    most = left;
  }
  return best;
}
