import type { ElasticJobStatus } from "../../api/elastic-job.gen.ts";
import type { JobEvent, Notification } from "../../api/notification.ts";
import { formatSeconds } from "../../base/time.ts";
import type { RunsStep } from "./concurrency.ts";
import type { Lateness } from "./lateness.ts";
import type { ObservedJob } from "./observed.ts";

/** Why fire times were given up, as far as that is a misfire: what an edit or a later run took the place of is none. */
const misfireReasons: ReadonlySet<string> = new Set(["Downtime", "Overlap", "Deadline", "QueueFull"]);

/**
 * Whom to tell of what this plan records. They are told once the record is acknowledged, by the process that wrote it: at most once
 * (decision 77), and never of what was not so.
 */
export function notificationsOf(observed: ObservedJob, runs: RunsStep, late: Lateness, next: ElasticJobStatus): readonly Notification[] {
  const { job, now } = observed;
  const wishes = job.spec.notify ?? [];
  if (wishes.length === 0) return [];
  const { name, namespace = "", uid = "" } = job.metadata;
  const before = job.status?.consecutiveFailures ?? 0;
  const after = next.consecutiveFailures ?? 0;
  const notifications: Notification[] = [];
  for (const { receiver, events, after: least = 1, quietSeconds = 0 } of wishes) {
    const tell = (event: JobEvent, told: Pick<Notification, "reason" | "message" | "run">) => {
      if (!(events as readonly string[]).includes(event)) return;
      const common = { receiver, event, of: { kind: "ElasticJob" as const, namespace, name, uid }, at: now, quietMs: quietSeconds * 1000 };
      notifications.push({ ...common, consecutiveFailures: after, ...told });
    };
    for (const { run, outcome } of runs.steps) {
      const about = { id: run.id, fireTime: run.fireTime };
      if (outcome?.phase === "Failed" && Math.max(1, after) >= least)
        tell("Failed", { reason: outcome.reason, message: `run ${run.id} failed: ${outcome.message || outcome.reason}`, run: about });
      if (outcome?.phase === "Succeeded" && before >= least && after < before)
        tell("Recovered", { reason: "Succeeded", message: `run ${run.id} succeeded after ${before} failed`, run: about });
    }
    for (const run of late.newlyLate) {
      const message = `run ${run.id} has not ended ${observed.spec.deadlineMs / 1000} s after its fire time`;
      tell("Late", { reason: "RunLate", message, run: { id: run.id, fireTime: run.fireTime } });
    }
    const missed = Object.entries(runs.skipped.counts).filter(([why]) => misfireReasons.has(why));
    if (missed.length === 0) continue;
    const newest = runs.skipped.times.at(-1);
    const which = newest === undefined ? "" : `, the newest at ${formatSeconds(newest)}`;
    const message = `${missed.map(([why, count]) => `${count} fire times did not run (${why})`).join(", ")}${which}`;
    tell("Misfired", { reason: missed[0]?.[0] ?? "", message });
  }
  return notifications;
}
