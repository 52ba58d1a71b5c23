import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import { givenProblem } from "../../api/option-value.ts";
import { formatSeconds } from "../../base/time.ts";
import { UsageError } from "../command-context.ts";
import { spanOf } from "../flag-values.ts";
import { parseInstant } from "../instant.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Cluster, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { readCalendarRevisions, readJob } from "./read-picture.ts";
import type { Asked } from "./request-body.ts";
import type { BackfillFlags, MarkFlags, RequestFlags, RunFlags, SuspendFlags } from "./requests.ts";
import { runViews } from "./run-view.ts";
import { scheduleOfJob, zoneOfJob } from "./schedule-of-job.ts";
import { sendRequest } from "./send-request.ts";
import { waitForRequest } from "./wait-for-request.ts";
import { withCluster } from "./with-cluster.ts";

/** Fire times of one backfill; the operator refuses more. */
const mostBackfilled = 10_000;

/** Asks for a run now. */
export async function sendRun(context: PluginContext, name: string, flags: RunFlags): Promise<void> {
  const { parameter, items, option } = flags;
  await send(context, name, flags, (job) => {
    const total = job.spec.sharding?.total ?? 1;
    for (const item of items ?? [])
      if (item >= total) throw new UsageError(`--items: there is no item ${item}; ${name} has the items 0 to ${total - 1}`);
    const problem = givenProblem(job.spec.options ?? [], option ?? {});
    if (problem !== undefined) throw new UsageError(`--option: ${problem}`);
    return {
      run: {
        ...(option !== undefined && { options: option }),
        ...(parameter !== undefined && { parameter }),
        ...(items !== undefined && { items: items.toString() }),
      },
    };
  });
}

/** Asks for runs of fire times that have passed. */
export async function sendBackfill(context: PluginContext, name: string, flags: BackfillFlags): Promise<void> {
  const { parallelism, order } = flags;
  const now = context.clock.now();
  await send(context, name, flags, async (job, cluster) => {
    const schedule = scheduleOfJob(job, await readCalendarRevisions(cluster, [job]));
    if (schedule === undefined)
      throw new CommandFailure(
        `${job.metadata.name} has no schedule, so it has no fire times to make up for: kubectl nuptse run ${job.metadata.name}`,
      );
    const from = parseInstant("--from", flags.from, schedule.zone);
    const to = parseInstant("--to", flags.to, schedule.zone);
    if (to <= from) throw new UsageError("--to is not after --from: choose a later one");
    // From is included, to is not, and `between` has it the other way round.
    const { times, truncated } = schedule.between(from - 1, to - 1, mostBackfilled);
    const newest = times.at(-1);
    if (newest === undefined)
      throw new CommandFailure(
        `${job.metadata.name} has no fire time from ${formatSeconds(from)} to ${formatSeconds(to)}: see kubectl nuptse next ${job.metadata.name} --from ${formatSeconds(from)}`,
      );
    if (truncated)
      throw new CommandFailure(
        `there are more than ${mostBackfilled} fire times from ${formatSeconds(from)} to ${formatSeconds(to)}: ask for a shorter time`,
      );
    if (newest > now)
      throw new CommandFailure(`a backfill is about the past, and ${formatSeconds(newest)} is still to come: choose an earlier --to`);
    if (flags.output === undefined)
      context.output.note(`${times.length} fire times from ${formatSeconds(times[0] as number)} to ${formatSeconds(newest)}`);
    return {
      backfill: {
        from: formatSeconds(from),
        to: formatSeconds(to),
        ...(parallelism !== undefined && { parallelism }),
        ...(order !== undefined && { order: order === "newest-first" ? ("NewestFirst" as const) : ("OldestFirst" as const) }),
      },
    };
  });
}

/** Asks for the end of a run. */
export async function sendCancel(context: PluginContext, name: string, run: string | undefined, flags: RequestFlags): Promise<void> {
  await send(context, name, flags, (job) => {
    const live = runViews({ job, pods: [] }).filter((view) => view.live);
    if (run !== undefined) return { cancel: { run } };
    const [only, another] = live;
    if (only === undefined)
      throw new CommandFailure(`${job.metadata.name} has no run that waits or is at work (one that began a moment ago can be named)`);
    if (another !== undefined)
      throw new CommandFailure(`${job.metadata.name} has several runs, name one: ${live.map((view) => view.run).join(", ")}`);
    return { cancel: { run: only.run } };
  });
}

/** Asks for the failed items of a run again. */
export async function sendRetry(context: PluginContext, name: string, run: string | undefined, flags: RequestFlags): Promise<void> {
  await send(context, name, flags, (job) => {
    if (run !== undefined) return { retry: { run } };
    const newest = runViews({ job, pods: [] }).find((view) => !view.live);
    if (newest === undefined) throw new CommandFailure(`${job.metadata.name} has no ended run in its history`);
    if (newest.phase === "Succeeded")
      throw new CommandFailure(
        `the newest run ${newest.run} has succeeded: name the one to retry (kubectl nuptse history ${job.metadata.name})`,
      );
    return { retry: { run: newest.run } };
  });
}

/** Asks to record items as succeeded. */
export async function sendMarkSucceeded(context: PluginContext, name: string, run: string, flags: MarkFlags): Promise<void> {
  await send(context, name, flags, () => ({ markSucceeded: { run, ...(flags.items !== undefined && { items: flags.items.toString() }) } }));
}

/** Asks for nothing to fire for a while. */
export async function sendSuspend(context: PluginContext, name: string, flags: SuspendFlags): Promise<void> {
  const now = context.clock.now();
  if (flags.wait) throw new UsageError("--wait: a suspension has no end to wait for; leave it out");
  await send(context, name, flags, (job) => {
    const until = flags.until === undefined ? undefined : untilOf(flags.until, job, now);
    if (until !== undefined && until <= now) throw new UsageError(`--until: ${formatSeconds(until)} has passed; choose a later time`);
    return {
      suspend: { ...(until !== undefined && { until: formatSeconds(until) }), ...(flags.reason !== undefined && { reason: flags.reason }) },
    };
  });
}

function untilOf(text: string, job: ElasticJob, now: number): number {
  const span = spanOf(text);
  return span === undefined ? parseInstant("--until", text, zoneOfJob(job)) : now + span;
}

async function send(
  context: PluginContext,
  name: string,
  flags: RequestFlags,
  asked: (job: ElasticJob, cluster: Cluster) => Asked | Promise<Asked>,
): Promise<void> {
  const { output } = context;
  await withCluster(context, flags, async (cluster: Cluster) => {
    const job = await readJob(cluster, name);
    const request = await sendRequest(cluster, job, await asked(job, cluster));
    if (flags.output === "json" || flags.output === "yaml") await printValue(output, flags.output, request);
    else output.result(`jobrequest.nuptse.dev/${request.metadata.name}${flags.output === "name" ? "" : " created"}`);
    if (flags.wait) await waitForRequest(context, cluster, job, request);
  });
}
