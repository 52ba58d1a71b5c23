import {
  configMaps,
  controllerRevisions,
  leases,
  namespaces,
  nodes,
  persistentVolumeClaims,
  resourceQuotas,
  secrets,
  serviceAccounts,
} from "../../../api/resource.ts";
import { policyKinds } from "../admission/policy-kinds.ts";
import { webhookKinds } from "../admission/webhook-kinds.ts";
import { isFields, type StoredObject, sameJson } from "../json.ts";
import { labelNameErrors, pathSegmentErrors } from "../object-meta.ts";
import { type FieldError, forbiddenField, invalidValue, requiredValue, tooLong, unsupportedValue } from "../status.ts";
import { type BuiltinKind, resourceOf, section, textAt } from "./builtin-kind.ts";
import { keptKinds } from "./kept-kinds.ts";
import { disruptionBudgetKind } from "./disruption-budget-kind.ts";
import { coreEventKind, newEventKind } from "./event-kind.ts";
import { jobKinds } from "./job-kinds.ts";
import { podKind, podTemplateKind } from "./pod-kind.ts";
import { serviceKind } from "./service-kind.ts";
import { workloadKinds } from "./workload-kinds.ts";

/** The built-in kinds that are served, besides CustomResourceDefinition. */

const namespaceKind: BuiltinKind = {
  resource: namespaces,
  typeName: "core.v1.Namespace",
  shortNames: ["ns"],
  subresources: ["status", "finalize"],
  returnsDeleted: true,
  emptyObject: { spec: {}, status: {} },
  nameErrors: (name, generated) => labelNameErrors(name, generated),
  fieldReaders: { "status.phase": textAt("status", "phase") },
  defaults(object) {
    const metadata = section(object, "metadata");
    if (typeof metadata.name !== "string") return object;
    const labels = { ...section(metadata, "labels"), "kubernetes.io/metadata.name": metadata.name };
    return { ...object, metadata: { ...metadata, labels } };
  },
  prepareCreate: (object) => ({ ...object, spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } }),
  prepareUpdate(next, live, subresource) {
    if (subresource === "finalize") return { ...live, metadata: { ...next.metadata }, spec: next.spec ?? {} };
    return { ...next, spec: live.spec };
  },
  strategy: {
    markDeleted(object, deletionTimestamp) {
      const finalizers = section(object, "spec").finalizers;
      if (!Array.isArray(finalizers) || finalizers.length === 0) return undefined;
      if (object.metadata.deletionTimestamp !== undefined) return object;
      return {
        ...object,
        metadata: { ...object.metadata, deletionTimestamp },
        status: { ...section(object, "status"), phase: "Terminating" },
      };
    },
    holds(object) {
      const finalizers = section(object, "spec").finalizers;
      return Array.isArray(finalizers) && finalizers.length > 0;
    },
  },
};

const nodeKind: BuiltinKind = {
  resource: nodes,
  typeName: "core.v1.Node",
  shortNames: ["no"],
  subresources: ["status"],
  emptyObject: { spec: {}, status: { daemonEndpoints: { kubeletEndpoint: { Port: 0 } }, nodeInfo: {} } },
  defaults: (node) => ({ ...node, spec: section(node, "spec") }),
  fieldReaders: { "spec.unschedulable": (node) => String(section(node, "spec").unschedulable === true) },
  // a kubelet registers its node with a status
  createsStatus: true,
};

const leaseKind: BuiltinKind = {
  resource: leases,
  typeName: "coordination.v1.Lease",
  conditionalUpdate: true,
  createOnUpdate: true,
  emptyObject: { spec: {} },
  validate(lease) {
    const spec = section(lease, "spec");
    const errors: FieldError[] = [];
    if (typeof spec.leaseDurationSeconds === "number" && spec.leaseDurationSeconds <= 0) {
      errors.push(invalidValue("spec.leaseDurationSeconds", spec.leaseDurationSeconds, "must be greater than 0"));
    }
    if (typeof spec.leaseTransitions === "number" && spec.leaseTransitions < 0) {
      errors.push(invalidValue("spec.leaseTransitions", spec.leaseTransitions, "must be greater than or equal to 0"));
    }
    return errors;
  },
};

const dataKey = /^[-._a-zA-Z0-9]+$/;

/** What all values of a ConfigMap or a Secret may be long, in bytes. */
const mostDataBytes = 1_048_576;

/** Errors in keys, and too much in all; `field` is how that is told. */
function dataErrors(object: StoredObject, bytesOf: (value: unknown) => number, field: string): readonly FieldError[] {
  let size = 0;
  for (const value of Object.values(section(object, "data"))) size += bytesOf(value);
  for (const value of Object.values(section(object, "binaryData"))) size += decodedBytes(value);
  const surplus = size > mostDataBytes ? [tooLong(field, mostDataBytes)] : [];
  return [...keyErrors(object), ...surplus];
}

const textBytes = (value: unknown): number => Buffer.byteLength(String(value));
const decodedBytes = (value: unknown): number => Buffer.byteLength(String(value), "base64");

function keyErrors(object: StoredObject): readonly FieldError[] {
  return Object.keys(section(object, "data"))
    .filter((key) => !dataKey.test(key) || key.length > 253)
    .map((key) =>
      invalidValue(
        `data[${key}]`,
        key,
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ),
    );
}

/** What is marked immutable stays as it is. */
function immutableErrors(found: readonly FieldError[], next: StoredObject, live: StoredObject): readonly FieldError[] {
  if (live.immutable !== true) return found;
  const errors: FieldError[] = [];
  if (next.immutable !== true) errors.push(forbiddenField("immutable", "field is immutable when `immutable` is set"));
  if (!sameJson(next.data, live.data)) errors.push(forbiddenField("data", "field is immutable when `immutable` is set"));
  return errors;
}

const configMapErrors = (object: StoredObject): readonly FieldError[] => dataErrors(object, textBytes, "");
const secretErrors = (object: StoredObject): readonly FieldError[] => dataErrors(object, decodedBytes, "data");

const configMapKind: BuiltinKind = {
  resource: configMaps,
  typeName: "core.v1.ConfigMap",
  shortNames: ["cm"],
  validate: configMapErrors,
  validateUpdate: (next, live) => immutableErrors(configMapErrors(next), next, live),
};

const secretKind: BuiltinKind = {
  resource: secrets,
  typeName: "core.v1.Secret",
  fieldReaders: { type: textAt("type") },
  defaults(object) {
    const { stringData, ...rest } = object;
    const typed = { ...rest, type: rest.type ?? "Opaque" };
    if (!isFields(stringData)) return typed;
    const encoded = Object.fromEntries(
      Object.entries(stringData).map(([key, value]) => [key, Buffer.from(String(value)).toString("base64")]),
    );
    return { ...typed, data: { ...section(rest, "data"), ...encoded } };
  },
  validate: secretErrors,
  validateUpdate: (next, live) => immutableErrors(secretErrors(next), next, live),
};

const revisionKind: BuiltinKind = {
  resource: controllerRevisions,
  typeName: "apps.v1.ControllerRevision",
  validate: (object) =>
    object.data === undefined
      ? [requiredValue("data", "data is mandatory")]
      : typeof object.revision === "number" && object.revision < 0
        ? [invalidValue("revision", object.revision, "must be greater than or equal to 0")]
        : [],
  validateUpdate: (next, live) => (sameJson(next.data, live.data) ? [] : [invalidValue("data", next.data, "field is immutable")]),
};

/** Kinds that are only held. */
const held = (
  group: string,
  version: string,
  plural: string,
  kind: string,
  typeName: string,
  more: Partial<BuiltinKind> = {},
): BuiltinKind => ({
  resource: resourceOf(group, version, plural, kind),
  typeName,
  ...more,
});

const clusterWide = (
  group: string,
  version: string,
  plural: string,
  kind: string,
  typeName: string,
  more: Partial<BuiltinKind> = {},
): BuiltinKind => ({
  ...held(group, version, plural, kind, typeName, more),
  resource: resourceOf(group, version, plural, kind, false),
});

const rbacNames = { nameErrors: (name: string) => pathSegmentErrors(name), createOnUpdate: true };

export const builtinKinds: readonly BuiltinKind[] = [
  podKind,
  podTemplateKind,
  namespaceKind,
  nodeKind,
  configMapKind,
  secretKind,
  serviceKind,
  { resource: serviceAccounts, typeName: "core.v1.ServiceAccount", shortNames: ["sa"], subresources: ["token"], returnsDeleted: true },
  held("", "v1", "endpoints", "Endpoints", "core.v1.Endpoints", { shortNames: ["ep"], createOnUpdate: true }),
  {
    resource: persistentVolumeClaims,
    typeName: "core.v1.PersistentVolumeClaim",
    shortNames: ["pvc"],
    subresources: ["status"],
    returnsDeleted: true,
    emptyObject: { spec: { resources: {} }, status: {} },
    defaults: (object) => ({ ...object, spec: { volumeMode: "Filesystem", ...section(object, "spec") } }),
    prepareCreate: (object) => ({ ...object, status: { phase: "Pending" } }),
  },
  coreEventKind,
  newEventKind,
  {
    resource: resourceQuotas,
    typeName: "core.v1.ResourceQuota",
    shortNames: ["quota"],
    subresources: ["status"],
    returnsDeleted: true,
    emptyObject: { spec: {}, status: {} },
    prepareCreate: (object) => ({ ...object, status: {} }),
  },
  held("", "v1", "limitranges", "LimitRange", "core.v1.LimitRange", {
    shortNames: ["limits"],
    createOnUpdate: true,
    emptyObject: { spec: { limits: null } },
  }),
  leaseKind,
  revisionKind,
  ...workloadKinds,
  ...jobKinds,
  held("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "discovery.v1.EndpointSlice", {
    counted: true,
    emptyObject: { endpoints: null, ports: null },
    validate: (slice) =>
      ["IPv4", "IPv6", "FQDN"].includes(String(slice.addressType))
        ? []
        : [unsupportedValue("addressType", slice.addressType ?? "", ["FQDN", "IPv4", "IPv6"])],
  }),
  // charts bring these; nobody acts on them here
  held("networking.k8s.io", "v1", "ingresses", "Ingress", "networking.v1.Ingress", {
    shortNames: ["ing"],
    subresources: ["status"],
    counted: true,
    emptyObject: { spec: {}, status: { loadBalancer: {} } },
    prepareCreate: (object) => ({ ...object, status: { loadBalancer: {} } }),
  }),
  held("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "networking.v1.NetworkPolicy", {
    shortNames: ["netpol"],
    counted: true,
    emptyObject: { spec: { podSelector: {} } },
  }),
  ...keptKinds,
  clusterWide("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "scheduling.v1.PriorityClass", {
    shortNames: ["pc"],
    counted: true,
    defaults: (object) => ({ preemptionPolicy: "PreemptLowerPriority", ...object }),
  }),
  disruptionBudgetKind,
  ...policyKinds,
  ...webhookKinds,
  held("rbac.authorization.k8s.io", "v1", "roles", "Role", "rbac.v1.Role", rbacNames),
  held("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "rbac.v1.RoleBinding", {
    ...rbacNames,
    emptyObject: { roleRef: {} },
  }),
  clusterWide("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "rbac.v1.ClusterRole", rbacNames),
  clusterWide("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "rbac.v1.ClusterRoleBinding", {
    ...rbacNames,
    emptyObject: { roleRef: {} },
  }),
];
