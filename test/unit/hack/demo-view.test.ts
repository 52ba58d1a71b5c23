import assert from "node:assert/strict";
import { seeAttempts } from "../../../hack/demo/attempts.ts";
import { clip } from "../../../hack/demo/screen.ts";
import { blockLines, changeLines, type Paint, resultLines, type Snapshot } from "../../../hack/demo/view.ts";
import type { ContainerState, Pod } from "../../../src/api/core.ts";
import type { ElasticJob, ElasticJobStatus } from "../../../src/api/elastic-job.gen.ts";

const run = "20261121t160000z";
const start = Date.parse("2026-11-21T16:00:00Z");
const plain: Paint = (_, text) => text;
const tagged: Paint = (tone, text) => `<${tone}>${text}</>`;
const time = (seconds: number) => new Date(start + seconds * 1000).toISOString();

interface PodChange {
  readonly node?: string;
  readonly state?: ContainerState;
  readonly lost?: number;
  readonly deleted?: boolean;
}

function pod(item: number, attempt: number, { node, state, lost = 0, deleted = false }: PodChange = {}): Pod {
  return {
    metadata: {
      name: `count-0a1b2c3d-${run}-${item}-${attempt}`,
      namespace: "default",
      labels: { "nuptse.dev/job": "count", "nuptse.dev/run": run, "nuptse.dev/item": String(item), "nuptse.dev/attempt": String(attempt) },
      annotations: { "nuptse.dev/run": JSON.stringify({ lost }) },
      ...(deleted && { deletionTimestamp: time(9) }),
    },
    spec: { containers: [{ name: "c" }], ...(node !== undefined && { nodeName: node }) },
    status: state === undefined ? {} : { containerStatuses: [{ name: "c", state }] },
  };
}

const running = (second: number): ContainerState => ({ running: { startedAt: time(second) } });
const ended = (from: number, to: number, exitCode: number, message?: string): ContainerState => ({
  terminated: { exitCode, startedAt: time(from), finishedAt: time(to), ...(message !== undefined && { message }) },
});

function job(status?: ElasticJobStatus): ElasticJob {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name: "count", namespace: "default" },
    spec: { sharding: { total: 2, parameters: ["a b", "c d"] }, template: { spec: { containers: [{ name: "c" }] } } },
    ...(status !== undefined && { status }),
  };
}

/** Snapshots of pods that existed one after the other, the jobs in the last one alone. */
function story(
  frames: readonly (readonly Pod[])[],
  status: ElasticJobStatus = {},
): { readonly before: Snapshot; readonly after: Snapshot } {
  let before: Snapshot = { jobs: [], attempts: new Map() };
  let after = before;
  for (const [index, pods] of frames.entries()) {
    before = after;
    const jobs = index === frames.length - 1 ? [job(status)] : [];
    after = { jobs, attempts: seeAttempts(before.attempts, pods, start + index * 1000) };
  }
  return { before, after };
}

describe("hack/demo/view: changes", () => {
  const cases: readonly { readonly name: string; readonly frames: readonly (readonly Pod[])[]; readonly want: readonly string[] }[] = [
    {
      name: "a run begins with its first pod, and a pod that waits says nothing",
      frames: [[pod(0, 1)]],
      want: [`count: run ${run} begins`],
    },
    {
      name: "an item runs on a node",
      frames: [[pod(0, 1)], [pod(0, 1, { node: "n1", state: running(0) })]],
      want: ["count: item 0, attempt 1 runs on n1"],
    },
    {
      name: "nothing changed says nothing",
      frames: [[pod(0, 1, { node: "n1", state: running(0) })], [pod(0, 1, { node: "n1", state: running(0) })]],
      want: [],
    },
    {
      name: "an item is done after its seconds",
      frames: [[pod(0, 1, { node: "n1", state: running(0) })], [pod(0, 1, { node: "n1", state: ended(0, 6, 0, "total 3") })]],
      want: ["count: item 0, attempt 1 is done on n1 after 6 s"],
    },
    {
      name: "a short one says no seconds",
      frames: [[pod(0, 1)], [pod(0, 1, { node: "n1", state: ended(0, 0, 0) })]],
      want: ["count: item 0, attempt 1 is done on n1"],
    },
    {
      name: "a failure says the exit code and the first line that the program left",
      frames: [[pod(0, 1, { node: "n1", state: running(0) })], [pod(0, 1, { node: "n1", state: ended(0, 2, 1, "no space\nat all\n") })]],
      want: [`count: FAILED item 0, attempt 1 on n1: exit 1, "no space"`],
    },
    {
      name: "the attempt after a failure is a RETRY",
      frames: [
        [pod(0, 1, { node: "n1", state: ended(0, 2, 1) })],
        [pod(0, 1, { node: "n1", state: ended(0, 2, 1) }), pod(0, 2, { node: "n1", state: running(4) })],
      ],
      want: ["count: RETRY item 0, attempt 2 runs on n1"],
    },
    {
      name: "a pod that is told to go",
      frames: [[pod(0, 1, { node: "n1", state: running(0) })], [pod(0, 1, { node: "n1", state: running(0), deleted: true })]],
      want: ["count: item 0, attempt 1 on n1 is told to go"],
    },
    {
      name: "a pod that ended while told to go is LOST, whatever its exit code",
      frames: [
        [pod(0, 1, { node: "n1", state: running(0), deleted: true })],
        [pod(0, 1, { node: "n1", state: ended(0, 3, 143), deleted: true })],
      ],
      want: ["count: LOST item 0, attempt 1: its pod on n1 went before the work was done"],
    },
    {
      name: "a pod that vanished at work is LOST",
      frames: [[pod(0, 1, { node: "n1", state: running(0) })], []],
      want: ["count: LOST item 0, attempt 1: its pod on n1 went before the work was done"],
    },
    {
      name: "a finished pod that is cleaned up says nothing",
      frames: [[pod(0, 1, { node: "n1", state: ended(0, 6, 0) })], []],
      want: [],
    },
    {
      name: "the attempt after a loss is a FAILOVER",
      frames: [
        [pod(0, 1, { node: "n1", state: running(0) })],
        [],
        [pod(0, 2, { lost: 1 })],
        [pod(0, 2, { lost: 1, node: "n2", state: running(5) })],
      ],
      want: ["count: FAILOVER item 0, attempt 2 runs on n2"],
    },
    {
      name: "a retry after a failover is a RETRY",
      frames: [
        [pod(0, 2, { lost: 1, node: "n2", state: ended(0, 1, 1) })],
        [pod(0, 2, { lost: 1, node: "n2", state: ended(0, 1, 1) }), pod(0, 3, { lost: 1, node: "n2", state: running(4) })],
      ],
      want: ["count: RETRY item 0, attempt 3 runs on n2"],
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const { before, after } = story(tc.frames);
      assert.deepEqual(changeLines(before, after, plain), tc.want);
    });
  }

  it("the end of a run says how many pods it took, and why more than items", () => {
    const status = { history: [{ run, phase: "Succeeded", total: 2, attempts: 4, lost: 1 }] };
    const { before, after } = story([[]], status);
    assert.deepEqual(changeLines(before, after, tagged), [
      `count: <strong>run ${run}</> <good>Succeeded</>: 2 items by 4 pods, 1 retry, 1 failover`,
    ]);
  });

  it("the end of a failed run says why", () => {
    const { before, after } = story([[]], { history: [{ run, phase: "Failed", message: "items 1 failed" }] });
    assert.deepEqual(changeLines(before, after, plain), [`count: run ${run} Failed: items 1 failed`]);
  });
});

describe("hack/demo/view: block", () => {
  it("a job that has not run tells when it fires", () => {
    const { after } = story([[]], { nextFireTime: time(12) });
    assert.deepEqual(blockLines(after, start, plain), ["count  fires in 12 s"]);
  });

  it("a job without status was not seen yet", () => {
    assert.deepEqual(blockLines({ jobs: [job()], attempts: new Map() }, start, plain), ["count  not seen by the operator yet"]);
  });

  it("items stand below their run, with what happened to them before", () => {
    const frames = [
      [pod(0, 1, { node: "n1", state: running(0) }), pod(1, 1, { node: "n2", state: ended(0, 2, 1, "no space") })],
      [
        pod(0, 2, { node: "n3", state: running(4), lost: 1 }),
        pod(1, 1, { node: "n2", state: ended(0, 2, 1, "no space") }),
        pod(1, 2, { node: "n2", state: ended(3, 8, 0) }),
      ],
    ];
    const { after } = story(frames, { active: [{ run, phase: "Running", total: 2 }] });
    assert.deepEqual(blockLines(after, start + 9000, plain), [
      `count  run ${run}  ██████░░░░░░ 1/2  Running`,
      "  item 0  a b             attempt 2  n3        running 5 s   FAILOVER  before: lost on n1",
      `  item 1  c d             attempt 2  n2        done 5 s      RETRY  before: exit 1, "no space" on n2`,
    ]);
  });
});

describe("hack/demo/view: result", () => {
  it("shows words with bars, and the total", () => {
    const count = {
      total: 120,
      top: [
        { word: "the", count: 80 },
        { word: "a", count: 20 },
        { word: "of", count: 1 },
      ],
    };
    assert.deepEqual(resultLines(count, 2, plain), [
      `  the     80  ${"█".repeat(40)}`,
      `  a       20  ${"█".repeat(10)}`,
      "  total  120  words",
    ]);
  });
});

describe("hack/demo/screen", () => {
  const red = "\u001b[31m";
  const off = "\u001b[0m";
  const cases = [
    { name: "a line that fits stays", line: "abc", width: 3, want: "abc" },
    { name: "a longer one is cut", line: "abcd", width: 3, want: "abc" },
    { name: "colours take no place and are ended", line: `a${red}bcd${off}`, width: 2, want: `a${red}b${off}` },
    { name: "a letter of two units counts once", line: "a😀b", width: 2, want: "a😀" },
  ];
  for (const tc of cases) it(tc.name, () => assert.equal(clip(tc.line, tc.width), tc.want));
});
