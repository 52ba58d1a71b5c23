import type { KubeList, KubeObject, ListMeta } from "../../../../api/meta.ts";
import { resourceName } from "../../../../api/resource.ts";
import type { ServedResource } from "../../served-resource.ts";
import { policyBindingPrinter, policyPrinter, roleBindingPrinter, webhooksPrinter } from "./access-columns.ts";
import { cronJobPrinter, daemonSetPrinter, jobPrinter, statefulSetPrinter } from "./batch-columns.ts";
import {
  configMapPrinter,
  leasePrinter,
  namespacePrinter,
  nodePrinter,
  plainPrinter,
  priorityClassPrinter,
  resourceQuotaPrinter,
  secretPrinter,
  serviceAccountPrinter,
} from "./cluster-columns.ts";
import type { Cell, ColumnDefinition, RowPrinter } from "./columns.ts";
import { customPrinter } from "./custom-columns.ts";
import { eventPrinter } from "./event-columns.ts";
import {
  autoscalerPrinter,
  claimPrinter,
  disruptionBudgetPrinter,
  endpointsPrinter,
  ingressPrinter,
  networkPolicyPrinter,
  replicationControllerPrinter,
  volumePrinter,
} from "./kept-columns.ts";
import { podPrinter } from "./pod-columns.ts";
import {
  controllerRevisionPrinter,
  deploymentPrinter,
  endpointSlicePrinter,
  podTemplatePrinter,
  replicaSetPrinter,
  servicePrinter,
} from "./workload-columns.ts";

/** A server-side table (metav1.Table): what `kubectl get` prints. */
export interface Table {
  readonly kind: "Table";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: ListMeta;
  /** Null in a watch, after its first event. */
  readonly columnDefinitions: readonly ColumnDefinition[] | null;
  readonly rows: readonly TableRow[];
}

/** One object of a table. */
export interface TableRow {
  readonly cells: readonly Cell[];
  readonly object?: unknown;
}

/** How much of each object its row carries (query `includeObject`). */
export type IncludeObject = "None" | "Metadata" | "Object";

const builtInPrinters: Readonly<Record<string, RowPrinter>> = {
  pods: podPrinter,
  namespaces: namespacePrinter,
  nodes: nodePrinter,
  configmaps: configMapPrinter,
  secrets: secretPrinter,
  serviceaccounts: serviceAccountPrinter,
  services: servicePrinter,
  resourcequotas: resourceQuotaPrinter,
  events: eventPrinter,
  "events.events.k8s.io": eventPrinter,
  "leases.coordination.k8s.io": leasePrinter,
  "controllerrevisions.apps": controllerRevisionPrinter,
  "deployments.apps": deploymentPrinter,
  "replicasets.apps": replicaSetPrinter,
  "statefulsets.apps": statefulSetPrinter,
  "daemonsets.apps": daemonSetPrinter,
  "jobs.batch": jobPrinter,
  "cronjobs.batch": cronJobPrinter,
  podtemplates: podTemplatePrinter,
  "endpointslices.discovery.k8s.io": endpointSlicePrinter,
  "priorityclasses.scheduling.k8s.io": priorityClassPrinter,
  replicationcontrollers: replicationControllerPrinter,
  endpoints: endpointsPrinter,
  persistentvolumes: volumePrinter,
  persistentvolumeclaims: claimPrinter,
  "poddisruptionbudgets.policy": disruptionBudgetPrinter,
  "horizontalpodautoscalers.autoscaling": autoscalerPrinter,
  "ingresses.networking.k8s.io": ingressPrinter,
  "networkpolicies.networking.k8s.io": networkPolicyPrinter,
  "rolebindings.rbac.authorization.k8s.io": roleBindingPrinter,
  "clusterrolebindings.rbac.authorization.k8s.io": roleBindingPrinter,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhooksPrinter,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhooksPrinter,
  "validatingadmissionpolicies.admissionregistration.k8s.io": policyPrinter("validations"),
  "mutatingadmissionpolicies.admissionregistration.k8s.io": policyPrinter("mutations"),
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": policyBindingPrinter,
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io": policyBindingPrinter,
};

/** Printers of CRDs are made once for each version of its definition. */
const customPrinters = new WeakMap<object, RowPrinter>();

/** How a kind is shown. A CRD with a column path that cannot be read is shown with names only. */
export function printerOf(resource: ServedResource): RowPrinter {
  if (resource.custom === undefined) return builtInPrinters[resourceName(resource)] ?? plainPrinter;
  const known = customPrinters.get(resource.custom);
  if (known !== undefined) return known;
  let printer: RowPrinter;
  try {
    printer = customPrinter(resource.custom);
  } catch {
    printer = plainPrinter;
  }
  customPrinters.set(resource.custom, printer);
  return printer;
}

/** The table of a list, or of one object; `now` in milliseconds since the epoch. */
export function tableOf(
  body: KubeObject | KubeList<KubeObject>,
  printer: RowPrinter,
  options: { readonly include: IncludeObject; readonly now: number; readonly headers: boolean },
): Table {
  const objects = "items" in body ? body.items : [body];
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: tableMeta(body),
    columnDefinitions: options.headers ? printer.columns : null,
    rows: objects.map((object) => {
      const cells = cellsOf(object, printer, options.now);
      return options.include === "None" ? { cells } : { cells, object: options.include === "Object" ? object : partialMetadata(object) };
    }),
  };
}

/** An object without its content (metav1.PartialObjectMetadata). */
export function partialMetadata(object: KubeObject): KubeObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

/** Kinds that are stored without validation may lack what their printer reads: such an object is shown by its name. */
function cellsOf(object: KubeObject, printer: RowPrinter, now: number): readonly Cell[] {
  try {
    return printer.cells(object, now);
  } catch {
    return printer.columns.map((each) => (each.name === "Name" ? object.metadata.name : null));
  }
}

function tableMeta(body: KubeObject | KubeList<KubeObject>): ListMeta {
  const { resourceVersion, continue: next, remainingItemCount } = body.metadata as ListMeta;
  return {
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(next === undefined ? {} : { continue: next }),
    ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
  };
}
