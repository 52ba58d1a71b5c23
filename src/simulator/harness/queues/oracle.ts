import { lendSecondsOf } from "./promises.ts";
import type { QueueFacts, QueueHistory, QueuedPodFacts } from "./facts.ts";

/*
 * Section 3 of the rule of admission in its plainest form, over what the API server stored: no structure of the operator is used, and nothing
 * is fast. Only cpu is guaranteed in simulations, in thousandths of a core.
 */

/** Lending classes, in seconds (decision 9). */
const classes = [0, 60, 300, 600, 3_600, 14_400, 86_400];

/** What a queue is guaranteed now; undefined where more is declared under some parent than it has, so that old grants count. */
export function guaranteesIn(history: QueueHistory, root: QueueFacts): ReadonlyMap<string, number> | undefined {
  const found = new Map([[root.name, history.capacityOf(root.name).cpu]]);
  const visit = (parent: QueueFacts): boolean => {
    const has = found.get(parent.name) as number;
    const children = history.childrenOf(parent.name);
    const declared = children.map((child) => declaredOf(child, has));
    const total = declared.reduce((sum, amount) => sum + amount, 0);
    const isCut = total > has;
    // Quantities do not shrink with the capacity, so what was too much at first cannot be told from what has become too much.
    if (isCut && children.some(({ spec }) => !String(spec.guaranteed?.["cpu"] ?? "0%").endsWith("%"))) return false;
    if (isCut && sumOfPercents(children) > 100) return false;
    for (const [at, child] of children.entries()) {
      const most = maxOf(child);
      found.set(child.name, Math.min(most, isCut ? ((declared[at] as number) * has) / total : (declared[at] as number)));
      if (!visit(child)) return false;
    }
    return true;
  };
  return visit(root) ? found : undefined;
}

const sumOfPercents = (children: readonly QueueFacts[]): number =>
  children.reduce((sum, { spec }) => sum + Number(String(spec.guaranteed?.["cpu"] ?? "0%").slice(0, -1)), 0);

function declaredOf({ spec }: QueueFacts, parentHas: number): number {
  const text = String(spec.guaranteed?.["cpu"] ?? "0");
  return text.endsWith("%") ? (Number(text.slice(0, -1)) * parentHas) / 100 : Number(text) * 1000;
}

export const maxOf = ({ spec }: QueueFacts): number =>
  spec.max?.["cpu"] === undefined ? Number.POSITIVE_INFINITY : Number(spec.max["cpu"]) * 1000;

/** need_v of a root for each lending class, when every leaf uses what `used` says for work that may stay for longer than so many seconds. */
export function needsOf(
  history: QueueHistory,
  root: QueueFacts,
  guarantees: ReadonlyMap<string, number>,
  used: (leaf: string, longerThanSeconds: number) => number,
): readonly number[] {
  return classes.map((seconds) => {
    const needOf = (queue: QueueFacts): number => {
      const own = lendSecondsOf(queue) <= seconds && queue !== root ? (guarantees.get(queue.name) as number) : 0;
      const children = history.childrenOf(queue.name);
      const beneath = children.length === 0 ? used(queue.name, seconds) : children.reduce((sum, child) => sum + needOf(child), 0);
      return Math.max(own, beneath);
    };
    return needOf(root);
  });
}

/** The lending class whose guarantees cannot be reached any more because of a pod that has begun; undefined = all can, as far as before. */
export function unreachableClass(
  history: QueueHistory,
  pod: QueuedPodFacts,
  guarantees: ReadonlyMap<string, number>,
  promise: (pod: QueuedPodFacts) => number,
): number | undefined {
  const root = history.pathOf(pod.queue)?.at(-1);
  if (root === undefined) return undefined;
  const counted = [...history.live].filter((each) => history.isCounted(each));
  const usedWith = (isIn: (each: QueuedPodFacts) => boolean) => (leaf: string, seconds: number) =>
    counted.reduce((sum, each) => sum + (each.queue === leaf && promise(each) > seconds && isIn(each) ? each.cpu : 0), 0);
  const before = needsOf(
    history,
    root,
    guarantees,
    usedWith((each) => each !== pod),
  );
  const after = needsOf(
    history,
    root,
    guarantees,
    usedWith(() => true),
  );
  const capacity = history.capacityOf(root.name).cpu;
  const at = classes.findIndex(
    (seconds, index) =>
      promise(pod) > seconds &&
      (after[index] as number) > (before[index] as number) + roundingOf &&
      (after[index] as number) > capacity + roundingOf,
  );
  return classes[at];
}

/** Percentages of percentages come to fractions of a thousandth of a core. */
const roundingOf = 20;

/** Whether a request would be admitted were the tree empty. */
export function couldEverFit(
  history: QueueHistory,
  queue: string,
  request: { cpu: number; pods: number },
  promiseSeconds: number,
): boolean {
  const path = history.pathOf(queue);
  const root = path?.at(-1);
  if (path === undefined || root === undefined) return false;
  const capacity = history.capacityOf(root.name);
  if (request.cpu > capacity.cpu || request.pods > capacity.pods) return false;
  for (const each of path)
    if (request.cpu > maxOf(each) || request.pods > Number(each.spec.max?.["pods"] ?? Number.POSITIVE_INFINITY)) return false;
  const guarantees = guaranteesIn(history, root);
  if (guarantees === undefined) return true;
  const needs = needsOf(history, root, guarantees, (leaf, seconds) => (leaf === queue && promiseSeconds > seconds ? request.cpu : 0));
  const idle = needsOf(history, root, guarantees, () => 0);
  // Within a hair of what is left nobody can say.
  return classes.every((_, at) => (needs[at] as number) <= capacity.cpu - roundingOf || (needs[at] as number) <= (idle[at] as number));
}

/** What a queue could use were the cluster endless, in items of one core each: its max, and those beneath. */
export function mostIn(history: QueueHistory, queue: QueueFacts): number {
  const children = history.childrenOf(queue.name);
  const beneath = children.length === 0 ? Number.POSITIVE_INFINITY : children.reduce((sum, child) => sum + mostIn(history, child), 0);
  return Math.min(maxOf(queue), 1000 * Number(queue.spec.max?.["pods"] ?? Number.POSITIVE_INFINITY), beneath);
}

/** clamp(weight x level, guaranteed, max) of every leaf under endless demand of items of one core each. */
export function sharesIn(history: QueueHistory, root: QueueFacts, guarantees: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  const give = (queue: QueueFacts, amount: number): void => {
    const children = history.childrenOf(queue.name);
    if (children.length === 0) {
      shares.set(queue.name, amount);
      return;
    }
    const parts = children.map((child) => ({
      child,
      cap: mostIn(history, child),
      floor: Math.min(mostIn(history, child), guarantees.get(child.name) ?? 0),
    }));
    const fill = (level: number, ofNone: number) =>
      parts.map(({ child, cap, floor }) =>
        Math.min(cap, Math.max(floor, (child.spec.weight ?? 1) > 0 ? (child.spec.weight ?? 1) * level : ofNone)),
      );
    const sum = (amounts: readonly number[]) => amounts.reduce((total, each) => total + each, 0);
    const most = sum(parts.map(({ cap }) => cap));
    const left = Math.min(amount, most);
    // By halves: first the level of those with a weight, then, of what they cannot take, that of those without.
    const level = bisect((height) => sum(fill(height, 0)) <= left);
    const rest = bisect((height) => sum(fill(level, height)) <= left);
    for (const [at, part] of fill(level, rest).entries()) give(children[at] as QueueFacts, part);
  };
  give(root, Math.min(history.capacityOf(root.name).cpu, mostIn(history, root)));
  return shares;
}

/**
 * How far the others under the parent of a queue may be above their shares: each by an item of one core, and where leaves beneath it have guarantees
 * by what those come to in whole items, since nobody else gets the last part of one that could not be reached any more.
 */
export function excessBeside(
  history: QueueHistory,
  queue: QueueFacts,
  shares: ReadonlyMap<string, number>,
  guarantees: ReadonlyMap<string, number>,
): number {
  const sumBeneath = ({ name }: QueueFacts, amountOf: (leaf: string) => number): number => {
    const children = history.childrenOf(name);
    return children.length === 0 ? amountOf(name) : children.reduce((sum, child) => sum + sumBeneath(child, amountOf), 0);
  };
  return history
    .childrenOf(queue.spec.parent as string)
    .filter((other) => other !== queue)
    .map((other) => {
      const whole = sumBeneath(other, (leaf) => 1000 * Math.ceil(Math.round(guarantees.get(leaf) ?? 0) / 1000));
      const share = sumBeneath(other, (leaf) => shares.get(leaf) ?? 0);
      return Math.max(1000, whole - share);
    })
    .reduce((sum, excess) => sum + excess, 0);
}

function bisect(isLow: (height: number) => boolean): number {
  let [low, high] = [0, 1e6];
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2;
    if (isLow(middle)) low = middle;
    else high = middle;
  }
  return low;
}
