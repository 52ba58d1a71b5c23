import type { Pod } from "../api/core.ts";
import { labels, queueGate } from "../api/names.ts";
import { type AdmissionAnswer, type AdmissionRequest, allowed } from "./admission-review.ts";

/** What becomes of a pod, and why: for the answer, and for whoever counts. */
export interface GateVerdict {
  /** untouched: not a pod that a queue could hold; exempt: of somebody whose pods are never held; waiting: it has the gate already. */
  readonly kind: "untouched" | "exempt" | "waiting" | "gated";
  readonly answer: AdmissionAnswer;
}

const daemonSetController = "system:serviceaccount:kube-system:daemon-set-controller";
/** All controllers of one process share this name where they have no accounts of their own. */
const controllerManager = "system:kube-controller-manager";
const nodeUsers = "system:node:";

/**
 * Adds the scheduling gate to a new pod that is labelled for a queue. Nothing that a tenant can write exempts a pod (decision 23), so it is
 * told by who creates it: the operator decides before it creates; the pods of a DaemonSet follow nodes and not capacity; and a kubelet
 * only mirrors what runs already. Calling it again changes nothing.
 * @param operator the user name of the operator itself
 */
export function gateVerdict(request: AdmissionRequest, operator: string): GateVerdict {
  const { kind, operation, subResource, object } = request;
  const isNewPod = kind.group === "" && kind.kind === "Pod" && operation === "CREATE" && (subResource ?? "") === "";
  if (!isNewPod || object?.metadata.labels?.[labels.queue] === undefined) return { kind: "untouched", answer: allowed };
  if (isExempt(request, operator)) return { kind: "exempt", answer: allowed };
  const gates = (object as Pod & { readonly spec?: { readonly schedulingGates?: readonly { readonly name: string }[] } }).spec
    ?.schedulingGates;
  if (gates?.some(({ name }) => name === queueGate) === true) return { kind: "waiting", answer: allowed };
  const gate = { name: queueGate };
  const path = "/spec/schedulingGates";
  const operations =
    gates === undefined ? { op: "add" as const, path, value: [gate] } : { op: "add" as const, path: `${path}/-`, value: gate };
  return { kind: "gated", answer: { kind: "allowed", patch: [operations] } };
}

function isExempt({ userInfo: { username }, object }: AdmissionRequest, operator: string): boolean {
  if (username === operator || username === daemonSetController || username.startsWith(nodeUsers)) return true;
  const owner = object?.metadata.ownerReferences?.find(({ controller }) => controller === true);
  return username === controllerManager && owner?.kind === "DaemonSet" && owner.apiVersion.startsWith("apps/");
}
