import { gatewayPools } from "../../../src/api/gateway-ports.ts";
import { type EndpointSlice, sliceManagerLabel, sliceServiceLabel } from "../../../src/api/endpoint-slice.ts";
import { ownedBy } from "../../../src/api/meta.ts";
import { labels } from "../../../src/api/names.ts";
import type { RunnerApp, RunnerAppSpecService, RunnerAppStatusService } from "../../../src/api/runner-app.gen.ts";
import { type GatewayPod, gatewayPod } from "../../../src/runnerapp/rules/services/gateway-pod.ts";
import type { ObservedServices } from "../../../src/runnerapp/rules/services/observed.ts";
import { type ServiceSpec, type StoredService, storedService } from "../../../src/runnerapp/rules/services/stored-objects.ts";
import { at } from "./elastic-job.ts";
import { runnerApp } from "./runner-app.ts";

export const api: RunnerAppSpecService = { name: "api", port: 80 };

/** An app that publishes. */
export interface PublishingFacts {
  readonly services?: readonly RunnerAppSpecService[];
  readonly rows?: readonly RunnerAppStatusService[];
  readonly name?: string;
  readonly namespace?: string;
  /** A time of the day of the tests. */
  readonly created?: string;
  readonly endpoints?: string;
}

/** The app "web" of "tenant" that publishes "api" at port 80, with nothing of it there yet. */
export function publishingApp({
  services = [api],
  rows,
  name = "web",
  namespace = "tenant",
  created,
  endpoints,
}: PublishingFacts = {}): RunnerApp {
  const app = runnerApp({
    spec: { services: [...services], ...(endpoints !== undefined && { endpoints: { serviceName: endpoints } }) },
    ...(rows !== undefined && { status: { services: [...rows] } }),
  });
  return {
    ...app,
    metadata: {
      ...app.metadata,
      name,
      namespace,
      uid: name === "web" ? "app-uid" : `uid-${name}`,
      ...(created !== undefined && { creationTimestamp: `2026-11-21T${created}Z` }),
    },
  };
}

/** A Service of the app's namespace. */
export function service(
  name: string,
  {
    spec = {},
    ...more
  }: { spec?: ServiceSpec; labels?: Record<string, string>; annotations?: Record<string, string>; owner?: RunnerApp } = {},
): StoredService {
  return storedService({
    metadata: {
      name,
      namespace: "tenant",
      uid: `uid-service-${name}`,
      resourceVersion: "7",
      ...(more.labels !== undefined && { labels: more.labels }),
      ...(more.annotations !== undefined && { annotations: more.annotations }),
      ...(more.owner !== undefined && { ownerReferences: ownedBy(more.owner) }),
    },
    spec: {
      type: "ClusterIP",
      clusterIP: "10.96.0.7",
      ipFamilies: ["IPv4"],
      ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
      ...spec,
    },
  });
}

/** The Service that the app has made for its service. */
export const ownService = (name: string, app: RunnerApp = publishingApp(), spec: ServiceSpec = {}): StoredService =>
  service(name, { spec, labels: { [labels.app]: app.metadata.name, [labels.service]: name }, owner: app });

export function slice(
  of: string,
  port: number,
  addresses: readonly string[],
  manager = "nuptse.dev",
  name = `${of}-nuptse-ipv4`,
): EndpointSlice {
  return {
    metadata: {
      name,
      namespace: "tenant",
      uid: `uid-slice-${name}`,
      labels: { [sliceServiceLabel]: of, [sliceManagerLabel]: manager, [labels.service]: of, [labels.app]: "web" },
    },
    addressType: "IPv4",
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ports: [{ name: "", port, protocol: "TCP" }],
  };
}

/** A gateway at 10.0.0.<number>. */
export function gateway(number: number, state: "ready" | "starting" | "leaving" = "ready", more: readonly string[] = []): GatewayPod {
  const ip = `10.0.0.${number}`;
  return gatewayPod({
    metadata: {
      name: `gateway-${number}`,
      namespace: "nuptse-system",
      uid: `uid-gateway-${number}`,
      ...(state === "leaving" && { deletionTimestamp: "2026-11-21T12:05:00Z" }),
    },
    spec: { containers: [] },
    status: {
      phase: "Running",
      podIP: ip,
      podIPs: [ip, ...more].map((each) => ({ ip: each })),
      conditions: [{ type: "Ready", status: state === "starting" ? "False" : "True" }],
    },
  } as Parameters<typeof gatewayPod>[0]);
}

/** What a plan for the app would be made from at noon, with a gateway and no other app. */
export function observedServices(
  app: RunnerApp | undefined = publishingApp(),
  more: Partial<ObservedServices> & { readonly others?: readonly RunnerApp[] } = {},
): ObservedServices {
  const { others = [], services = [], ...rest } = more;
  const among = (of: (other: RunnerApp) => boolean) => others.filter(of);
  const used = new Set(others.flatMap(({ status }) => (status?.services ?? []).map(({ gatewayPort }) => gatewayPort)));
  return {
    key: { namespace: "tenant", name: "web" },
    ...(app !== undefined && { app }),
    problems: [],
    services,
    serviceNamed: (name) => services.find(({ metadata }) => metadata.name === name),
    slices: [],
    endpoints: [],
    policies: [],
    gateways: [gateway(1)],
    gatewayNamespace: "nuptse-system",
    rivals: {
      ofName: (name) =>
        among(({ metadata, spec }) => metadata.namespace === "tenant" && spec.services?.some((each) => each.name === name) === true),
      ofHost: (host) => among(({ spec }) => spec.services?.some(({ hostnames }) => hostnames?.includes(host)) === true),
      ofPort: (port) => among(({ status }) => status?.services?.some(({ gatewayPort }) => gatewayPort === port) === true),
    },
    ports: { pools: gatewayPools, isFree: (port) => !used.has(port), offset: 0 },
    memory: { refusals: new Map() },
    now: at("12:00:00"),
    ...rest,
  };
}
