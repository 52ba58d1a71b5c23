import { createSeededRandom, randomInteger } from "../../../../src/base/random.ts";
import { QuotaTree } from "../../../../src/quota/quota-tree.ts";
import type { ResourceVector } from "../../../../src/quota/resource-vector.ts";
import type { QueueSpec, WorkloadSpec } from "../../../../src/quota/workload-spec.ts";

/** A queue by its path: `eng/dev` is dev under eng under the root. */
export type Layout = Readonly<Record<string, QueueSpec>>;

/** A tree whose root is called `root`. */
export function treeOf(capacity: ResourceVector, layout: Layout, mostPassing?: number): QuotaTree {
  const tree = new QuotaTree("root", capacity, {}, mostPassing);
  for (const [path, spec] of Object.entries(layout)) {
    const names = path.split("/");
    tree.addQueue(names.at(-1) as string, names.at(-2) ?? "root", spec);
  }
  return tree;
}

/** Submits `count` workloads `<queue>-1`, `<queue>-2`, ... with ages in that order. */
export function submitMany(tree: QuotaTree, queue: string, count: number, request: ResourceVector, form: Partial<WorkloadSpec> = {}): void {
  for (let at = 1; at <= count; at++) tree.submit({ id: `${queue}-${at}`, queue, request, since: at, ...form });
}

/** Counts as running `count` workloads `<queue>-r1`, `<queue>-r2`, ... */
export function restoreMany(
  tree: QuotaTree,
  queue: string,
  count: number,
  request: ResourceVector,
  form: Partial<WorkloadSpec> = {},
): void {
  for (let at = 1; at <= count; at++) tree.restore({ id: `${queue}-r${at}`, queue, request, since: at, ...form });
}

/** The ids of all that is admitted now, in the order of the decisions. */
export function admit(tree: QuotaTree, limit?: number): readonly string[] {
  return tree.admitAll(limit).map(({ id }) => id);
}

/** How many of the ids are of each queue. */
export function perQueue(ids: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const id of ids) {
    const queue = id.slice(0, id.lastIndexOf("-"));
    counts[queue] = (counts[queue] ?? 0) + 1;
  }
  return counts;
}

/**
 * Endless demand: `completions` times one running workload ends, the oldest or at random by a seed, another like it is submitted, and what may
 * be admitted is. Returns how many run of each queue, at the end or on average over the last half.
 */
export function churn(
  tree: QuotaTree,
  demand: Readonly<Record<string, ResourceVector>>,
  completions: number,
  options: { readonly seed?: number; readonly waiting?: number; readonly form?: Partial<WorkloadSpec> } = {},
): { readonly last: Readonly<Record<string, number>>; readonly mean: Readonly<Record<string, number>> } {
  const random = options.seed === undefined ? undefined : createSeededRandom(options.seed);
  const running: string[] = [];
  let number = 0;
  const submit = (queue: string): void => {
    number++;
    tree.submit({
      id: `${queue}-${number}`,
      queue,
      request: demand[queue] as ResourceVector,
      since: number,
      isYieldable: true,
      ...options.form,
    });
  };
  for (const queue of Object.keys(demand)) for (let at = 0; at < (options.waiting ?? 50); at++) submit(queue);
  running.push(...admit(tree));
  const sums: Record<string, number> = {};
  for (let turn = 0; turn < completions; turn++) {
    const [ended] = running.splice(random === undefined ? 0 : randomInteger(random, running.length), 1) as [string];
    tree.release(ended);
    submit(ended.slice(0, ended.lastIndexOf("-")));
    running.push(...admit(tree));
    if (turn >= completions / 2) for (const [queue, count] of Object.entries(perQueue(running))) sums[queue] = (sums[queue] ?? 0) + count;
  }
  const mean = Object.fromEntries(Object.entries(sums).map(([queue, sum]) => [queue, sum / (completions - Math.ceil(completions / 2))]));
  return { last: perQueue(running), mean };
}
