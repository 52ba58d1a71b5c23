import type { Lease, Namespace, Node, ResourceQuota } from "../../../../api/core.ts";
import type { KubeObject } from "../../../../api/meta.ts";
import { ageSince } from "./age.ts";
import { ageColumn, type Cell, column, nameColumn, type RowPrinter } from "./columns.ts";

/** Namespaces as `kubectl get` shows them. */
export const namespacePrinter: RowPrinter = {
  columns: [nameColumn, column("Status", "The status of the namespace"), ageColumn],
  cells: (object, now) => {
    const namespace = object as Namespace;
    return [namespace.metadata.name, namespace.status?.phase ?? "", age(namespace, now)];
  },
};

/** Nodes as `kubectl get` shows them. */
export const nodePrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Status", "The status of the node"),
    column("Roles", "The roles of the node"),
    ageColumn,
    column("Version", "The version of the node's kubelet."),
    column("Internal-IP", "The node's address within the cluster.", { wide: true }),
    column("External-IP", "The node's address outside of the cluster.", { wide: true }),
    column("OS-Image", "The operating system of the node.", { wide: true }),
    column("Kernel-Version", "The kernel of the node, and its architecture.", { wide: true }),
    column("Container-Runtime", "What runs the node's containers.", { wide: true }),
  ],
  cells: (object, now) => nodeCells(object as Node, now),
};

/** Resource quotas as `kubectl get` shows them. */
export const resourceQuotaPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Request", "What is used of what may be requested."),
    column("Limit", "What is used of what the limits may add up to."),
    ageColumn,
  ],
  cells: (object, now) => {
    const quota = object as ResourceQuota;
    const entries = Object.entries(quota.status?.hard ?? {})
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, hard]) => ({ name, text: `${name}: ${quota.status?.used?.[name] ?? "0"}/${hard}` }));
    const [limits, requests] = [entries.filter(isLimit), entries.filter((entry) => !isLimit(entry))];
    const join = (some: typeof entries) => some.map((entry) => entry.text).join(", ");
    return [quota.metadata.name, join(requests), join(limits), age(quota, now)];
  },
};

/** Leases as `kubectl get` shows them. */
export const leasePrinter: RowPrinter = {
  columns: [nameColumn, column("Holder", "Who holds the lease now."), ageColumn],
  cells: (object, now) => {
    const lease = object as Lease;
    return [lease.metadata.name, lease.spec?.holderIdentity ?? "", age(lease, now)];
  },
};

/** Config maps as `kubectl get` shows them. */
export const configMapPrinter: RowPrinter = {
  columns: [nameColumn, column("Data", "How many entries there are."), ageColumn],
  cells: (object, now) => {
    const map = object as KubeObject & Data;
    return [map.metadata.name, size(map.data) + size(map.binaryData), age(map, now)];
  },
};

/** Secrets as `kubectl get` shows them. */
export const secretPrinter: RowPrinter = {
  columns: [nameColumn, column("Type", "What the secret is used for."), column("Data", "How many entries there are."), ageColumn],
  cells: (object, now) => {
    const secret = object as KubeObject & Data & { readonly type?: string };
    return [secret.metadata.name, secret.type ?? "", size(secret.data), age(secret, now)];
  },
};

/** Service accounts as `kubectl get` shows them. */
export const serviceAccountPrinter: RowPrinter = {
  columns: [nameColumn, ageColumn],
  cells: (object, now) => [(object as KubeObject).metadata.name, age(object as KubeObject, now)],
};

/** Priority classes as `kubectl get` shows them. */
export const priorityClassPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Value", "The priority of pods of this class.", { type: "integer" }),
    column("Global-Default", "Whether pods without a class get this one.", { type: "boolean" }),
    ageColumn,
    column("PreemptionPolicy", "Whether such pods may drive others away."),
  ],
  cells: (object, now) => {
    const priority = object as KubeObject & {
      readonly value?: number;
      readonly globalDefault?: boolean;
      readonly preemptionPolicy?: string;
    };
    return [
      priority.metadata.name,
      priority.value ?? 0,
      priority.globalDefault ?? false,
      age(priority, now),
      priority.preemptionPolicy ?? "",
    ];
  },
};

/** Kinds that Kubernetes has no columns for, CustomResourceDefinition among them: the name, and the instant of creation as it is. */
export const plainPrinter: RowPrinter = {
  columns: [nameColumn, { ...column("Created At", "When the object was created."), type: "date" }],
  cells: (object) => [(object as KubeObject).metadata.name, (object as KubeObject).metadata.creationTimestamp ?? null],
};

interface Data {
  readonly data?: object;
  readonly binaryData?: object;
}

function nodeCells(node: Node, now: number): readonly Cell[] {
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
  const status = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  const info = node.status?.nodeInfo ?? {};
  const kernel = info["kernelVersion"] || "<unknown>";
  return [
    node.metadata.name,
    node.spec?.unschedulable ? `${status},SchedulingDisabled` : status,
    nodeRoles(node).join(",") || "<none>",
    age(node, now),
    info["kubeletVersion"] ?? "",
    nodeAddress(node, "InternalIP"),
    nodeAddress(node, "ExternalIP"),
    info["osImage"] || "<unknown>",
    info["architecture"] ? `${kernel} (${info["architecture"]})` : kernel,
    info["containerRuntimeVersion"] || "<unknown>",
  ];
}

function nodeRoles(node: Node): readonly string[] {
  const prefix = "node-role.kubernetes.io/";
  const roles = Object.entries(node.metadata.labels ?? {}).map(([key, value]) => {
    if (key.startsWith(prefix)) return key.slice(prefix.length);
    return key === "kubernetes.io/role" ? value : "";
  });
  return [...new Set(roles.filter((role) => role !== ""))].toSorted();
}

function nodeAddress(node: Node, type: string): string {
  return node.status?.addresses?.find((address) => address.type === type)?.address ?? "<none>";
}

function isLimit(entry: { readonly name: string }): boolean {
  return entry.name.startsWith("limits.");
}

function size(map: object | undefined): number {
  return Object.keys(map ?? {}).length;
}

function age(object: KubeObject, now: number): string {
  return ageSince(object.metadata.creationTimestamp, now);
}
