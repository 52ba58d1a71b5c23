import { type Fields, isFields } from "./json.ts";

/** Where something listens on this machine. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Why nobody is reached at a Service. */
export type Unreachable = "no port" | "no endpoints";

const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);

/** The label by which an EndpointSlice says whose it is. */
export const sliceLabel = "kubernetes.io/service-name";

/**
 * A ready endpoint of a Service, by the number or the name of the Service's port ("" = the one without a name). Only loopback addresses
 * are given: pods whose kubelet plays them have made-up addresses, and nobody may be called there.
 */
export function endpointOf(service: Fields, slices: readonly Fields[], port: string): Endpoint | Unreachable {
  const ports = list(isFields(service.spec) ? service.spec.ports : undefined);
  const wanted = ports.find((one) => (/^\d+$/.test(port) ? String(one.port) === port : (one.name ?? "") === port));
  if (wanted === undefined) return /^\d+$/.test(port) ? "no port" : "no endpoints";
  for (const slice of slices) {
    const target = list(slice.ports).find((one) => (one.name ?? "") === (wanted.name ?? ""));
    if (typeof target?.port !== "number") continue;
    for (const endpoint of list(slice.endpoints)) {
      const [host] = Array.isArray(endpoint.addresses) ? endpoint.addresses.map(String) : [];
      const ready = !isFields(endpoint.conditions) || endpoint.conditions.ready !== false;
      if (ready && host !== undefined && isLoopback(host)) return { host, port: target.port };
    }
  }
  return "no endpoints";
}

/** Whether an address is this machine's own. */
export const isLoopback = (host: string): boolean => /^127\.\d+\.\d+\.\d+$/.test(host) || host === "::1";
