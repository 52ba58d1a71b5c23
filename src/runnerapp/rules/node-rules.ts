import type { PodSpec } from "../../api/core.ts";
import { excludedNodes, type NodeRule, nodeRulesAt, withPlacement, withPreferences } from "../../api/node-rule.ts";
import { formatSeconds, parseTime } from "../../base/time.ts";
import type { NodeExclusion } from "./node-exclusion.ts";

/** All that has a say in where a new pod of an instance goes. */
export interface PlacementWishes {
  /** spec.nodeRules; expired ones are passed over. */
  readonly rules: readonly NodeRule[];
  /** What the operator learnt; expired ones are passed over. */
  readonly exclusions: readonly NodeExclusion[];
  /** Nodes that this instance failed on. */
  readonly leave: readonly string[];
  /** Nodes that are being taken. */
  readonly evacuating: readonly string[];
  /** The node on which it is to be started again. */
  readonly pinned?: string;
  /** Nodes where it rather goes, as its old one in a restart. */
  readonly prefer?: readonly string[];
  /** Nodes that the app may use by its own selectors and that take pods; absent = not known. */
  readonly usable?: readonly string[];
}

export interface Placement {
  /** Rules that hold, for the affinity: musts and wishes. */
  readonly leave: readonly string[];
  readonly wishes: readonly NodeRule[];
  readonly pinned?: string;
  /** What was learnt was passed over, since no node would be left: worth telling. */
  readonly forgiven: boolean;
}

/**
 * Where a new pod goes. A must beats a wish: a node that is left out is neither preferred nor pinned. When no node is left, what the
 * operator learnt from failures is passed over first, and never what people said or a node that is being taken (research 5f).
 */
export function placementOf(
  { rules, exclusions, leave, evacuating, pinned, prefer = [], usable }: PlacementWishes,
  now: number,
): Placement {
  const holding = nodeRulesAt(rules, now);
  const firm = new Set([...excludedNodes(holding), ...evacuating]);
  const learnt = [...exclusions.flatMap(({ node, until }) => (until > now ? node : [])), ...leave];
  const all = new Set([...firm, ...learnt]);
  const forgiven = usable !== undefined && all.size > firm.size && usable.every((node) => all.has(node));
  const left = forgiven ? firm : all;
  const wishes: readonly NodeRule[] = [
    ...holding.filter(({ effect }) => effect !== "Exclude"),
    ...prefer.map((node) => ({ node, effect: "Prefer" as const })),
  ].filter(({ node }) => !left.has(node));
  return { leave: [...left].sort(), wishes, forgiven, ...(pinned !== undefined && !left.has(pinned) && { pinned }) };
}

/** The affinity of the template with the placement added; undefined stays so when there is nothing to add. */
export function withNodeRules(affinity: PodSpec["affinity"], { leave, wishes, pinned }: Placement): PodSpec["affinity"] {
  return withPreferences(withPlacement(affinity, leave, pinned), wishes);
}

/** What the operator learnt, in the shape in which people write their own (status.nodeRules). */
export const learntRules = (exclusions: readonly NodeExclusion[], now: number): readonly NodeRule[] =>
  exclusions
    .filter(({ until }) => until > now)
    .map(({ node, until, failures, reason }) => ({
      node,
      effect: "Exclude",
      expiresAt: formatSeconds(until),
      reason: `${failures} failures, the last one ${reason}`,
    }));

/** When the first rule or exclusion ends: a pod that finds no node may be made anew then; undefined = none will. */
export function nextExpiry(rules: readonly NodeRule[], exclusions: readonly NodeExclusion[], now: number): number | undefined {
  const ends = [...rules.map(({ expiresAt }) => parseTime(expiresAt) ?? 0), ...exclusions.map(({ until }) => until)].filter(
    (at) => at > now,
  );
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/**
 * Whether a pod that waits for a node was made under rules that are not those of now: its affinity cannot be changed, so it is made anew.
 * One that has a node stays where it is.
 * @param madeWith nodes that its affinity leaves out
 */
export const isMisplaced = (madeWith: readonly string[], placement: Placement, isScheduled: boolean): boolean =>
  !isScheduled && (madeWith.length !== placement.leave.length || !placement.leave.every((node) => madeWith.includes(node)));
