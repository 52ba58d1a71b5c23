import type { RetrySeries, RunnerRetryPolicy } from "./retry-series.ts";
import { type NodeBlame, type RetryAct, type RetryContext, type RetryInstance, retryStep } from "./retry-step.ts";
import { type BrakeState, brakeReleasesAt, movesLeft, withMoves } from "./storm-brake.ts";

/** What follows for all instances of an app. */
export interface RetryPlan {
  /** status.recoveries[]: by instance, in the order of names. */
  readonly series: readonly RetrySeries[];
  readonly brake: BrakeState;
  readonly blames: readonly NodeBlame[];
  readonly acts: readonly RetryAct[];
  /** Instances whose retries are used up with this plan, each worth one event. */
  readonly exhausted: readonly string[];
  /** Instances whose replacement the storm brake holds. */
  readonly braked: readonly string[];
  readonly wakeAt?: number;
}

/**
 * Steps of all instances, and the storm brake over them: of those whose back-off is over, those that were decided first move first. What is let
 * through goes at once, so that what the brake counts is what happens. Series, brake and blames are to be stored in one write. Of an instance that is no more nothing is kept.
 */
export function planRetries(
  stored: { readonly series: readonly RetrySeries[]; readonly brake: BrakeState },
  instances: readonly RetryInstance[],
  policy: RunnerRetryPolicy,
  context: RetryContext,
): RetryPlan {
  const { now } = context;
  const known = new Map(stored.series.map((series) => [series.instance, series]));
  const steps = instances.map((instance) => ({ name: instance.name, ...retryStep(known.get(instance.name), instance, policy, context) }));
  const series = steps.flatMap((step) => step.series ?? []).sort((a, b) => (a.instance < b.instance ? -1 : 1));
  const waiting = series
    .filter(({ move }) => move !== undefined && !move.granted && move.notBefore <= now)
    .sort((a, b) => (a.move?.decidedAt ?? 0) - (b.move?.decidedAt ?? 0));
  const granted = new Set(waiting.slice(0, movesLeft(stored.brake, policy.storm, now)).map(({ instance }) => instance));
  const brake = granted.size === 0 ? stored.brake : withMoves(stored.brake, policy.storm, now, granted.size);
  const braked = waiting.flatMap(({ instance }) => (granted.has(instance) ? [] : instance));
  const wakes = steps.flatMap(({ wakeAt }) => wakeAt ?? []);
  if (braked.length > 0) wakes.push(brakeReleasesAt(brake, policy.storm, now) ?? Number.POSITIVE_INFINITY);
  const wakeAt = Math.min(...wakes);
  return {
    series: series.map((one) =>
      one.move !== undefined && granted.has(one.instance) ? { ...one, move: { ...one.move, granted: true } } : one,
    ),
    brake,
    blames: steps.flatMap((step) => step.blame ?? []),
    acts: steps.flatMap((step) => step.act ?? []),
    exhausted: steps.flatMap((step) => (step.exhausted === true ? step.name : [])),
    braked,
    ...(Number.isFinite(wakeAt) && { wakeAt }),
  };
}
