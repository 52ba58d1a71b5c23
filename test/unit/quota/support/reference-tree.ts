import { lendSeconds } from "../../../../src/quota/promise.ts";
import type { QueueSpec, WorkloadSpec } from "../../../../src/quota/workload-spec.ts";

/** The order of the first step: a child of the root, for one judged resource. */
interface Ranked {
  readonly work: Work;
  readonly resource: string;
}

interface Work {
  readonly spec: WorkloadSpec;
  isAdmitted: boolean;
  passed: number;
}

interface Child {
  readonly name: string;
  parent: string | undefined;
  spec: QueueSpec;
}

/**
 * The rule of admission once more, as it is written at the head of `admission-search.ts`, without any of its structures: every answer is
 * reckoned from the lists of queues and work, in plain loops. For small trees and small whole numbers.
 */
export class ReferenceTree {
  readonly queues = new Map<string, Child>();
  readonly works = new Map<string, Work>();
  capacity: Readonly<Record<string, number>>;
  readonly #mostPassing: number;

  constructor(root: string, capacity: Readonly<Record<string, number>>, mostPassing: number) {
    this.#mostPassing = mostPassing;
    this.capacity = capacity;
    this.queues.set(root, { name: root, parent: undefined, spec: {} });
  }

  submit(spec: WorkloadSpec): void {
    this.works.set(spec.id, { spec, isAdmitted: false, passed: 0 });
  }

  admitNext(): string | undefined {
    const root = [...this.queues.values()].find((queue) => queue.parent === undefined) as Child;
    if (this.#isClosed(root.name)) return undefined;
    const winners = this.#resources()
      .flatMap((resource) => {
        const work = this.#winner(root.name, resource);
        return work === undefined ? [] : [{ work, resource }];
      })
      .sort((a, b) => this.#compareUnder(root.name, a, b));
    const holds = winners.filter(({ work }) => {
      const lacksConsent = this.#lackingConsent(work).length > 0;
      if (!lacksConsent && !this.#lacksRoom(root.name, work)) return false;
      return lacksConsent ? this.#mayGetConsent(work) : this.#mayGetRoom(root.name, work);
    });
    const candidates = this.#resources()
      .flatMap((resource) => this.#order(root.name, resource).map((work) => ({ work, resource })))
      .sort((a, b) => this.#compareUnder(root.name, a, b) || 0);
    // sorting is stable: within one child and resource the order of the child stays
    for (const candidate of candidates) {
      const passed = this.#passedBelow(root.name, candidate);
      if (passed === undefined || this.#lacksRoom(root.name, candidate.work) || !this.#consents(candidate.work)) continue;
      let isStopped = false;
      for (const hold of holds) {
        if (!this.#isBefore(root.name, hold, candidate)) continue;
        const lacksConsent = this.#lackingConsent(hold.work).length > 0;
        const takes =
          (!lacksConsent && this.#takesRoom(root.name, hold.work, candidate.work)) || this.#takesConsent(hold.work, candidate.work);
        if (!takes) continue;
        if (hold.work.passed >= this.#mostPassing) isStopped = true;
        passed.push(hold.work);
      }
      if (isStopped) continue;
      for (const work of passed) work.passed += candidate.work.spec.isYieldable === true ? 1 : 4;
      candidate.work.isAdmitted = true;
      return candidate.work.spec.id;
    }
    return undefined;
  }

  used(queue: string, resource: string): number {
    return this.#sum(queue, resource, () => true);
  }

  need(queue: string, lending: number, resource: string): number {
    const { spec } = this.queues.get(queue) as Child;
    const own = (spec.lendMaxSeconds ?? 3600) <= lending ? (spec.guaranteed?.[resource] ?? 0) : 0;
    const children = this.#children(queue);
    const direct = [...this.works.values()]
      .filter((work) => work.isAdmitted && work.spec.queue === queue && (work.spec.promiseSeconds ?? Number.POSITIVE_INFINITY) > lending)
      .reduce((sum, work) => sum + (work.spec.request[resource] ?? 0), 0);
    return Math.max(own, direct + children.reduce((sum, child) => sum + this.need(child.name, lending, resource), 0));
  }

  /** What guarantees that are lent for no longer keep, beside work that does not end by itself. */
  #residentNeed(queue: string, resource: string, lending: number): number {
    const { spec } = this.queues.get(queue) as Child;
    const direct = [...this.works.values()]
      .filter(
        ({ isAdmitted, spec: { queue: of, isResident, promiseSeconds } }) =>
          isAdmitted && of === queue && isResident === true && (promiseSeconds ?? Number.POSITIVE_INFINITY) > 86400,
      )
      .reduce((sum, work) => sum + (work.spec.request[resource] ?? 0), 0);
    return Math.max(
      (spec.lendMaxSeconds ?? 3600) <= lending ? (spec.guaranteed?.[resource] ?? 0) : 0,
      direct + this.#children(queue).reduce((sum, child) => sum + this.#residentNeed(child.name, resource, lending), 0),
    );
  }

  #sum(queue: string, resource: string, counts: (work: Work) => boolean): number {
    return [...this.works.values()]
      .filter((work) => work.isAdmitted && counts(work) && this.#path(work.spec.queue).includes(queue))
      .reduce((sum, work) => sum + (work.spec.request[resource] ?? 0), 0);
  }

  #resources(): readonly string[] {
    return Object.keys(this.capacity).sort();
  }

  #children(queue: string): readonly Child[] {
    return [...this.queues.values()].filter((child) => child.parent === queue);
  }

  /** From the queue to the root. */
  #path(queue: string): readonly string[] {
    const path = [queue];
    for (let at = this.queues.get(queue)?.parent; at !== undefined; at = this.queues.get(at)?.parent) path.push(at);
    return path;
  }

  #isClosed(queue: string): boolean {
    return this.queues.get(queue)?.spec.isHeld === true;
  }

  #judged(work: Work): string {
    let judged = "";
    for (const resource of this.#resources()) {
      const amount = work.spec.request[resource] ?? 0;
      if (amount === 0) continue;
      const best = work.spec.request[judged] ?? 0;
      if (judged === "" || amount * (this.capacity[judged] as number) > best * (this.capacity[resource] as number)) judged = resource;
    }
    return judged === "" ? (this.#resources()[0] as string) : judged;
  }

  #canEverFit(work: Work): boolean {
    return Object.entries(work.spec.request).every(
      ([resource, amount]) =>
        amount <= (this.capacity[resource] ?? 0) &&
        this.#path(work.spec.queue).every((queue) => amount <= (this.queues.get(queue)?.spec.max?.[resource] ?? Number.POSITIVE_INFINITY)),
    );
  }

  /** All that waits beneath a queue and is judged by a resource, in order. */
  #order(queue: string, resource: string): readonly Work[] {
    const children = this.#children(queue);
    if (children.length === 0) {
      const isFifo = this.queues.get(queue)?.spec.ordering === "FIFO";
      return [...this.works.values()]
        .filter((work) => !work.isAdmitted && work.spec.queue === queue && this.#canEverFit(work) && this.#judged(work) === resource)
        .sort((a, b) => compareWork(a, b, !isFifo));
    }
    return children
      .filter((child) => !this.#isClosed(child.name) && this.#order(child.name, resource).length > 0)
      .sort((a, b) => this.#compareChildren(a.name, resource, b.name, resource))
      .flatMap((child) => this.#order(child.name, resource));
  }

  #compareChildren(a: string, aResource: string, b: string, bResource: string): number {
    const key = (name: string, resource: string): { tier: number; level: number; head: Work } => {
      const { spec } = this.queues.get(name) as Child;
      const used = this.used(name, resource);
      const guaranteed = spec.guaranteed?.[resource] ?? 0;
      const weight = spec.weight ?? 1;
      const head = this.#order(name, resource)[0] as Work;
      if (used < guaranteed) return { tier: 0, level: used / guaranteed, head };
      return { tier: weight > 0 ? 1 : 2, level: used / (this.capacity[resource] as number) / Math.max(1, weight), head };
    };
    const left = key(a, aResource);
    const right = key(b, bResource);
    if (left.tier !== right.tier) return left.tier - right.tier;
    // numbers of the tests are small: fractions that differ, differ by far more than rounding
    if (Math.abs(left.level - right.level) > 1e-12) return left.level - right.level;
    return compareWork(left.head, right.head, true);
  }

  /** By the first step under a queue; 0 under the same child for the same resource. */
  #compareUnder(queue: string, a: Ranked, b: Ranked): number {
    if (this.#children(queue).length === 0) {
      return compareWork(a.work, b.work, this.queues.get(queue)?.spec.ordering !== "FIFO");
    }
    const child = (work: Work): string => {
      const path = this.#path(work.spec.queue);
      return path[path.indexOf(queue) - 1] as string;
    };
    if (child(a.work) === child(b.work) && a.resource === b.resource) return 0;
    return this.#compareChildren(child(a.work), a.resource, child(b.work), b.resource);
  }

  /** Whether a winner comes before a candidate; of the same resource it always does. */
  #isBefore(queue: string, winner: Ranked, candidate: Ranked): boolean {
    return winner.resource === candidate.resource || this.#compareUnder(queue, winner, candidate) < 0;
  }

  #winner(queue: string, resource: string): Work | undefined {
    return this.#order(queue, resource).find((work) => this.#passedBelow(queue, { work, resource }) !== undefined);
  }

  /** The winners that it passes at the queues strictly below `top`; undefined when one of them stops it. */
  #passedBelow(top: string, candidate: Ranked): Work[] | undefined {
    const passed: Work[] = [];
    for (const queue of this.#path(candidate.work.spec.queue)) {
      if (queue === top) break;
      const { spec } = this.queues.get(queue) as Child;
      if (spec.max === undefined && spec.runningLimit === undefined) continue;
      if (this.#lacksRoom(queue, candidate.work)) return undefined;
      for (const resource of this.#resources()) {
        const work = this.#winner(queue, resource);
        if (work === undefined || same(work, candidate.work)) continue;
        if (!this.#isBefore(queue, { work, resource }, candidate)) continue;
        if (!this.#lacksRoom(queue, work) || !this.#mayGetRoom(queue, work) || !this.#takesRoom(queue, work, candidate.work)) continue;
        if (work.passed >= this.#mostPassing) return undefined;
        passed.push(work);
      }
    }
    return passed;
  }

  #bound(queue: string, resource: string): number {
    const { parent, spec } = this.queues.get(queue) as Child;
    const max = spec.max?.[resource] ?? Number.POSITIVE_INFINITY;
    return parent === undefined ? Math.min(max, this.capacity[resource] ?? 0) : max;
  }

  #free(queue: string, resource: string): number {
    return Math.max(0, this.#bound(queue, resource) - this.used(queue, resource));
  }

  #runs(queue: string, counts: (work: Work) => boolean): number {
    return [...this.works.values()].filter((work) => work.isAdmitted && counts(work) && this.#path(work.spec.queue).includes(queue)).length;
  }

  #lacksRoom(queue: string, work: Work): boolean {
    const limit = this.queues.get(queue)?.spec.runningLimit ?? Number.POSITIVE_INFINITY;
    if (this.#runs(queue, () => true) >= limit) return true;
    return Object.entries(work.spec.request).some(([resource, amount]) => amount > 0 && amount > this.#free(queue, resource));
  }

  #mayGetRoom(queue: string, work: Work): boolean {
    const isResident = (other: Work): boolean => other.spec.isResident === true;
    const limit = this.queues.get(queue)?.spec.runningLimit ?? Number.POSITIVE_INFINITY;
    if (this.#runs(queue, isResident) >= limit) return false;
    return Object.entries(work.spec.request).every(
      ([resource, amount]) => amount === 0 || amount <= this.#bound(queue, resource) - this.#sum(queue, resource, isResident),
    );
  }

  #takesRoom(queue: string, held: Work, work: Work): boolean {
    const limit = this.queues.get(queue)?.spec.runningLimit ?? Number.POSITIVE_INFINITY;
    if (this.#runs(queue, () => true) >= limit - 1) return true;
    return Object.entries(work.spec.request).some(([resource, amount]) => {
      const kept = held.spec.request[resource] ?? 0;
      return amount > 0 && kept > 0 && amount > Math.max(0, this.#free(queue, resource) - kept);
    });
  }

  /** By how much the need of the root rises when the work is admitted. */
  #rise(work: Work, need: (resource: string) => number, resource: string): number {
    const before = need(resource);
    work.isAdmitted = true;
    const after = need(resource);
    work.isAdmitted = false;
    return after - before;
  }

  #slack(lending: number, resource: string): number {
    return Math.max(0, (this.capacity[resource] as number) - this.need("root", lending, resource));
  }

  #consents(work: Work): boolean {
    return this.#lackingIn(lendSeconds, work).length === 0;
  }

  #lackingIn(lendings: readonly number[], work: Work): readonly number[] {
    const promise = work.spec.promiseSeconds ?? Number.POSITIVE_INFINITY;
    return lendings.filter(
      (lending) =>
        lending < promise &&
        this.#resources().some(
          (resource) => this.#rise(work, (each) => this.need("root", lending, each), resource) > this.#slack(lending, resource),
        ),
    );
  }

  /** The classes of the guarantees that there are: in any other, consent is lacking only where it is in one of these, or capacity. */
  #lendings(): readonly number[] {
    const found = [...this.queues.values()]
      .filter(({ spec }) => Object.values(spec.guaranteed ?? {}).some((amount) => amount > 0))
      .map(({ spec }) => spec.lendMaxSeconds ?? 3600);
    return found.length === 0 ? [86400] : found;
  }

  #lackingConsent(work: Work): readonly number[] {
    return this.#lackingIn(this.#lendings(), work);
  }

  #mayGetConsent(work: Work): boolean {
    const { request, promiseSeconds = Number.POSITIVE_INFINITY } = work.spec;
    const all: Work = {
      spec: { ...work.spec, isResident: true, promiseSeconds: Number.POSITIVE_INFINITY, id: "would-be" },
      isAdmitted: true,
      passed: 0,
    };
    return Object.entries(request).every(([resource, amount]) => {
      const capacity = this.capacity[resource] as number;
      const around = (lending: number): readonly [number, number] => {
        const before = this.#residentNeed("root", resource, lending);
        this.works.set("would-be", all);
        const after = this.#residentNeed("root", resource, lending);
        this.works.delete("would-be");
        return [before, after];
      };
      const [least, most] = around(Number.POSITIVE_INFINITY);
      if (amount === 0 || most - least <= Math.max(0, capacity - least)) return true;
      if (promiseSeconds > 86400) return false;
      return this.#lendings()
        .filter((lending) => lending < promiseSeconds)
        .every((lending) => {
          const [before, after] = around(lending);
          return after === before || after <= capacity;
        });
    });
  }

  #takesConsent(held: Work, work: Work): boolean {
    const promise = Math.min(held.spec.promiseSeconds ?? Number.POSITIVE_INFINITY, work.spec.promiseSeconds ?? Number.POSITIVE_INFINITY);
    const lacking = this.#lackingConsent(held);
    return lendSeconds.some(
      (lending) =>
        lending < promise &&
        (lacking.length === 0 || lacking.includes(lending)) &&
        this.#resources().some((resource) => {
          if ((held.spec.request[resource] ?? 0) === 0 || (work.spec.request[resource] ?? 0) === 0) return false;
          const rise = this.#rise(work, (each) => this.need("root", lending, each), resource);
          const heldRise = this.#rise(held, (each) => this.need("root", lending, each), resource);
          return rise > 0 && heldRise > 0 && rise > Math.max(0, this.#slack(lending, resource) - heldRise);
        }),
    );
  }
}

/** Work of one leaf with equal requests is one to the rule: the first stands for all. */
function same(a: Work, b: Work): boolean {
  const keys = (work: Work): string =>
    JSON.stringify([
      work.spec.queue,
      Object.entries(work.spec.request).sort(),
      work.spec.promiseSeconds ?? null,
      work.spec.isYieldable ?? false,
      work.spec.isResident ?? false,
    ]);
  return keys(a) === keys(b);
}

function compareWork(a: Work, b: Work, byPriority: boolean): number {
  const priority = byPriority ? (b.spec.priority ?? 0) - (a.spec.priority ?? 0) : 0;
  return priority || a.spec.since - b.spec.since || (a.spec.id < b.spec.id ? -1 : a.spec.id > b.spec.id ? 1 : 0);
}
