import type { Action, Plan } from "../../api/action.ts";
import type { JsonPatchOperation } from "../../api/json-patch.ts";
import { pointer } from "../../api/json-patch.ts";
import type { KubeObject } from "../../api/meta.ts";
import { annotations, labels } from "../../api/names.ts";
import { nodeEventReasons } from "../../api/reasons.ts";
import { nodes, pods } from "../../api/resource.ts";
import { formatSeconds } from "../../base/time.ts";
import { evacuatedMarks } from "./node-taking.ts";

/** Everything that is known of one node at one instant. Instants are milliseconds since the epoch. */
export interface ObservedNode {
  readonly node: KubeObject;
  /** It is being taken: somebody asks its instances to leave. */
  readonly taken: boolean;
  /** It carries `nuptse.dev/evacuated`. */
  readonly marked: boolean;
  /** It carries annotations. */
  readonly annotated: boolean;
  /** Pods of RunnerApps on it, of whichever app and phase, those that are ending included. */
  readonly instances: number;
  /** The mark may be written. */
  readonly mayMark: boolean;
  /** Apps and jobs that say that it fails them, and when the first of them says so no more. */
  readonly complaints: { readonly count: number; readonly until?: number };
  /** So many complaints make it worth an event; absent = none do. */
  readonly agreeing?: number;
  /** It was told already that so many agree. */
  readonly told: boolean;
  readonly now: number;
}

export interface NodePlan extends Plan {
  /** So many agree that it is bad. */
  readonly suspect: boolean;
}

/**
 * What is done about a node: the mark that no instance is left on it (runnerapp.md 3.5), and a word to people when many agree that it is bad. Nothing
 * is ever done to the node itself.
 */
export function planNode(observed: ObservedNode): NodePlan {
  const { node, taken, complaints, agreeing, told } = observed;
  // Whoever takes a node knows why; what leaves it then fails through no fault of it.
  const suspect = !taken && agreeing !== undefined && complaints.count >= agreeing;
  const actions: Action[] = [...markActions(observed)];
  if (suspect && !told)
    actions.push({
      tag: "event",
      regarding: node,
      type: "Warning",
      reason: nodeEventReasons.nodeSuspect,
      note: `${complaints.count} apps and jobs say that it fails them, and what they run does well on other nodes; look at the node, or cordon it`,
    });
  return { actions, suspect, reasons: [], ...(suspect && complaints.until !== undefined && { wakeAt: complaints.until }) };
}

function markActions({ node, taken, marked, annotated, instances, mayMark, now }: ObservedNode): readonly Action[] {
  if (!mayMark) return [];
  const { name, uid = "", resourceVersion = "" } = node.metadata;
  const { mark, unmark } = evacuatedMarks([{ name, taken, marked }], () => instances);
  const path = pointer("metadata", "annotations", annotations.evacuated);
  // Somebody may have given the node back, or written the first annotation, since it was looked at.
  const asSeen: JsonPatchOperation = { op: "test", path: "/metadata/resourceVersion", value: resourceVersion };
  const patch = { tag: "patch" as const, resource: nodes, ref: { name }, uid, resourceVersion };
  if (unmark.length > 0) return [{ ...patch, operations: [asSeen, { op: "remove", path }] }];
  if (mark.length === 0) return [];
  const first: readonly JsonPatchOperation[] = annotated ? [] : [{ op: "add", path: "/metadata/annotations", value: {} }];
  return [
    {
      ...patch,
      operations: [asSeen, ...first, { op: "add", path, value: formatSeconds(now) }],
      // Who reads the mark may switch the machine off, and a cache may be a minute old.
      unless: { resource: pods, labelSelector: labels.app, fieldSelector: `spec.nodeName=${name}` },
    },
  ];
}
