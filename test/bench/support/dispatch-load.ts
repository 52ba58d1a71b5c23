import { formatSeconds } from "../../../src/base/time.ts";
import type { Arrival } from "./executors-process.ts";
import { largest, percentile } from "./figures.ts";
import { elasticJob, instanceTemplate, runnerApp } from "./manifests.ts";

export const dispatchNamespace = "dispatch";
/** Shorter periods would run into outages of the operator. */
const shortestPeriod = 20;

/** How many jobs are dispatched to how many instances. */
export interface DispatchLoad {
  readonly jobs: number;
  readonly fleets: number;
  readonly instances: number;
  /** Tasks at work at once on an instance. */
  readonly capacity: number;
  /** Where executors listen. */
  readonly port: number;
  /** Seconds between two fire times of a job. */
  readonly period: number;
}

/** A job of the load, by which arrivals are judged: its fire times are counted here. */
export interface DispatchedJob {
  readonly name: string;
  readonly manifest: unknown;
  /** The first fire time; the others follow each period. */
  readonly first: number;
}

/** Seconds between two fire times of a job so that all together fire so often. */
export function periodFor(jobs: number, runsPerSecond: number): number {
  return Math.max(shortestPeriod, Math.floor(jobs / runsPerSecond));
}

const fleetName = (index: number) => `fleet-${String(index).padStart(2, "0")}`;

export function fleetManifests({ fleets, instances, capacity, port }: DispatchLoad): readonly unknown[] {
  return Array.from({ length: fleets }, (_, index) =>
    runnerApp(dispatchNamespace, fleetName(index), {
      replicas: instances,
      template: instanceTemplate({ startMs: 500 }, 1),
      executor: { port, capacity },
    }),
  );
}

/** Jobs of one item, evenly over fleets and seconds. What is missed is made up for, so that each fire time has one run. */
export function dispatchedJobs({ jobs, fleets, period }: DispatchLoad, from: number): readonly DispatchedJob[] {
  return Array.from({ length: jobs }, (_, index) => {
    const name = `job-${String(index).padStart(5, "0")}`;
    const first = from + (index % period) * 1000;
    const manifest = elasticJob(dispatchNamespace, name, {
      schedule: { crons: [`@every ${period}s`], startAt: formatSeconds(first) },
      misfire: { onDowntime: "FireAll", onOverlap: "FireAll" },
      runnerRef: { name: fleetName(index % fleets), handler: "work" },
      itemTimeoutSeconds: 60,
    });
    return { name, manifest, first };
  });
}

/** "20261120t160000z" */
const runOf = (fireTime: number) =>
  new Date(fireTime)
    .toISOString()
    .replace(/\.\d+Z$/, "z")
    .replaceAll(/[-:]/g, "")
    .toLowerCase();

/** What became of the fire times that were due in [from, to), by the executors' log. */
export interface Judgement {
  /** From the due instant to the executor, in milliseconds. */
  readonly delays: readonly number[];
  /** Fire times of which no executor has heard. */
  readonly missing: number;
  /** Runs that came before they were due. */
  readonly early: number;
}

export function judgeArrivals(
  jobs: readonly DispatchedJob[],
  arrivals: readonly Arrival[],
  period: number,
  from: number,
  to: number,
): Judgement {
  const firstSeen = new Map<string, number>();
  for (const { what, job, run, at } of arrivals) {
    const key = `${job}/${run}`;
    if (what === "begin" && !firstSeen.has(key)) firstSeen.set(key, at);
  }
  const delays: number[] = [];
  let missing = 0;
  for (const { name, first } of jobs) {
    for (let time = first; time < to; time += period * 1000) {
      if (time < from) continue;
      const at = firstSeen.get(`${name}/${runOf(time)}`);
      if (at === undefined) missing++;
      else delays.push(at - time);
    }
  }
  return { delays, missing, early: delays.filter((delay) => delay < 0).length };
}

/** Items of runs that were begun more than once, under whichever id. */
export function begunTwice(arrivals: readonly Arrival[]): number {
  const seen = new Set<string>();
  let twice = 0;
  for (const { what, job, run, item } of arrivals) {
    if (what !== "begin") continue;
    const key = `${job}/${run}/${item}`;
    if (seen.has(key)) twice++;
    seen.add(key);
  }
  return twice;
}

/** A row of the table. */
export function delayRow(label: string, delays: readonly number[]): readonly string[] {
  const cells = [...[50, 90, 99].map((percent) => percentile(delays, percent)), largest(delays)];
  return [label, String(delays.length), ...cells.map((value) => (Number.isNaN(value) ? "" : value.toFixed(0)))];
}
