import type { Action, DeleteAction } from "../../../api/action.ts";
import {
  type EndpointSlice,
  type SliceEndpoint,
  type SlicePort,
  sliceManagerLabel,
  sliceServiceLabel,
} from "../../../api/endpoint-slice.ts";
import { labels } from "../../../api/names.ts";
import { endpointSlices } from "../../../api/resource.ts";
import { equalJson } from "../../../base/diff.ts";
import { familyOf, servingGateways } from "./gateway-pod.ts";
import type { ObservedServices } from "./observed.ts";
import { isOurSlice, sliceManager, sliceService, type StoredService } from "./stored-objects.ts";

export const sliceName = (service: string, family: string): string => `${service}-nuptse-${family.toLowerCase()}`;

/** The slices of the app's Service of this name that are ours. */
export const ourSlices = ({ slices }: Pick<ObservedServices, "slices">, service: string): readonly EndpointSlice[] =>
  slices.filter((slice) => isOurSlice(slice) && sliceService(slice) === service);

/** Those that somebody else keeps, such as Kubernetes where the Service has a selector. */
export const foreignSlices = ({ slices }: Pick<ObservedServices, "slices">, service: string): readonly EndpointSlice[] =>
  slices.filter((slice) => !isOurSlice(slice) && sliceService(slice) === service);

/**
 * The slices of a published Service, one for each address family: the gateways that serve, and the port that the service was given (decision 1). They are
 * owned by the Service, and go with it.
 */
export function stepSlices(observed: ObservedServices, service: StoredService, gatewayPort: number): readonly Action[] {
  const stored = new Map(ourSlices(observed, service.metadata.name).map((slice) => [slice.metadata.name, slice]));
  const actions: Action[] = [];
  const kept = new Set<string>();
  for (const slice of slicesOf(observed, service, gatewayPort)) {
    kept.add(slice.metadata.name);
    const known = stored.get(slice.metadata.name);
    if (known === undefined) actions.push({ tag: "create", resource: endpointSlices, object: slice });
    else if (!equalJson(known.endpoints ?? [], slice.endpoints) || !equalJson(known.ports?.map(named), slice.ports))
      actions.push({
        tag: "replace",
        resource: endpointSlices,
        object: { ...known, endpoints: slice.endpoints, ports: slice.ports } as EndpointSlice,
      });
  }
  return [...actions, ...[...stored.values()].filter(({ metadata }) => !kept.has(metadata.name)).map(deletionOf)];
}

/** The API server says that a port has no name, or says nothing. */
const named = (port: SlicePort): SlicePort => ({ ...port, name: port.name ?? "" });

export const deletionOf = ({ metadata }: EndpointSlice): DeleteAction => ({
  tag: "delete",
  resource: endpointSlices,
  ref: { namespace: metadata.namespace as string, name: metadata.name },
  uid: metadata.uid as string,
});

function slicesOf({ key, gateways }: ObservedServices, { metadata, spec }: StoredService, port: number): readonly EndpointSlice[] {
  const serving = servingGateways(gateways);
  const families = spec.ipFamilies ?? [...new Set(serving.flatMap(({ addresses }) => addresses.map(familyOf)))];
  const [{ name: portName } = {}] = spec.ports ?? [];
  return families.map((family) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: sliceName(metadata.name, family),
      namespace: key.namespace,
      labels: {
        [sliceServiceLabel]: metadata.name,
        [sliceManagerLabel]: sliceManager,
        [labels.app]: key.name,
        [labels.service]: metadata.name,
      },
      ownerReferences: [
        {
          apiVersion: "v1",
          kind: "Service",
          name: metadata.name,
          uid: metadata.uid as string,
          controller: true,
          blockOwnerDeletion: false,
        },
      ],
    },
    addressType: family,
    endpoints: serving.flatMap(({ metadata: pod, addresses }): readonly SliceEndpoint[] => {
      const address = addresses.find((one) => familyOf(one) === family);
      if (address === undefined) return [];
      const targetRef = { kind: "Pod", namespace: pod.namespace as string, name: pod.name, uid: pod.uid as string };
      return [{ addresses: [address], conditions: { ready: true, serving: true, terminating: false }, targetRef }];
    }),
    ports: [{ name: portName ?? "", port, protocol: "TCP" }],
  }));
}
