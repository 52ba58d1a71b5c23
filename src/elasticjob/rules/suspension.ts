import { parseTime } from "../../base/time.ts";
import type { ObservedJob } from "./observed.ts";

/** A resume is told from an edit when it is seen within this time of its instant. */
const promptMs = 1000;

/**
 * The job as JobRequests leave it: suspended while one of them that asks for that is Running and its time is not over. It counts like
 * spec.suspend from then on, also for the schedule's hash, so that neither its beginning nor its end fires for the past (decision 12).
 */
export function withSuspension(observed: ObservedJob): ObservedJob {
  const request = observed.requests.find(
    ({ metadata, spec, status }) =>
      spec.suspend !== undefined &&
      status?.phase === "Running" &&
      metadata.deletionTimestamp === undefined &&
      (parseTime(spec.suspend.until) ?? Number.POSITIVE_INFINITY) > observed.now,
  );
  return request === undefined ? observed : suspended(observed, request.metadata.name);
}

/** The same job while a JobRequest suspends it. */
export function suspended(observed: ObservedJob, by: string): ObservedJob {
  return {
    ...observed,
    spec: { ...observed.spec, suspend: true },
    scheduleText: `${observed.scheduleText} suspended by request`,
    suspendedBy: by,
  };
}

/**
 * When a suspension has just ended by its own time: that instant, which is a fire time that is owed if the schedule has it, and not past
 * like those before it. undefined when none did.
 */
export function resumedAt({ requests, now }: ObservedJob): number | undefined {
  const ends = requests.map(({ spec }) => parseTime(spec.suspend?.until) ?? Number.NEGATIVE_INFINITY);
  return ends.find((end) => end <= now && now - end < promptMs);
}
