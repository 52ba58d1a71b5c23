/**
 * What a decision of the tenant queues costs, in process: a tree of 2,500 leaves, four levels deep, over the capacity of 8,800 nodes, 15,000
 * workloads admitted and 100,000 waiting, three resources, a fifth of the work gangs, a tenth of the leaves at their max. Then, as in a busy
 * operator, tick after tick: workloads end, others are submitted, all that may be admitted is, and once every 100 decisions a queue's weight
 * and guarantee are edited. All that is timed; an answer that nothing may be admitted is not counted as a decision. Beside it the same with 100 leaves.
 */
import type { QueueSpec } from "../../src/quota/workload-spec.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { largest, median, percentile, rounded } from "./support/figures.ts";
import { tell } from "./support/progress.ts";
import { QueueLoad } from "./support/queue-load.ts";

/** Decisions between two edits. */
const editEvery = 100;

interface Figures {
  readonly decisionsPerSecond: number;
  readonly decisionMicros: number;
  readonly decisionMicrosP50: number;
  /** Of the worst window of a second. */
  readonly decisionMicrosP99: number;
  readonly loadMs: number;
  readonly rootEditMs: number;
  readonly memoryMb: number;
  readonly admitted: number;
}

const bench: Bench = async (words) => {
  const { leaves, nodes, admitted, waiting, seconds, tick } = readArguments(words, {
    leaves: 2500,
    nodes: 8800,
    admitted: 15_000,
    waiting: 100_000,
    seconds: 5,
    tick: 20,
  });
  // The large one first: the memory of the process would else be that of both.
  const large = measure({ leaves, nodes, admitted, waiting }, seconds, tick);
  tell(`${leaves} leaves: ${Math.round(large.decisionsPerSecond)} decisions a second`);
  const small = measure({ leaves: 100, nodes, admitted, waiting }, seconds, tick);
  tell(`100 leaves: ${Math.round(small.decisionsPerSecond)} decisions a second`);
  const row = (name: string, pick: (figures: Figures) => number): readonly string[] => [
    name,
    String(rounded(pick(large))),
    String(rounded(pick(small))),
  ];
  return {
    name: "queue-decisions",
    figures: {
      decisionsPerSecond: Math.round(large.decisionsPerSecond),
      decisionMicros: rounded(large.decisionMicros),
      decisionMicrosP50: rounded(large.decisionMicrosP50),
      decisionMicrosP99: rounded(large.decisionMicrosP99),
      costAgainst100Leaves: rounded(large.decisionMicros / small.decisionMicros),
      loadMs: rounded(large.loadMs),
      rootEditMs: rounded(large.rootEditMs),
      memoryMb: rounded(large.memoryMb),
      decisionsPerSecond100Leaves: Math.round(small.decisionsPerSecond),
    },
    targets: {
      decisionsPerSecond: { min: 50_000 },
      decisionMicrosP99: { max: 100 },
      costAgainst100Leaves: { max: 2 },
      loadMs: { max: 2000 },
      rootEditMs: { max: 50 },
      memoryMb: { max: 500 },
    },
    table: {
      columns: ["", `${leaves} leaves`, "100 leaves"],
      rows: [
        row("decisions a second, with ends, submissions and edits", (each) => each.decisionsPerSecond),
        row("µs a decision, with all that", (each) => each.decisionMicros),
        row("µs of the decision itself, p50", (each) => each.decisionMicrosP50),
        row("µs of the decision itself, p99 of the worst second", (each) => each.decisionMicrosP99),
        row("ms to load the state", (each) => each.loadMs),
        row("ms until an edit at the root takes effect", (each) => each.rootEditMs),
        row("MB in use", (each) => each.memoryMb),
        row("workloads that run in the end", (each) => each.admitted),
      ],
    },
  };
};

function measure(size: ConstructorParameters<typeof QueueLoad>[0], seconds: number, tick: number): Figures {
  const load = new QueueLoad(size, 1);
  const begun = performance.now();
  load.load();
  const loadMs = performance.now() - begun;
  const { tree } = load;
  for (const { id, kind } of tree.admitAll()) if (kind === "Start") load.admitted.push(id);
  // until steady, and compiled
  churn(load, 2, tick);
  const windows: Window[] = [];
  for (let second = 0; second < seconds; second++) windows.push(churn(load, 1, tick));
  const decisions = windows.reduce((sum, window) => sum + window.decisions, 0);
  const spent = windows.reduce((sum, window) => sum + window.spentMs, 0);
  const { rss } = process.memoryUsage();
  return {
    decisionsPerSecond: (decisions / spent) * 1000,
    decisionMicros: (spent / decisions) * 1000,
    decisionMicrosP50: median(windows.map(({ micros }) => median(micros))),
    decisionMicrosP99: largest(windows.map(({ micros }) => percentile(micros, 99))),
    loadMs,
    rootEditMs: largest(Array.from({ length: 10 }, (_, at) => editRoot(load, at))),
    memoryMb: rss / 2 ** 20,
    admitted: load.admitted.length,
  };
}

interface Window {
  readonly decisions: number;
  /** In the tree's calls, garbage collection that falls into them included. */
  readonly spentMs: number;
  /** Of each single decision. */
  readonly micros: readonly number[];
}

/** Ticks for so many seconds of the tree's own time. What is to end and to come is chosen outside of it. */
function churn(load: QueueLoad, seconds: number, tick: number): Window {
  const { tree } = load;
  const micros: number[] = [];
  let spentMs = 0;
  let edits = 0;
  while (spentMs < seconds * 1000) {
    const ended = Array.from({ length: tick }, () => load.takeRunning());
    const submitted = Array.from({ length: tick }, () => load.next());
    const begun = performance.now();
    for (const id of ended) tree.release(id);
    for (const spec of submitted) tree.submit(spec);
    let before = performance.now();
    spentMs += before - begun;
    for (;;) {
      const admission = tree.admitNext();
      const now = performance.now();
      spentMs += now - before;
      if (admission === undefined) break;
      micros.push((now - before) * 1000);
      load.admitted.push(admission.id);
      before = performance.now();
    }
    if (micros.length >= (edits + 1) * editEvery) {
      edits++;
      const edit = load.nextEdit();
      const start = performance.now();
      tree.setQueue(edit.name, edit.spec);
      spentMs += performance.now() - start;
    }
  }
  return { decisions: micros.length, spentMs, micros };
}

/** Milliseconds until a queue below the root has another guarantee and weight, the capacity is another, and the next decision has been made. */
function editRoot(load: QueueLoad, at: number): number {
  const { tree } = load;
  const spec: QueueSpec = tree.specOf("root-0");
  const capacity = Object.fromEntries(Object.entries(tree.capacity).map(([name, amount]) => [name, amount + at * 1000]));
  const begun = performance.now();
  tree.setQueue("root-0", { ...spec, weight: (spec.weight ?? 1) + 1, guaranteed: {} });
  tree.setCapacity(capacity);
  const admission = tree.admitNext();
  const spent = performance.now() - begun;
  if (admission !== undefined) load.admitted.push(admission.id);
  tree.setQueue("root-0", spec);
  return spent;
}

export default bench;
