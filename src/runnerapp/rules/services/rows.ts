import { instancesService } from "../../../api/endpoint-slice.ts";
import { labels } from "../../../api/names.ts";
import { servicePath } from "../../../api/published-names.ts";
import { endpointSlices, networkPolicies, services as serviceResource } from "../../../api/resource.ts";
import type { RunnerApp, RunnerAppSpecService, RunnerAppStatusService } from "../../../api/runner-app.gen.ts";
import { claimHosts, nameHolder } from "./claims.ts";
import { policyName } from "./network-policy.ts";
import { objectName, type ObservedServices } from "./observed.ts";
import { choosePort, type KnownPorts } from "./port-choice.ts";
import { sliceName } from "./published-slices.ts";
import { isAdopted, isOurSlice, isOwned, sliceService, type StoredService } from "./stored-objects.ts";

/** Why a service is as it is (status.services[].reason). */
export type ServiceReason = NonNullable<RunnerAppStatusService["reason"]>;

/** Messages are for people, and go into one status. */
const longestMessage = 512;

/**
 * status.services as it is to be: a row for each service of spec, in that order, then one for each that is being taken back. A port stands in a row for as
 * long as anything that leads to it is there.
 */
export function serviceRows(observed: ObservedServices, app: RunnerApp): readonly RunnerAppStatusService[] {
  const stored = new Map((app.status?.services ?? []).map((row) => [row.name, row]));
  const rows: RunnerAppStatusService[] = [];
  const taken = new Set<number>();
  for (const spec of app.spec.services ?? []) {
    const row = rowOf(observed, app, spec, stored.get(spec.name), taken);
    if (row.gatewayPort !== undefined) taken.add(row.gatewayPort);
    rows.push(row);
  }
  const wanted = new Set(rows.map(({ name }) => name));
  for (const { name, gatewayPort } of stored.values()) {
    if (wanted.has(name) || !isLeft(observed, name)) continue;
    rows.push({ name, ...(gatewayPort !== undefined && { gatewayPort }), reason: "Releasing" });
  }
  return rows;
}

/** Something that leads to the service's port is still there. */
const isLeft = ({ services, slices, policies }: ObservedServices, name: string): boolean =>
  services.some(({ metadata }) => metadata.name === name) ||
  slices.some((slice) => isOurSlice(slice) && sliceService(slice) === name) ||
  policies.some(({ metadata }) => metadata.labels?.[labels.service] === name);

function rowOf(
  observed: ObservedServices,
  app: RunnerApp,
  spec: RunnerAppSpecService,
  stored: RunnerAppStatusService | undefined,
  taken: ReadonlySet<number>,
): RunnerAppStatusService {
  const { name, port } = spec;
  const refused = (reason: ServiceReason, message: string): RunnerAppStatusService => ({
    name,
    reason,
    message: message.slice(0, longestMessage),
  });
  const holder = nameHolder(app, name, observed.rivals);
  if (holder !== undefined) return refused("NameConflict", `RunnerApp ${holder.metadata.name} is older and has a service of this name`);
  const conflict = conflictOf(observed, app, spec);
  if (conflict !== undefined) return refused(...conflict);

  const hosts = claimHosts(app, spec, observed.rivals, observed.hostGrants);
  const gatewayPort = choosePort(app, spec, knownPorts(observed, name, stored), taken, observed.ports, observed.rivals);
  if (gatewayPort === undefined) return refused("NoPortLeft", "all ports of the gateways are given away");
  const [reason, message] = standingOf(observed, app, spec, gatewayPort, hosts.refused);
  return {
    name,
    address: `${name}.${app.metadata.namespace}.svc`,
    port,
    gatewayPort,
    ...(hosts.granted.length > 0 && { hostnames: [...hosts.granted] }),
    reason,
    ...(message !== undefined && { message: message.slice(0, longestMessage) }),
  };
}

function knownPorts({ slices }: ObservedServices, service: string, stored: RunnerAppStatusService | undefined): KnownPorts {
  const served = slices.find((slice) => isOurSlice(slice) && sliceService(slice) === service)?.ports?.[0]?.port;
  return { ...(stored?.gatewayPort !== undefined && { recorded: stored.gatewayPort }), ...(served !== undefined && { served }) };
}

/** What keeps the app from having a Service of this name; what it has it keeps. */
function conflictOf(observed: ObservedServices, app: RunnerApp, spec: RunnerAppSpecService): readonly [ServiceReason, string] | undefined {
  const instances = instancesService(app.metadata.name);
  if (app.spec.endpoints === undefined) {
    const found = observed.serviceNamed(instances);
    if (found !== undefined && !isOwned(found.metadata, app))
      return ["NameConflict", `the Service ${instances}, which is to tell of the instances, is somebody else's`];
  }
  const existing = observed.serviceNamed(spec.name);
  if (existing === undefined || isOwned(existing.metadata, app) || isAdopted(existing, app.metadata.name)) return undefined;
  if (spec.adoptExisting !== true)
    return ["NameConflict", "a Service of this name is there already; adoptExisting: true takes it over, or delete it"];
  const reason = adoptionProblem(existing, spec);
  return reason === undefined ? undefined : ["AdoptionRefused", reason];
}

/** Why a Service cannot be taken over: it must be possible to give it back as it was. */
export function adoptionProblem({ metadata, spec, adopted }: StoredService, service: RunnerAppSpecService): string | undefined {
  const { type = "ClusterIP", clusterIP, ports = [], selector } = spec;
  if (adopted !== undefined) return "it was taken over for another RunnerApp";
  if (metadata.ownerReferences?.some(({ controller }) => controller === true) === true) return "it belongs to another object";
  if (metadata.deletionTimestamp !== undefined) return "it is being deleted";
  if (type !== "ClusterIP" || clusterIP === "None")
    return `it is ${clusterIP === "None" ? "headless" : `of type ${type}`}; must be of type ClusterIP`;
  if (selector === undefined) return "it has no selector, and its endpoints could not be given back";
  const [only] = ports;
  if (ports.length !== 1 || only?.port !== service.port || (only.protocol ?? "TCP") !== "TCP")
    return `it has the ports ${ports.map(({ port, protocol }) => `${port}/${protocol ?? "TCP"}`).join(", ")}; must have ${service.port}/TCP alone`;
  return undefined;
}

function standingOf(
  observed: ObservedServices,
  app: RunnerApp,
  spec: RunnerAppSpecService,
  port: number,
  refusedHosts: readonly string[],
): readonly [ServiceReason, string?] {
  const problems = observed.problems.filter(({ path }) => path.startsWith(servicePath(spec.name)));
  if (problems.length > 0) return ["Refused", problems.map(({ path, message }) => `${path}: ${message}`).join("; ")];
  const trouble = troubleOf(observed, app, spec);
  if (trouble !== undefined) return ["Refused", trouble];
  if (observed.gateways.length === 0)
    return [
      "NoGateway",
      observed.noGateway ?? `no pod in the namespace ${observed.gatewayNamespace} has the label nuptse.dev/gateway; see docs/gateway.md`,
    ];
  const ours = observed.slices.filter((slice) => sliceService(slice) === spec.name);
  const isServed = ours.some((slice) => isOurSlice(slice) && slice.ports?.[0]?.port === port);
  const service = observed.services.find(({ metadata }) => metadata.name === spec.name);
  const isAdopting = service?.adopted !== undefined && (service.spec.selector !== undefined || ours.some((slice) => !isOurSlice(slice)));
  if (service === undefined || !isServed) return ["Pending"];
  if (isAdopting) return ["Adopting"];
  return refusedHosts.length > 0 ? ["HostRefused", refusedHosts.join("; ")] : ["Published"];
}

/** What the API server said of objects of the service. */
function troubleOf({ memory, key }: ObservedServices, app: RunnerApp, { name }: RunnerAppSpecService): string | undefined {
  const objects = [
    objectName(serviceResource, name),
    objectName(serviceResource, instancesService(app.metadata.name)),
    objectName(networkPolicies, policyName(key.namespace, name)),
    ...["IPv4", "IPv6"].map((family) => objectName(endpointSlices, sliceName(name, family))),
  ];
  const refused = objects.find((object) => memory.refusals.has(object));
  return refused === undefined ? undefined : `${refused}: ${memory.refusals.get(refused)}`;
}
