import type { Node } from "../api/core.ts";
import { identityOf, type KubeObject } from "../api/meta.ts";
import { annotations } from "../api/names.ts";
import { nodes } from "../api/resource.ts";
import { parseTime } from "../base/time.ts";
import { nodeTaken } from "./rules/node-taking.ts";
import type { NodeState } from "./rules/observed.ts";

/** A node as the store keeps it. */
export interface CachedNode extends KubeObject {
  readonly state: NodeState;
  /** It carries `nuptse.dev/evacuated`. */
  readonly marked: boolean;
  /** It carries annotations. */
  readonly annotated: boolean;
}

/**
 * Keeps of a node what rules read.
 * @param taintKeys keys of taints that say that a node is being taken
 */
export function cachedNode(node: Node, taintKeys: ReadonlySet<string>): CachedNode {
  const condition = (type: string) => node.status?.conditions?.find((each) => each.type === type);
  const ready = condition("Ready");
  const taken = nodeTaken(node, taintKeys);
  const lostSince = ready?.status === "Unknown" ? parseTime(ready.lastTransitionTime) : undefined;
  return {
    apiVersion: "v1",
    kind: nodes.kind,
    metadata: identityOf(node.metadata),
    marked: node.metadata.annotations?.[annotations.evacuated] !== undefined,
    annotated: node.metadata.annotations !== undefined,
    state: {
      name: node.metadata.name,
      labels: node.metadata.labels ?? {},
      ...(taken !== undefined && { taken }),
      isReady: ready?.status === "True",
      ...(lostSince !== undefined && { lostSince }),
      hasMemoryPressure: condition("MemoryPressure")?.status === "True",
    },
  };
}
