import { formatSeconds } from "../../base/time.ts";
import type { Format } from "./cluster-options.ts";
import { withCluster } from "./with-cluster.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { suspension } from "./job-picture.ts";
import { printValue } from "./print.ts";
import { readPicture } from "./read-picture.ts";
import { runViews } from "./run-view.ts";
import { scheduleOfJob, zoneOfJob } from "./schedule-of-job.ts";
import { statusText } from "./status-text.ts";

/** Fire times that a status shows. */
const shownFireTimes = 3;

/** Prints a job as it stands. */
export async function showStatus(context: PluginContext, name: string, flags: ClusterFlags & { readonly output?: Format }): Promise<void> {
  const { clock, output, style } = context;
  const picture = await withCluster(context, flags, (cluster) => readPicture(cluster, name, () => clock.now()));
  const { job, now } = picture;
  const runs = runViews(picture);
  const asked = suspension(picture.requests, job.metadata.name, now)?.spec.suspend;
  const until = Date.parse(asked?.until ?? "");
  const isSuspended = job.spec.suspend === true || (asked !== undefined && Number.isNaN(until));
  const schedule = isSuspended ? undefined : scheduleOfJob(job, picture.revisions);
  const fireTimes: number[] = [];
  for (
    let time = schedule?.next(Number.isNaN(until) ? now : until - 1);
    time !== undefined && fireTimes.length < shownFireTimes;
    time = schedule?.next(time)
  )
    fireTimes.push(time);
  if (flags.output === "json" || flags.output === "yaml") {
    const { status, metadata } = job;
    await printValue(output, flags.output, {
      job: metadata.name,
      namespace: metadata.namespace,
      nextFireTimes: fireTimes.map(formatSeconds),
      lastSuccessTime: status?.lastSuccessTime,
      consecutiveFailures: status?.consecutiveFailures ?? 0,
      conditions: status?.conditions ?? [],
      runs,
      requests: picture.requests,
      results: status?.results,
    });
    return;
  }
  const wide = flags.output === "wide";
  for (const line of statusText({ picture, runs, fireTimes, zone: zoneOfJob(job), style, wide })) output.result(line);
}
