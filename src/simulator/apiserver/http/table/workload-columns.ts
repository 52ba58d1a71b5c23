import type { Container, ControllerRevision, PodTemplate } from "../../../../api/core.ts";
import type { KubeObject } from "../../../../api/meta.ts";
import { ageSince } from "./age.ts";
import { ageColumn, type Cell, column, nameColumn, type RowPrinter } from "./columns.ts";

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

/** What workloads of all kinds have. */
export interface Workload extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: LabelSelector;
    readonly template?: { readonly spec?: { readonly containers?: readonly Container[] } };
  };
  readonly status?: {
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
  };
}

interface Service extends KubeObject {
  readonly spec: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly externalIPs?: readonly string[];
    readonly externalName?: string;
    readonly ports?: readonly { readonly port: number; readonly nodePort?: number; readonly protocol?: string }[];
    readonly selector?: Readonly<Record<string, string>>;
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] } };
}

interface EndpointSlice extends KubeObject {
  readonly addressType?: string;
  readonly ports?: readonly { readonly port?: number; readonly name?: string }[];
  readonly endpoints?: readonly { readonly addresses?: readonly string[] }[];
}

/** Containers, images and selector of a template, shown with `-o wide` only. */
export const templateColumns = [
  column("Containers", "Names of each container in the template.", { wide: true }),
  column("Images", "Images referenced by each container in the template.", { wide: true }),
  column("Selector", "The labels that tell the pods.", { wide: true }),
];

/** Deployments as `kubectl get` shows them. */
export const deploymentPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Ready", "Number of the pod with ready state"),
    column("Up-to-date", "Number of pods of the newest template."),
    column("Available", "Number of pods that are available."),
    ageColumn,
    ...templateColumns,
  ],
  cells: (object, now) => {
    const { metadata, spec, status = {} } = object as Workload;
    const ready = `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`;
    const age = ageSince(metadata.creationTimestamp, now);
    return [metadata.name, ready, status.updatedReplicas ?? 0, status.availableReplicas ?? 0, age, ...templateCells(spec)];
  },
};

/** Replica sets as `kubectl get` shows them. */
export const replicaSetPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Desired", "Number of pods that are wanted.", { type: "integer" }),
    column("Current", "Number of pods that there are.", { type: "integer" }),
    column("Ready", "Number of pods that are ready.", { type: "integer" }),
    ageColumn,
    ...templateColumns,
  ],
  cells: (object, now) => {
    const { metadata, spec, status = {} } = object as Workload;
    const age = ageSince(metadata.creationTimestamp, now);
    return [metadata.name, spec.replicas ?? 0, status.replicas ?? 0, status.readyReplicas ?? 0, age, ...templateCells(spec)];
  },
};

/** Controller revisions as `kubectl get` shows them. */
export const controllerRevisionPrinter: RowPrinter = {
  columns: [nameColumn, column("Controller", "Controller of the object"), column("Revision", "The revision's number."), ageColumn],
  cells: (object, now) => {
    const { metadata, revision } = object as ControllerRevision;
    const controller = metadata.ownerReferences?.find((owner) => owner.controller);
    const group = controller?.apiVersion.includes("/") ? `.${controller.apiVersion.split("/")[0]}` : "";
    const owner = controller === undefined ? "<none>" : `${(controller.kind + group).toLowerCase()}/${controller.name}`;
    return [metadata.name, owner, revision, ageSince(metadata.creationTimestamp, now)];
  },
};

/** Pod templates as `kubectl get` shows them. */
export const podTemplatePrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Containers", "Names of each container in the template."),
    column("Images", "Images referenced by each container in the template."),
    column("Pod Labels", "The labels that pods get."),
  ],
  cells: (object) => {
    const { metadata, template } = object as PodTemplate;
    return [metadata.name, ...containerCells(template.spec.containers), labelText(template.metadata?.labels) || "<none>"];
  },
};

/** Endpoint slices as `kubectl get` shows them. */
export const endpointSlicePrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("AddressType", "What the addresses are: IPv4, IPv6 or FQDN."),
    column("Ports", "The ports of each endpoint."),
    column("Endpoints", "The addresses of the endpoints."),
    ageColumn,
  ],
  cells: (object, now) => {
    const slice = object as EndpointSlice;
    const ports = (slice.ports ?? []).map(({ port, name }) => String(port ?? name ?? "*"));
    const addresses = (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []);
    const age = ageSince(slice.metadata.creationTimestamp, now);
    return [slice.metadata.name, slice.addressType ?? "", firstFew(ports), firstFew(addresses), age];
  },
};

/** Services as `kubectl get` shows them. */
export const servicePrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Type", "How the service is reached."),
    column("Cluster-IP", "The service's address within the cluster."),
    column("External-IP", "The service's addresses outside of the cluster."),
    column("Port(s)", "The ports of the service."),
    ageColumn,
    column("Selector", "The labels that tell the pods.", { wide: true }),
  ],
  cells: (object, now) => {
    const service = object as Service;
    const { type = "", clusterIP, clusterIPs, ports = [], selector } = service.spec;
    const portTexts = ports.map(({ port, nodePort, protocol = "TCP" }) => `${port}${nodePort ? `:${nodePort}` : ""}/${protocol}`);
    return [
      service.metadata.name,
      type,
      clusterIPs?.[0] ?? (clusterIP || "<none>"),
      externalAddress(service),
      portTexts.join(",") || "<none>",
      ageSince(service.metadata.creationTimestamp, now),
      labelText(selector) || "<none>",
    ];
  },
};

function externalAddress({ spec, status }: Service): string {
  if (spec.type === "ExternalName") return spec.externalName ?? "";
  const balanced = spec.type === "LoadBalancer" ? (status?.loadBalancer?.ingress ?? []) : [];
  const addresses = [...balanced.map((ingress) => ingress.ip ?? ingress.hostname ?? ""), ...(spec.externalIPs ?? [])];
  return addresses.filter((address) => address !== "").join(",") || (spec.type === "LoadBalancer" ? "<pending>" : "<none>");
}

/** The cells of {@link templateColumns}. */
export function templateCells(spec: Workload["spec"]): readonly Cell[] {
  return [...containerCells(spec.template?.spec?.containers ?? []), selectorText(spec.selector)];
}

/** Names and images of containers, each as one text. */
export function containerCells(containers: readonly Container[]): readonly Cell[] {
  return [containers.map((container) => container.name).join(","), containers.map((container) => container.image ?? "").join(",")];
}

/** The first `most` of them as one text, and how many more there are; `none` where there is none. */
export function firstFew(texts: readonly string[], none = "<unset>", most = 3, separator = ","): string {
  if (texts.length === 0) return none;
  const shown = texts.slice(0, most).join(separator);
  return texts.length > most ? `${shown} + ${texts.length - most} more...` : shown;
}

/** A selector as one text. */
export function selectorText(selector: LabelSelector | undefined): string {
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    return operator === "DoesNotExist" ? `!${key}` : `${key} ${operator.toLowerCase()} (${values.join(",")})`;
  });
  return [labelText(selector?.matchLabels), ...expressions].filter((part) => part !== "").join(",") || "<none>";
}

/** Labels as one text, in the order of their keys. */
export function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(labels ?? {})
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
