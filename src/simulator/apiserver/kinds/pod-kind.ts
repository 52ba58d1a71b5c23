import { podTemplates, pods } from "../../../api/resource.ts";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import { labelErrors } from "../object-meta.ts";
import type { FieldError } from "../status.ts";
import { type BuiltinKind, textAt } from "./builtin-kind.ts";
import { defaultPodSpec, qosClass } from "./pod-defaults.ts";
import { resizeErrors, withResources } from "./pod-resize.ts";
import { podSpecErrors, podUpdateErrors } from "./pod-validation.ts";

const specOf = (object: Fields): Fields => (isFields(object.spec) ? object.spec : {});

const gatedCondition = {
  type: "PodScheduled",
  status: "False",
  lastProbeTime: null,
  reason: "SchedulingGated",
  message: "Scheduling is blocked due to non-empty scheduling gates",
};

/** A pod begins Pending, and unschedulable while it has gates. */
function withInitialStatus(pod: StoredObject): StoredObject {
  const spec = specOf(pod);
  const gates = Array.isArray(spec.schedulingGates) ? spec.schedulingGates : [];
  return {
    ...pod,
    status: {
      phase: "Pending",
      ...(gates.length > 0 ? { conditions: [{ ...gatedCondition, lastTransitionTime: pod.metadata.creationTimestamp ?? null }] } : {}),
      qosClass: qosClass(spec),
    },
  };
}

/** The grace of a deletion: none for pods that no kubelet has, or that have ended. */
function gracePeriod(pod: StoredObject, requested: number | undefined): number {
  const spec = specOf(pod);
  const phase = isFields(pod.status) ? pod.status.phase : undefined;
  if ((spec.nodeName ?? "") === "" || phase === "Succeeded" || phase === "Failed") return 0;
  const period = requested ?? (typeof spec.terminationGracePeriodSeconds === "number" ? spec.terminationGracePeriodSeconds : 0);
  return period < 0 ? 1 : period;
}

/** The times of a condition are written out even when there are none. */
function withConditionTimes(pod: Fields): Fields {
  const status = isFields(pod.status) ? pod.status : undefined;
  if (status === undefined || !Array.isArray(status.conditions)) return pod;
  if (status.conditions.every((one) => isFields(one) && one.lastProbeTime !== undefined && one.lastTransitionTime !== undefined))
    return pod;
  const conditions = status.conditions.map((one: unknown) =>
    isFields(one) ? { lastProbeTime: null, lastTransitionTime: null, ...one } : one,
  );
  return { ...pod, status: { ...status, conditions } };
}

/** A pod's address is the first of its addresses, whichever of the two a writer knows; where they differ, `podIP` counts. */
function withAddresses(pod: Fields): Fields {
  if (!isFields(pod.status)) return pod;
  const { podIP, podIPs } = pod.status;
  const first: unknown = Array.isArray(podIPs) && isFields(podIPs[0]) ? podIPs[0].ip : undefined;
  const address = typeof podIP === "string" && podIP !== "" ? podIP : first;
  if (address === undefined || (address === podIP && address === first)) return pod;
  return { ...pod, status: { ...pod.status, podIP: address, podIPs: address === first ? podIPs : [{ ip: address }] } };
}

/** Pods. Binding and log are the server's and the kubelet's business. */
export const podKind: BuiltinKind = {
  resource: pods,
  typeName: "core.v1.Pod",
  shortNames: ["po"],
  categories: ["all"],
  subresources: ["status", "resize", "binding", "eviction", "log"],
  counted: true,
  returnsDeleted: true,
  emptyObject: { spec: { containers: null }, status: {} },
  fieldReaders: {
    "spec.nodeName": textAt("spec", "nodeName"),
    "spec.restartPolicy": textAt("spec", "restartPolicy"),
    "spec.schedulerName": textAt("spec", "schedulerName"),
    "spec.serviceAccountName": textAt("spec", "serviceAccountName"),
    "spec.hostNetwork": textAt("spec", "hostNetwork"),
    "status.phase": textAt("status", "phase"),
    "status.podIP": textAt("status", "podIP"),
    "status.nominatedNodeName": textAt("status", "nominatedNodeName"),
  },
  defaults: (object) => ({ ...withAddresses(withConditionTimes(object)), spec: defaultPodSpec(specOf(object)) }),
  prepareCreate: withInitialStatus,
  prepareUpdate: (next, live, subresource) => (subresource === "resize" ? withResources(next, live) : next),
  validate: (pod) => podSpecErrors(specOf(pod), "spec"),
  validateUpdate(next, live, subresource) {
    if (subresource === "resize") return [...podSpecErrors(specOf(next), "spec"), ...resizeErrors(next, live)];
    return subresource === "" ? [...podUpdateErrors(next, live), ...podSpecErrors(specOf(next), "spec")] : [];
  },
  strategy: { gracePeriod },
};

/** A template's defaults, as PodTemplate and the workload kinds hold it. */
export function defaultTemplate(template: unknown): unknown {
  return isFields(template) && isFields(template.spec) ? { ...template, spec: defaultPodSpec(template.spec) } : template;
}

/** Errors in a template at a path. */
export function templateErrors(template: unknown, path: string): readonly FieldError[] {
  const fields = isFields(template) ? template : {};
  const metadata = isFields(fields.metadata) ? fields.metadata : {};
  return [
    ...labelErrors(metadata.labels, `${path === "template" ? path : `${path}`}.labels`),
    ...podSpecErrors({ dnsPolicy: "ClusterFirst", restartPolicy: "Always", ...(isFields(fields.spec) ? fields.spec : {}) }, `${path}.spec`),
  ];
}

export const podTemplateKind: BuiltinKind = {
  resource: podTemplates,
  typeName: "core.v1.PodTemplate",
  counted: true,
  returnsDeleted: true,
  emptyObject: { template: { metadata: {}, spec: { containers: null } } },
  defaults: (object) => ({ ...object, template: defaultTemplate(object.template) }),
  validate: (object) => templateErrors(object.template, "template"),
};
