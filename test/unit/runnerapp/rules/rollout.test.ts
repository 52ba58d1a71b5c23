import assert from "node:assert/strict";
import { shareKept } from "../../../../src/runnerapp/rules/rollout.ts";

interface Row {
  readonly name: string;
  /** Instances that have the change, and of how many. */
  readonly held: number;
  readonly size?: number;
  readonly replicas: number;
  readonly want: number;
}

const rows: readonly Row[] = [
  { name: "half of six are half of four", held: 3, size: 6, replicas: 4, want: 2 },
  { name: "what is exactly between two is rounded up", held: 3, size: 6, replicas: 3, want: 2 },
  { name: "one of ten stays one", held: 1, size: 10, replicas: 3, want: 1 },
  { name: "nine of ten leave one of the others", held: 9, size: 10, replicas: 3, want: 2 },
  { name: "of a fleet of one there is no share: the nearest", held: 1, size: 6, replicas: 1, want: 0 },
  { name: "the same where most had the change", held: 5, size: 6, replicas: 1, want: 1 },
  { name: "none stays none", held: 0, size: 6, replicas: 3, want: 0 },
  { name: "all stay all", held: 6, size: 6, replicas: 3, want: 3 },
  { name: "of nothing there is nothing", held: 3, size: 6, replicas: 0, want: 0 },
  { name: "a fleet that grows has no more of it", held: 3, size: 6, replicas: 12, want: 3 },
  { name: "a size that nobody wrote down changes nothing", held: 3, replicas: 6, want: 3 },
];

describe("a roll-out that stands still, of a fleet that is scaled", () => {
  for (const { name, held, size, replicas, want } of rows) it(name, () => assert.equal(shareKept(held, size, replicas), want));
});
