import type { WorkloadWant } from "../../../src/api/admission.ts";
import { Headroom } from "../../../src/quota/headroom.ts";
import { QueueTree } from "../../../src/quota/queue-tree.ts";
import { QuotaTree } from "../../../src/quota/quota-tree.ts";
import { largerResources } from "../../../src/quota/resource-vector.ts";
import { SiblingTable } from "../../../src/quota/sibling-table.ts";
import type { QueueSpec, Reclaim } from "../../../src/quota/workload-spec.ts";
import { simulateQueues } from "../../../src/simulator/harness/queues/queue-simulation.ts";
import type { SimulationResult } from "../../../src/simulator/harness/simulation.ts";
import { Ledger } from "../../../src/tenantqueue/ledger.ts";
import { NodeUsage } from "../../../src/tenantqueue/node-usage.ts";
import { Seat } from "../../../src/tenantqueue/seat.ts";
import { StatusBoard } from "../../../src/tenantqueue/status-board.ts";

/** A rule of queues broken on purpose, as a person might break it; some invariant must catch it. */
export interface QueueMutant {
  readonly name: string;
  /** Breaks it for all operators of this thread; what it returns makes it whole again. */
  readonly breakIt: () => () => void;
  /** Quick to be caught: part of the short run. */
  readonly quick?: true;
}

/** Puts something else in the place of methods until it is undone. */
function instead<Class extends object>(prototype: Class, changed: Readonly<Record<string, PropertyDescriptor>>): () => void {
  const before = Object.keys(changed).map((name) => [name, Object.getOwnPropertyDescriptor(prototype, name)] as const);
  Object.defineProperties(prototype, changed);
  return () => {
    for (const [name, descriptor] of before) Object.defineProperty(prototype, name, descriptor as PropertyDescriptor);
  };
}

const method = (value: (...args: never[]) => unknown): PropertyDescriptor => ({ value, configurable: true, writable: true });

/** Workloads ask for something else than their owners declare. */
function asking(change: (want: WorkloadWant, kind: string) => WorkloadWant): () => void {
  const { declare } = Ledger.prototype;
  return instead(Ledger.prototype, {
    declare: method(function (this: Ledger, owner: Parameters<Ledger["declare"]>[0], wants: readonly WorkloadWant[]) {
      declare.call(
        this,
        owner,
        wants.map((want) => change(want, owner.kind)),
      );
    }),
  });
}

/** Queues stand in their tree with another spec. */
function planting(change: (spec: QueueSpec) => QueueSpec): () => void {
  const { setQueue } = QueueTree.prototype;
  return instead(QueueTree.prototype, {
    setQueue: method(function (this: QueueTree, name: string, spec: QueueSpec) {
      setQueue.call(this, name, change(spec));
    }),
  });
}

export const queueMutants: readonly QueueMutant[] = [
  {
    name: "guarantees are not asked for their consent",
    quick: true,
    breakIt: () => instead(Headroom.prototype, { lackingConsent: method(() => 0) }),
  },
  {
    name: "the max of a queue is not heeded",
    quick: true,
    breakIt() {
      const { freeAt } = Headroom.prototype;
      const undo = [
        instead(SiblingTable.prototype, { roomOf: method(() => Number.MAX_VALUE) }),
        instead(Headroom.prototype, {
          freeAt: method(function (this: Headroom, queue: Parameters<typeof freeAt>[0], resource: number) {
            return queue.parent === undefined ? freeAt.call(this, queue, resource) : Number.MAX_VALUE;
          }),
        }),
      ];
      return () => {
        for (const each of undo) each();
      };
    },
  },
  {
    name: "a new leader does not count what runs",
    breakIt() {
      const undo = [instead(Seat.prototype, { setPod: method(() => undefined) }), asking((want) => ({ ...want, atWork: 0, recorded: 0 }))];
      return () => {
        for (const each of undo) each();
      };
    },
  },
  { name: "each item of a gang is admitted by itself", quick: true, breakIt: () => asking((want) => ({ ...want, atLeast: 1 })) },
  {
    name: "a group asks for the share of one pod",
    breakIt: () => asking((want, kind) => (kind === "PodGroup" && want.part === "group" ? { ...want, item: { cpu: 250, pods: 1 } } : want)),
  },
  { name: "a queue that is held admits all the same", breakIt: () => planting((spec) => ({ ...spec, isHeld: false })) },
  { name: "weights are not heeded", breakIt: () => planting((spec) => ({ ...spec, weight: 1 })) },
  {
    name: "what is guaranteed is not known in the tree",
    breakIt: () => planting(({ guaranteed: _guaranteed, ...spec }) => spec),
  },
  {
    name: "a namespace uses queues that are not open to it",
    breakIt: () =>
      instead(Ledger.prototype, {
        queueFor: method((_namespace: string, queue: string | undefined) => (queue === undefined ? undefined : { kind: "queue", queue })),
      }),
  },
  {
    name: "the capacity of a lost node is shared as before",
    breakIt() {
      const { setCapacity } = QueueTree.prototype;
      return instead(QueueTree.prototype, {
        setCapacity: method(function (this: QueueTree, capacity: Parameters<typeof setCapacity>[0]) {
          setCapacity.call(this, largerResources(this.capacity, capacity));
        }),
      });
    },
  },
  {
    name: "pods of no queue take nothing from the capacity",
    breakIt: () => instead(NodeUsage.prototype, { foreign: method(() => undefined) }),
  },
  {
    name: "a pod beside the one that follows it gives a right",
    breakIt: () => {
      const held = Object.getOwnPropertyDescriptor(Seat.prototype, "held") as PropertyDescriptor;
      return instead(Seat.prototype, { allowed: held });
    },
  },
  {
    name: "anybody yieldable is asked to give back, whatever he is guaranteed",
    breakIt() {
      const { nextReclaim } = QuotaTree.prototype;
      return instead(QuotaTree.prototype, {
        nextReclaim: method(function (this: QuotaTree, isExcluded?: (id: string, queue: string) => boolean): Reclaim | undefined {
          return nextReclaim.call(this, isExcluded) ?? anyReclaim(this, isExcluded ?? (() => false));
        }),
      });
    },
  },
  {
    name: "the status of a queue is written once, and never again",
    breakIt() {
      const { takeGrant } = StatusBoard.prototype;
      const given = new WeakMap<StatusBoard, Set<string>>();
      return instead(StatusBoard.prototype, {
        takeGrant: method(function (this: StatusBoard, name: string) {
          const names = given.get(this) ?? new Set<string>();
          given.set(this, names);
          if (names.has(name) || !takeGrant.call(this, name)) return false;
          names.add(name);
          return true;
        }),
      });
    },
  },
];

function anyReclaim(tree: QuotaTree, isExcluded: (id: string, queue: string) => boolean): Reclaim | undefined {
  const { state, claims } = tree.internals;
  const all = [...state.workloads.values()];
  const claimant = all.find(({ item }) => item !== undefined && claims.of(item) === undefined);
  const donor = all.find(
    (each) => each.isAdmitted && each.shape.isYieldable && each.queue !== claimant?.queue && !isExcluded(each.id, each.queue.name),
  );
  if (claimant === undefined || donor === undefined) return undefined;
  return { claimant: claimant.id, steps: 0, asks: [{ workload: donor.id, queue: donor.queue.name, amount: donor.shape.request }] };
}

/** One seed with a rule broken. A thread plays one simulation at a time. */
export async function playQueueMutant(name: string, seed: number): Promise<SimulationResult> {
  const mutant = queueMutants.find((each) => each.name === name);
  if (mutant === undefined) throw new RangeError(`no mutant "${name}"`);
  const makeWhole = mutant.breakIt();
  try {
    return await simulateQueues({ seed, untilProblem: true });
  } finally {
    makeWhole();
  }
}
