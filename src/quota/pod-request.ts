import { addResources, largerResources, parseAmount, parseResources, type Quantities, type ResourceVector } from "./resource-vector.ts";

/** What of a pod decides how much it requests; a Pod, a template, or a projection of one. */
export interface RequestingPod {
  readonly spec: {
    readonly containers: readonly RequestingContainer[];
    readonly initContainers?: readonly RequestingContainer[];
    readonly overhead?: Quantities;
    readonly resources?: ContainerResources;
  };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly reason?: string }[];
    readonly containerStatuses?: readonly ResizedContainer[];
    readonly initContainerStatuses?: readonly ResizedContainer[];
  };
}

interface ContainerResources {
  readonly requests?: Quantities;
  readonly limits?: Quantities;
}

export interface RequestingContainer {
  readonly name: string;
  /** Always = a sidecar, where it is an init container. */
  readonly restartPolicy?: string;
  readonly resources?: ContainerResources;
}

export interface ResizedContainer {
  readonly name: string;
  readonly allocatedResources?: Quantities;
  readonly resources?: ContainerResources;
}

/** One pod of those that a node has room for. */
const onePod: ResourceVector = { pods: 1 };

/**
 * What a pod requests, as Kubernetes' scheduler counts it (k8s.io/component-helpers/resource, PodRequests): of each resource the sum over
 * containers and sidecars, or what an init container needs beside the sidecars that started before it, whichever is more; requests of
 * the pod as a whole instead, where it has some; the overhead of its runtime; and 1 of pods. While a container is resized the larger of what
 * it asks for, was allocated and has; where the node can never give it, only of what it was allocated and has.
 *
 * A request that is absent is the limit, as the API server fills it in, so that a template counts as the pod that is made of it.
 * @throws QuantityError for a quantity that is none, is negative, or absurd; no stored pod has one.
 */
export function podRequest({ spec, status }: RequestingPod): ResourceVector {
  const statuses = new Map(
    [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map((each) => [each.name, each]),
  );
  const infeasible = status?.conditions?.find(({ type }) => type === "PodResizePending")?.reason === "Infeasible";
  const requestOf = (container: RequestingContainer) => containerRequest(container, statuses.get(container.name), infeasible);

  const containers = spec.containers.map(requestOf);
  let sidecars: ResourceVector = {};
  let starting: ResourceVector = {};
  for (const container of spec.initContainers ?? []) {
    const beside = addResources(sidecars, requestOf(container));
    if (container.restartPolicy === "Always") sidecars = beside;
    starting = largerResources(starting, beside);
  }
  const summed = largerResources(addResources(...containers, sidecars), starting);
  const overhead = parseResources(spec.overhead ?? {}, "Up");
  return addResources(withPodLevel(summed, spec.resources), overhead, onePod);
}

/** What a pod takes of a queue or a node: nothing once it has ended, Terminating or not; until then all that it requests (decision 25). */
export function podUsage(pod: RequestingPod): ResourceVector {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed" ? {} : podRequest(pod);
}

function containerRequest({ resources }: RequestingContainer, resized: ResizedContainer | undefined, infeasible: boolean): ResourceVector {
  const wanted = parseResources({ ...resources?.limits, ...resources?.requests }, "Up");
  const allocated = resized?.allocatedResources;
  const actual = resized?.resources?.requests;
  if (allocated === undefined && actual === undefined) return wanted;
  const held = largerResources(parseResources(allocated ?? {}, "Up"), parseResources(actual ?? {}, "Up"));
  return infeasible ? held : largerResources(wanted, held);
}

/**
 * Only cpu, memory and huge pages may be requested for the pod as a whole. A limit of the pod is its request too where no container
 * requests that resource, as the API server fills it in.
 */
function withPodLevel(summed: ResourceVector, resources: ContainerResources | undefined): ResourceVector {
  if (resources === undefined) return summed;
  const own: Record<string, string | number> = {};
  for (const [name, limit] of Object.entries(resources.limits ?? {})) if (summed[name] === undefined) own[name] = limit;
  Object.assign(own, resources.requests);
  const result: Record<string, number> = { ...summed };
  for (const [name, quantity] of Object.entries(own)) {
    if (name === "cpu" || name === "memory" || name.startsWith("hugepages-")) result[name] = parseAmount(name, quantity, "Up");
  }
  return result;
}
