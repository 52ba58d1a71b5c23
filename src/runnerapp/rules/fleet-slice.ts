import type { EndpointSlice, SliceEndpoint } from "../../api/endpoint-slice.ts";
import { sliceServiceLabel } from "../../api/endpoint-slice.ts";
import type { FleetInstance } from "../../api/fleet.ts";
import { identityOf, type KubeObject } from "../../api/meta.ts";

/** Of an EndpointSlice what it tells of a fleet that somebody else runs. */
export interface FleetSlice extends KubeObject {
  /** "namespace/name" of its Service. */
  readonly service: string;
  readonly addressType: string;
  readonly instances: readonly FleetInstance[];
}

/** What a store keeps of a slice. */
export function fleetSlice({ metadata, addressType, endpoints }: EndpointSlice): FleetSlice {
  const namespace = metadata.namespace as string;
  return {
    metadata: identityOf(metadata),
    service: `${namespace}/${metadata.labels?.[sliceServiceLabel]}`,
    addressType,
    // The API does not say what a name as an address leads to.
    instances: addressType === "FQDN" ? [] : (endpoints ?? []).flatMap((endpoint) => instanceOf(endpoint, namespace)),
  };
}

/**
 * The instances that all slices of one Service tell of. A pod with addresses of both families is one instance, at the address of the family that
 * sorts first; one that two slices show, while it moves from one to the other, is ready if either says so.
 */
export function instancesIn(slices: readonly FleetSlice[]): readonly FleetInstance[] {
  const found = new Map<string, FleetInstance>();
  for (const { instances } of slices.toSorted((one, other) => (one.addressType < other.addressType ? -1 : 1)))
    for (const instance of instances) {
      const known = found.get(instance.id);
      if (known === undefined || (!known.isReady && instance.isReady)) found.set(instance.id, instance);
    }
  return [...found.values()];
}

/** Known by its pod, where that is one of the slice's namespace, so that its end can be told; else by its address. */
function instanceOf({ addresses, conditions, targetRef }: SliceEndpoint, namespace: string): readonly FleetInstance[] {
  // Several would be the same instance: the API says to use the first.
  const [address] = addresses;
  if (address === undefined) return [];
  const { kind, namespace: where = namespace, name = "", uid = "" } = targetRef ?? {};
  const isPod = kind === "Pod" && where === namespace && name !== "" && uid !== "";
  return [
    {
      id: isPod ? uid : address,
      name: isPod ? name : address,
      address,
      // The API says of an absent condition that it shall be taken for ready.
      isReady: conditions?.ready !== false && conditions?.terminating !== true,
      // A slice shows no pod that has ended.
      isOver: false,
    },
  ];
}
