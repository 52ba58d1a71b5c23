import type { Schedule } from "../../cron/schedule.ts";
import type { EffectiveSpec, MisfireAction } from "./effective-spec.ts";

/** A run that was or is in the way of others: [from, to), from its fire time or its start, `to` Infinity while it goes on. */
export interface Occupied {
  readonly from: number;
  readonly to: number;
}

/** What is to become of the fire times that have passed. */
export interface DueFireTimes {
  /** Merely late, or exactly now: they fire without a record. Ascending. */
  readonly fire: readonly number[];
  /** Kept by the misfire rules: they run once their entry in status.active is recorded. Ascending. */
  readonly keep: readonly number[];
  /** Given up for good: the newest of them, ascending. */
  readonly droppedTimes: readonly number[];
  /** How many were given up, by why. */
  readonly dropped: { readonly Downtime: number; readonly Overlap: number; readonly Deadline: number };
  /** All fire times up to here are settled by `keep` and `dropped`; undefined = none was. */
  readonly settledUpTo: number | undefined;
  /** Something was decided, and must be recorded before a run of later begins to stand for it. */
  readonly urgent: boolean;
}

/**
 * Fire times older than the newest so many are dropped without being looked at one by one: more than misfire.limit can ever keep, and than
 * status.outcomes can list, so that outcomes.from moves past what was not looked at.
 */
const mostConsidered = 250;

/**
 * Sorts the fire times in (after, until] that no run has taken (decision 13): Overlap if a run that the concurrency policy counts was in
 * the way at that instant, whoever was leading; else Downtime if it was before this leader's term; else it is only late and fires.
 * Fire times are logical; a run is due so much later as the window's `jitterMs` says, and `until` is before now by as much.
 * @param taken fire times that have a run
 * @param occupied runs that count as being in the way; empty when the policy lets runs overlap
 * @param mayHaveBegun fire times whose run may have begun: nothing gives up what may be at work
 */
export function sortDueFireTimes(
  schedule: Schedule,
  window: { readonly after: number; readonly until: number; readonly now: number; readonly termStart: number; readonly jitterMs?: number },
  misfire: EffectiveSpec["misfire"],
  taken: ReadonlySet<number>,
  occupied: readonly Occupied[],
  mayHaveBegun: (time: number) => boolean = () => false,
): DueFireTimes {
  const { jitterMs = 0 } = window;
  const newest = schedule.newestBetween(window.after, window.until, mostConsidered);
  const due = newest.times.filter((time) => !taken.has(time));
  const dropped = { Downtime: 0, Overlap: 0, Deadline: 0 };
  const classes: Record<"Downtime" | "Overlap", number[]> = { Downtime: [], Overlap: [] };
  const fire: number[] = [];
  let oldest: keyof typeof dropped | undefined;
  for (const time of due) {
    const instant = time + jitterMs;
    const isSure = !mayHaveBegun(time);
    const kind =
      isSure && occupied.some((run) => run.from <= instant && instant < run.to)
        ? "Overlap"
        : isSure && instant < window.termStart
          ? "Downtime"
          : "Late";
    const late = isSure && instant + misfire.startingDeadlineMs < window.now;
    if (late) dropped.Deadline++;
    else if (kind === "Late") fire.push(time);
    else classes[kind].push(time);
    oldest ??= late ? "Deadline" : kind === "Late" ? "Downtime" : kind;
  }
  // What is older than all that was considered has passed like the oldest of these; it is beyond every limit.
  dropped[oldest ?? "Downtime"] += newest.total - newest.times.length;
  const keep: number[] = [];
  for (const kind of ["Downtime", "Overlap"] as const) {
    const kept = keptOf(classes[kind], kind === "Downtime" ? misfire.onDowntime : misfire.onOverlap, misfire.limit);
    dropped[kind] += classes[kind].length - kept.length;
    keep.push(...kept);
  }
  keep.sort((a, b) => a - b);
  const kept = new Set(keep);
  const firstToFire = fire[0] ?? Number.POSITIVE_INFINITY;
  const settled = due.filter((time) => time < firstToFire).at(-1);
  return {
    fire,
    droppedTimes: due.filter((time) => time < firstToFire && !kept.has(time)),
    // What would be settled after one that still has to fire waits for the next plan, so that lastHandledFireTime stays true.
    keep: keep.filter((time) => time < firstToFire),
    dropped,
    settledUpTo: settled,
    urgent: settled !== undefined,
  };
}

function keptOf(times: readonly number[], action: MisfireAction, limit: number): readonly number[] {
  if (action === "Skip") return [];
  return action === "FireOnce" ? times.slice(-1) : times.slice(-limit);
}
