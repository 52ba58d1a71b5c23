import { andOthers } from "../base/and-others.ts";
import type { SpecProblem } from "./problem.ts";

/*
 * What may be wrong between queues, in words that are the same in admission, command line and conditions. Each names the field and what
 * would be right.
 */

/** @param by the queue that names it: the queue itself or one above it */
export function missingParent(queue: string, missing: string, by: string): SpecProblem {
  const message =
    by === queue
      ? `there is no TenantQueue ${missing}; create it, or name another one`
      : `the TenantQueue ${missing}, which ${by} above it names as its parent, does not exist; create it, or correct ${by}`;
  return { path: "spec.parent", message };
}

/** @param cycle the queues that are each other's parents, in the order of the way up */
export function parentCycle(queue: string, cycle: readonly string[]): SpecProblem {
  const circle = [...cycle, cycle[0]].join(" -> ");
  const what = cycle.includes(queue) ? "leads back to the queue itself" : "leads to queues that are each other's parents";
  return { path: "spec.parent", message: `${what} (${circle}); name another parent in one of them` };
}

/** @param nodes names some of the contested nodes; absent = the pools are the same as far as their selectors tell */
export function capacityOverlap(holder: string, nodes?: { readonly first: string; readonly count: number }): SpecProblem {
  const what =
    nodes === undefined
      ? `selects nodes that the root ${holder} has already`
      : `selects ${nodes.first}${andOthers(nodes.count - 1)}, which the root ${holder} has already`;
  return { path: "spec.capacity", message: `${what}; give the two roots different nodeSelectors, or hang this queue below ${holder}` };
}

/** A guarantee that promises more than there is; amounts as people write them. */
export type OverCommitment =
  /** With those of its siblings it is more than the parent has. */
  | {
      readonly kind: "siblings";
      readonly resource: string;
      readonly parent: string;
      /** What the parent is guaranteed, of a root its capacity. */
      readonly has: string;
      readonly root: boolean;
      /** What is asked for, and what the siblings are guaranteed together. */
      readonly asked: string;
      readonly siblings: string;
      /** The most that would fit. */
      readonly most: string;
    }
  /** It is less than what the queues below are guaranteed together. */
  | { readonly kind: "children"; readonly resource: string; readonly asked: string; readonly children: string };

export function overCommitmentProblem(found: OverCommitment): SpecProblem {
  const { resource, asked } = found;
  const path = `spec.guaranteed.${resource}`;
  if (found.kind === "children") {
    const message = `is ${asked}, and the queues below are guaranteed ${found.children} together; lower theirs first, or keep it at ${found.children} or more`;
    return { path, message };
  }
  const { parent, has, root, siblings, most } = found;
  const whole = root ? `a capacity of ${has}` : `a guarantee of ${has}`;
  const message = `is ${asked} where ${parent} has ${whole} and its other queues are guaranteed ${siblings} of it; ask for ${most} at most, lower theirs, or raise that of ${parent}`;
  return { path, message };
}

/** A parent that takes work itself. */
export function parentTakesWork(parent: string): SpecProblem {
  const message = `the queue ${parent} takes work itself (its spec.namespaceSelector), and only queues without children do; take that away first, or name another parent`;
  return { path: "spec.parent", message };
}

/** @param children some of the queues below, at least one */
export function takesWorkAboveOthers(children: readonly string[]): SpecProblem {
  const named = children.slice(0, 3).join(", ");
  const message = `only queues without children take work, and ${named}${andOthers(children.length - 3)} are below this one; take it away, and let namespaces use those`;
  return { path: "spec.namespaceSelector", message };
}

/** @param namespace one that both are open to; absent = their selectors tell that any would be */
export function secondDefault(other: string, namespace?: string): SpecProblem {
  const whose = namespace === undefined ? "the same namespaces" : `the namespace ${namespace}`;
  const message = `${other} is the default queue of ${whose} already; set one of the two to false, or narrow its namespaceSelector`;
  return { path: "spec.defaultQueue", message };
}

/** A limit below the guarantee; both as people write them. */
export function maxBelowGuarantee(resource: string, limit: string, least: string): SpecProblem {
  const message = `is ${limit}, below the guarantee of ${least}; raise it, or lower spec.guaranteed.${resource}`;
  return { path: `spec.max.${resource}`, message };
}
