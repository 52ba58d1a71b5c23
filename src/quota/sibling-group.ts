import type { Queue } from "./queue.ts";

/** So many siblings are gone through one by one; where there are more they are in groups of so many. */
export const groupSize = 32;

/**
 * Some of very many children of one queue, and what is known of them by judged resource, so that a change in one of them has only its group
 * gone through again: which is the first that may have a candidate, and the component-wise smallest need. Each is true as of a stamp.
 */
export class SiblingGroup {
  readonly children: readonly Queue[];
  readonly childRows: readonly number[];
  /** Rises with each change in a child. */
  stamp = 1;
  readonly firsts: (Queue | undefined)[] = [];
  readonly firstStamps: number[] = [];
  /** Rises when the need of a child has changed. */
  needStamp = 1;
  readonly needs: Float64Array[] = [];
  readonly needStamps: number[] = [];

  constructor(children: readonly Queue[]) {
    this.children = children;
    this.childRows = children.map(({ index }) => index);
  }
}
