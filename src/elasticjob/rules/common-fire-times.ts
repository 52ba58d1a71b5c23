import { type Schedule, searches } from "../../cron/schedule.ts";

/** So many steps without a common fire time mean that there is none: 1,000 fire times of each of two schedules. */
const mostSteps = 2_000;

/**
 * The fire times that all of these schedules have. Where none comes within the next 1,000 of each, there is none.
 * @param schedules at least one
 */
export function commonFireTimes(schedules: readonly Schedule[]): Schedule {
  const [first, ...others] = schedules as readonly [Schedule, ...Schedule[]];
  if (others.length === 0) return first;
  const next = (after: number): number | undefined => {
    let time = first.next(after);
    for (let step = 0; time !== undefined && step < mostSteps; step++) {
      const latest: number | undefined = furthest(schedules, time, (schedule, at) => schedule.next(at - 1), Math.max);
      if (latest === time) return time;
      time = latest;
    }
    return undefined;
  };
  const previous = (before: number): number | undefined => {
    let time = first.previous(before);
    for (let step = 0; time !== undefined && step < mostSteps; step++) {
      const earliest: number | undefined = furthest(schedules, time, (schedule, at) => schedule.previous(at + 1), Math.min);
      if (earliest === time) return time;
      time = earliest;
    }
    return undefined;
  };
  return {
    expressions: schedules.flatMap((schedule) => schedule.expressions),
    zone: first.zone,
    warnings: [],
    ...searches(next, previous),
  };
}

/**
 * Whether none of the next 1,000 fire times of each coincide. Where a schedule ends before, what is left of it proves nothing: with the last common
 * fire time behind them such schedules met, and that is no mistake.
 */
export function neverMeet(schedules: readonly Schedule[], after: number): boolean {
  let time = schedules[0]?.next(after);
  for (let step = 0; step < mostSteps; step++) {
    if (time === undefined) return false;
    const latest: number | undefined = furthest(schedules, time, (schedule, at) => schedule.next(at - 1), Math.max);
    if (latest === time) return false;
    time = latest;
  }
  return true;
}

/** The furthest of where the schedules go from an instant; undefined when one of them has ended. */
function furthest(
  schedules: readonly Schedule[],
  from: number,
  step: (schedule: Schedule, at: number) => number | undefined,
  further: (a: number, b: number) => number,
): number | undefined {
  let time = from;
  for (const schedule of schedules) {
    const reached = step(schedule, from);
    if (reached === undefined) return undefined;
    time = further(time, reached);
  }
  return time;
}
