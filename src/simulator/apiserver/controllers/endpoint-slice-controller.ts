import { endpointSlices, pods, services } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { keyOf } from "../collection.ts";
import { type Fields, isFields, type StoredObject, sameJson } from "../json.ts";
import { isReady } from "../kinds/eviction.ts";
import { matchesLabels, requirementsOf } from "../selectors.ts";
import { KeyedWork } from "./keyed-work.ts";
import type { ControllerContext } from "./owner-work.ts";
import { ControllerClient, controlledBy, specOf, statusOf } from "./owned.ts";

const serviceLabel = "kubernetes.io/service-name";
const manager = "endpointslice-controller.k8s.io";
/** So many endpoints lie in a slice, as on a real cluster. */
const sliceLength = 100;

/** Keeps the EndpointSlices of Services with a selector (pkg/controller/endpointslice). */
export class EndpointSliceController {
  readonly #server: ApiServer;
  readonly #client: ControllerClient;
  readonly #work: KeyedWork;

  constructor({ server, later, agent }: ControllerContext) {
    this.#server = server;
    this.#client = new ControllerClient(server, agent);
    this.#work = new KeyedWork(later, (key) => this.#sync(key), this.#client);
  }

  observe(commit: Commit): void {
    const { namespace, name, labels } = commit.object.metadata;
    if (commit.resource === services) {
      // the slices of a Service that is gone are the garbage collector's
      if (commit.type !== "DELETED") this.#work.enqueue(keyOf(namespace, name));
      return;
    }
    const all = this.#server.typeOf("", "v1", "services")?.collection;
    if (commit.resource !== pods || all === undefined || all.size === 0) return;
    for (const service of all.list(namespace === undefined ? {} : { namespace }) ?? []) {
      const wanted = selectorOf(service);
      if (wanted === undefined) continue;
      if (matchesLabels(labels, wanted) || matchesLabels(commit.previous?.metadata.labels, wanted))
        this.#work.enqueue(keyOf(namespace, service.metadata.name));
    }
  }

  #sync(key: string): void {
    const service = this.#server.typeOf("", "v1", "services")?.collection.get(key);
    const wanted = service === undefined ? undefined : selectorOf(service);
    if (service === undefined || wanted === undefined || service.metadata.deletionTimestamp !== undefined) return;
    const { namespace } = service.metadata;
    const all = this.#server.typeOf("", "v1", "pods")?.collection.list(namespace === undefined ? {} : { namespace }) ?? [];
    const chosen = all.filter((pod) => matchesLabels(pod.metadata.labels, wanted) && isReachable(pod));
    const slices = slicesOf(service, chosen);
    const held = this.#slicesOf(service);
    for (let at = 0; at < Math.max(slices.length, held.length); at++) this.#write(service, held[at], slices[at]);
  }

  #slicesOf(service: StoredObject): readonly StoredObject[] {
    const { namespace, name } = service.metadata;
    const all = this.#server
      .typeOf("discovery.k8s.io", "v1", "endpointslices")
      ?.collection.list(namespace === undefined ? {} : { namespace });
    return (all ?? []).filter(
      ({ metadata }) => metadata.labels?.[serviceLabel] === name && metadata.labels["endpointslice.kubernetes.io/managed-by"] === manager,
    );
  }

  #write(service: StoredObject, held: StoredObject | undefined, wanted: Fields | undefined): void {
    if (wanted === undefined) {
      if (held !== undefined) this.#client.delete(endpointSlices, held);
    } else if (held === undefined) {
      const { name, namespace } = service.metadata;
      this.#client.create(endpointSlices, namespace, {
        metadata: {
          generateName: `${name}-`,
          labels: labelsOf(service),
          ownerReferences: [controlledBy(service, services)],
        },
        addressType: "IPv4",
        ...wanted,
      });
    } else {
      const labels = labelsOf(service);
      const isSame = sameJson(held.endpoints ?? [], wanted.endpoints) && sameJson(held.ports ?? [], wanted.ports);
      if (isSame && sameJson(held.metadata.labels ?? {}, labels)) return;
      const gone = Object.fromEntries(Object.keys(held.metadata.labels ?? {}).flatMap((key) => (key in labels ? [] : [[key, null]])));
      this.#client.merge(endpointSlices, held, { ...wanted, metadata: { labels: { ...gone, ...labels } } });
    }
  }
}

/** Those of the Service, and what the controller says itself. */
function labelsOf(service: StoredObject): Readonly<Record<string, string>> {
  const { name, labels } = service.metadata;
  return {
    ...labels,
    ...(specOf(service).clusterIP === "None" && { "service.kubernetes.io/headless": "" }),
    [serviceLabel]: name,
    "endpointslice.kubernetes.io/managed-by": manager,
  };
}

function selectorOf(service: StoredObject): ReturnType<typeof requirementsOf> {
  const { selector, type } = specOf(service);
  return isFields(selector) && type !== "ExternalName" ? requirementsOf({ matchLabels: selector }) : undefined;
}

/** A pod that has an address and has not ended. */
function isReachable(pod: StoredObject): boolean {
  const { phase, podIP } = statusOf(pod);
  return typeof podIP === "string" && podIP !== "" && phase !== "Succeeded" && phase !== "Failed";
}

/** What the slices of a Service are to hold: pods of one set of port numbers lie together. There is always one slice. */
function slicesOf(service: StoredObject, chosen: readonly StoredObject[]): readonly Fields[] {
  const byPorts = new Map<string, { readonly ports: readonly Fields[]; readonly endpoints: Fields[] }>();
  for (const pod of chosen) {
    const ports = portsOf(service, pod);
    const group = byPorts.get(JSON.stringify(ports)) ?? { ports, endpoints: [] };
    byPorts.set(JSON.stringify(ports), group);
    group.endpoints.push(endpointOf(service, pod));
  }
  const slices: Fields[] = [];
  for (const { ports, endpoints } of byPorts.values()) {
    for (let from = 0; from < endpoints.length; from += sliceLength)
      slices.push({ endpoints: endpoints.slice(from, from + sliceLength), ports });
  }
  return slices.length > 0 ? slices : [{ endpoints: [], ports: [] }];
}

function endpointOf(service: StoredObject, pod: StoredObject): Fields {
  const { name, namespace, uid, deletionTimestamp } = pod.metadata;
  const serving = isReady(pod);
  const terminating = deletionTimestamp !== undefined;
  const early = specOf(service).publishNotReadyAddresses === true;
  return {
    addresses: [statusOf(pod).podIP],
    conditions: { ready: early || (serving && !terminating), serving, terminating },
    ...(specOf(pod).nodeName === undefined ? {} : { nodeName: specOf(pod).nodeName }),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}

/** The ports of a Service as numbers of a pod: a target that is a name is the port of that name in a container. */
function portsOf(service: StoredObject, pod: StoredObject): readonly Fields[] {
  const { ports } = specOf(service);
  return (Array.isArray(ports) ? ports.filter(isFields) : []).flatMap((port) => {
    const target = port.targetPort ?? port.port;
    const number = typeof target === "number" ? target : namedPort(pod, String(target), String(port.protocol));
    if (number === undefined) return [];
    const name = typeof port.name === "string" ? { name: port.name } : {};
    return [
      {
        ...name,
        port: number,
        protocol: port.protocol ?? "TCP",
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

function namedPort(pod: StoredObject, name: string, protocol: string): number | undefined {
  const { containers } = specOf(pod);
  for (const container of Array.isArray(containers) ? containers.filter(isFields) : []) {
    const ports = Array.isArray(container.ports) ? container.ports.filter(isFields) : [];
    const found = ports.find((port) => port.name === name && port.protocol === protocol);
    if (found !== undefined) return Number(found.containerPort);
  }
  return undefined;
}
