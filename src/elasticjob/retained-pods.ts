import type { AttemptPod } from "./rules/attempt.ts";

/** Trimmed down to this share of the limit, so that it is not crossed again by the next run. */
const trimmedShare = 0.9;

/**
 * The jobs (by UID) that must keep no pods beyond the life of the lock, because more finished pods are kept in all than is allowed: the
 * pod garbage collector of Kubernetes would otherwise delete the oldest of the whole cluster, recorded or not (decision 21). The newest
 * stay, and failed ones before succeeded ones.
 */
export function jobsToTrim(pods: Iterable<AttemptPod>, limit: number): ReadonlySet<string> {
  const finished: AttemptPod[] = [];
  for (const pod of pods) if (pod.end !== undefined) finished.push(pod);
  const surplus = finished.length - limit;
  const jobs = new Set<string>();
  if (surplus <= 0) return jobs;
  const count = finished.length - Math.floor(limit * trimmedShare);
  finished.sort((a, b) => Number(b.end?.success) - Number(a.end?.success) || (a.end?.finishedAt ?? 0) - (b.end?.finishedAt ?? 0));
  for (const pod of finished.slice(0, count)) jobs.add(pod.jobUid);
  return jobs;
}
