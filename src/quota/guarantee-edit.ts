import type { OverCommitment } from "../api/queue-problems.ts";
import { exceedsWhole, formatPercentage, whole } from "../base/percentage.ts";
import { formatAmount } from "./resource-vector.ts";

/**
 * What a guarantee comes to under its parent, and the percentage that it was declared as (in thousandths). Both are judged: where the parent has
 * nothing just now all percentages of it come to nothing, and yet they must not promise more than the whole.
 */
export interface GuaranteeParts {
  readonly units: number;
  readonly share: number;
}

/** A change of what a queue is guaranteed of one resource. */
export interface GuaranteeEdit {
  readonly resource: string;
  readonly parent: string;
  /** Whether the parent is a root. */
  readonly root: boolean;
  /** What the parent has; undefined = not known, then percentages are judged alone. */
  readonly has: number | undefined;
  readonly asked: GuaranteeParts;
  /** How people wrote what is asked. */
  readonly askedText: string;
  /** What is granted so far. */
  readonly before: GuaranteeParts;
  /** What the siblings are granted together. */
  readonly taken: GuaranteeParts;
  /** What the queues below are granted together, where this one has so many units. */
  below(units: number): number;
}

/**
 * Why an edit would promise more than there is. More than before must fit beside what the siblings are granted, so nobody's edit takes from
 * a sibling; less must still cover what the queues below are granted.
 */
export function overCommitments(edit: GuaranteeEdit): readonly OverCommitment[] {
  const { resource, parent, root, has, asked, askedText, before, taken } = edit;
  const amount = (units: number) => formatAmount(resource, units);
  const found: OverCommitment[] = [];
  if (has !== undefined && (asked.units > before.units || asked.share > before.share) && asked.units + taken.units > has) {
    const most = amount(Math.max(0, has - taken.units));
    found.push({ kind: "siblings", resource, parent, root, has: amount(has), asked: askedText, siblings: amount(taken.units), most });
  } else if (asked.share > before.share && exceedsWhole(asked.share + taken.share)) {
    const text = formatPercentage;
    const most = text(Math.max(0, whole - taken.share));
    found.push({ kind: "siblings", resource, parent, root, has: text(whole), asked: text(asked.share), siblings: text(taken.share), most });
  }
  if (has !== undefined && (asked.units < before.units || asked.share < before.share)) {
    const covered = edit.below(asked.units);
    if (covered > asked.units) found.push({ kind: "children", resource, asked: askedText, children: amount(covered) });
  }
  return found;
}
