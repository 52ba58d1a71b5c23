import type { TenantQueue, TenantQueueStatus } from "../api/tenant-queue.gen.ts";
import { waitReasons } from "../api/reasons.ts";
import { mergePatch } from "../base/diff.ts";
import { fairShares } from "../quota/fair-share.ts";
import type { QuotaTree } from "../quota/quota-tree.ts";
import { type ResourceVector, subtractResources } from "../quota/resource-vector.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Ledger } from "./ledger.ts";
import type { Reclaims } from "./reclaims.ts";
import type { EffectiveQueue } from "./rules/effective-spec.ts";
import { lentOf } from "./rules/lending.ts";
import { nextQueueStatus, type QueueSnapshot } from "./rules/status.ts";
import { planStatusWrites, type StaleStatus } from "./rules/status-writes.ts";
import type { World } from "./world.ts";
import { compareInLine, type Seat } from "./seat.ts";

export interface StatusBoardOptions {
  readonly ledger: Ledger;
  readonly reclaims: Reclaims;
  readonly stored: (name: string) => TenantQueue | undefined;
  readonly now: () => number;
  readonly metrics: Metrics;
  /** Its status may be written now. */
  readonly onDue: (name: string) => void;
}

const second = 1000;

/** What the statuses of all queues ought to be, and which of them may be written when (decision 26). */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #staleSince = new Map<string, number>();
  readonly #writtenAt = new Map<string, number>();
  readonly #granted = new Set<string>();
  #recent: number[] = [];
  #shares = new Map<string, ResourceVector>();
  #lent = new Map<string, ResourceVector>();

  constructor(options: StatusBoardOptions) {
    this.#options = options;
  }

  /** Looks at every queue, and hands out what may be written now. Returns when to look again without anything having changed. */
  refresh(): number | undefined {
    const { ledger, now } = this.#options;
    const { world } = ledger;
    if (world === undefined) return undefined;
    this.#measure();
    const at = now();
    for (const name of world.specs.keys()) {
      if (this.patchOf(name) === undefined) this.#staleSince.delete(name);
      else if (!this.#staleSince.has(name)) this.#staleSince.set(name, at);
    }
    for (const name of this.#staleSince.keys()) if (!world.specs.has(name)) this.#staleSince.delete(name);
    return this.#handOut(at);
  }

  /** Whether the status of the queue may be written; asked once for each time that it was told. */
  takeGrant(name: string): boolean {
    return this.#granted.delete(name);
  }

  /** The status write ended well. */
  written(name: string): void {
    this.#staleSince.delete(name);
  }

  /** What is to be written of a queue; undefined when what is stored is true. */
  patchOf(name: string): { readonly queue: TenantQueue; readonly patch: Readonly<Record<string, unknown>> } | undefined {
    const queue = this.#options.stored(name);
    const next = this.statusOf(name);
    if (queue === undefined || next === undefined) return undefined;
    const patch = mergePatch((queue.status ?? {}) as Record<string, unknown>, next as Record<string, unknown>);
    return patch === undefined ? undefined : { queue, patch: patch as Readonly<Record<string, unknown>> };
  }

  /** What the status of a queue ought to be now; undefined while that is not known. Shares are those of the last `refresh`. */
  statusOf(name: string): TenantQueueStatus | undefined {
    const queue = this.#options.stored(name);
    return queue === undefined ? undefined : this.#nextOf(queue);
  }

  #handOut(at: number): number | undefined {
    const stale: StaleStatus[] = [];
    for (const [name, since] of this.#staleSince) {
      const writtenAt = this.#writtenAt.get(name);
      stale.push({ name, since, ...(writtenAt !== undefined && { writtenAt }) });
    }
    this.#recent = this.#recent.filter((instant) => instant > at - second);
    const { names, wakeAt } = planStatusWrites(stale, this.#recent, at);
    for (const name of names) {
      this.#writtenAt.set(name, at);
      this.#recent.push(at);
      this.#granted.add(name);
      this.#options.onDue(name);
    }
    return wakeAt;
  }

  #measure(): void {
    const { ledger, metrics } = this.#options;
    this.#shares = new Map();
    this.#lent = new Map();
    for (const [root, tree] of ledger.trees) {
      for (const [name, share] of fairShares(tree, "Current")) this.#shares.set(name, share);
      const planned = ledger.world?.trees.get(root);
      if (planned !== undefined) for (const [name, lent] of lentOf(planned, (queue) => tree.usageOf(queue))) this.#lent.set(name, lent);
      for (const { name } of planned?.queues ?? []) this.#count(metrics, tree, name);
    }
  }

  #count(metrics: Metrics, tree: QuotaTree, queue: string): void {
    const { used, guaranteed, waiting, admitted } = tree.usageOf(queue);
    metrics.set("nuptse_queue_waiting", { queue }, waiting);
    metrics.set("nuptse_queue_admitted", { queue }, admitted);
    const share = this.#shares.get(queue) ?? {};
    for (const resource of new Set([...Object.keys(used), ...Object.keys(guaranteed), ...Object.keys(share)])) {
      metrics.set("nuptse_queue_used", { queue, resource }, used[resource] ?? 0);
      metrics.set("nuptse_queue_guaranteed", { queue, resource }, guaranteed[resource] ?? 0);
      metrics.set("nuptse_queue_share", { queue, resource }, share[resource] ?? 0);
    }
  }

  #nextOf(queue: TenantQueue): TenantQueueStatus | undefined {
    const { ledger, now } = this.#options;
    const { world } = ledger;
    const { name } = queue.metadata;
    const spec = world?.specs.get(name);
    const placement = world?.forest.placementOf(name);
    if (world === undefined || spec === undefined || placement === undefined) return undefined;
    const root = placement.kind === "placed" ? placement.root : undefined;
    const tree = ledger.treeOf(name);
    const overlap = root === undefined ? undefined : world.overlaps.get(root);
    const guarantee = world.guarantees.get(name);
    const capacity = root === undefined ? undefined : world.trees.get(root)?.capacity;
    return nextQueueStatus(
      {
        queue,
        spec,
        state: {
          placement,
          ...(overlap !== undefined && { overlap }),
          problems: world.problems.get(name) ?? [],
          capacityKnown: tree !== undefined,
          stop: stopOf(world, name),
          ...(guarantee !== undefined && { guarantee }),
        },
        ...(capacity !== undefined && { capacity }),
        snapshot: this.#snapshotOf(spec, tree),
      },
      now(),
    );
  }

  #snapshotOf({ name }: EffectiveQueue, tree: QuotaTree | undefined): QueueSnapshot {
    const told = this.#options.reclaims.of(name);
    if (tree === undefined) return { used: {}, fairShare: {}, borrowed: {}, lent: {}, admitted: 0, waiting: 0, ...told };
    const { used, guaranteed, admitted, waiting } = tree.usageOf(name);
    const head = this.#headOf(name);
    const isRoot = this.#options.ledger.trees.has(name);
    return {
      used,
      fairShare: this.#shares.get(name) ?? {},
      borrowed: isRoot ? {} : subtractResources(used, guaranteed),
      lent: this.#lent.get(name) ?? {},
      admitted,
      waiting,
      ...(head !== undefined && { oldestWaitSince: head.oldest, head: head.told }),
      ...told,
    };
  }

  /** Of a leaf: the first by its ordering that waits, and since when the oldest does. */
  #headOf(queue: string): { readonly oldest: number; readonly told: NonNullable<QueueSnapshot["head"]> } | undefined {
    const { ledger } = this.#options;
    const ordering = ledger.world?.specs.get(queue)?.ordering;
    let first: Seat | undefined;
    let oldest = Number.POSITIVE_INFINITY;
    for (const seat of ledger.seatsOf(queue)) {
      if (!seat.isWaiting) continue;
      oldest = Math.min(oldest, seat.waitsSince);
      if (first === undefined || compareInLine(seat, first, ordering) < 0) first = seat;
    }
    if (first === undefined) return undefined;
    const waits = ledger.answerOf(first).waits ?? { reason: waitReasons.queuePending, message: "" };
    return { oldest, told: { reason: waits.reason, message: waits.message, since: first.waitsSince } };
  }
}

/** The strictest policy on the way up, and the nearest queue that has it. */
export function stopOf({ forest, specs }: World, name: string): { readonly policy: EffectiveQueue["stopPolicy"]; readonly queue: string } {
  const policy = forest.stopPolicyOf(name);
  const placement = forest.placementOf(name);
  const path = placement?.kind === "placed" ? placement.path : [name];
  return { policy, queue: path.find((each) => specs.get(each)?.stopPolicy === policy) ?? name };
}
