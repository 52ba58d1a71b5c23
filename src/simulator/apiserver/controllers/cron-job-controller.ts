import type { Clock } from "../../../base/clock.ts";
import { formatSeconds, parseTime } from "../../../base/time.ts";
import { cronJobs, jobs } from "../../../api/resource.ts";
import { createSchedule, type Schedule } from "../../../cron/schedule.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import type { Fields, StoredObject } from "../json.ts";
import { conditionOf } from "./job-progress.ts";
import { type ControllerContext, OwnerWork } from "./owner-work.ts";
import { type ControllerClient, controlledBy, numberOf, ownedBy, sectionOf, specOf, statusOf } from "./owned.ts";

const minuteMs = 60_000;

/** Makes Jobs when a CronJob's schedule says so (pkg/controller/cronjob). Of several times that were missed only the last one counts. */
export class CronJobController {
  readonly #server: ApiServer;
  readonly #clock: Clock;
  readonly #work: OwnerWork;
  readonly #client: ControllerClient;

  constructor(context: ControllerContext) {
    this.#server = context.server;
    this.#work = new OwnerWork(context, cronJobs, jobs, (key, owner) => this.#sync(key, owner));
    this.#client = this.#work.client;
    this.#clock = context.clock;
  }

  /** Ends what it would look at later. */
  close(): void {
    this.#work.close();
  }

  observe(commit: Commit): void {
    this.#work.observe(commit);
  }

  #sync(key: string, cronJob: StoredObject | undefined): void {
    if (cronJob === undefined || cronJob.metadata.deletionTimestamp !== undefined) return;
    const owned = ownedBy(this.#server, jobs, cronJob);
    this.#forget(cronJob, owned);
    const started = specOf(cronJob).suspend === true ? undefined : this.#fire(key, cronJob, owned);
    this.#writeStatus(cronJob, ownedBy(this.#server, jobs, cronJob), started);
  }

  /** Makes the Job that is due, and looks again at the next time; the time for which one was made. */
  #fire(key: string, cronJob: StoredObject, owned: readonly StoredObject[]): number | undefined {
    const schedule = scheduleOf(cronJob);
    if (schedule === undefined) return undefined;
    const now = this.#clock.now();
    const spec = specOf(cronJob);
    const last =
      parseTime(statusOf(cronJob).lastScheduleTime as string | undefined) ?? parseTime(cronJob.metadata.creationTimestamp) ?? now;
    const next = schedule.next(now);
    if (next !== undefined) this.#work.enqueueAt(key, next);
    const [due] = schedule.newestBetween(last, now, 1).times;
    const patience = typeof spec.startingDeadlineSeconds === "number" ? spec.startingDeadlineSeconds * 1_000 : Number.POSITIVE_INFINITY;
    if (due === undefined || now - due > patience) return undefined;
    const active = owned.filter((job) => !isFinished(job));
    if (active.length > 0 && spec.concurrencyPolicy === "Forbid") return undefined;
    if (spec.concurrencyPolicy === "Replace") for (const job of active) this.#client.delete(jobs, job);
    return this.#create(cronJob, due) ? due : undefined;
  }

  /** The name follows from the time, so that nothing is made twice for one. */
  #create(cronJob: StoredObject, due: number): boolean {
    const { name, namespace } = cronJob.metadata;
    const template = sectionOf(specOf(cronJob), "jobTemplate");
    const { labels, annotations } = sectionOf(template, "metadata");
    const body = {
      metadata: {
        name: `${name}-${Math.floor(due / minuteMs)}`,
        ...(labels === undefined ? {} : { labels }),
        annotations: { ...(annotations as Fields | undefined), "batch.kubernetes.io/cronjob-scheduled-timestamp": formatSeconds(due) },
        ownerReferences: [controlledBy(cronJob, cronJobs)],
      },
      spec: template.spec,
    };
    return this.#client.create(jobs, namespace, body);
  }

  #forget(cronJob: StoredObject, owned: readonly StoredObject[]): void {
    const spec = specOf(cronJob);
    const oldestFirst = (list: readonly StoredObject[]): readonly StoredObject[] =>
      list.toSorted((one, other) => (String(statusOf(one).startTime) < String(statusOf(other).startTime) ? -1 : 1));
    for (const [type, limit] of [
      ["Complete", numberOf(spec, "successfulJobsHistoryLimit", 3)],
      ["Failed", numberOf(spec, "failedJobsHistoryLimit", 1)],
    ] as const) {
      const ended = oldestFirst(
        owned.filter((job) => conditionOf(job, type) !== undefined && job.metadata.deletionTimestamp === undefined),
      );
      for (const job of ended.slice(0, Math.max(0, ended.length - limit))) this.#client.delete(jobs, job);
    }
  }

  #writeStatus(cronJob: StoredObject, owned: readonly StoredObject[], started: number | undefined): void {
    const before = statusOf(cronJob);
    const active = owned.filter((job) => !isFinished(job) && job.metadata.deletionTimestamp === undefined);
    const ends = owned.map((job) => statusOf(job).completionTime).filter((time): time is string => typeof time === "string");
    const latest = [...ends, ...(typeof before.lastSuccessfulTime === "string" ? [before.lastSuccessfulTime] : [])].sort().at(-1);
    const { lastScheduleTime } = before;
    this.#client.writeStatus(cronJobs, cronJob, {
      ...(active.length === 0 ? {} : { active: active.map(referenceOf) }),
      ...(started === undefined
        ? lastScheduleTime === undefined
          ? {}
          : { lastScheduleTime }
        : { lastScheduleTime: formatSeconds(started) }),
      ...(latest === undefined ? {} : { lastSuccessfulTime: latest }),
    });
  }
}

const isFinished = (job: StoredObject): boolean => conditionOf(job, "Complete") !== undefined || conditionOf(job, "Failed") !== undefined;

function referenceOf(job: StoredObject): Fields {
  const { name, namespace, uid, resourceVersion } = job.metadata;
  return { kind: "Job", apiVersion: "batch/v1", name, namespace, uid, resourceVersion };
}

/** Undefined for a schedule that cannot be read: such a CronJob does nothing, as on a real cluster. */
function scheduleOf(cronJob: StoredObject): Schedule | undefined {
  const { schedule, timeZone } = specOf(cronJob);
  try {
    return createSchedule({
      crons: [String(schedule)],
      timeZone: typeof timeZone === "string" ? timeZone : undefined,
      anchor: parseTime(cronJob.metadata.creationTimestamp) ?? 0,
    });
  } catch {
    return undefined;
  }
}
