import { controllerOf } from "../../../api/meta.ts";
import { resourceName, runnerApps, tenantQueues } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { formatSeconds } from "../../../base/time.ts";
import type { Commit } from "../../apiserver/api-server.ts";
import { amountOf, type QueuedPodFacts, QueueHistory, resources } from "../queues/facts.ts";
import { isOpen, ReclaimHistory } from "../queues/reclaim-facts.ts";

export interface QueueJudgeOptions {
  readonly now: () => number;
  readonly say: (text: string) => void;
  /** A cache may be so old when something is decided. */
  readonly staleMs: number;
}

/** What a fleet had at an instant: as status records it, or pods that live, whichever is more. */
interface Share {
  readonly at: number;
  readonly items: number;
}

/** A plan's pods and its record come within so long. */
const planMs = 2_000;

/**
 * Fleets in queues, by what the server holds of them:
 * 1. A fleet that grows beyond what it had takes no queue over its max, nor the tree over what there is, and begins nothing in a queue that is held.
 * 2. Only one that agreed to it is reduced, and none below its minCount.
 * 3. At last nothing is asked back or owed any more, and status tells what each queue uses.
 * That an instance is taken away by a reclaim and nothing else is judged with all other acts (act-judge.ts), by the sizes that terms allow.
 */
export class QueueJudge {
  readonly #options: QueueJudgeOptions;
  readonly #queues: QueueHistory;
  readonly #reclaims = new ReclaimHistory();
  readonly #apps = new Map<string, RunnerApp>();
  /** By app, the newest last. */
  readonly #shares = new Map<string, Share[]>();
  /** How fleets agreed to be asked, lately. */
  readonly #terms = new Map<string, { readonly at: number; readonly stops: boolean; readonly minCount: number }[]>();

  constructor(options: QueueJudgeOptions) {
    this.#options = options;
    this.#queues = new QueueHistory(options.now, () => false);
  }

  get reclaims(): number {
    return [...this.#reclaims.all].length;
  }

  /** @param late a write that was delayed may come through: whoever sent it had decided long ago */
  see(commit: Commit, byOperator: boolean, late: boolean): void {
    const kind = resourceName(commit.resource);
    const { now } = this.#options;
    const begun = this.#queues.observe(commit);
    const uid = kind === resourceName(runnerApps) ? (commit.object.metadata.uid as string) : controllerOf(commit.object.metadata)?.uid;
    if (kind === resourceName(tenantQueues) && commit.type !== "DELETED") {
      const queue = this.#queues.queues.get(commit.object.metadata.name);
      if (queue !== undefined) this.#reclaims.observe(queue.object, now());
    } else if (kind === resourceName(runnerApps)) this.#seeApp(commit.object as unknown as RunnerApp, byOperator);
    if (begun !== undefined && byOperator && !late && uid !== undefined) this.#judgeGrowth(begun, uid);
    if (uid !== undefined && this.#apps.has(uid)) this.#noteShare(uid);
  }

  #seeApp(app: RunnerApp, byOperator: boolean): void {
    const { now, say, staleMs } = this.#options;
    const { spec, status, metadata } = app;
    const uid = metadata.uid as string;
    this.#apps.set(uid, app);
    const { queue } = spec;
    const terms = { at: now(), stops: queue?.onReclaim === "Stop", minCount: queue?.minCount ?? 0 };
    const known = this.#terms.get(uid) ?? [];
    const recent = [...known.filter((_, index) => (known[index + 1]?.at ?? now()) > now() - staleMs), terms];
    this.#terms.set(uid, recent);
    if (!byOperator || status?.conditions?.find(({ type }) => type === "Reduced")?.status !== "True") return;
    if (!recent.some(({ stops }) => stops)) say(`${metadata.name} is reduced, to which it has not agreed`);
    const least = Math.min(...recent.map(({ minCount }) => minCount), spec.replicas ?? 1);
    if (spec.suspend !== true && (status.desiredReplicas ?? 0) < least)
      say(`${metadata.name} is reduced to ${status.desiredReplicas}, below its minCount ${least}`);
  }

  #livingOf(uid: string): number {
    return [...this.#queues.live].filter(({ object }) => controllerOf(object.metadata)?.uid === uid).length;
  }

  #noteShare(uid: string): void {
    const { now, staleMs } = this.#options;
    const { replicas = 0, surge = 0 } = this.#apps.get(uid)?.status?.admitted ?? {};
    const items = Math.max(this.#livingOf(uid), replicas + surge);
    const known = this.#shares.get(uid) ?? [];
    if (known.at(-1)?.items === items) return;
    const recent = known.filter((_, index) => (known[index + 1]?.at ?? now()) > now() - staleMs);
    this.#shares.set(uid, [...recent, { at: now(), items }]);
  }

  /** The most that it had before this plan, within the time that a cache may be old. */
  #had(uid: string): number {
    const { now } = this.#options;
    const before = (this.#shares.get(uid) ?? []).filter(({ at }) => at <= now() - planMs);
    return Math.max(0, ...before.map(({ items }) => items));
  }

  #judgeGrowth(pod: QueuedPodFacts, uid: string): void {
    const { now, say, staleMs } = this.#options;
    if (this.#livingOf(uid) <= this.#had(uid)) return;
    const held = this.#queues.queues.get(pod.queue)?.heldSince;
    if (held !== undefined && held < now() - staleMs)
      say(`${pod.name} began, more than its fleet had, though ${pod.queue} is held since ${formatSeconds(held)}`);
    for (const queue of this.#queues.pathOf(pod.queue) ?? []) {
      if (queue.tightenedAt > now() - staleMs) continue;
      const used = this.#queues.usedOf(queue.name);
      const most = amountOf(queue.spec.max, Number.POSITIVE_INFINITY);
      const has = queue.spec.parent === undefined ? this.#queues.capacityOf(queue.name) : most;
      for (const resource of resources) {
        const bound = Math.min(most[resource], has[resource]);
        if (used[resource] > bound) say(`${pod.name} took ${queue.name} to ${used[resource]} of ${resource}, over its ${bound}`);
      }
    }
  }

  /** Of a queue, or of all that there is: what is used, and what can be. */
  roomOf(name: string): { readonly used: number; readonly most: number } {
    return { used: this.#queues.usedOf(name).cpu, most: this.#queues.capacityOf(name).cpu };
  }

  /** What must be so when everything is calm. */
  judge(): void {
    const { say } = this.#options;
    for (const reclaim of this.#reclaims.all)
      if (isOpen(reclaim)) say(`what was asked of ${reclaim.donor} of ${reclaim.queue} has not ended`);
    for (const { name, object } of this.#queues.queues.values()) {
      const [told, used] = [amountOf(object.status?.used, 0).cpu, this.#queues.usedOf(name).cpu];
      if (told !== used) say(`status says that ${name} uses ${told} of cpu; it uses ${used}`);
      if ((object.status?.debts?.length ?? 0) > 0) say(`${name} still owes`);
    }
  }
}
