import type { Bucket } from "./bucket.ts";
import { compareByAge, compareByPriority, type Item } from "./item.ts";
import type { Entry, OrderedList } from "./ordered-list.ts";

/** The order inside a leaf. */
export type Ordering = "PriorityFIFO" | "FIFO";

/** A queue of the tree. Its amounts stand in the rows `index` of the flat arrays of TreeState. */
export class Queue {
  // What each decision reads and writes stands first, side by side in memory.
  readonly index: number;
  parent: Queue | undefined;
  /** How many queues are above it. */
  depth = 0;
  /** Rises with every change in it or beneath. */
  stamp = 0;
  /** One bit for each judged resource of which its entry is to be brought up to date, see TreeState.flush. */
  stale = 0;
  /** The same where only its own use has changed, nothing beneath. */
  staleKeys = 0;
  /** Whether it has a max of any resource, or a limit on what runs. */
  isLimited = false;
  /** Whether it owes anything. */
  isIndebted = false;
  /** Nothing new is admitted: the stop policy says so. */
  isHeld = false;
  /** Nothing new is admitted: it owes what it was asked for. */
  isFrozen = false;
  weight = 1;
  /** Its own entries in the lists of its parent, by judged resource. */
  readonly entries: (Entry | undefined)[] = [];
  readonly children: Queue[] = [];
  /** Its children that have something waiting, by judged resource. */
  readonly childLists: (OrderedList | undefined)[] = [];
  /** Its buckets, by judged resource. */
  readonly bucketLists: (OrderedList | undefined)[] = [];
  /** The winner beneath it by judged resource, as of the stamp beside it: kept by AdmissionSearch. */
  readonly winners: (Bucket | undefined)[] = [];
  readonly winnerStamps: number[] = [];
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

  /** What the search goes through: its children, or in a leaf its buckets. */
  listOf(resource: number): OrderedList | undefined {
    return this.children.length > 0 ? this.childLists[resource] : this.bucketLists[resource];
  }
}
