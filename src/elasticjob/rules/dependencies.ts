import { formatSeconds } from "../../base/time.ts";
import type { Schedule } from "../../cron/schedule.ts";
import type { Dependency, EffectiveSpec } from "./effective-spec.ts";
import { type FireTimeOutcome, latestEnded, outcomeAt, type Upstream } from "./upstream.ts";

/** The jobs that a job is after, as they are now. */
export interface Dependencies {
  /** By name; a name of spec.after that is missing here has no job. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** The job has no schedule of its own: its fire times are those that its upstreams with fireTime Same have in common. */
  readonly derived: boolean;
  /** Why nothing may fire until somebody changes a spec. */
  readonly refusal?: { readonly reason: "DependencyCycle" | "InvalidSpec"; readonly message: string };
}

/** Why a run waits, in status and events. */
export type DependencyWait = "DependencyMissing" | "DependencyPending" | "UpstreamSuspended";

/** What its upstreams say about a fire time of a job. */
export type DependencyState =
  | { readonly kind: "met" }
  | { readonly kind: "waits"; readonly reason: DependencyWait; readonly message: string }
  /** Whatever happens, they cannot allow it any more. `unknown`: an upstream knows nothing of it. */
  | { readonly kind: "never"; readonly unknown: boolean; readonly message: string };

const met: DependencyState = { kind: "met" };

/** All entries of spec.after together: one that can never be met decides, then one that waits. */
export function dependencyState(
  spec: EffectiveSpec,
  dependencies: Dependencies,
  schedule: Schedule | undefined,
  fireTime: number,
): DependencyState {
  let state = met;
  for (const dependency of spec.after) {
    const one = entryState(dependency, dependencies.upstreams.get(dependency.job), schedule, fireTime);
    if (one.kind === "never") return one;
    if (state.kind === "met") state = one;
  }
  return state;
}

function entryState(
  dependency: Dependency,
  upstream: Upstream | undefined,
  schedule: Schedule | undefined,
  fireTime: number,
): DependencyState {
  if (upstream === undefined)
    return { kind: "waits", reason: "DependencyMissing", message: `job ${dependency.job} does not exist in this namespace` };
  switch (dependency.fireTime) {
    case "Same":
      return same(dependency, upstream, fireTime);
    case "Latest":
      return latest(dependency, upstream, fireTime);
    case "AllInPeriod":
      return allInPeriod(dependency, upstream, schedule?.previous(fireTime) ?? Number.NEGATIVE_INFINITY, fireTime);
  }
}

function same(dependency: Dependency, upstream: Upstream, fireTime: number): DependencyState {
  const outcome = outcomeAt(upstream, fireTime);
  const at = formatSeconds(fireTime);
  switch (outcome) {
    case "Pending":
      return waitFor(upstream, fireTime, `the run of job ${upstream.job} of ${at} has not ended`);
    case "NotDue":
      return { kind: "never", unknown: false, message: `job ${upstream.job} does not fire at ${at}` };
    case "Unknown":
      return { kind: "never", unknown: true, message: `job ${upstream.job} was created, changed or suspended since ${at}` };
    default:
      return satisfies(outcome, dependency) ? met : notMet(dependency, upstream, outcome, fireTime);
  }
}

/** The newest run that has ended decides; with another one a newer may come, so it is waited for. */
function latest(dependency: Dependency, upstream: Upstream, fireTime: number): DependencyState {
  const run = latestEnded(upstream);
  if (run === undefined) return waitFor(upstream, Number.POSITIVE_INFINITY, `no run of job ${upstream.job} has ended yet`);
  if (fireTime - run.fireTime > dependency.maxAgeMs) {
    const message = `the latest run of job ${upstream.job}, of ${formatSeconds(run.fireTime)}, is older than ${dependency.maxAgeMs / 1000} s`;
    return waitFor(upstream, Number.POSITIVE_INFINITY, message);
  }
  if (satisfies(run.outcome, dependency)) return met;
  const message = `the latest run of job ${upstream.job}, of ${formatSeconds(run.fireTime)}, is ${run.outcome}, not ${dependency.outcome}`;
  return waitFor(upstream, Number.POSITIVE_INFINITY, message);
}

/** All fire times of the upstream in (after, upTo]. What it does not know was not owed by it then; none at all is met. */
function allInPeriod(dependency: Dependency, upstream: Upstream, after: number, upTo: number): DependencyState {
  const inPeriod = (time: number) => time > after && time <= upTo;
  let bad: { readonly time: number; readonly outcome: FireTimeOutcome } | undefined;
  let matching = 0;
  for (const [time, outcome] of upstream.listed) {
    if (!inPeriod(time) || upstream.active.has(time)) continue;
    if (satisfies(outcome, dependency)) matching++;
    else if (bad === undefined || time < bad.time) bad = { time, outcome };
  }
  if (bad !== undefined) return notMet(dependency, upstream, bad.outcome, bad.time);
  for (const time of upstream.active)
    if (inPeriod(time)) return waitFor(upstream, time, `the run of job ${upstream.job} of ${formatSeconds(time)} has not ended`);
  const open = upstream.schedule?.next(Math.max(after, upstream.handled));
  if (open !== undefined && open <= upTo)
    return waitFor(upstream, open, `the run of job ${upstream.job} of ${formatSeconds(open)} has not ended`);
  if (dependency.outcome === "Failed") {
    const known = upstream.schedule?.between(Math.max(after, upstream.from), upTo, matching + 1).times ?? [];
    const succeeded = known.find((time) => !upstream.listed.has(time));
    if (succeeded !== undefined) return notMet(dependency, upstream, "Succeeded", succeeded);
  }
  return met;
}

function waitFor(upstream: Upstream, fireTime: number, message: string): DependencyState {
  if (upstream.active.has(fireTime)) return { kind: "waits", reason: "DependencyPending", message };
  if (upstream.suspended) return { kind: "waits", reason: "UpstreamSuspended", message: `job ${upstream.job} is suspended; ${message}` };
  const stalled = upstream.stalled === undefined ? "" : `; job ${upstream.job} is stalled (${upstream.stalled})`;
  return { kind: "waits", reason: "DependencyPending", message: `${message}${stalled}` };
}

function notMet(dependency: Dependency, upstream: Upstream, outcome: FireTimeOutcome, fireTime: number): DependencyState {
  const message = `the run of job ${upstream.job} of ${formatSeconds(fireTime)} is ${outcome}, not ${dependency.outcome}`;
  return { kind: "never", unknown: false, message };
}

/** A fire time that was skipped is completed; one that was cancelled has not failed. */
function satisfies(outcome: FireTimeOutcome, dependency: Dependency): boolean {
  return dependency.outcome === "Completed" || outcome === dependency.outcome;
}
