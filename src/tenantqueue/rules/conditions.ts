import { withCondition } from "../../api/condition.ts";
import type { Condition } from "../../api/meta.ts";
import { problemsText, type SpecProblem } from "../../api/problem.ts";
import { capacityOverlap, missingParent, overCommitmentProblem, parentCycle } from "../../api/queue-problems.ts";
import { conditionTypes, queueReasons } from "../../api/reasons.ts";
import type { TenantQueueStatusReclaim } from "../../api/tenant-queue.gen.ts";
import { parseTime } from "../../base/time.ts";
import type { PoolOverlap } from "./capacity.ts";
import type { StopPolicy } from "./effective-spec.ts";
import type { QueueGuarantee } from "./guarantees.ts";
import type { Placement } from "./tree.ts";

/** What the conditions of a queue are about. */
export interface QueueState {
  readonly name: string;
  readonly generation: number;
  readonly placement: Placement;
  /** Of its root, where that claims nodes of an older one. */
  readonly overlap?: PoolOverlap;
  /** What validation found wrong with the spec, apart from what placement, overlap and guarantee tell. */
  readonly problems: readonly SpecProblem[];
  /** Whether the capacity of its root is known. */
  readonly capacityKnown: boolean;
  /** The strictest stop policy of the queue and all above it, and whose it is. */
  readonly stop: { readonly policy: StopPolicy; readonly queue: string };
  /** Absent while it has no place, or its root no capacity. */
  readonly guarantee?: QueueGuarantee;
  readonly reclaims: readonly TenantQueueStatusReclaim[];
}

type Said = Pick<Condition, "status" | "reason" | "message">;

/** Whether the queue is placed in its tree and the capacity is known; else why not, and whether somebody must do something about it. */
export function queueReadiness(state: QueueState): { readonly ready: Said; readonly stalled: boolean } {
  const no = (reason: string, problems: readonly SpecProblem[]) => ({
    ready: { status: "False" as const, reason, message: problemsText(problems) },
    stalled: true,
  });
  const { name, placement, overlap, stop } = state;
  if (placement.kind === "orphan") return no(queueReasons.parentNotFound, [missingParent(name, placement.missing, placement.by)]);
  if (placement.kind === "cycle") return no(queueReasons.cycle, [parentCycle(name, placement.cycle)]);
  if (overlap !== undefined) {
    const { path, message } = capacityOverlap(overlap.holder, { first: overlap.node, count: overlap.count });
    return no(queueReasons.capacityOverlap, [{ path: placement.root === name ? path : `${path} of the root ${placement.root}`, message }]);
  }
  if (state.problems.length > 0) return no(queueReasons.invalidSpec, state.problems);
  if (!state.capacityKnown) {
    return { ready: { status: "False", reason: queueReasons.progressing, message: "the nodes are being read" }, stalled: false };
  }
  if (stop.policy !== "None") {
    const whose = stop.queue === name ? "spec.stopPolicy" : `spec.stopPolicy of ${stop.queue}`;
    const drains = stop.policy === "HoldAndDrain" ? ", and yieldable work is asked to leave" : "";
    return {
      ready: { status: "True", reason: queueReasons.held, message: `${whose} is ${stop.policy}: nothing new is admitted${drains}` },
      stalled: false,
    };
  }
  const where = placement.root === name ? "it is a root" : `placed under ${placement.path[1]}`;
  return { ready: { status: "True", reason: queueReasons.placed, message: where }, stalled: false };
}

/** All conditions of the queue as of now. Those that are about a trouble are absent until it happened once. */
export function queueConditions(state: QueueState, known: readonly Condition[], now: number): readonly Condition[] {
  const { ready, stalled } = queueReadiness(state);
  let conditions = known;
  const set = (type: string, said: Said | undefined) => {
    if (said !== undefined) conditions = withCondition(conditions, now, state.generation, { type, ...said });
  };
  const was = (type: string) => known.some((condition) => condition.type === type);
  set(conditionTypes.ready, ready);
  if (stalled || was(conditionTypes.stalled)) {
    set(conditionTypes.stalled, { status: stalled ? "True" : "False", reason: ready.reason, message: stalled ? ready.message : "" });
  }
  set(conditionTypes.overCommitted, overCommitted(state) ?? (was(conditionTypes.overCommitted) ? notOverCommitted(state) : undefined));
  const settled = was(conditionTypes.reclaimOverdue) ? settledReclaims : undefined;
  set(conditionTypes.reclaimOverdue, reclaimOverdue(state, now) ?? settled);
  return conditions;
}

function overCommitted({ guarantee }: QueueState): Said | undefined {
  const refused = guarantee?.refused;
  if (refused === undefined) return undefined;
  const { path, message } = overCommitmentProblem(refused);
  const reason = refused.kind === "siblings" ? queueReasons.parentHasLess : queueReasons.childrenHaveMore;
  return { status: "True", reason, message: `${path}: ${message}. Until then status.guaranteed is in force, which was granted before` };
}

/** While it is not known what the queue is guaranteed, what was said stands. */
function notOverCommitted({ guarantee }: QueueState): Said | undefined {
  return guarantee === undefined ? undefined : { status: "False", reason: queueReasons.withinParent, message: "" };
}

const settledReclaims: Said = { status: "False", reason: queueReasons.allReturned, message: "" };

/** Requests that are open past their deadline. */
export function overdueReclaims(reclaims: readonly TenantQueueStatusReclaim[], now: number): readonly TenantQueueStatusReclaim[] {
  return reclaims.filter(({ state, deadline }) => isOpen(state) && (parseTime(deadline) ?? Number.POSITIVE_INFINITY) <= now);
}

/** Whether a request may still be answered. */
export const isOpen = (state: TenantQueueStatusReclaim["state"]): boolean => state === "Requested" || state === "Acknowledged";

function reclaimOverdue({ name, reclaims }: QueueState, now: number): Said | undefined {
  const overdue = overdueReclaims(reclaims, now);
  if (overdue.length === 0) return undefined;
  // Whoever reads queues may not know what other tenants run (decision 27).
  const works = `${overdue.length} ${overdue.length === 1 ? "workload" : "workloads"}`;
  const [first] = overdue.map(({ deadline = "" }) => deadline).sort();
  const message = `${works} should have given back by ${first} what another queue is guaranteed; until then the queue admits nothing new. Let them end, or scale them down: kubectl nuptse queue ${name} tells which they are`;
  return { status: "True", reason: queueReasons.deadlinePassed, message };
}
