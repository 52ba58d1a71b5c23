import type { Node, ObjectMeta } from "../../api/core.ts";
import { annotations } from "../../api/names.ts";

/** Why an instance is to leave its node. Lost: nobody asked, the node is unheard of. */
export type EvacuationCause = "Cordoned" | "Tainted" | "Annotated" | "Lost";

const isAsked = ({ metadata }: { readonly metadata: ObjectMeta }): boolean => {
  const value = metadata.annotations?.[annotations.evacuate];
  return value !== undefined && value !== "false";
};

/**
 * Whether a node is being taken, and how we know; undefined = it is not.
 * @param taintKeys keys of taints that say so, from the operator's configuration
 */
export function nodeTaken(node: Pick<Node, "metadata" | "spec">, taintKeys: ReadonlySet<string>): EvacuationCause | undefined {
  if (isAsked(node)) return "Annotated";
  if (node.spec?.taints?.some(({ key }) => taintKeys.has(key)) === true) return "Tainted";
  return node.spec?.unschedulable === true ? "Cordoned" : undefined;
}

/** Whether a single instance is asked to leave its node. */
export const podTaken = (pod: { readonly metadata: ObjectMeta }): EvacuationCause | undefined => (isAsked(pod) ? "Annotated" : undefined);

/** How a pod's node stands with us. */
export interface NodeStanding {
  /** See {@link nodeTaken}. */
  readonly taken?: EvacuationCause;
  /** It is not heard of, be it for a moment. */
  readonly unheardOf: boolean;
  /** It is not heard of for so long that it counts as lost. */
  readonly lost: boolean;
}

/**
 * Why a pod is to leave; undefined = it may stay. A node that is taken and not heard of counts as lost at once: its instances are not Ready,
 * but may serve unseen, and must not be deleted like those that surely do not.
 * @param own see {@link podTaken}
 */
export function evacuationCause(own: EvacuationCause | undefined, { taken, unheardOf, lost }: NodeStanding): EvacuationCause | undefined {
  const asked = taken ?? own;
  return lost || (unheardOf && asked !== undefined) ? "Lost" : asked;
}

export interface NodeMarks {
  /** To be annotated `nuptse.dev/evacuated`. */
  readonly mark: readonly string[];
  /** To lose that annotation: given back, or an instance is on it again. */
  readonly unmark: readonly string[];
}

/**
 * Which nodes are to be marked as free of instances of every app.
 * @param instances how many pods of RunnerApps, of whichever app and phase, are on a node, those that are ending included
 */
export function evacuatedMarks(
  nodes: readonly { readonly name: string; readonly taken: boolean; readonly marked: boolean }[],
  instances: (node: string) => number,
): NodeMarks {
  const free = (name: string, taken: boolean) => taken && instances(name) === 0;
  return {
    mark: nodes.flatMap(({ name, taken, marked }) => (!marked && free(name, taken) ? name : [])),
    unmark: nodes.flatMap(({ name, taken, marked }) => (marked && !free(name, taken) ? name : [])),
  };
}
