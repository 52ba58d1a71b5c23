import type { Pod } from "../../../api/core.ts";
import { identityOf, type KubeObject } from "../../../api/meta.ts";
import { annotations } from "../../../api/names.ts";

/** A pod with an HAProxy and its agent. */
export interface GatewayPod extends KubeObject {
  readonly addresses: readonly string[];
  readonly isReady: boolean;
  readonly isDeleting: boolean;
  /** It carries the annotation that says that no slice has it any more. */
  readonly isUnpublished: boolean;
  readonly hasAnnotations: boolean;
}

export function gatewayPod({ metadata, status }: Pod): GatewayPod {
  const {
    podIP,
    podIPs = [],
    phase,
    conditions = [],
  } = (status ?? {}) as Pod["status"] & {
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip?: string }[];
  };
  const addresses = [...new Set([podIP, ...podIPs.map(({ ip }) => ip)])].filter((ip) => ip !== undefined && ip !== "") as string[];
  const hasEnded = phase === "Succeeded" || phase === "Failed";
  return {
    metadata: identityOf(metadata),
    addresses: hasEnded ? [] : addresses,
    isReady: !hasEnded && conditions.some(({ type, status: is }) => type === "Ready" && is === "True"),
    isDeleting: metadata.deletionTimestamp !== undefined,
    isUnpublished: metadata.annotations?.[annotations.unpublished] !== undefined,
    hasAnnotations: metadata.annotations !== undefined,
  };
}

/** Those that get connections: all that are Ready. Where none is, all that stay: an address that refuses is no worse than none. */
export function servingGateways(gateways: readonly GatewayPod[]): readonly GatewayPod[] {
  const staying = gateways.filter(({ isDeleting, addresses }) => !isDeleting && addresses.length > 0);
  const ready = staying.filter(({ isReady }) => isReady);
  return (ready.length > 0 ? ready : staying).toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
}

export const familyOf = (address: string): "IPv4" | "IPv6" => (address.includes(":") ? "IPv6" : "IPv4");
