import type { EndpointSlice } from "../../api/endpoint-slice.ts";
import type { SpecProblem } from "../../api/problem.ts";
import { servicePath } from "../../api/published-names.ts";
import { type Certificate, type PublishedService, serviceDefaults } from "../../haproxy/rules/published-service.ts";
import { type InstanceMemory, instanceStates } from "./instances.ts";
import type { PublishingApp, ServiceSpec } from "./published-app.ts";

/** What one app publishes, as of one moment. */
export interface AppServices {
  readonly services: readonly PublishedService[];
  /** By service name. */
  readonly problems: ReadonlyMap<string, readonly SpecProblem[]>;
  /** By service name, for the next look. */
  readonly memory: ReadonlyMap<string, InstanceMemory>;
  /** When something changes by time alone, in monotonic milliseconds; Infinity = never. */
  readonly changesAt: number;
}

/** A Secret as far as it has been read: undefined = not yet, null = there is none of that name. */
export type CertificateOf = (secretName: string) => Certificate | null | undefined;

const defaultDrainSeconds = 30;

/** What an app and the slices of its instances come to. A service without an allocated port is the operator's business, and left out. */
export function servicesOfApp(
  app: PublishingApp,
  slices: readonly EndpointSlice[],
  certificateOf: CertificateOf,
  before: ReadonlyMap<string, InstanceMemory>,
  now: number,
): AppServices {
  const services: PublishedService[] = [];
  const problems = new Map<string, readonly SpecProblem[]>();
  const memory = new Map<string, InstanceMemory>();
  let changesAt = Number.POSITIVE_INFINITY;
  const drainMs = 1000 * (app.spec.evacuation?.connectionDrainSeconds ?? defaultDrainSeconds);
  for (const spec of app.spec.services ?? []) {
    const states = instanceStates(
      slices,
      targetPort(spec, app.spec.endpoints === undefined),
      before.get(spec.name) ?? new Map(),
      now,
      drainMs,
    );
    memory.set(spec.name, states.memory);
    changesAt = Math.min(changesAt, states.changesAt);
    const { gatewayPort: port, hostnames = [] } = app.status?.services?.find(({ name }) => name === spec.name) ?? {};
    if (port === undefined) continue;
    const tls = tlsOf(spec, certificateOf);
    if (tls === undefined) {
      problems.set(spec.name, [{ path: `${servicePath(spec.name)}.tls.secretName`, message: "the Secret is being read" }]);
      continue;
    }
    const protocol = spec.protocol ?? "TCP";
    services.push({
      namespace: app.metadata.namespace ?? "",
      name: spec.name,
      createdAt: app.metadata.creationTimestamp ?? "",
      protocol,
      port,
      hostnames: (spec.hostnames ?? []).filter((host) => hostnames.includes(host)),
      paths: (spec.paths ?? []).map(({ type = "PathPrefix", value }) => ({ type, value })),
      balance: spec.balance ?? serviceDefaults.balance[protocol],
      sticky: spec.sticky === "Cookie",
      healthCheck: { ...serviceDefaults.healthCheck, ...spec.healthCheck },
      timeouts: { ...serviceDefaults.timeouts[protocol], ...spec.timeouts },
      ...(spec.maxConnections !== undefined && { maxConnections: spec.maxConnections }),
      slowStartSeconds: spec.slowStartSeconds ?? serviceDefaults.slowStartSeconds,
      tls,
      instances: states.instances,
    });
  }
  return { services, problems, memory, changesAt };
}

/** The headless Service of an app names its ports after the services; a fleet of somebody else's has names of its own. */
function targetPort({ name, port, targetPort }: ServiceSpec, isOwnFleet: boolean): number | readonly string[] {
  const target = targetPort ?? port;
  if (typeof target === "number") return target;
  return isOwnFleet || target === undefined ? [name] : [target];
}

function tlsOf({ tls }: ServiceSpec, certificateOf: CertificateOf): PublishedService["tls"] | undefined {
  if (tls?.mode === undefined) return { mode: "None" };
  if (tls.mode === "Passthrough") return { mode: "Passthrough" };
  const certificate = certificateOf(tls.secretName ?? "");
  return certificate === undefined ? undefined : { mode: "Terminate", certificate: certificate ?? { chain: "", key: "" } };
}

/** Names of the Secrets that an app's services need. */
export const secretsOf = (app: PublishingApp): readonly string[] =>
  (app.spec.services ?? []).flatMap(({ tls }) => (tls?.mode === "Terminate" && tls.secretName !== undefined ? [tls.secretName] : []));
