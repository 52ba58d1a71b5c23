import type { WorkloadOwner } from "../api/admission.ts";
import { type LiveQueue, type NamedWork, type QueueAnswer, type WhyAnswer, workRef } from "../api/queue-explanation.ts";
import { elasticJobs, runnerApps } from "../api/resource.ts";
import type { TenantQueue } from "../api/tenant-queue.gen.ts";
import type { Clock } from "../base/clock.ts";
import { formatSeconds } from "../base/time.ts";
import { type Explanation, explain } from "../quota/explain.ts";
import type { QuotaTree } from "../quota/quota-tree.ts";
import type { Ledger } from "./ledger.ts";
import type { Reclaims } from "./reclaims.ts";
import { type NameOf, waitingWork } from "./rules/why.ts";
import { compareInLine, type Seat } from "./seat.ts";
import { type StatusBoard, stopOf } from "./status-board.ts";

export interface ExplainerOptions {
  readonly ledger: Ledger;
  readonly reclaims: Pick<Reclaims, "for">;
  readonly board: Pick<StatusBoard, "statusOf">;
  readonly stored: (name: string) => TenantQueue | undefined;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  /** The workload that a pod of somebody else is of; undefined when it is of none. */
  readonly workloadOfPod: (namespace: string, name: string) => PodWorkload | undefined;
}

/** A pod's UID, and whose share it takes. */
export interface PodWorkload {
  readonly podUid: string;
  readonly owner: WorkloadOwner;
}

/** Whether whoever asks may learn the name of this object. */
export type MayName = (owner: WorkloadOwner) => boolean;

/**
 * Whether the UID of an owner is one of Kubernetes, which only those know who may get the object. What stands for a workload of pods is made of its
 * name: anybody could guess it.
 */
export const hasRandomUid = ({ kind }: Pick<WorkloadOwner, "kind">): boolean => kind === elasticJobs.kind || kind === runnerApps.kind;

/** Figures of a queue are reckoned at most so often, however often they are asked for. */
const figuresMs = 1000;
const longestLine = 20;

/** Says why work waits, from what the ledger and its trees know at this moment. Changes nothing. */
export class Explainer {
  readonly #options: ExplainerOptions;
  readonly #figures = new Map<string, { readonly at: number; readonly status: LiveQueue["status"] }>();

  constructor(options: ExplainerOptions) {
    this.#options = options;
  }

  /** The owner with this UID, if it wants anything. */
  ownerOf(uid: string): WorkloadOwner | undefined {
    const [seat] = this.#options.ledger.seatsOfOwner(uid);
    return seat?.owner;
  }

  /** The owner of that name, if it wants anything. O(owners). */
  ownerNamed(kind: string, namespace: string, name: string): WorkloadOwner | undefined {
    return this.#options.ledger.ownerNamed(kind, namespace, name);
  }

  /** The workload that a pod is of, if that wants anything. */
  workloadOfPod(namespace: string, name: string): PodWorkload | undefined {
    return this.#options.workloadOfPod(namespace, name);
  }

  /** The stored queue of that name. */
  queueNamed(name: string): TenantQueue | undefined {
    return this.#options.stored(name);
  }

  /** Why the workloads of an owner wait. O(work in their leaves + leaves). */
  why({ kind, namespace, name, uid }: WorkloadOwner, mayName: MayName): WhyAnswer {
    const { ledger, clock } = this.#options;
    const waiting = [...ledger.seatsOfOwner(uid)].filter((seat) => ledger.answerOf(seat).allowed < seat.want.wanted);
    waiting.sort((left, right) => left.waitsSince - right.waitsSince || (left.id < right.id ? -1 : 1));
    const nameOf = this.#namer(mayName);
    return {
      at: formatSeconds(clock.now()),
      kind,
      namespace,
      name,
      workloads: waiting.map((seat) => waitingWork(this.#viewOf(seat), nameOf)),
    };
  }

  /** A queue with all below it as they are now, and who waits in it; undefined when there is none. O(queues below + work in them). */
  queue(name: string, mayName: MayName): QueueAnswer | undefined {
    const { ledger, clock, stored } = this.#options;
    const { world } = ledger;
    if (world === undefined || stored(name) === undefined) return undefined;
    const names = [name];
    for (const each of names) names.push(...world.forest.childrenOf(each));
    const nameOf = this.#namer(mayName);
    return {
      at: formatSeconds(clock.now()),
      queues: names.flatMap((each) => {
        const status = this.#figuresOf(each);
        return status === undefined ? [] : [{ name: each, status }];
      }),
      line: names.length > 1 ? [] : this.#line(name).map((seat, index) => this.#queued(seat, index + 1, nameOf)),
    };
  }

  #viewOf(seat: Seat): Parameters<typeof waitingWork>[0] {
    const { ledger, reclaims } = this.#options;
    const { want, tree, reclaim, id } = seat;
    const { allowed, waits } = ledger.answerOf(seat);
    return {
      part: want.part,
      queue: want.queue,
      priority: want.priority,
      since: seat.waitsSince,
      allowed,
      wanted: want.wanted,
      ...(waits !== undefined && { waits }),
      ...(tree !== undefined && seat.state !== "out" && { explanation: this.#explain(tree, seat) }),
      reclaims: reclaims.for(id),
      ...(reclaim !== undefined && { asked: reclaim }),
    };
  }

  /** In the tree a stop policy is that of each queue below too; here the one that has it is named. */
  #explain(tree: QuotaTree, { id, want }: Seat): Explanation {
    const explanation = explain(tree, id);
    const { world } = this.#options.ledger;
    if (explanation.stoppedBy?.reason !== "Held" || world === undefined) return explanation;
    return { ...explanation, stoppedBy: { queue: stopOf(world, want.queue).queue, reason: "Held" } };
  }

  #queued(seat: Seat, position: number, nameOf: NameOf): QueueAnswer["line"][number] {
    const { want, id } = seat;
    const { allowed } = this.#options.ledger.answerOf(seat);
    const { priority, wanted } = want;
    return { position, work: nameOf(id), priority, since: formatSeconds(seat.waitsSince), allowed, wanted };
  }

  /** The first that wait in a leaf. O(work in it). */
  #line(queue: string): readonly Seat[] {
    const { ledger } = this.#options;
    const ordering = ledger.world?.specs.get(queue)?.ordering;
    const first: Seat[] = [];
    for (const seat of ledger.seatsOf(queue)) {
      if (!seat.isWaiting) continue;
      const last = first.at(-1);
      if (first.length === longestLine && last !== undefined && compareInLine(seat, last, ordering) > 0) continue;
      const at = first.findIndex((other) => compareInLine(seat, other, ordering) < 0);
      first.splice(at === -1 ? first.length : at, 0, seat);
      if (first.length > longestLine) first.pop();
    }
    return first;
  }

  #figuresOf(name: string): LiveQueue["status"] | undefined {
    const { board, clock } = this.#options;
    const now = clock.monotonic();
    const known = this.#figures.get(name);
    if (known !== undefined && known.at + figuresMs > now) return known.status;
    const whole = board.statusOf(name);
    if (whole === undefined) {
      this.#figures.delete(name);
      return undefined;
    }
    const { capacity, used, fairShare, borrowed, lent, admitted, waiting, oldestWaitSince, head } = whole;
    const status = {
      ...(capacity !== undefined && { capacity }),
      ...(used !== undefined && { used }),
      ...(fairShare !== undefined && { fairShare }),
      ...(borrowed !== undefined && { borrowed }),
      ...(lent !== undefined && { lent }),
      ...(admitted !== undefined && { admitted }),
      ...(waiting !== undefined && { waiting }),
      ...(oldestWaitSince !== undefined && { oldestWaitSince }),
      ...(head !== undefined && { head }),
    };
    this.#figures.set(name, { at: now, status });
    return status;
  }

  /** Names nobody of whom it is not said that one may. */
  #namer(mayName: MayName): NameOf {
    const { ledger } = this.#options;
    return (id): NamedWork => {
      const seat = ledger.seat(id);
      const owner = seat?.owner;
      const queue = seat?.want.queue ?? "";
      if (owner === undefined) return { queue };
      const { kind, namespace, name, uid } = owner;
      const hidden = { queue, ...(hasRandomUid(owner) && { ref: workRef(uid) }) };
      return mayName(owner) ? { ...hidden, kind, namespace, name, part: id.slice(uid.length + 1) } : hidden;
    };
  }
}
