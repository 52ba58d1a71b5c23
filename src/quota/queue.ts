import type { Bucket } from "./bucket.ts";
import { compareNames } from "./exact.ts";
import { compareByAge, compareByPriority, type Item } from "./item.ts";
import type { OrderedList } from "./ordered-list.ts";
import { groupSize, SiblingGroup } from "./sibling-group.ts";

/** The order inside a leaf. */
export type Ordering = "PriorityFIFO" | "FIFO";

/** A queue of the tree. Its amounts, and where it stands among its siblings, stand in the rows `index` of the flat arrays of TreeState. */
export class Queue {
  // What each decision reads and writes stands first, side by side in memory.
  readonly index: number;
  parent: Queue | undefined;
  /** How many queues are above it. */
  depth = 0;
  /** One bit for each judged resource of which its need is to be reckoned anew, see SiblingTable.flush. */
  stale = 0;
  /** Whether it has a max of any resource, or a limit on what runs. */
  isLimited = false;
  /** Whether it owes anything. */
  isIndebted = false;
  /** Nothing new is admitted: the stop policy says so. */
  isHeld = false;
  /** Nothing new is admitted: it owes what it was asked for. */
  isFrozen = false;
  weight = 1;
  /** By name. */
  readonly children: Queue[] = [];
  /** Their indexes: to go through the children looks at flat arrays only. */
  readonly childRows: number[] = [];
  /** Its children in groups where there are very many, otherwise none. */
  groups: readonly SiblingGroup[] = [];
  /** Its own group among its siblings, where they have some. */
  group: SiblingGroup | undefined;
  /** Its buckets, by judged resource. */
  readonly bucketLists: (OrderedList | undefined)[] = [];
  /** By the number of their shape. */
  readonly buckets = new Map<number, Bucket>();
  readonly name: string;
  lendClass = 0;
  ordering: Ordering = "PriorityFIFO";
  waitingLimit = Number.POSITIVE_INFINITY;
  /** Workloads that wait in this queue itself; those that grow are not counted. */
  waiting = 0;

  constructor(name: string, index: number, parent: Queue | undefined) {
    this.index = index;
    this.parent = parent;
    this.name = name;
  }

  get isClosed(): boolean {
    return this.isHeld || this.isFrozen;
  }

  get isLeaf(): boolean {
    return this.children.length === 0;
  }

  /** The order of what waits in it. */
  get compare(): (a: Item, b: Item) => number {
    return this.ordering === "FIFO" ? compareByAge : compareByPriority;
  }

  addChild(child: Queue): void {
    this.children.push(child);
    this.children.sort((a, b) => compareNames(a.name, b.name));
    this.#arrange();
  }

  removeChild(child: Queue): void {
    this.children.splice(this.children.indexOf(child), 1);
    child.group = undefined;
    this.#arrange();
  }

  #arrange(): void {
    this.childRows.length = 0;
    for (const child of this.children) {
      this.childRows.push(child.index);
      child.group = undefined;
    }
    const groups: SiblingGroup[] = [];
    for (let at = 0; at < this.children.length && this.children.length > groupSize; at += groupSize) {
      const group = new SiblingGroup(this.children.slice(at, at + groupSize));
      for (const child of group.children) child.group = group;
      groups.push(group);
    }
    this.groups = groups;
  }
}
