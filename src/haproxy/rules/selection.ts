import type { SpecProblem } from "../../api/problem.ts";
import { routesOf, servicePath } from "../../api/published-names.ts";
import { type PublishedService, serviceKey } from "./published-service.ts";
import { isServableInstance, serviceProblems } from "./service-problems.ts";
import type { GatewaySettings } from "./settings.ts";

/** What can be served, and why the rest cannot. */
export interface Selection {
  /** By port; no two share a port, or a host and path. */
  readonly services: readonly PublishedService[];
  /** By "namespace/name"; a service in here is not served, or not under all its names. */
  readonly problems: ReadonlyMap<string, readonly SpecProblem[]>;
}

/** Leaves out what cannot be rendered, and what an older service has (decision 58: creation time, then namespace/name). */
export function selectServices(candidates: readonly PublishedService[], settings: Pick<GatewaySettings, "pools">): Selection {
  const problems = new Map<string, SpecProblem[]>();
  const refuse = (service: PublishedService, found: readonly SpecProblem[]) =>
    problems.set(serviceKey(service), [...(problems.get(serviceKey(service)) ?? []), ...found]);
  const names = new Set<string>();
  const ports = new Set<number>();
  const routes = new Set<string>();
  const services: PublishedService[] = [];
  for (const service of candidates.toSorted(byAge)) {
    const base = servicePath(service.name);
    const found = problemsOf(service, settings);
    if (found.length > 0) {
      refuse(service, found);
      continue;
    }
    if (names.has(serviceKey(service))) {
      refuse(service, [{ path: `${base}.name`, message: "NameConflict: an older one of this namespace has the name" }]);
      continue;
    }
    if (ports.has(service.port)) {
      refuse(service, [{ path: base, message: `PortConflict: an older one has the port ${service.port}` }]);
      continue;
    }
    names.add(serviceKey(service));
    ports.add(service.port);
    const hostnames = service.hostnames.filter((host) => {
      const keys = routesOf(host, service.paths, service.tls.mode === "Terminate");
      const taken = keys.some((key) => routes.has(key));
      if (!taken) for (const key of keys) routes.add(key);
      // Of another tenant nothing is told but that it is there.
      else
        refuse(service, [{ path: `${base}.hostnames`, message: `NameConflict: ${host} with one of these paths belongs to an older one` }]);
      return !taken;
    });
    services.push(served(service, hostnames));
  }
  return { services: services.sort((one, other) => one.port - other.port), problems };
}

const servable = new WeakMap<PublishedService, PublishedService>();

/** The same object for the same service, lest what has not changed be taken for a change. */
function served(service: PublishedService, hostnames: readonly string[]): PublishedService {
  if (hostnames.length < service.hostnames.length) return { ...withServableInstances(service), hostnames };
  return withServableInstances(service);
}

function withServableInstances(service: PublishedService): PublishedService {
  const known = servable.get(service);
  if (known !== undefined) return known;
  const instances = service.instances.filter(isServableInstance);
  const result = instances.length === service.instances.length ? service : { ...service, instances };
  servable.set(service, result);
  return result;
}

const checked = new WeakMap<GatewaySettings["pools"], WeakMap<PublishedService, readonly SpecProblem[]>>();

function problemsOf(service: PublishedService, settings: Pick<GatewaySettings, "pools">): readonly SpecProblem[] {
  const known = checked.get(settings.pools) ?? new WeakMap<PublishedService, readonly SpecProblem[]>();
  checked.set(settings.pools, known);
  const found = known.get(service) ?? serviceProblems(service, settings);
  known.set(service, found);
  return found;
}

function byAge(one: PublishedService, other: PublishedService): number {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? -1 : 1;
  return serviceKey(one) < serviceKey(other) ? -1 : 1;
}
