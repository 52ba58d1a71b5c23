import type { ElasticJobSpecSchedule } from "../api/elastic-job.gen.ts";
import { formatSeconds } from "../base/time.ts";
import { createSchedule } from "../cron/schedule.ts";
import { type Conversion, type Note, Notes } from "./conversion.ts";
import { Fields } from "./fields.ts";

/** The instant at which a job changes hands, in milliseconds, and in which direction: to the new job, or back to the old one. */
export interface Handover {
  readonly at: number;
  readonly back: boolean;
}

/** An old CronJob as it is to be applied when the time comes. */
export interface OldCronJob {
  readonly source: string;
  readonly manifest: object;
  readonly notes: readonly Note[];
}

/** kubectl writes it anew. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** The new job, which fires from the hand-over on, or only before it. */
export function handedOver(conversion: Conversion, { at, back }: Handover): Conversion {
  const { manifest } = conversion;
  const { schedule } = manifest.spec;
  if (schedule === undefined) {
    const note = { path: "", text: "The job has no schedule: there is no time at which it changes hands." };
    return { ...conversion, notes: [...conversion.notes, note] };
  }
  const bounded = { ...schedule, [back ? "endAt" : "startAt"]: formatSeconds(at) };
  return { ...conversion, manifest: { ...manifest, spec: { ...manifest.spec, schedule: bounded } } };
}

/** The CronJob that a job was made from, suspended or resumed, and between which fire times it has to be applied; undefined without one. */
export function oldCronJob(conversion: Conversion, handover: Handover): OldCronJob | undefined {
  if (conversion.cronJob === undefined) return undefined;
  const cronJob = new Fields(conversion.cronJob, "");
  const spec = cronJob.object("spec");
  const { schedule } = conversion.manifest.spec;
  const notes = new Notes();
  const window = schedule === undefined ? undefined : fireTimesAround(schedule, handover.at);
  const written = spec.integer("startingDeadlineSeconds");
  const deadline = handover.back ? catchUpDeadline(window, written) : undefined;
  if (spec.flag("suspend") === true) notes.add("spec.suspend", "The CronJob was suspended before.");
  if (window !== undefined) notes.add("", whenToApply(window, deadline));
  if (deadline !== undefined) {
    notes.add(
      "spec.startingDeadlineSeconds",
      `Keeps the CronJob from catching up the fire time before, which the ElasticJob ran. Afterwards ${written === undefined ? "take it away again" : `write ${written} again`}.`,
    );
  }
  const metadata = cronJob.object("metadata");
  const annotations = Object.entries(metadata.texts("annotations") ?? {}).filter(([key]) => key !== lastApplied);
  const changed = { ...spec.value, suspend: !handover.back, ...(deadline !== undefined && { startingDeadlineSeconds: deadline }) };
  const manifest = {
    apiVersion: cronJob.text("apiVersion") ?? "batch/v1",
    kind: "CronJob",
    metadata: {
      ...Object.fromEntries(
        ["name", "namespace", "labels"].flatMap((field) => (metadata.has(field) ? [[field, metadata.value[field]]] : [])),
      ),
      ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
    },
    spec: changed,
  };
  return { source: conversion.source, manifest, notes: notes.all() };
}

interface Window {
  /** The last fire time before the hand-over, and the first at or after it. */
  readonly last: number | undefined;
  readonly first: number | undefined;
}

function fireTimesAround(schedule: ElasticJobSpecSchedule, at: number): Window {
  const { crons, timeZone } = schedule;
  // An @every has no fire times before its anchor, and a CronJob's are not known: its anchor is its own last run.
  const times = createSchedule({ crons, timeZone, anchor: at });
  return { last: times.previous(at), first: times.next(at - 1) };
}

function whenToApply({ last, first }: Window, deadline: number | undefined): string {
  const from = last === undefined ? undefined : formatSeconds(last + (deadline ?? 0) * 1000);
  const to = first === undefined ? "" : ` and before ${formatSeconds(first)}`;
  if (from === undefined)
    return `Apply this before ${first === undefined ? "the hand-over" : formatSeconds(first)}, after the last run that the other one owes.`;
  return `Apply this after ${from}${to}: earlier a fire time would be left out or run twice, later one would run twice or be left out.`;
}

/** Shorter than the distance of fire times, so that there is a time at which to apply it. */
function catchUpDeadline({ last, first }: Window = { last: undefined, first: undefined }, written: number | undefined): number {
  const distance = last === undefined || first === undefined ? 180 : (first - last) / 1000;
  return Math.min(written ?? 60, 60, Math.max(1, Math.floor(distance / 3)));
}
