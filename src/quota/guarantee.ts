import { compareNames } from "./exact.ts";
import { QuantityError } from "./quantity.ts";
import { parseAmount, type ResourceVector } from "./resource-vector.ts";

/** What a queue asks to be guaranteed. */
export interface GuaranteeSpec {
  readonly name: string;
  /** Absent: a root, whose guarantee is its capacity. */
  readonly parent?: string;
  /** By resource a quantity, or a percentage such as `25%` of the parent's effective guarantee (of the capacity, below a root). */
  readonly guaranteed: Readonly<Record<string, string | number>>;
  /** `accepted` of the last answer; absent for a new queue. */
  readonly accepted?: ResourceVector;
}

/** What it gets. */
export interface EffectiveGuarantee {
  /** What counts: `accepted`, cut where the parent has less by now. */
  readonly effective: ResourceVector;
  /** What was asked for where that could be promised, else what was accepted before. To be kept for the next time. */
  readonly accepted: ResourceVector;
  /** The resources of which more was asked than the parent has left: the edit does not take effect. */
  readonly overCommitted: readonly string[];
  /** The resources that were cut in proportion, as the parent's guarantee or the capacity shrank. */
  readonly cut: readonly string[];
}

const percentage = /^(\d{1,3}(?:\.\d{1,4})?)%$/;

/**
 * An amount, or so many percent of the parent's, rounded down.
 * @throws QuantityError naming the resource, also for more than 100 %.
 */
export function parseGuarantee(resource: string, value: string | number, ofParent: number): number {
  const text = String(value);
  if (!text.endsWith("%")) return parseAmount(resource, value, "Up");
  const match = percentage.exec(text);
  if (match === null) throw new QuantityError(`${resource}: "${text}" is not a percentage such as 25% or 12.5%`);
  const share = BigInt(Math.round(Number(match[1]) * 10_000));
  if (share > 1_000_000n) throw new QuantityError(`${resource}: "${text}" is more than 100%`);
  return Number((BigInt(ofParent) * share) / 1_000_000n);
}

/**
 * The effective guarantees of a domain's queues, parents before children, each resource by itself.
 * - What all children of a queue ask for together is theirs while their parent has so much.
 * - Else those that ask for more than was accepted before keep that, but for those, by name, for whom enough is left: an edit takes nothing
 *   from a sibling.
 * - Where even what was accepted is too much, the capacity or the parent's guarantee has shrunk: all are cut in proportion, rounded down.
 * @throws QuantityError when a spec cannot be read. Queues whose parent is not among them are left out.
 */
export function effectiveGuarantees(specs: readonly GuaranteeSpec[], capacity: ResourceVector): ReadonlyMap<string, EffectiveGuarantee> {
  const children = new Map<string | undefined, GuaranteeSpec[]>();
  for (const spec of specs.toSorted((a, b) => compareNames(a.name, b.name))) {
    const siblings = children.get(spec.parent);
    if (siblings === undefined) children.set(spec.parent, [spec]);
    else siblings.push(spec);
  }
  const answers = new Map<string, EffectiveGuarantee>();
  const visit = (parent: string, ofParent: ResourceVector): void => {
    const siblings = children.get(parent) ?? [];
    for (const [name, answer] of shareOut(siblings, ofParent)) {
      answers.set(name, answer);
      visit(name, answer.effective);
    }
  };
  for (const root of children.get(undefined) ?? []) {
    answers.set(root.name, { effective: capacity, accepted: capacity, overCommitted: [], cut: [] });
    visit(root.name, capacity);
  }
  return answers;
}

function shareOut(siblings: readonly GuaranteeSpec[], ofParent: ResourceVector): ReadonlyMap<string, EffectiveGuarantee> {
  const drafts = siblings.map(({ name }) => ({
    name,
    effective: {} as Record<string, number>,
    accepted: {} as Record<string, number>,
    overCommitted: [] as string[],
    cut: [] as string[],
  }));
  const resources = new Set(siblings.flatMap(({ guaranteed }) => Object.keys(guaranteed)));
  for (const resource of [...resources].sort(compareNames)) {
    const available = ofParent[resource] ?? 0;
    const asked = siblings.map(({ guaranteed }) => parseGuarantee(resource, guaranteed[resource] ?? 0, available));
    const kept = asked.map((amount, at) => Math.min(amount, siblings[at]?.accepted?.[resource] ?? 0));
    let left = available - kept.reduce((sum, amount) => sum + amount, 0);
    const accepted = asked.map((amount, at) => {
      const more = amount - (kept[at] as number);
      if (more === 0 || more > left) return kept[at] as number;
      left -= more;
      return amount;
    });
    const sum = accepted.reduce((total, amount) => total + amount, 0);
    for (const [at, draft] of drafts.entries()) {
      const amount = accepted[at] as number;
      if (amount < (asked[at] as number)) draft.overCommitted.push(resource);
      const effective = sum <= available ? amount : Number((BigInt(amount) * BigInt(available)) / BigInt(sum));
      if (effective < amount) draft.cut.push(resource);
      if (amount > 0) draft.accepted[resource] = amount;
      if (effective > 0) draft.effective[resource] = effective;
    }
  }
  return new Map(drafts.map(({ name, ...answer }) => [name, answer]));
}
