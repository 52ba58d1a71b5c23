import type { Clock } from "../base/clock.ts";
import type { Store } from "../kube/store.ts";
import type { Controller } from "../runtime/controller.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { NodeReports } from "./node-reports.ts";
import type { CachedNode } from "./node-state.ts";
import type { InstancePod } from "./rules/instance.ts";
import { type NodePlan, type ObservedNode, planNode } from "./rules/node-care.ts";

/** What an operator does about nodes. */
export interface NodeCareOptions {
  /** Nodes that are being taken are annotated when no instance is left on them; needs the right to patch nodes. */
  readonly markEvacuated: boolean;
  /** So many apps and jobs must agree that a node is bad before it is reported; 0 = it never is. */
  readonly appsAgreeing: number;
}

export interface NodeControllerOptions extends NodeCareOptions {
  readonly nodes: () => Store<CachedNode>;
  /** "node": by the name of the node. */
  readonly instances: () => Store<InstancePod, "app" | "node">;
  readonly reports: Pick<NodeReports, "of">;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** The controller of nodes: each is looked at when it, what is on it, or what is said of it changes. */
export function createNodeController(options: NodeControllerOptions): Controller<ObservedNode> {
  const { clock, metrics, reports, markEvacuated, appsAgreeing } = options;
  /** Nodes of which it was told that many agree. */
  const suspects = new Set<string>();

  function setSuspect(name: string, suspect: boolean): void {
    if (suspects.has(name) === suspect) return;
    if (suspect) suspects.add(name);
    else suspects.delete(name);
    metrics.set("nuptse_nodes_suspect", {}, suspects.size);
  }

  return {
    name: "node",

    observe({ name }) {
      const node = options.nodes().get(undefined, name);
      if (node === undefined) return undefined;
      const now = clock.now();
      return {
        node,
        taken: node.state.taken !== undefined,
        marked: node.marked,
        annotated: node.annotated,
        instances: options.instances().byIndex("node", name).length,
        mayMark: markEvacuated,
        complaints: reports.of(name, now),
        ...(appsAgreeing > 0 && { agreeing: appsAgreeing }),
        told: suspects.has(name),
        now,
      };
    },

    plan(observed): NodePlan {
      const plan = planNode(observed);
      setSuspect(observed.node.metadata.name, plan.suspect);
      return plan;
    },

    forget: ({ name }) => setSuspect(name, false),
  };
}
