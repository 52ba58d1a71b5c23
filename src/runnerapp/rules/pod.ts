import type { PoolFields } from "../../api/admission.ts";
import type { Container, EnvVar, Pod, PodSpec, Toleration } from "../../api/core.ts";
import { ownedBy } from "../../api/meta.ts";
import { annotations, labels, serviceGate } from "../../api/names.ts";
import { inPool, withoutOurs } from "../../api/pod-fields.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { type Placement, withNodeRules } from "./node-rules.ts";
import { optionAt, withOption } from "./resource-options.ts";
import type { RevisionData } from "./revision.ts";
import { needsGate } from "./service-gate.ts";
import { serviceAnnotations, serviceVariables, servesOn } from "./services/pod-fields.ts";

/** What a pod of an instance is made from. */
export interface PodOrder {
  readonly app: RunnerApp;
  /** The name of the ControllerRevision, and what it holds. */
  readonly revision: string;
  readonly data: RevisionData;
  readonly name: string;
  /** The number of the instance. */
  readonly instance: string;
  /** Where it goes besides what the template says; absent = anywhere. */
  readonly placement?: Placement;
  /** How many of its revision's alternatives did not fit; absent = none was tried. */
  readonly tries?: number;
  /** UID of the pod that is to leave when this one serves. */
  readonly replaces?: string;
  readonly queue?: { readonly name: string; readonly pool?: PoolFields };
}

const revisionLength = 5;

/** What the names of all pods of a revision begin with; the number of the slot follows (decision 41). */
export function podNamePrefix(app: string, revision: string): string {
  return `${app}-${revision.slice(revision.lastIndexOf("-") + 1).slice(0, revisionLength)}-`;
}

/** The pod of an instance. A function of its order alone, so that a second leader renders the same. */
export function renderPod(order: PodOrder): Pod {
  const { app, data, queue, tries = 0 } = order;
  const template = { ...data.template, spec: withOption(data.template.spec, optionAt(data.resourceOptions, tries)) };
  const variables = [...environment(order), ...serviceVariables(app)];
  const affinity = order.placement === undefined ? template.spec.affinity : withNodeRules(template.spec.affinity, order.placement);
  const spec: PodSpec = {
    ...template.spec,
    restartPolicy: "Always",
    containers: template.spec.containers.map((container) => withVariables(container, variables)),
    ...(template.spec.initContainers !== undefined && {
      initContainers: template.spec.initContainers.map((container) => withVariables(container, variables)),
    }),
    ...(affinity !== undefined && { affinity }),
    ...inPool(template.spec, queue?.pool),
    ...(needsGate(app.spec) && { readinessGates: [...(template.spec.readinessGates ?? []), { conditionType: serviceGate }] }),
  };
  const { restartedAt } = app.spec;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: order.name,
      namespace: app.metadata.namespace as string,
      labels: {
        ...withoutOurs(template.metadata?.labels),
        [labels.app]: app.metadata.name,
        [labels.revision]: order.revision,
        ...(queue !== undefined && { [labels.queue]: queue.name }),
      },
      annotations: {
        ...withoutOurs(template.metadata?.annotations),
        ...(restartedAt !== undefined && { [annotations.restartedAt]: restartedAt }),
        [annotations.instance]: order.instance,
        ...(order.replaces !== undefined && { [annotations.replaces]: order.replaces }),
        ...(tries > 0 && { [annotations.optionTries]: String(tries) }),
        ...serviceAnnotations(app),
      },
      ownerReferences: ownedBy(app),
    },
    spec: { ...servesOn(app, spec), tolerations: withPatience(spec.tolerations ?? []) },
  };
}

/** What a template says itself stays. */
function withVariables(container: Container, variables: readonly EnvVar[]): Container {
  const own = new Set(container.env?.map(({ name }) => name));
  return { ...container, env: [...variables.filter(({ name }) => !own.has(name)), ...(container.env ?? [])] };
}

/**
 * What may become another is read anew from the pod at each start of a container (decision 56). What stays stands there as it is: every write of a pod
 * costs the API server in proportion to the fields that it has.
 */
function environment({ app, name: pod }: PodOrder): readonly EnvVar[] {
  const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return [
    { name: "NUPTSE_APP", value: app.metadata.name },
    field("NUPTSE_REVISION", `metadata.labels['${labels.revision}']`),
    { name: "NUPTSE_INSTANCE", value: pod },
    { name: "NUPTSE_NAMESPACE", value: app.metadata.namespace as string },
    field("NUPTSE_POD_IP", "status.podIP"),
    field("NUPTSE_HOST_IP", "status.hostIP"),
  ];
}

/**
 * How long an instance stays bound to a node of which nothing is heard: as long as Kubernetes would have it, but written down, so that it does not
 * depend on the API server's defaults.
 */
const unreachableSeconds = 300;

function withPatience(tolerations: readonly Toleration[]): readonly Toleration[] {
  const missing = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].filter(
    (key) => !tolerations.some((each) => (each.key === key || each.key === undefined) && (each.effect ?? "NoExecute") === "NoExecute"),
  );
  return [
    ...tolerations,
    ...missing.map((key) => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: unreachableSeconds })),
  ];
}
