import type { OverCommitment } from "../../api/queue-problems.ts";
import { getOrMake } from "../../base/map.ts";
import { proportionOf, shareOf } from "../../base/percentage.ts";
import { type GuaranteeParts, overCommitments } from "../../quota/guarantee-edit.ts";
import { formatAmount, type ResourceVector } from "../../quota/resource-vector.ts";
import type { Guarantee, Guarantees } from "./effective-spec.ts";
import type { QueueForest, TreeMember } from "./tree.ts";

/*
 * Two amounts are told apart. What is *granted* to a queue is a declaration (a quantity or a percentage): that of its spec, or, while that would
 * promise more than the parent has, the last one that did not; it is kept in status. What is *effective* is what the granted ones come to
 * now: percentages of the parent's effective guarantee, all of one parent cut in proportion where together they are more than it has.
 *
 * An edit is a spec that differs from what is granted. It is granted as a whole or not at all:
 * 1. a resource of which it wants more must fit beside what the siblings are granted, so nobody's edit takes from a sibling;
 * 2. a resource of which it wants less must still cover what the queues below are granted.
 * Edits of one parent are tried all together first (a swap between two queues fits only so), then one by one, oldest queue first, until
 * no more can be granted: the same objects always give the same answer. Capacity that shrinks is no edit: it withdraws nothing, it only cuts.
 */

/** A queue as this file needs it. */
export interface GuaranteedQueue extends TreeMember {
  readonly guaranteed: Guarantees;
  /** Units by resource; what is not named has no limit. */
  readonly max?: Readonly<Record<string, number>>;
}

/** What status has kept of a queue. */
export interface GrantRecord {
  /** The parent under which it was granted; under another one nothing is granted yet. */
  readonly parent: string;
  readonly granted: Guarantees;
}

export interface QueueGuarantee {
  readonly granted: Guarantees;
  /** Of a root its capacity. */
  readonly effective: ResourceVector;
  /** Why the spec's guarantee is not the granted one; the first resource by name. */
  readonly refused?: OverCommitment;
}

type Totals = Record<string, GuaranteeParts>;

const none: GuaranteeParts = { units: 0, share: 0 };

const nothing: Guarantees = {};
const nobody: ResourceVector = {};

/**
 * What each queue that has a place is guaranteed. Queues without a place, and those of roots without a capacity, are left out: what they
 * were granted stays in their status.
 * @param capacities of roots; one that is absent is not known, or stalled
 */
export function guaranteesOf(
  forest: QueueForest<GuaranteedQueue>,
  capacities: ReadonlyMap<string, ResourceVector>,
  records: ReadonlyMap<string, GrantRecord>,
): ReadonlyMap<string, QueueGuarantee> {
  const found = new Map<string, QueueGuarantee>();
  for (const root of forest.roots) {
    const capacity = capacities.get(root);
    if (capacity === undefined) continue;
    new TreeGrants(forest, root, capacity, records).into(found);
  }
  return found;
}

/** One tree while its edits are judged. */
class TreeGrants {
  readonly #forest: QueueForest<GuaranteedQueue>;
  readonly #root: string;
  readonly #granted = new Map<string, Guarantees>();
  readonly #effective = new Map<string, ResourceVector>();
  readonly #pending = new Set<string>();
  /** Every queue after its parent. */
  readonly #inner: string[] = [];

  constructor(forest: QueueForest<GuaranteedQueue>, root: string, capacity: ResourceVector, records: ReadonlyMap<string, GrantRecord>) {
    this.#forest = forest;
    this.#root = root;
    this.#effective.set(root, capacity);
    this.#inner.push(root);
    for (const parent of this.#inner) {
      for (const name of forest.childrenOf(parent)) {
        const record = records.get(name);
        const granted = record?.parent === parent ? record.granted : nothing;
        this.#granted.set(name, granted);
        if (!sameGuarantees(granted, this.#declared(name))) this.#pending.add(name);
        this.#inner.push(name);
      }
    }
    this.#settle();
  }

  into(found: Map<string, QueueGuarantee>): void {
    const totals = new Map<string, Totals>();
    for (const name of this.#inner) {
      const granted = this.#granted.get(name) ?? nothing;
      const effective = this.#effective.get(name) ?? nobody;
      const refused = this.#pending.has(name)
        ? this.#refusal(
            name,
            granted,
            getOrMake(totals, this.#parentOf(name), () => this.#total(this.#parentOf(name))),
          )
        : undefined;
      found.set(name, { granted, effective, ...(refused !== undefined && { refused }) });
    }
  }

  /** Grants what can be granted. Each round goes down the tree once: a parent's edit may make room for those below, and the other way round. */
  #settle(): void {
    let before: number;
    do {
      before = this.#pending.size;
      for (const parent of this.#inner) {
        const children = this.#forest.childrenOf(parent);
        if (children.length === 0) continue;
        const pending = children.filter((name) => this.#pending.has(name));
        if (pending.length > 0) this.#judge(parent, pending);
        this.#cut(parent, children);
      }
    } while (this.#pending.size > 0 && this.#pending.size < before);
  }

  /** Grants edits of queues of one parent, whose effective guarantee is known. */
  #judge(parent: string, pending: readonly string[]): void {
    const together = this.#total(parent, (name) => this.#declared(name));
    if (pending.every((name) => this.#refusal(name, this.#declared(name), together) === undefined)) {
      for (const name of pending) this.#grant(name);
      return;
    }
    // The children of a queue are in the order of their age.
    const has = this.#effective.get(parent) ?? nobody;
    const total = this.#total(parent);
    for (let more = true; more; ) {
      more = false;
      for (const name of pending) {
        const granted = this.#granted.get(name) ?? nothing;
        if (!this.#pending.has(name) || this.#refusal(name, granted, total) !== undefined) continue;
        addTo(total, granted, has, -1);
        addTo(total, this.#declared(name), has, 1);
        this.#grant(name);
        more = true;
      }
    }
  }

  /** What the queues of a parent are granted together. */
  #total(parent: string, of: (name: string) => Guarantees = (name) => this.#granted.get(name) ?? nothing): Totals {
    const total: Totals = {};
    const has = this.#effective.get(parent) ?? nobody;
    for (const name of this.#forest.childrenOf(parent)) addTo(total, of(name), has, 1);
    return total;
  }

  #grant(name: string): void {
    this.#granted.set(name, this.#declared(name));
    this.#pending.delete(name);
  }

  #declared(name: string): Guarantees {
    return this.#forest.members.get(name)?.guaranteed ?? nothing;
  }

  #parentOf(name: string): string {
    return this.#forest.members.get(name)?.parent as string;
  }

  /**
   * Why a queue cannot be granted what it declares; undefined when it can.
   * @param counted what of it is counted in `total`, which is of all queues of its parent
   */
  #refusal(name: string, counted: Guarantees, total: Totals): OverCommitment | undefined {
    const parent = this.#parentOf(name);
    const has = this.#effective.get(parent) ?? nobody;
    const wanted = this.#declared(name);
    const granted = this.#granted.get(name) ?? nothing;
    for (const resource of [...new Set([...Object.keys(wanted), ...Object.keys(granted)])].sort()) {
      const of = has[resource] ?? 0;
      const asked = partsOf(wanted[resource], of);
      const before = partsOf(granted[resource], of);
      const own = partsOf(counted[resource], of);
      const all = total[resource] ?? none;
      const [found] = overCommitments({
        resource,
        parent,
        root: parent === this.#root,
        has: of,
        asked,
        askedText: askedText(resource, wanted[resource], asked.units),
        before,
        taken: { units: all.units - own.units, share: all.share - own.share },
        below: (units) => this.#coveredBelow(name, resource, units),
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What the queues below are granted of a resource, where the queue has so many units of it. */
  #coveredBelow(name: string, resource: string, units: number): number {
    const below: Totals = {};
    for (const child of this.#forest.childrenOf(name)) addTo(below, this.#granted.get(child) ?? nothing, { [resource]: units }, 1);
    return below[resource]?.units ?? 0;
  }

  /**
   * Sets what the queues of one parent have now, cut in proportion where it is more than the parent has. What a percentage comes to beyond
   * the queue's own max it could never use: that is nobody's.
   */
  #cut(parent: string, children: readonly string[]): void {
    const has = this.#effective.get(parent) ?? nobody;
    const total = this.#total(parent);
    for (const name of children) {
      const effective: Record<string, number> = {};
      for (const [resource, guarantee] of Object.entries(this.#granted.get(name) ?? nothing)) {
        const of = has[resource] ?? 0;
        const all = total[resource]?.units ?? 0;
        const { units } = partsOf(guarantee, of);
        const most = this.#forest.members.get(name)?.max?.[resource] ?? Number.POSITIVE_INFINITY;
        const left = Math.min(all > of ? proportionOf(units, of, all) : units, most);
        if (left > 0) effective[resource] = left;
      }
      this.#effective.set(name, effective);
    }
  }
}

function partsOf(guarantee: Guarantee | undefined, of: number): GuaranteeParts {
  if (guarantee === undefined) return none;
  return "share" in guarantee ? { units: shareOf(of, guarantee.share), share: guarantee.share } : { units: guarantee.units, share: 0 };
}

/** Adds guarantees under a parent that has `has`, or takes them off. */
function addTo(total: Totals, guarantees: Guarantees, has: ResourceVector, sign: 1 | -1): void {
  for (const [resource, guarantee] of Object.entries(guarantees)) {
    const before = total[resource] ?? none;
    const { units, share } = partsOf(guarantee, has[resource] ?? 0);
    total[resource] = { units: before.units + sign * units, share: before.share + sign * share };
  }
}

function askedText(resource: string, guarantee: (Guarantee & { readonly text: string }) | undefined, units: number): string {
  const amount = formatAmount(resource, units);
  return guarantee !== undefined && "share" in guarantee ? `${guarantee.text} (${amount})` : amount;
}

/** Whether both say the same, however it is written. */
function sameGuarantees(left: Guarantees, right: Guarantees): boolean {
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => {
    const one = left[name];
    const other = right[name];
    if (one === undefined || other === undefined) return false;
    if ("share" in one) return "share" in other && one.share === other.share;
    return "units" in other && one.units === other.units;
  });
}
