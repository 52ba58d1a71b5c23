import type { Pod } from "../../../api/core.ts";
import type { ElasticJob } from "../../../api/elastic-job.gen.ts";
import type { ExecutorTask } from "../../../api/executor.ts";
import { labels } from "../../../api/names.ts";
import { elasticJobs, leases, pods, resourceName } from "../../../api/resource.ts";
import { IntervalSet } from "../../../base/interval-set.ts";
import { getOrMake } from "../../../base/map.ts";
import { hasEnded } from "../../../elasticjob/rules/live-run.ts";
import { recordsOf } from "../../../elasticjob/rules/resident/dispatch-record.ts";
import type { ApiServer } from "../../apiserver/api-server.ts";
import { operatorAgent } from "../operator-agent.ts";
import type { ExecutorWork } from "./executors.ts";

const mostProblems = 30;

/** Watches what the API server stores, and holds the executors' own logs against it. */
export class ResidentWitness {
  readonly problems: string[] = [];
  /** Instants of the operators' writes, but for those of the lease and events. */
  readonly writesAt: number[] = [];
  readonly jobs = new Map<string, ElasticJob>();
  /** Failovers that status told of, the highest of each run. */
  readonly lost = new Map<string, number>();
  pods = 0;
  /** Attempts that status ever told of, by a record or by naming the next run and who has its one item: job's UID, run, item, attempt, instance. */
  readonly #recorded = new Set<string>();
  /** Since when a pod is gone, or its phase says that it has ended. */
  readonly #goneAt = new Map<string, number>();
  /** By the job's UID. */
  readonly #works = new Map<string, ExecutorWork[]>();

  constructor(server: ApiServer, now: () => number) {
    server.onCommit(({ resource, type, object, userAgent }) => {
      const kind = resourceName(resource);
      if (userAgent.startsWith(operatorAgent) && kind !== resourceName(leases) && object.kind !== "Event") this.writesAt.push(now());
      if (kind === resourceName(elasticJobs) && type !== "DELETED") this.#seeJob(object as unknown as ElasticJob);
      if (kind === resourceName(pods)) this.#seePod(type, object as unknown as Pod, now());
    });
  }

  say(problem: string): void {
    if (this.problems.length < mostProblems) this.problems.push(problem);
  }

  isRecorded({ job, run, item, attempt }: ExecutorTask, instance: string): boolean {
    return this.#recorded.has(`${job.uid}/${run}/${item}/${attempt}/${instance}`);
  }

  /** How often an item was done after it had been lost. */
  get failovers(): number {
    let sum = 0;
    for (const count of this.lost.values()) sum += count;
    return sum;
  }

  /**
   * By the executors' logs: no item of a run is at work at two places, and no two runs of a job that forbids it, but where nobody could know of the first
   * any more.
   */
  begins(work: ExecutorWork): void {
    const { job, run, item } = work.task;
    const others = getOrMake(this.#works, job.uid, () => []);
    const forbids = this.jobs.get(job.uid)?.spec.concurrencyPolicy === "Forbid";
    for (const { task, instance, to } of others) {
      if (to !== undefined || this.#goneAt.has(instance)) continue;
      const isSame = task.run === run && task.item === item;
      if (!isSame && !(forbids && task.run !== run)) continue;
      const what = isSame ? "an item is at work twice" : "two runs are at work";
      this.say(`${what}: ${task.id} on ${instance}, and from ${work.from} on ${work.task.id} on ${work.instance}`);
    }
    others.push(work);
  }

  /** At last: every run has ended, and what status says of items is what executors did. */
  judgeEnd(log: readonly ExecutorWork[]): void {
    const done = new Set(
      log.filter(({ outcome }) => outcome === "Succeeded").map(({ task }) => `${task.job.uid}/${task.run}/${task.item}`),
    );
    for (const { metadata, status } of this.jobs.values()) {
      const open = (status?.active ?? []).filter((entry) => !hasEnded(entry));
      for (const { run, phase, reason, message } of open)
        this.say(`run ${run} of ${metadata.name} has not ended: ${phase} ${reason} ${message}`);
      const begun = new Set(log.flatMap(({ task }) => (task.job.uid === metadata.uid ? [task.run] : [])));
      for (const { fireTime = "", outcome } of status?.outcomes?.notSucceeded ?? [])
        if (outcome === "Skipped" && begun.has(runNamed(fireTime)))
          this.say(`${fireTime} of ${metadata.name} was skipped, and an executor has begun it`);
      for (const { run, succeeded } of status?.history ?? [])
        for (const item of IntervalSet.parse(succeeded))
          if (!done.has(`${metadata.uid}/${run}/${item}`))
            this.say(`item ${item} of ${run} of ${metadata.name} succeeded, and no executor did it`);
    }
  }

  #seeJob(job: ElasticJob): void {
    const { uid } = job.metadata;
    this.jobs.set(uid as string, job);
    for (const entry of job.status?.active ?? []) {
      for (const { item, attempt, instance } of recordsOf(entry)) this.#recorded.add(`${uid}/${entry.run}/${item}/${attempt}/${instance}`);
      if ((entry.lost ?? 0) > 0) this.lost.set(`${uid}/${entry.run}`, entry.lost as number);
    }
    const { nextFireTime, assignments } = job.status ?? {};
    const [instance, ...more] = assignments?.instances ?? [];
    if (nextFireTime !== undefined && instance?.items === "0" && more.length === 0)
      this.#recorded.add(`${uid}/${runNamed(nextFireTime)}/0/1/${instance.id}`);
  }

  #seePod(type: string, { metadata, status }: Pod, at: number): void {
    if (metadata.labels?.[labels.app] === undefined) return;
    const uid = metadata.uid as string;
    if (type === "ADDED") this.pods++;
    const isOver = type === "DELETED" || status?.phase === "Failed" || status?.phase === "Succeeded";
    if (isOver && !this.#goneAt.has(uid)) this.#goneAt.set(uid, at);
  }
}

/** "20261120t160000z", the name of the run of a fire time that status tells of. */
const runNamed = (fireTime: string): string => fireTime.replaceAll(/[-:]/g, "").toLowerCase();
