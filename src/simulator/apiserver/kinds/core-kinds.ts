import {
  configMaps,
  controllerRevisions,
  leases,
  namespaces,
  nodes,
  type Resource,
  resourceQuotas,
  secrets,
  services,
} from "../../../api/resource.ts";
import { policyKinds } from "../admission/policy-kinds.ts";
import { type Fields, isFields, type StoredObject, sameJson, withField } from "../json.ts";
import { labelNameErrors, pathSegmentErrors } from "../object-meta.ts";
import { type FieldError, forbiddenField, invalidValue, requiredValue, unsupportedValue } from "../status.ts";
import { type BuiltinKind, textAt } from "./builtin-kind.ts";
import { disruptionBudgetKind } from "./disruption-budget-kind.ts";
import { coreEventKind, newEventKind } from "./event-kind.ts";
import { defaultTemplate, podKind, podTemplateKind, templateErrors } from "./pod-kind.ts";

/** The built-in kinds that are served, besides CustomResourceDefinition. */

const resource = (group: string, version: string, plural: string, kind: string, namespaced = true): Resource => ({
  group,
  version,
  plural,
  kind,
  namespaced,
});
const section = (object: Fields, name: string): Fields => {
  const found = object[name];
  return isFields(found) ? found : {};
};

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

function dataErrors(object: StoredObject): readonly FieldError[] {
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
function immutableErrors(next: StoredObject, live: StoredObject): readonly FieldError[] {
  if (live.immutable !== true) return dataErrors(next);
  const errors: FieldError[] = [];
  if (next.immutable !== true) errors.push(forbiddenField("immutable", "field is immutable when `immutable` is set"));
  if (!sameJson(next.data, live.data)) errors.push(forbiddenField("data", "field is immutable when `immutable` is set"));
  return errors;
}

const configMapKind: BuiltinKind = {
  resource: configMaps,
  typeName: "core.v1.ConfigMap",
  shortNames: ["cm"],
  validate: dataErrors,
  validateUpdate: immutableErrors,
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
  validate: dataErrors,
  validateUpdate: immutableErrors,
};

const serviceKind: BuiltinKind = {
  resource: services,
  typeName: "core.v1.Service",
  shortNames: ["svc"],
  categories: ["all"],
  subresources: ["status"],
  createOnUpdate: true,
  returnsDeleted: true,
  emptyObject: { spec: {}, status: { loadBalancer: {} } },
  nameErrors: (name, generated) => labelNameErrors(name, generated),
  fieldReaders: { "spec.clusterIP": textAt("spec", "clusterIP"), "spec.type": textAt("spec", "type") },
  defaults(object) {
    const spec = section(object, "spec");
    const ports = Array.isArray(spec.ports)
      ? spec.ports.map((port: unknown) => (isFields(port) ? { protocol: "TCP", targetPort: port.port, ...port } : port))
      : undefined;
    return {
      ...object,
      spec: {
        sessionAffinity: "None",
        type: "ClusterIP",
        internalTrafficPolicy: "Cluster",
        ...spec,
        ...(ports === undefined ? {} : { ports }),
      },
    };
  },
  prepareCreate: (object) => ({ ...object, status: { loadBalancer: {} } }),
  prepareUpdate: (next, live) => ({
    ...next,
    spec: {
      ...(section(live, "spec").clusterIP === undefined ? {} : { clusterIP: section(live, "spec").clusterIP }),
      ...section(next, "spec"),
    },
  }),
  validate(service) {
    const ports = section(service, "spec").ports;
    const errors: FieldError[] = [];
    (Array.isArray(ports) ? ports : []).forEach((port: unknown, at) => {
      const number = isFields(port) ? port.port : undefined;
      if (typeof number !== "number" || number < 1 || number > 65535)
        errors.push(invalidValue(`spec.ports[${at}].port`, number ?? 0, "must be between 1 and 65535, inclusive"));
    });
    return errors;
  },
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

/** How a Deployment goes from one template to the next where it does not say. */
function defaultRollout(spec: Fields): Fields {
  const strategy: Fields = { type: "RollingUpdate", ...section(spec, "strategy") };
  const rollingUpdate = { maxUnavailable: "25%", maxSurge: "25%", ...section(strategy, "rollingUpdate") };
  return {
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    ...spec,
    strategy: strategy.type === "RollingUpdate" ? { ...strategy, rollingUpdate } : strategy,
  };
}

const workload = (plural: string, kind: string, shortName: string): BuiltinKind => ({
  resource: resource("apps", "v1", plural, kind),
  typeName: `apps.v1.${kind}`,
  shortNames: [shortName],
  categories: ["all"],
  subresources: ["status", "scale"],
  scale: { specReplicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"] },
  counted: true,
  emptyObject: { spec: { selector: null, template: { metadata: {}, spec: { containers: null } } }, status: {} },
  defaults(object) {
    const spec = section(object, "spec");
    return {
      ...object,
      spec: {
        replicas: 1,
        ...(kind === "Deployment" ? defaultRollout(spec) : spec),
        ...(spec.template === undefined ? {} : { template: defaultTemplate(spec.template) }),
      },
    };
  },
  prepareCreate: (object) => withField(object, "status", kind === "ReplicaSet" ? { replicas: 0 } : {}),
  validate(object) {
    const spec = section(object, "spec");
    const errors: FieldError[] = [...templateErrors(spec.template, "spec.template")];
    const labels = section(section(section(spec, "template"), "metadata"), "labels");
    const wanted = section(section(spec, "selector"), "matchLabels");
    if (spec.selector === undefined) errors.push(requiredValue("spec.selector"));
    else if (Object.entries(wanted).some(([key, value]) => labels[key] !== value)) {
      errors.push(invalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
    }
    return errors;
  },
});

/** Kinds that are only held. */
const held = (
  group: string,
  version: string,
  plural: string,
  kind: string,
  typeName: string,
  more: Partial<BuiltinKind> = {},
): BuiltinKind => ({
  resource: resource(group, version, plural, kind),
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
  resource: resource(group, version, plural, kind, false),
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
  held("", "v1", "serviceaccounts", "ServiceAccount", "core.v1.ServiceAccount", { shortNames: ["sa"], returnsDeleted: true }),
  held("", "v1", "endpoints", "Endpoints", "core.v1.Endpoints", { shortNames: ["ep"], createOnUpdate: true }),
  held("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "core.v1.PersistentVolumeClaim", {
    shortNames: ["pvc"],
    subresources: ["status"],
    returnsDeleted: true,
    emptyObject: { spec: { resources: {} }, status: {} },
  }),
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
  workload("deployments", "Deployment", "deploy"),
  workload("replicasets", "ReplicaSet", "rs"),
  held("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "discovery.v1.EndpointSlice", {
    counted: true,
    emptyObject: { endpoints: null, ports: null },
    validate: (slice) =>
      ["IPv4", "IPv6", "FQDN"].includes(String(slice.addressType))
        ? []
        : [unsupportedValue("addressType", slice.addressType ?? "", ["FQDN", "IPv4", "IPv6"])],
  }),
  held("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "networking.v1.NetworkPolicy", {
    shortNames: ["netpol"],
    counted: true,
    emptyObject: { spec: {} },
  }),
  clusterWide("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "scheduling.v1.PriorityClass", {
    shortNames: ["pc"],
    counted: true,
    defaults: (object) => ({ preemptionPolicy: "PreemptLowerPriority", ...object }),
  }),
  disruptionBudgetKind,
  ...policyKinds,
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
