import type { NamedWork, QueuedWork } from "../../api/queue-explanation.ts";
import { elasticJobs } from "../../api/resource.ts";
import type { TenantQueue, TenantQueueStatusReclaim } from "../../api/tenant-queue.gen.ts";
import { proportionOf } from "../../base/percentage.ts";
import { QuantityError } from "../../quota/quantity.ts";
import { parseAmount } from "../../quota/resource-vector.ts";
import { alignColumns } from "../cron-output.ts";
import type { Style } from "./style.ts";
import { spanText } from "./time-text.ts";
import { workText } from "./work-names.ts";

type Amounts = Readonly<Record<string, string>>;

/** A queue as programs and people are shown it. Amounts are quantities by resource. */
export interface QueueView {
  readonly name: string;
  readonly parent?: string;
  /** How many queues are above it. */
  readonly depth: number;
  readonly weight: number;
  /** Of the root of its tree. */
  readonly capacity: Amounts;
  readonly guaranteed: Amounts;
  readonly max: Amounts;
  readonly used: Amounts;
  readonly fairShare: Amounts;
  readonly borrowed: Amounts;
  readonly lent: Amounts;
  readonly admitted: number;
  readonly waiting: number;
  readonly oldestWaitSince?: string;
  /** Why the first that waits does. */
  readonly head?: string;
  /** Requests to give back that are open. */
  readonly reclaims: readonly {
    readonly workload: string;
    readonly claimant: string;
    readonly resources: Amounts;
    readonly deadline: string;
  }[];
  /** What is wrong with it. */
  readonly trouble?: string;
  /** Who waits in it, in order: of the one leaf that was asked for, where the operator could be asked. */
  readonly line?: readonly QueuedWork[];
}

/** Work of which statuses of queues tell that it is asked to give back. */
export const workGivingBack = (queues: readonly TenantQueue[]): readonly NamedWork[] =>
  queues.flatMap((queue) => openReclaims(queue).map((reclaim) => donorOf(queue, reclaim)));

export interface QueueViewOptions {
  /** Leaves out all that is not below it. */
  readonly top?: string;
  readonly line?: readonly QueuedWork[];
  /** Gives names to work that the caller may list. */
  readonly named?: (work: NamedWork) => NamedWork;
}

/** Queues in the order of their trees: each before those below it, siblings by name; those without a place last. */
export function queueViews(queues: readonly TenantQueue[], options: QueueViewOptions = {}): readonly QueueView[] {
  const { top, line = [], named = (work) => work } = options;
  const byName = new Map(queues.map((queue) => [queue.metadata.name, queue]));
  const below = Map.groupBy(queues, ({ spec }) => spec.parent ?? "");
  const views: QueueView[] = [];
  const seen = new Set<string>();
  const visit = (queue: TenantQueue, depth: number, capacity: Amounts): void => {
    const { name } = queue.metadata;
    if (seen.has(name)) return;
    seen.add(name);
    views.push({ ...viewOf(queue, depth, capacity, named), ...(name === top && line.length > 0 && { line }) });
    for (const child of sorted(below.get(name) ?? [])) visit(child, depth + 1, capacity);
  };
  const first = top === undefined ? sorted(below.get("") ?? []) : [byName.get(top)].filter((queue) => queue !== undefined);
  for (const queue of first) visit(queue, 0, capacityOf(rootOf(queue, byName)));
  if (top === undefined) for (const queue of sorted(queues)) visit(queue, 0, {});
  return views;
}

const sorted = (queues: readonly TenantQueue[]): readonly TenantQueue[] =>
  queues.toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1));

function rootOf(queue: TenantQueue, byName: ReadonlyMap<string, TenantQueue>): TenantQueue {
  const seen = new Set<TenantQueue>();
  let root = queue;
  while (root.spec.parent !== undefined && !seen.has(root)) {
    seen.add(root);
    root = byName.get(root.spec.parent) ?? root;
  }
  return root;
}

const capacityOf = ({ status }: TenantQueue): Amounts => texts(status?.capacity);

function viewOf(queue: TenantQueue, depth: number, capacity: Amounts, named: (work: NamedWork) => NamedWork): QueueView {
  const { metadata, spec, status } = queue;
  const guaranteed = Object.entries(status?.guaranteed ?? {}).map(([resource, { effective }]) => [resource, String(effective ?? "0")]);
  const trouble = (status?.conditions ?? []).find(
    ({ type, status: is }) => is === "True" && (type === "Stalled" || type === "OverCommitted" || type === "ReclaimOverdue"),
  );
  return {
    name: metadata.name,
    ...(spec.parent !== undefined && { parent: spec.parent }),
    depth,
    weight: spec.weight ?? 1,
    capacity,
    guaranteed: Object.fromEntries(guaranteed),
    max: texts(spec.max),
    used: texts(status?.used),
    fairShare: texts(status?.fairShare),
    borrowed: texts(status?.borrowed),
    lent: texts(status?.lent),
    admitted: status?.admitted ?? 0,
    waiting: status?.waiting ?? 0,
    ...(status?.oldestWaitSince !== undefined && { oldestWaitSince: status.oldestWaitSince }),
    ...(status?.head?.reason !== undefined && { head: status.head.reason }),
    reclaims: openReclaims(queue).map((reclaim) => ({
      workload: workText(named(donorOf(queue, reclaim))),
      claimant: reclaim.claimant?.queue ?? "",
      resources: texts(reclaim.resources),
      deadline: reclaim.deadline ?? "",
    })),
    ...(trouble !== undefined && { trouble: `${trouble.type} (${trouble.reason}): ${trouble.message}` }),
  };
}

const openReclaims = ({ status }: TenantQueue): readonly TenantQueueStatusReclaim[] =>
  (status?.reclaims ?? []).filter(({ state }) => state === "Requested" || state === "Acknowledged");

function donorOf({ metadata }: TenantQueue, { workload }: TenantQueueStatusReclaim): NamedWork {
  const { kind, ref, part } = workload ?? {};
  // Only of a run its part is one of the words that people know.
  return { queue: metadata.name, ...(ref !== undefined && { ref }), ...(kind === elasticJobs.kind && part !== undefined && { part }) };
}

const texts = (amounts: Readonly<Record<string, string | number>> | undefined): Amounts =>
  Object.fromEntries(Object.entries(amounts ?? {}).map(([resource, amount]) => [resource, String(amount)]));

export interface QueueTreeOptions {
  /** Absent = cpu, or where a root has none the first by name that it has. */
  readonly resource?: string;
  /** Adds fair share, max, borrowed and lent. */
  readonly wide: boolean;
  readonly style: Style;
  readonly now: number;
}

const barWidth = 24;

/** The trees as a table with bars, one resource each; below it what is being asked back, and what is wrong. */
export function queueTree(views: readonly QueueView[], { resource, wide, style, now }: QueueTreeOptions): readonly string[] {
  const rows = views.map((view, index) => {
    const shown = resource ?? shownOf(view);
    const amount = (amounts: Amounts) => amounts[shown] ?? "-";
    return [
      `${branch(views, index)}${view.name}`,
      shown,
      bar(view, shown),
      view.used[shown] ?? "0",
      view.parent === undefined ? amount(view.capacity) : amount(view.guaranteed),
      amount(view.fairShare),
      ...(wide ? [amount(view.max), amount(view.borrowed), amount(view.lent), String(view.weight)] : []),
      String(view.admitted),
      String(view.waiting),
      view.waiting === 0 ? "" : spanText(view.oldestWaitSince, now),
      view.head ?? "",
    ];
  });
  const heads = [
    "QUEUE",
    "RESOURCE",
    "USE",
    "USED",
    "GUARANTEED",
    "FAIR-SHARE",
    ...(wide ? ["MAX", "BORROWED", "LENT", "WEIGHT"] : []),
    "ADMITTED",
    "WAITING",
    "OLDEST",
    "WHY",
  ];
  const lines = alignColumns([heads, ...rows]).map((line) => line.trimEnd());
  return [
    style.bold(lines[0] as string),
    ...lines.slice(1).map((line) => line.replace(/\[[#+:. ]+\]/, (text) => paint(text, style))),
    ...views.flatMap(({ name, reclaims }) =>
      reclaims.map(
        ({ workload, claimant, resources, deadline }) =>
          `${name}: ${workload} is asked to give back ${amountsText(resources)} for ${claimant} by ${deadline}`,
      ),
    ),
    ...views.flatMap(({ name, trouble }) => (trouble === undefined ? [] : [style.bad(`${name}: ${trouble}`)])),
  ];
}

/** Who waits in a leaf, as a table; nothing when nobody does. */
export function queueLine(line: readonly QueuedWork[], style: Style, now: number): readonly string[] {
  if (line.length === 0) return [];
  const rows = line.map(({ position, work, priority, allowed, wanted, since }) => [
    String(position),
    workText(work),
    String(priority),
    `${allowed}/${wanted}`,
    spanText(since, now),
  ]);
  const [head = "", ...lines] = alignColumns([["PLACE", "WAITS", "PRIORITY", "ITEMS", "SINCE"], ...rows]);
  return ["", style.bold(head), ...lines];
}

/** The lines of the tree before a name. */
export function branch(views: readonly { readonly depth: number }[], index: number): string {
  const { depth } = views[index] as { readonly depth: number };
  let text = "";
  for (let level = 1; level <= depth; level++) {
    // Whether another queue of this level follows before the tree goes back above it.
    const later = views.slice(index + 1).find((view) => view.depth <= level);
    const goesOn = later?.depth === level;
    if (level === depth) text += goesOn ? "├─ " : "└─ ";
    else text += goesOn ? "│  " : "   ";
  }
  return text;
}

function shownOf({ capacity, used, guaranteed }: QueueView): string {
  const names = Object.keys({ ...capacity, ...used, ...guaranteed }).sort();
  return names.includes("cpu") ? "cpu" : (names.find((name) => name !== "pods") ?? "cpu");
}

/** # used within the guarantee, + borrowed, : guaranteed and free, . free; the whole is the capacity of the root. */
function bar(view: QueueView, resource: string): string {
  const units = (amounts: Amounts) => unitsOf(resource, amounts[resource]);
  const whole = units(view.capacity);
  if (whole === 0) return "";
  const cells = (amount: number) => Math.min(barWidth, proportionOf(Math.min(amount, whole), barWidth, whole));
  const guaranteed = view.parent === undefined ? whole : units(view.guaranteed);
  const used = units(view.used);
  const within = cells(Math.min(used, guaranteed));
  const borrowed = cells(used) - within;
  const free = Math.max(0, cells(guaranteed) - within - borrowed);
  const isRoot = view.parent === undefined;
  const rest = barWidth - within - borrowed - free;
  return `[${"#".repeat(within)}${"+".repeat(borrowed)}${(isRoot ? "." : ":").repeat(free)}${".".repeat(rest)}]`;
}

function paint(text: string, style: Style): string {
  return text.replaceAll(/#+/g, (part) => style.good(part)).replaceAll(/\++/g, (part) => style.busy(part));
}

function unitsOf(resource: string, text: string | undefined): number {
  if (text === undefined) return 0;
  try {
    return parseAmount(resource, text, "Up");
  } catch (error) {
    if (error instanceof QuantityError) return 0;
    throw error;
  }
}

function amountsText(amounts: Amounts): string {
  return Object.entries(amounts)
    .filter(([resource]) => resource !== "pods")
    .map(([resource, text]) => `${text} ${resource}`)
    .join(", ");
}
