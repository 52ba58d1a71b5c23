import { parsePercentage, shareOf } from "../../base/percentage.ts";
import type { NodeBlame } from "./retry-step.ts";

/** spec.nodeExclusion with every default filled in; durations in milliseconds. */
export interface ExclusionPolicy {
  /** Failures on a node within the window that exclude it. */
  readonly failures: number;
  readonly windowMs: number;
  readonly ttlMs: number;
  /** At most so many nodes, "20%" of those that the app may use, or a number. */
  readonly maxNodes: number | string;
}

/** A node that is left out until an instant. */
export interface NodeExclusion {
  readonly node: string;
  readonly until: number;
  /** Failures within the window when it was last decided. */
  readonly failures: number;
  /** What failed there last: the kind of a signal. */
  readonly reason: string;
}

/** What is kept in status. */
export interface ExclusionState {
  /** Ascending by time; per node no more than are asked for. */
  readonly blames: readonly NodeBlame[];
  /** By node name. */
  readonly exclusions: readonly NodeExclusion[];
}

export interface ExclusionContext {
  readonly now: number;
  /** Nodes that the app's own selectors let it use. */
  readonly nodes: readonly string[];
  /** Nodes on which an instance of a revision has proven itself: it serves there for a while, and has not failed there. */
  provenOn(revision: string): ReadonlySet<string>;
  /** Whether some instance of a revision has not failed, be it that it has only begun: then nothing is decided yet. */
  isOpen(revision: string): boolean;
}

export interface ExclusionPlan {
  readonly state: ExclusionState;
  /** Excluded with this plan and not before: worth an event. */
  readonly added: readonly NodeExclusion[];
  readonly wakeAt?: number;
}

/** Nodes on which a revision must have failed, while none of its instances has not, before it is the revision that is bad. */
const nodesOfBadRevision = 3;
/** An app never keeps more than this many failures in its status. */
const mostBlames = 100;

/** How many nodes may be left out: at least one where the share is not 0, and always one less than there are. */
export function mostExcluded(maxNodes: number | string, nodes: number): number {
  const thousandths = typeof maxNodes === "number" ? undefined : (parsePercentage(maxNodes) ?? 0);
  const share = thousandths === undefined ? Number(maxNodes) : Math.max(shareOf(nodes, thousandths), Math.sign(thousandths));
  return Math.max(0, Math.min(share, nodes - 1));
}

/**
 * Nodes that fail the app too often are left out for a while. One blame is one series of local failures that was used up, or one failure
 * that is the node's directly. What an app does that fails everywhere tells nothing of nodes: only failures of a revision count that has
 * proven itself on some other node, and one that failed on three nodes and of which every instance has failed lifts what it caused. Between the
 * two all stays as it is: an instance in a crash loop is Ready for seconds, again and again, and one that is restarted is not for as long. An
 * exclusion ends `ttlMs` after the last failure that it rests on, so planning again changes nothing. Over the cap the one that would end first goes.
 */
export function planExclusions(
  stored: ExclusionState,
  newBlames: readonly NodeBlame[],
  policy: ExclusionPolicy,
  { now, nodes, provenOn, isOpen }: ExclusionContext,
): ExclusionPlan {
  const there = new Set(nodes);
  const blames = keptBlames([...stored.blames, ...newBlames], policy, now).filter(({ node }) => there.has(node));
  const bad = badRevisions(blames, isOpen);
  const byNode = Map.groupBy(blames, ({ node }) => node);
  const known = new Map(stored.exclusions.map((exclusion) => [exclusion.node, exclusion]));
  const wanted = nodes.flatMap((node): readonly NodeExclusion[] => {
    const failed = byNode.get(node) ?? [];
    const before = known.get(node);
    const lifted = failed.length > 0 && failed.every(({ revision }) => bad.has(revision));
    const counted = failed.filter(({ revision }) => runsElsewhere(provenOn(revision), node));
    const last = counted.at(-1);
    const fresh =
      last !== undefined && counted.length >= policy.failures
        ? { node, until: last.at + policy.ttlMs, failures: counted.length, reason: last.reason }
        : undefined;
    const kept = before !== undefined && before.until > now && !lifted ? before : undefined;
    const longer = fresh !== undefined && fresh.until > Math.max(now, kept?.until ?? 0) ? fresh : kept;
    return longer === undefined ? [] : [longer];
  });
  const exclusions = wanted
    .sort((a, b) => b.until - a.until || (a.node < b.node ? -1 : 1))
    .slice(0, mostExcluded(policy.maxNodes, nodes.length))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
  const wakeAt = Math.min(...exclusions.map(({ until }) => until));
  return {
    state: { blames, exclusions },
    added: exclusions.filter(({ node }) => (known.get(node)?.until ?? 0) <= now),
    ...(Number.isFinite(wakeAt) && { wakeAt }),
  };
}

const runsElsewhere = (proven: ReadonlySet<string>, node: string): boolean => proven.size > (proven.has(node) ? 1 : 0);

/** The newest of each node within the window, as many as can matter; one of the future, after a clock was set back, is of now. */
function keptBlames(blames: readonly NodeBlame[], policy: ExclusionPolicy, now: number): readonly NodeBlame[] {
  const within = blames
    .map((blame) => (blame.at > now ? { ...blame, at: now } : blame))
    .filter(({ at }) => now - at < policy.windowMs)
    .sort((a, b) => a.at - b.at);
  const newest = [...Map.groupBy(within, ({ node }) => node).values()].flatMap((ofNode) => ofNode.slice(-policy.failures));
  return newest.sort((a, b) => a.at - b.at || (a.node < b.node ? -1 : 1)).slice(-mostBlames);
}

function badRevisions(blames: readonly NodeBlame[], isOpen: ExclusionContext["isOpen"]): ReadonlySet<string> {
  const nodesOf = Map.groupBy(blames, ({ revision }) => revision);
  const bad = [...nodesOf].filter(([revision, of]) => !isOpen(revision) && new Set(of.map(({ node }) => node)).size >= nodesOfBadRevision);
  return new Set(bad.map(([revision]) => revision));
}

/** A node that several agree on. */
export interface AgreedNode {
  readonly node: string;
  /** Apps and jobs, by name, ascending. */
  readonly by: readonly string[];
}

/**
 * Nodes that at least `appsAgreeing` apps or jobs have left out or failed on, each counted once: to be reported, since the node itself
 * may be ill.
 * @param reports who ("tenant/web") says so of which node
 */
export function agreedNodes(
  reports: readonly { readonly node: string; readonly by: string }[],
  appsAgreeing: number,
): readonly AgreedNode[] {
  const agreed = [...Map.groupBy(reports, ({ node }) => node)].map(([node, of]) => ({
    node,
    by: [...new Set(of.map(({ by }) => by))].sort(),
  }));
  return agreed.filter(({ by }) => by.length >= appsAgreeing).sort((a, b) => (a.node < b.node ? -1 : 1));
}
