import assert from "node:assert/strict";
import { roleStatuses } from "../../../../src/runnerapp/rules/container-end.ts";
import { countRestarts, type SeenContainer } from "../../../../src/runnerapp/rules/restart-count.ts";
import { type RunnerContainer, type RunnerPodFacts, runnerPod } from "../../../support/builders/runner-pod.ts";

interface Case {
  readonly name: string;
  readonly pod: RunnerPodFacts;
  readonly seen?: readonly SeenContainer[];
  readonly asked?: Readonly<Record<string, number>>;
  readonly want: number;
  readonly wantSeen?: readonly SeenContainer[];
}

const main = (container: RunnerContainer): RunnerPodFacts => ({ containers: { main: container } });

const cases: readonly Case[] = [
  { name: "no end, nothing to keep", pod: {}, want: 0, wantSeen: [] },
  {
    name: "an end counts before the kubelet restarts the container",
    pod: main({ exit: 1, restarts: 0, id: "a" }),
    want: 1,
    wantSeen: [{ name: "main", ends: 1, id: "a" }],
  },
  {
    name: "and is the same end after its restart",
    pod: main({ running: true, exit: 1, restarts: 1, id: "b" }),
    seen: [{ name: "main", ends: 1, id: "a" }],
    want: 0,
  },
  {
    name: "all that came while nobody looked",
    pod: main({ running: true, exit: 1, restarts: 7 }),
    seen: [{ name: "main", ends: 2 }],
    want: 5,
  },
  {
    name: "containers of a pod are counted together",
    pod: { containers: { main: { running: true, exit: 1, restarts: 1 }, side: { exit: 1, restarts: 1 } } },
    want: 3,
  },
  { name: "an init container that succeeded is no end", pod: { inits: { setup: { exit: 0 } } }, want: 0 },
  { name: "one that failed is", pod: { inits: { setup: { exit: 1 } }, containers: { main: { waiting: "PodInitializing" } } }, want: 1 },
  {
    name: "the count went down and the container is another one: one end",
    pod: main({ running: true, restarts: 0, id: "z" }),
    seen: [{ name: "main", ends: 4, id: "a" }],
    want: 1,
    wantSeen: [{ name: "main", ends: 0, id: "z" }],
  },
  {
    name: "the count went down and the container is the same: none",
    pod: main({ running: true, restarts: 0, id: "a" }),
    seen: [{ name: "main", ends: 4, id: "a" }],
    want: 0,
  },
  { name: "an end that we asked for is none", pod: main({ running: true, exit: 143, restarts: 1 }), asked: { main: 1 }, want: 0 },
  { name: "exactly those that we asked for", pod: main({ running: true, exit: 1, restarts: 3 }), asked: { main: 1 }, want: 2 },
  {
    name: "one that we asked for and that was seen is not taken off again",
    pod: main({ running: true, exit: 1, restarts: 3 }),
    seen: [{ name: "main", ends: 2, asked: 1 }],
    asked: { main: 1 },
    want: 1,
  },
  {
    name: "what we asked for and has not come yet takes nothing off",
    pod: main({ running: true, restarts: 0 }),
    asked: { main: 1 },
    want: 0,
    wantSeen: [],
  },
  {
    name: "no container is told of yet: what was counted stays",
    pod: { containers: {} },
    seen: [{ name: "main", ends: 4, id: "a" }],
    want: 0,
    wantSeen: [{ name: "main", ends: 4, id: "a" }],
  },
];

describe("counting the ends of a pod's containers", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const asked = new Map(Object.entries(tc.asked ?? {}));
      const counted = countRestarts(roleStatuses(runnerPod(tc.pod)), tc.seen ?? [], asked);
      assert.equal(counted.count, tc.want);
      if (tc.wantSeen !== undefined) assert.deepEqual(counted.seen, tc.wantSeen);
      assert.equal(countRestarts(roleStatuses(runnerPod(tc.pod)), counted.seen, asked).count, 0, "a second look counts again");
    });

  it("tells the codes and the newest end of those that are counted now", () => {
    const pod = runnerPod({
      containers: { main: { running: true, exit: 9, restarts: 1 }, side: { exit: 137, word: "OOMKilled", finished: "12:02:00" } },
    });
    const counted = countRestarts(roleStatuses(pod), [{ name: "main", ends: 1 }]);
    assert.deepEqual(counted.failedCodes, [137]);
    assert.equal(counted.reason, "OOMKilled");
  });
});
