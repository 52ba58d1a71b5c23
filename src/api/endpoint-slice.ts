import type { KubeObject } from "./meta.ts";

/** discovery.k8s.io/v1. */
export interface EndpointSlice extends KubeObject {
  readonly addressType: string;
  readonly endpoints?: readonly SliceEndpoint[] | null;
  readonly ports?: readonly SlicePort[] | null;
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly targetRef?: { readonly kind?: string; readonly namespace?: string; readonly name?: string; readonly uid?: string };
}

export interface SlicePort {
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: string;
}

/** Which Service a slice belongs to, within its namespace. */
export const sliceServiceLabel = "kubernetes.io/service-name";

/** Who keeps a slice. */
export const sliceManagerLabel = "endpointslice.kubernetes.io/managed-by";

/** The headless Service whose slices are those of a fleet's instances. */
export const instancesService = (app: string): string => `${app}-instances`;
