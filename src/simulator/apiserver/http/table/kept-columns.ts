import type { KubeObject } from "../../../../api/meta.ts";
import { ageSince } from "./age.ts";
import { ageColumn, type Cell, column, nameColumn, type RowPrinter } from "./columns.ts";
import { firstFew, labelText, selectorText, templateCells, templateColumns, type Workload } from "./workload-columns.ts";

/** Kinds of the network, of storage and of scaling, most of which are only kept here (pkg/printers/internalversion of Kubernetes). */

interface Ingress extends KubeObject {
  readonly spec?: {
    readonly ingressClassName?: string;
    readonly rules?: readonly { readonly host?: string }[];
    readonly tls?: readonly unknown[];
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] } };
}

interface NetworkPolicy extends KubeObject {
  readonly spec?: { readonly podSelector?: Workload["spec"]["selector"] };
}

interface Endpoints extends KubeObject {
  readonly subsets?: readonly {
    readonly addresses?: readonly { readonly ip: string }[];
    readonly ports?: readonly { readonly port: number }[];
  }[];
}

interface Claim extends KubeObject {
  readonly spec?: {
    readonly volumeName?: string;
    readonly storageClassName?: string;
    readonly volumeAttributesClassName?: string;
    readonly volumeMode?: string;
  };
  readonly status?: {
    readonly phase?: string;
    readonly capacity?: { readonly storage?: string };
    readonly accessModes?: readonly string[];
  };
}

interface Volume extends KubeObject {
  readonly spec?: {
    readonly capacity?: { readonly storage?: string };
    readonly accessModes?: readonly string[];
    readonly persistentVolumeReclaimPolicy?: string;
    readonly claimRef?: { readonly namespace?: string; readonly name?: string };
    readonly storageClassName?: string;
    readonly volumeAttributesClassName?: string;
    readonly volumeMode?: string;
  };
  readonly status?: { readonly phase?: string; readonly reason?: string };
}

interface Target {
  readonly averageValue?: string;
  readonly averageUtilization?: number;
  readonly value?: string;
}

interface Metric {
  readonly type: string;
  readonly [source: string]: unknown;
}

interface Autoscaler extends KubeObject {
  readonly spec: {
    readonly scaleTargetRef: { readonly kind: string; readonly name: string };
    readonly minReplicas?: number;
    readonly maxReplicas: number;
    readonly metrics?: readonly Metric[];
  };
  readonly status?: { readonly currentReplicas?: number };
}

interface ReplicationController extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: Readonly<Record<string, string>>;
    readonly template?: Workload["spec"]["template"];
  };
  readonly status?: Workload["status"];
}

interface Budget extends KubeObject {
  readonly spec?: { readonly minAvailable?: number | string; readonly maxUnavailable?: number | string };
  readonly status?: { readonly disruptionsAllowed?: number };
}

/** PodDisruptionBudgets as `kubectl get` shows them. */
export const disruptionBudgetPrinter = printer<Budget>(
  [
    column("Min Available", "The minimum number of pods that must be available."),
    column("Max Unavailable", "The maximum number of pods that may be unavailable."),
    column("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time.", { type: "integer" }),
    ageColumn,
  ],
  ({ spec, status }, age) => [
    String(spec?.minAvailable ?? "N/A"),
    String(spec?.maxUnavailable ?? "N/A"),
    status?.disruptionsAllowed ?? 0,
    age,
  ],
);

/** Ingresses as `kubectl get` shows them. */
export const ingressPrinter = printer<Ingress>(
  [
    column("Class", "The IngressClass that says who acts on it."),
    column("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
    column("Address", "Where it is reached."),
    column("Ports", "Ports of TLS configurations that open"),
    ageColumn,
  ],
  ({ spec, status }, age) => {
    const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? "").filter((text) => text !== "");
    const hosts = (spec?.rules ?? []).map(({ host }) => host ?? "").filter((host) => host !== "");
    return [
      spec?.ingressClassName ?? "<none>",
      firstFew(hosts, "*"),
      addresses.join(","),
      (spec?.tls ?? []).length > 0 ? "80, 443" : "80",
      age,
    ];
  },
);

/** NetworkPolicies as `kubectl get` shows them. */
export const networkPolicyPrinter = printer<NetworkPolicy>(
  [column("Pod-Selector", "The pods that it is about."), ageColumn],
  ({ spec }, age) => [selectorText(spec?.podSelector), age],
);

/** Endpoints as `kubectl get` shows them. */
export const endpointsPrinter = printer<Endpoints>(
  [column("Endpoints", "The addresses behind a Service."), ageColumn],
  ({ subsets = [] }, age) => {
    const texts = subsets.flatMap(({ addresses = [], ports = [] }) =>
      ports.length === 0 ? addresses.map(({ ip }) => ip) : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${ip}:${port}`)),
    );
    return [firstFew(texts, "<none>"), age];
  },
);

/** PersistentVolumeClaims as `kubectl get` shows them. */
export const claimPrinter = printer<Claim>(
  [
    column("Status", "Whether it has a volume."),
    column("Volume", "The volume that it has."),
    column("Capacity", "How large that is."),
    column("Access Modes", "How it may be mounted."),
    column("StorageClass", "StorageClass of the pvc"),
    column("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
    ageColumn,
    column("VolumeMode", "A file system, or a block device.", { wide: true }),
  ],
  ({ metadata, spec = {}, status = {} }, age) => {
    const isBound = (spec.volumeName ?? "") !== "";
    return [
      metadata.deletionTimestamp === undefined ? (status.phase ?? "") : "Terminating",
      spec.volumeName ?? "",
      isBound ? (status.capacity?.storage ?? "0") : "",
      isBound ? modesText(status.accessModes) : "",
      spec.storageClassName ?? "",
      spec.volumeAttributesClassName ?? "<unset>",
      age,
      spec.volumeMode ?? "<unset>",
    ];
  },
);

/** PersistentVolumes as `kubectl get` shows them. */
export const volumePrinter = printer<Volume>(
  [
    column("Capacity", "How large it is."),
    column("Access Modes", "How it may be mounted."),
    column("Reclaim Policy", "What becomes of it when its claim goes."),
    column("Status", "Whether it is bound."),
    column("Claim", "The claim that has it."),
    column("StorageClass", "StorageClass of the pv"),
    column("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
    column("Reason", "Why it is in that state."),
    ageColumn,
    column("VolumeMode", "A file system, or a block device.", { wide: true }),
  ],
  ({ metadata, spec = {}, status = {} }, age) => [
    spec.capacity?.storage ?? "0",
    modesText(spec.accessModes),
    spec.persistentVolumeReclaimPolicy ?? "",
    metadata.deletionTimestamp === undefined ? (status.phase ?? "") : "Terminating",
    spec.claimRef === undefined ? "" : `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}`,
    spec.storageClassName ?? "",
    spec.volumeAttributesClassName ?? "<unset>",
    status.reason ?? "",
    age,
    spec.volumeMode ?? "<unset>",
  ],
);

/** HorizontalPodAutoscalers as `kubectl get` shows them where nobody measures. */
export const autoscalerPrinter = printer<Autoscaler>(
  [
    column("Reference", "What is scaled."),
    column("Targets", "What its metrics are to be."),
    column("MinPods", "The fewest replicas."),
    column("MaxPods", "The most replicas."),
    column("Replicas", "The replicas that there are."),
    ageColumn,
  ],
  ({ spec, status }, age) => [
    `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`,
    firstFew((spec.metrics ?? []).map(metricText), "<none>", 2, ", "),
    spec.minReplicas === undefined ? "<unset>" : String(spec.minReplicas),
    spec.maxReplicas,
    status?.currentReplicas ?? 0,
    age,
  ],
);

/** ReplicationControllers as `kubectl get` shows them. */
export const replicationControllerPrinter = printer<ReplicationController>(
  [
    column("Desired", "The replicas that are wanted.", { type: "integer" }),
    column("Current", "The replicas that there are.", { type: "integer" }),
    column("Ready", "Those that are ready.", { type: "integer" }),
    ageColumn,
    ...templateColumns,
  ],
  ({ spec, status }, age) => {
    const [names = "", images = ""] = templateCells({ ...(spec.template !== undefined && { template: spec.template }) });
    return [
      spec.replicas ?? 0,
      status?.replicas ?? 0,
      status?.readyReplicas ?? 0,
      age,
      names,
      images,
      labelText(spec.selector) || "<none>",
    ];
  },
);

/** A printer whose first cell is the name; `cells` makes the others, of the object and its age in words. */
function printer<T extends KubeObject>(columns: RowPrinter["columns"], cells: (object: T, age: string) => readonly Cell[]): RowPrinter {
  return {
    columns: [nameColumn, ...columns],
    cells(object, now) {
      const { metadata } = object as T;
      return [metadata.name, ...cells(object as T, ageSince(metadata.creationTimestamp, now))];
    },
  };
}

const modeNames: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

/** In the order of Kubernetes, whatever theirs. */
const modesText = (modes: readonly string[] = []): string =>
  Object.entries(modeNames)
    .flatMap(([mode, short]) => (modes.includes(mode) ? [short] : []))
    .join(",");

/** What a metric is to be; what it is, nobody knows here. */
function metricText(metric: Metric): string {
  const source = metric[`${metric.type.charAt(0).toLowerCase()}${metric.type.slice(1)}`];
  const { name, target = {} } = (source ?? {}) as { readonly name?: string; readonly target?: Target };
  const named = metric.type.endsWith("Resource") ? `${name ?? ""}: ` : "";
  if (target.averageValue !== undefined) {
    const average = metric.type === "External" || metric.type === "Object" ? " (avg)" : "";
    return `${named}<unknown>/${target.averageValue}${average}`;
  }
  const wanted = target.averageUtilization === undefined ? (target.value ?? "<auto>") : `${target.averageUtilization}%`;
  return `${named}<unknown>/${wanted}`;
}
