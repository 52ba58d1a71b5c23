import { andOthers } from "../base/and-others.ts";
import { type LabelSelector, type Labels, selects, selectorText } from "./label-selector.ts";
import { queueRefusals } from "./reasons.ts";

/** What of a queue decides who may use it. */
export interface UsableQueue {
  readonly name: string;
  /** Milliseconds; of two default queues the older one is the default. */
  readonly createdAt: number;
  /** Only queues without children take work. */
  readonly leaf: boolean;
  readonly namespaceSelector?: LabelSelector;
  readonly defaultQueue: boolean;
}

export interface UsingNamespace {
  readonly name: string;
  readonly labels: Labels;
}

export type QueueRefusal = (typeof queueRefusals)[keyof typeof queueRefusals];

/** The queue that a workload is of, or why there is none. */
export type QueueChoice =
  | { readonly kind: "queue"; readonly queue: string }
  | {
      readonly kind: "refused";
      readonly reason: QueueRefusal;
      /** What is wrong and what would be right. */
      readonly message: string;
    };

/** Whether workloads of the namespace may be of the queue. */
export function maySubmit(queue: UsableQueue, namespace: UsingNamespace): boolean {
  return queue.leaf && queue.namespaceSelector !== undefined && selects(queue.namespaceSelector, namespace.labels);
}

/** Of two queues that would be the default of a namespace, the one that is: the older one, then by name. */
export function comesBefore(left: UsableQueue, right: UsableQueue): boolean {
  return left.createdAt !== right.createdAt ? left.createdAt < right.createdAt : left.name < right.name;
}

/** The default queue of a namespace: undefined when it has none. */
export function defaultQueueOf(queues: Iterable<UsableQueue>, namespace: UsingNamespace): UsableQueue | undefined {
  let found: UsableQueue | undefined;
  for (const queue of queues) {
    if (!queue.defaultQueue || !maySubmit(queue, namespace)) continue;
    if (found === undefined || comesBefore(queue, found)) found = queue;
  }
  return found;
}

/**
 * The queue of a workload.
 * @param named the queue that it names; absent = it asks for admission and names none
 */
export function chooseQueue(queues: ReadonlyMap<string, UsableQueue>, namespace: UsingNamespace, named: string | undefined): QueueChoice {
  const refuse = (reason: QueueRefusal, problem: string): QueueChoice => ({
    kind: "refused",
    reason,
    message: `${problem}; ${remedy(queues, namespace)}`,
  });
  if (named === undefined) {
    const queue = defaultQueueOf(queues.values(), namespace);
    if (queue !== undefined) return { kind: "queue", queue: queue.name };
    return refuse(queueRefusals.noDefaultQueue, `no TenantQueue is the default of the namespace ${namespace.name}`);
  }
  const queue = queues.get(named);
  if (queue === undefined) return refuse(queueRefusals.queueNotFound, `there is no TenantQueue ${named}`);
  if (!queue.leaf) return refuse(queueRefusals.queueNotLeaf, `the TenantQueue ${named} has queues below it, and only those take work`);
  if (maySubmit(queue, namespace)) return { kind: "queue", queue: named };
  const open =
    queue.namespaceSelector === undefined
      ? "is open to no namespace (it has no namespaceSelector)"
      : `is open to namespaces with the labels ${selectorText(queue.namespaceSelector)}, which ${namespace.name} has not`;
  return refuse(queueRefusals.queueNotAllowed, `the TenantQueue ${named} ${open}`);
}

const mostNamed = 5;

function remedy(queues: ReadonlyMap<string, UsableQueue>, namespace: UsingNamespace): string {
  const open = [...queues.values()]
    .filter((queue) => maySubmit(queue, namespace))
    .map(({ name }) => name)
    .sort();
  if (open.length === 0) return `no TenantQueue is open to it: its labels must fit the namespaceSelector of one`;
  return `open to it: ${open.slice(0, mostNamed).join(", ")}${andOthers(open.length - mostNamed)}`;
}
