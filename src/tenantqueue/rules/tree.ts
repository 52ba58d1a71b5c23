import { ancestryOf } from "../../base/ancestry.ts";
import type { StopPolicy } from "./effective-spec.ts";

/** What of a queue decides where it stands. */
export interface TreeMember {
  readonly name: string;
  readonly createdAt: number;
  readonly parent?: string;
  readonly stopPolicy?: StopPolicy;
}

/** Where a queue stands. */
export type Placement =
  /** `path` leads from the queue to its root. */
  | { readonly kind: "placed"; readonly root: string; readonly path: readonly string[] }
  /** `by` names the queue that does not exist; it is the queue itself or one above it. */
  | { readonly kind: "orphan"; readonly missing: string; readonly by: string }
  /** The queue is of the circle, or hangs below it. */
  | { readonly kind: "cycle"; readonly cycle: readonly string[]; readonly member: boolean };

/** Trees of queues as their parents say. Queues that have no place in one stand aside with all that hangs below them. */
export interface QueueForest<Member extends TreeMember = TreeMember> {
  readonly members: ReadonlyMap<string, Member>;
  /** By age, then by name. */
  readonly roots: readonly string[];
  placementOf(name: string): Placement | undefined;
  /** By age, then by name; also of queues that have no place. */
  childrenOf(name: string): readonly string[];
  /** Only a queue that is one takes workloads. */
  isLeaf(name: string): boolean;
  /** The strictest of the queue and all above it. */
  stopPolicyOf(name: string): StopPolicy;
}

/** Older first, then by name: who was there first keeps what both want, and the same objects always give the same order. */
export function byAge(left: TreeMember, right: TreeMember): number {
  return left.createdAt - right.createdAt || (left.name < right.name ? -1 : left.name > right.name ? 1 : 0);
}

const strictness: Readonly<Record<StopPolicy, number>> = { None: 0, Hold: 1, HoldAndDrain: 2 };
const none: readonly string[] = [];

/** Places queues by their names and parents; the order in which they are given does not matter. */
export function growForest<Member extends TreeMember>(queues: Iterable<Member>): QueueForest<Member> {
  const sorted = [...queues].sort(byAge);
  const members = new Map(sorted.map((queue) => [queue.name, queue]));
  const children = new Map<string, string[]>();
  for (const { name, parent } of sorted) {
    if (parent === undefined) continue;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [name]);
    else siblings.push(name);
  }
  const parentOf = (name: string) => {
    const queue = members.get(name);
    return queue === undefined ? undefined : (queue.parent ?? null);
  };
  const placements = new Map<string, Placement>();
  for (const name of members.keys()) placements.set(name, placementOf(name, ancestryOf(name, parentOf)));
  const childrenOf = (name: string) => children.get(name) ?? none;
  return {
    members,
    roots: sorted.filter(({ parent }) => parent === undefined).map(({ name }) => name),
    placementOf: (name) => placements.get(name),
    childrenOf,
    isLeaf: (name) => childrenOf(name).length === 0,
    stopPolicyOf(name) {
      let strictest: StopPolicy = "None";
      for (const each of ancestryOf(name, parentOf).path) {
        const policy = members.get(each)?.stopPolicy ?? "None";
        if (strictness[policy] > strictness[strictest]) strictest = policy;
      }
      return strictest;
    },
  };
}

function placementOf(name: string, ancestry: ReturnType<typeof ancestryOf>): Placement {
  const last = ancestry.path.at(-1) ?? name;
  if (ancestry.kind === "root") return { kind: "placed", root: last, path: ancestry.path };
  if (ancestry.kind === "missing") return { kind: "orphan", missing: ancestry.missing, by: last };
  return { kind: "cycle", cycle: ancestry.cycle, member: ancestry.cycle.includes(name) };
}
