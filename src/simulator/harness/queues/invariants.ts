import type { Pod } from "../../../api/core.ts";
import type { ElasticJob } from "../../../api/elastic-job.gen.ts";
import { annotations, queueGate } from "../../../api/names.ts";
import { leases, pods, resourceName, tenantQueues } from "../../../api/resource.ts";
import type { TenantQueue } from "../../../api/tenant-queue.gen.ts";
import { IntervalSet } from "../../../base/interval-set.ts";
import { formatSeconds } from "../../../base/time.ts";
import type { ApiServer, Commit } from "../../apiserver/api-server.ts";
import { demandOf } from "../../world/pod-demand.ts";
import type { Ledger } from "../../world/ledger.ts";
import type { ApiHistory } from "../api-history.ts";
import { checkTouched } from "../bystanders.ts";
import { lateWriteWindow } from "../late-writes.ts";
import { operatorAgent } from "../operator-agent.ts";
import { checkPodDeleted } from "../pod-invariants.ts";
import { judgeWork } from "../work-invariants.ts";
import {
  admittedWith,
  type Amount,
  amountOf,
  groupSizeOf,
  plus,
  type QueuedPodFacts,
  type QueueFacts,
  QueueHistory,
  resources,
  type WorkloadFacts,
} from "./facts.ts";
import { couldEverFit, excessBeside, guaranteesIn, mostIn, sharesIn, unreachableClass } from "./oracle.ts";
import { promiseOf } from "./promises.ts";
import { isOpen, type ReclaimFacts, ReclaimHistory } from "./reclaim-facts.ts";

/** Watches every commit of the API server for what must never be (tenantqueue.md, sections 3 and 4). */
export interface QueueInvariantWatch {
  /** What was found so far, in the order in which it happened, each once; empty is good. */
  readonly problems: readonly string[];
  /** Instants of the operator's commits besides its lease and events. */
  readonly writesAt: readonly number[];
  readonly queues: QueueHistory;
  /** When a pod last began to take its share. */
  readonly begunAt: number;
  readonly reclaims: ReclaimHistory;
  /** Runs and pods that wait though they could be admitted. */
  waiting(): readonly string[];
  /** Under endless demand: notes what each leaf has now. */
  sample(): void;
  /** What was noted is as the rule says. */
  judgeShares(): void;
  /** Judges the whole history once everything has come to rest. */
  judge(ledger: Ledger): void;
}

export interface QueueInvariantOptions {
  readonly server: ApiServer;
  readonly history: ApiHistory;
  readonly now: () => number;
  /** How many writes were delayed so far. */
  readonly delayedWrites: () => number;
}

/** How old what the operator sees of queues, nodes and namespaces may be. */
const staleMs = 150_000;
const mostProblems = 100;
/** The statuses of queues are written at most every 10 s, and usage may be of pods that were granted a while ago. */
const usageWindowMs = 60_000;
/** Within it pods are created of what was granted. */
const grantMs = 5000;
/** Millicores that a leaf may lack on the mean since an item has ended and the next has not begun. */
const momentOf = 250;

interface Suspicion {
  readonly reclaim: ReclaimFacts;
  readonly pod: QueuedPodFacts;
  readonly at: number;
}

/** Begins to watch. */
export function watchQueueInvariants(options: QueueInvariantOptions): QueueInvariantWatch {
  const { server, history, now } = options;
  const queues = new QueueHistory(now, (uid) => {
    const pod = history.pods.get(uid);
    return pod !== undefined && history.isOver(pod);
  });
  const reclaims = new ReclaimHistory();
  const problems: string[] = [];
  const writesAt: number[] = [];
  const told = new Set<string>();
  const isLate = lateWriteWindow(options.delayedWrites, now);
  /** Until then something may have begun that no leader knew of when it decided. */
  let lateUntil = Number.NEGATIVE_INFINITY;
  const suspicions: Suspicion[] = [];
  const asked: { readonly reclaim: ReclaimFacts; readonly guarantee: number }[] = [];
  let begunAt = Number.NEGATIVE_INFINITY;
  const toldOpenAt = new Map<ReclaimFacts, number>();
  const samples: ReadonlyMap<string, number>[] = [];
  const usage = new Map<string, { readonly at: number; readonly cpu: number }[]>();

  const say = (text: string) => {
    if (told.has(text) || told.size >= mostProblems) return;
    told.add(text);
    problems.push(`${formatSeconds(now())} ${text}`);
  };
  const jobOf = (uid: string | undefined): ElasticJob | undefined => history.jobs.get(uid ?? "")?.stored;
  const promise = (pod: QueuedPodFacts): number => promiseOf(pod, jobOf(pod.jobUid)?.spec);

  server.onCommit((commit) => {
    const late = isLate();
    if (late) lateUntil = now();
    history.observe(commit);
    const begun = queues.observe(commit);
    if (begun !== undefined) begunAt = now();
    const kind = resourceName(commit.resource);
    if (kind === resourceName(pods)) noteUsage(commit);
    const ours = commit.userAgent.startsWith(operatorAgent);
    if (begun !== undefined && ours) checkBegun(begun, commit, late);
    if (!ours) return;
    if (kind !== resourceName(leases) && !kind.startsWith("events")) writesAt.push(now());
    checkOurs(commit, kind);
  });

  function noteUsage({ object }: Commit): void {
    const facts = queues.pods.get(object.metadata.uid as string);
    if (facts === undefined) return;
    let cpu = 0;
    for (const pod of queues.live) if (pod.queue === facts.queue) cpu += pod.cpu;
    const notes = usage.get(facts.queue) ?? [];
    usage.set(facts.queue, notes);
    if (notes.at(-1)?.cpu !== cpu) notes.push({ at: now(), cpu });
  }

  /** The most that a leaf used in a stretch of time. */
  function mostUsed(queue: string, from: number, to: number): number {
    const notes = usage.get(queue) ?? [];
    const before = notes.findLastIndex(({ at }) => at < from);
    return Math.max(
      0,
      ...notes
        .slice(Math.max(0, before))
        .filter(({ at }) => at <= to)
        .map(({ cpu }) => cpu),
    );
  }

  /** What an admission shows as: a pod of a run that is created, or one of others that is released. */
  function checkBegun(pod: QueuedPodFacts, commit: Commit, late: boolean): void {
    const agent = commit.userAgent;
    if (agent !== history.holder && !late) say(`${pod.name} began by ${agent}, while ${history.holder} led`);
    const path = queues.pathOf(pod.queue);
    if (path === undefined) return;
    const workload = queues.workloads.get(pod.workload) as WorkloadFacts;
    const isFirst = workload.begunAt === now() && workload.pods.filter(({ begunAt }) => begunAt !== undefined).length === 1;
    // An item of a run, or a pod of a controller, may take the place of one that has ended: it was admitted at any time since the first began.
    const since = workload.begunAt as number;
    if (since <= lateUntil) return;
    const toCome = isFirst ? whatBeginsWith(pod, workload) : { cpu: 0, pods: 0 };
    checkRoom(pod, path, since, toCome);
    checkAllowed(pod, isFirst);
    checkGuarantees(pod, since);
    checkYielded(pod, workload);
  }

  /** What must have been admitted together with the first pod of a workload, besides it. */
  function whatBeginsWith(pod: QueuedPodFacts, workload: WorkloadFacts): Amount {
    const gang = pod.jobUid === undefined ? groupSizeOf(pod) : gangOf(jobOf(pod.jobUid));
    if (gang === 1) return { cpu: 0, pods: 0 };
    if (pod.jobUid === undefined) {
      if (workload.pods.length < gang) say(`${pod.name} of a group of ${gang} was released when only ${workload.pods.length} existed`);
    } else if (admittedWith(pod) < gang)
      say(`${pod.name} is the first of a run that begins with ${gang} items; ${admittedWith(pod)} stood admitted`);
    return { cpu: pod.cpu * (gang - 1), pods: gang - 1 };
  }

  function checkRoom(pod: QueuedPodFacts, path: readonly QueueFacts[], since: number, toCome: Amount): void {
    for (const queue of path) {
      // Whoever was admitted before it had less room, or could not know it yet, goes on.
      if (queue.tightenedAt > since - staleMs) continue;
      const used = plus(queues.usedOf(queue.name), toCome);
      const most = amountOf(queue.spec.max, Number.POSITIVE_INFINITY);
      const has = queue.spec.parent === undefined ? queues.capacityOf(queue.name) : most;
      for (const resource of resources) {
        const bound = Math.min(most[resource], has[resource]);
        if (used[resource] > bound) say(`${pod.name} took ${queue.name} to ${used[resource]} of ${resource}, over its ${bound}`);
      }
      const running = queues.runningIn(queue.name);
      const limit = queue.spec.limits?.running ?? Number.POSITIVE_INFINITY;
      // Pods of one owner are several workloads where they differ, so only runs and single pods can be counted here.
      if (running > limit) say(`${pod.name} took ${queue.name} to ${running} workloads, over its limits.running ${limit}`);
    }
  }

  function checkAllowed(pod: QueuedPodFacts, isFirst: boolean): void {
    const held = queues.queues.get(pod.queue)?.heldSince;
    if (isFirst && held !== undefined && held < now() - staleMs)
      say(`${pod.name} began though ${pod.queue} is held since ${formatSeconds(held)}`);
    const closed = queues.closedSince(pod.queue, pod.namespace);
    // A run keeps the queue with which it began.
    if ((isFirst || pod.jobUid === undefined) && closed !== undefined && closed < now() - staleMs)
      say(`${pod.name} began though ${pod.queue} is not open to ${pod.namespace} since ${formatSeconds(closed)}`);
  }

  /** Guarantees stay reachable by consent (decision 9). */
  function checkGuarantees(pod: QueuedPodFacts, since: number): void {
    const root = queues.pathOf(pod.queue)?.at(-1);
    if (root === undefined || queues.guaranteesChangedAt > since - staleMs || !queues.isCounted(pod)) return;
    const guarantees = guaranteesIn(queues, root);
    const seconds = guarantees === undefined ? undefined : unreachableClass(queues, pod, guarantees, promise);
    if (seconds !== undefined)
      say(`${pod.name} of ${pod.queue} may stay for ${promise(pod)} s, and made guarantees unreachable that are lent for ${seconds} s`);
  }

  /** Whoever has been asked to give back gets nothing before the one for whom he was asked. */
  function checkYielded(pod: QueuedPodFacts, workload: WorkloadFacts): void {
    const live = workload.pods.filter((each) => queues.isCounted(each)).length;
    for (const reclaim of reclaims.all)
      if (reclaim.donor === workload.told && isOpen(reclaim) && reclaim.firstSeenAt < now() - 1000 && live > reclaim.target)
        suspicions.push({ reclaim, pod, at: now() });
  }

  function checkOurs(commit: Commit, kind: string): void {
    const { object, previous, type } = commit;
    const what = `${type} ${kind} ${object.metadata.namespace ?? ""}/${object.metadata.name}`;
    if (kind === resourceName(tenantQueues)) {
      if (type !== "MODIFIED" || !isSameBut(previous, object, ["status"])) say(`the operator changed more than status: ${what}`);
      else checkReclaims(object as unknown as TenantQueue);
      return;
    }
    const queued = kind === resourceName(pods) ? queues.pods.get(object.metadata.uid as string) : undefined;
    if (queued === undefined || queued.jobUid !== undefined) {
      checkTouched(commit, say);
      const pod = kind === resourceName(pods) ? history.pods.get(object.metadata.uid as string) : undefined;
      if (pod?.askedAt !== now() || type === "ADDED") return;
      checkPodDeleted(pod, history, say);
      const active = history.liveJob(pod.jobUid)?.stored.status?.active?.find(({ run }) => run === pod.run);
      const stop = active?.stops?.find(({ item, attempt }) => item === pod.item && attempt === pod.attempt);
      if (stop?.reason === "Reclaimed" && jobOf(pod.jobUid)?.spec.queue?.onReclaim !== "Stop")
        say(`${pod.name} was stopped for a reclaim, to which its job has not agreed`);
      return;
    }
    if (type !== "MODIFIED" || object.metadata.deletionTimestamp !== undefined) say(`the operator deleted somebody else's pod: ${what}`);
    else if (!isReleased(previous as unknown as Pod, object as unknown as Pod)) say(`the operator changed somebody else's pod: ${what}`);
  }

  function checkReclaims(queue: TenantQueue): void {
    const fresh = reclaims.observe(queue, now());
    for (const reclaim of reclaims.all) if (reclaim.queue === queue.metadata.name && isOpen(reclaim)) toldOpenAt.set(reclaim, now());
    for (const reclaim of fresh) {
      if (reclaim.claimant === undefined || queues.guaranteesChangedAt > reclaim.requestedAt - staleMs) continue;
      const root = queues.pathOf(reclaim.queue)?.at(-1);
      const guarantee = root === undefined ? undefined : guaranteesIn(queues, root)?.get(reclaim.queue);
      if (guarantee !== undefined) asked.push({ reclaim, guarantee });
    }
  }

  /** To be called when what was granted as they were asked has become pods. */
  function judgeDonors(): void {
    for (const { reclaim, guarantee } of asked) {
      const { donor, queue, requestedAt, firstSeenAt } = reclaim;
      const most = mostUsed(queue, requestedAt - usageWindowMs, firstSeenAt + grantMs);
      // What is given back before it has become a pod was never seen.
      const isSeen = queues.workloads
        .get(donor)
        ?.pods.some(
          ({ begunAt = Number.POSITIVE_INFINITY, endedAt = requestedAt }) => begunAt < requestedAt && endedAt >= requestedAt - grantMs,
        );
      const isNew = [...queues.workloads.values()].some(
        (each) => each.queue === queue && Math.abs((each.begunAt ?? Number.NaN) - firstSeenAt) <= grantMs,
      );
      if (most <= guarantee && isSeen === true && !isNew)
        say(`${donor} of ${queue} was asked to give back, which used ${most} of its guaranteed ${guarantee}`);
    }
  }

  function waiting(): readonly string[] {
    const texts: string[] = [];
    for (const job of history.jobs.values()) {
      if (job.deletedAt !== undefined) continue;
      const { spec, status, metadata } = job.stored;
      const gang = gangOf(job.stored);
      const item = Math.round(demandOf({ spec: spec.template?.spec } as unknown as Pod).cpu * 1000);
      for (const run of status?.active ?? []) {
        const queue = spec.queue?.name ?? "";
        const sample = { object: { spec: spec.template?.spec } as unknown as Pod } as QueuedPodFacts;
        const isAtWork = queues.workloads.get(`${job.uid}/${run.run}`)?.pods.some((pod) => queues.isCounted(pod)) ?? false;
        const open = (run.total ?? 1) - IntervalSet.parse(run.succeeded).size - IntervalSet.parse(run.failed).size;
        // What has lost or given back all that it had begins together again.
        const together = isAtWork ? 1 : Math.min(gang, Math.max(1, open));
        const request = { cpu: item * together, pods: together };
        if (couldEverFit(queues, queue, request, promiseOf(sample, spec)))
          texts.push(`run ${run.run} of ${metadata.name} in ${queue}: ${run.phase} ${run.reason ?? ""}`);
      }
    }
    const stopped = new Set(["Succeeded", "Failed"]);
    for (const pod of queues.pods.values()) {
      if (pod.endedAt !== undefined || stopped.has(pod.object.status?.phase ?? "")) continue;
      const size = pod.begunAt === undefined ? groupSizeOf(pod) : 1;
      const fits = couldEverFit(queues, pod.queue, { cpu: pod.cpu * size, pods: size }, promise(pod));
      if (fits && pod.jobUid === undefined)
        texts.push(`pod ${pod.name} in ${pod.queue}: ${pod.begunAt === undefined ? "gated" : "released"}`);
    }
    return texts;
  }

  /** Whether somewhere in the tree not every leaf may have work, since elastic work that is there keeps its place. */
  function isCrowded(queue: QueueFacts): boolean {
    const { running = Number.POSITIVE_INFINITY } = queue.spec.limits ?? {};
    return running < leavesIn(queue) || queues.childrenOf(queue.name).some(isCrowded);
  }

  function leavesIn({ name }: QueueFacts): number {
    return queues.isLeaf(name) ? 1 : queues.childrenOf(name).reduce((sum, child) => sum + leavesIn(child), 0);
  }

  return {
    problems,
    writesAt,
    queues,
    get begunAt() {
      return begunAt;
    },
    reclaims,
    waiting,
    sample() {
      const now = [...queues.queues.keys()].filter((name) => queues.isLeaf(name));
      samples.push(new Map(now.map((name) => [name, queues.usedOf(name).cpu])));
    },
    judgeShares() {
      for (const root of queues.queues.values()) {
        if (root.spec.parent !== undefined) continue;
        const guarantees = guaranteesIn(queues, root);
        if (guarantees === undefined || isCrowded(root)) continue;
        // What a queue is guaranteed and can never use is kept from firm work, though nobody has it.
        if ([...guarantees].some(([name, amount]) => name !== root.name && amount > mostIn(queues, queues.queues.get(name) as QueueFacts)))
          continue;
        const shares = sharesIn(queues, root, guarantees);
        for (const [leaf, share] of shares) {
          const mean = samples.reduce((sum, sample) => sum + (sample.get(leaf) ?? 0), 0) / samples.length;
          const path = queues.pathOf(leaf) ?? [];
          // A workload is an item of one core. At each level whoever has the least for its weight comes next, before its item is counted: it ends
          // up to one item above its share, or more where guarantees beneath it are of no whole items, and what it has above is lacking elsewhere.
          // Between the end of an item and the next there is a moment.
          const steps = path.slice(0, -1);
          const above = 1000 * steps.length + momentOf;
          const below = steps.reduce((sum, queue) => sum + Math.max(1000, excessBeside(queues, queue, shares, guarantees)), 0) + momentOf;
          if (mean > share + above || mean < share - below)
            say(`${leaf} had ${Math.round(mean)} under endless demand; its share is ${Math.round(share)}`);
        }
      }
    },
    judge(ledger) {
      judgeWork(history, ledger, say);
      judgeDonors();
      for (const { reclaim, pod, at } of suspicions) {
        const claimant = [...queues.workloads.values()].find(({ told }) => reclaim.claimant?.startsWith(told));
        const until = toldOpenAt.get(reclaim) ?? 0;
        const served = claimant?.pods.some(({ begunAt = 0 }) => begunAt > reclaim.requestedAt && begunAt <= until) ?? true;
        if (until > at + 2000 && !served)
          say(`${pod.name} began at ${formatSeconds(at)} before the claim that its run had yielded to was served`);
      }
      for (const reclaim of reclaims.all) if (isOpen(reclaim)) say(`a request to ${reclaim.donor} of ${reclaim.queue} has not ended`);
      for (const workload of queues.workloads.values()) judgeGang(workload);
      for (const text of waiting()) if (!text.startsWith("pod stays-")) say(`${text} has not come to rest`);
      for (const { name, object } of queues.queues.values()) judgeStatus(name, object);
    },
  };

  function judgeGang(workload: WorkloadFacts): void {
    const [first] = workload.pods;
    if (first === undefined || workload.begunAt === undefined) return;
    if (first.jobUid === undefined) {
      const left = workload.pods.filter(({ begunAt, endedAt }) => begunAt === undefined && endedAt === undefined);
      if (groupSizeOf(first) > 1 && left.length > 0) say(`${left.length} pods of the group ${workload.id} never began, and others did`);
      return;
    }
    const job = history.liveJob(first.jobUid);
    const items = new Set(workload.pods.map(({ object }) => object.metadata.labels?.["nuptse.dev/item"]));
    const gang = gangOf(job?.stored);
    const cut = job?.stored.status?.history?.find(({ run }) => workload.id.endsWith(`/${run}`))?.phase !== "Succeeded";
    if (job !== undefined && !cut && items.size < gang) say(`only ${items.size} items of ${workload.id} began, which begins with ${gang}`);
  }

  function judgeStatus(name: string, { status }: TenantQueue): void {
    const told = amountOf(status?.used, 0);
    const used = queues.usedOf(name);
    for (const resource of resources)
      if (told[resource] !== used[resource])
        say(`status says that ${name} uses ${told[resource]} of ${resource}; it uses ${used[resource]}`);
    if ((status?.debts?.length ?? 0) > 0) say(`${name} still owes`);
  }
}

/** Items with which each run of the job begins. */
function gangOf(job: ElasticJob | undefined): number {
  const total = job?.spec.sharding?.total ?? 1;
  return Math.min(total, job?.spec.queue?.minCount ?? 1);
}

/** Whether only the gate went, and what binds the pod to its pool came. */
function isReleased(before: Pod, after: Pod): boolean {
  const rest = (pod: Pod) => {
    const { nodeSelector: _selector, tolerations: _tolerations, schedulingGates: gates, ...spec } = pod.spec;
    const others = gates?.filter(({ name }) => name !== queueGate) ?? [];
    const { [annotations.surge]: _surge, ...notes } = pod.metadata.annotations ?? {};
    const { conditions: _conditions, ...status } = pod.status ?? {};
    return JSON.stringify([spec, others, notes, pod.metadata.labels, status]);
  };
  return rest(before) === rest(after);
}

function isSameBut(before: unknown, after: unknown, fields: readonly string[]): boolean {
  const rest = (object: unknown) => {
    const { metadata, ...others } = object as { readonly metadata: object };
    const left = Object.fromEntries(Object.entries(others).filter(([field]) => !fields.includes(field)));
    return JSON.stringify([left, { ...metadata, resourceVersion: undefined, managedFields: undefined }]);
  };
  return rest(before) === rest(after);
}
