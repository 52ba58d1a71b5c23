import { keyOf } from "./collection.ts";
import { type Fields, isFields, type StoredObject } from "./json.ts";
import type { ResourceType } from "./resource-type.ts";

/** Where something listens on this machine. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Why nobody is reached at a Service. */
export type Unreachable = "no service" | "no port" | "no endpoints";

/** What the search for endpoints needs of the server. */
export interface ServiceReader {
  typeOf(group: string, version: string, plural: string): ResourceType | undefined;
}

const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);

/**
 * A ready endpoint of a Service, by the number or the name of the Service's port ("" = its only one). Only loopback addresses are given:
 * pods whose kubelet plays them have made-up addresses, and nobody may be called there.
 */
export function endpointOf(server: ServiceReader, namespace: string, name: string, port: string): Endpoint | Unreachable {
  const service = server.typeOf("", "v1", "services")?.collection.get(keyOf(namespace, name));
  if (service === undefined) return "no service";
  const ports = list(isFields(service.spec) ? service.spec.ports : undefined);
  const wanted =
    port === "" ? (ports.length === 1 ? ports[0] : undefined) : ports.find((one) => one.name === port || String(one.port) === port);
  if (wanted === undefined) return "no port";
  for (const slice of slicesOf(server, namespace, name)) {
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

function slicesOf(server: ServiceReader, namespace: string, name: string): readonly StoredObject[] {
  const slices = server.typeOf("discovery.k8s.io", "v1", "endpointslices")?.collection.list({ namespace }) ?? [];
  return slices.filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name);
}
