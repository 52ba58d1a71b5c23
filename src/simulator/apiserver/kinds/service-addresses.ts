import { fnv1a32 } from "../../../base/hash.ts";
import type { Collection } from "../collection.ts";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import { section } from "./builtin-kind.ts";

/** The addresses and node ports of Services (pkg/registry/core/service): given out once, and free again when the Service is gone. */

/** Service addresses are 10.96.0.1 to 10.96.255.254; the first is the API server's own, and given to nobody who does not ask for it. */
const firstAddress = 2;
const addressCount = 65_533;
const firstNodePort = 30_000;
const nodePortCount = 2_768;

const addressOf = (index: number): string => `10.96.${index >> 8}.${index & 255}`;

/** Whether a Service address may be asked for by its writer. */
export function isServiceAddress(text: string): boolean {
  const match = /^10\.96\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return false;
  const [high, low] = [Number(match[1]), Number(match[2])];
  const index = high * 256 + low;
  return high <= 255 && low <= 255 && index >= 1 && index < firstAddress + addressCount;
}

export const portsOf = (service: StoredObject): readonly Fields[] => {
  const { ports } = section(service, "spec");
  return Array.isArray(ports) ? ports.filter(isFields) : [];
};

/** Whether a kind of Service is reached at a port of every node. */
export const needsNodePorts = (spec: Fields): boolean =>
  spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);

/** What the other Services hold. */
function heldBy(services: Collection, except: StoredObject): { readonly addresses: Set<unknown>; readonly nodePorts: Set<unknown> } {
  const addresses = new Set<unknown>();
  const nodePorts = new Set<unknown>();
  for (const service of services.all()) {
    const { metadata } = service;
    if (metadata.name === except.metadata.name && metadata.namespace === except.metadata.namespace) continue;
    addresses.add(section(service, "spec").clusterIP);
    for (const port of portsOf(service)) nodePorts.add(port.nodePort);
  }
  return { addresses, nodePorts };
}

/** What the writer of a Service asked for and another one has; undefined = nothing. */
export function takenFrom(
  services: Collection,
  service: StoredObject,
): { readonly address: boolean; readonly nodePorts: readonly number[] } {
  const { clusterIP } = section(service, "spec");
  const asked = portsOf(service).flatMap((port, at) => (typeof port.nodePort === "number" ? [{ at, nodePort: port.nodePort }] : []));
  const named = typeof clusterIP === "string" && clusterIP !== "" && clusterIP !== "None";
  if (!named && asked.length === 0) return { address: false, nodePorts: [] };
  const held = heldBy(services, service);
  return {
    address: named && held.addresses.has(clusterIP),
    nodePorts: asked.filter(({ nodePort }) => held.nodePorts.has(nodePort)).map(({ at }) => at),
  };
}

/** The Service with the address, its family and the node ports that it lacks. */
export function withAddresses(services: Collection, service: StoredObject): StoredObject {
  const spec = section(service, "spec");
  if (spec.type === "ExternalName") return service;
  const clusterIP = typeof spec.clusterIP === "string" ? spec.clusterIP : "";
  const ports = portsOf(service);
  const lacksPorts = needsNodePorts(spec) && ports.some((port) => port.nodePort === undefined || port.nodePort === 0);
  const lacksAddress = clusterIP === "";
  const held = lacksAddress || lacksPorts ? heldBy(services, service) : undefined;
  const address = lacksAddress && held !== undefined ? freeAddress(String(service.metadata.uid), held.addresses) : clusterIP;
  // a Service without an address and without a selector says nothing of where it leads, and hence takes both families
  const open = address === "None" && Object.keys(section(spec, "selector")).length === 0;
  return {
    ...service,
    spec: {
      ...spec,
      clusterIP: address,
      clusterIPs: [address],
      ipFamilies: spec.ipFamilies ?? (open ? ["IPv4", "IPv6"] : ["IPv4"]),
      ipFamilyPolicy: spec.ipFamilyPolicy ?? (open ? "RequireDualStack" : "SingleStack"),
      ...(held !== undefined && lacksPorts ? { ports: withNodePorts(service, held.nodePorts) } : {}),
    },
  };
}

/** Where to look first follows from the UID, so that addresses are seldom used again soon. */
function freeAddress(uid: string, held: ReadonlySet<unknown>): string {
  const start = fnv1a32(uid) % addressCount;
  for (let step = 0; step < addressCount; step++) {
    const address = addressOf(firstAddress + ((start + step) % addressCount));
    if (!held.has(address)) return address;
  }
  return "";
}

function withNodePorts(service: StoredObject, held: Set<unknown>): readonly Fields[] {
  const start = fnv1a32(String(service.metadata.uid)) % nodePortCount;
  let step = 0;
  for (const port of portsOf(service)) held.add(port.nodePort);
  return portsOf(service).map((port) => {
    if (typeof port.nodePort === "number" && port.nodePort !== 0) return port;
    while (step < nodePortCount && held.has(firstNodePort + ((start + step) % nodePortCount))) step++;
    const nodePort = firstNodePort + ((start + step) % nodePortCount);
    held.add(nodePort);
    return { ...port, nodePort };
  });
}
