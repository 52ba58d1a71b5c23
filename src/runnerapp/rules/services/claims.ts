import { routesOf } from "../../../api/published-names.ts";
import type { RunnerApp, RunnerAppSpecService } from "../../../api/runner-app.gen.ts";

/** A pattern of hosts, and the namespaces that may have them. */
export interface HostGrant {
  /** A host; `*.pig.example` for all below it; `*` for all. */
  readonly pattern: string;
  /** `*` for all. */
  readonly namespaces: readonly string[];
}

/** Other apps that want what one app wants. */
export interface Rivals {
  /** Of this namespace, with a service of this name. */
  ofName(service: string): readonly RunnerApp[];
  /** Of any namespace, with this host. */
  ofHost(host: string): readonly RunnerApp[];
  /** Of any namespace, with this port of the gateways in their status. */
  ofPort(port: number): readonly RunnerApp[];
}

/** Whether `one` has what both want (decision 58): the older, then the lower namespace/name. */
export function isOlder(one: RunnerApp, other: RunnerApp): boolean {
  const [at, otherAt] = [one.metadata.creationTimestamp ?? "", other.metadata.creationTimestamp ?? ""];
  if (at !== otherAt) return at < otherAt;
  return keyOf(one) < keyOf(other);
}

const keyOf = ({ metadata }: RunnerApp): string => `${metadata.namespace}/${metadata.name}`;

/** The oldest other app that wants the name and goes before this one. */
export function nameHolder(app: RunnerApp, service: string, rivals: Rivals): RunnerApp | undefined {
  return rivals
    .ofName(service)
    .filter((rival) => isLiving(rival) && isOlder(rival, app))
    .toSorted((a, b) => (isOlder(a, b) ? -1 : 1))[0];
}

const isLiving = ({ metadata }: RunnerApp): boolean => metadata.deletionTimestamp === undefined;

export interface HostClaims {
  /** In the order of spec. */
  readonly granted: readonly string[];
  readonly refused: readonly string[];
}

/** Which of a service's hosts it may have, and in words why not the others. */
export function claimHosts(
  app: RunnerApp,
  service: RunnerAppSpecService,
  rivals: Rivals,
  grants: readonly HostGrant[] | undefined,
): HostClaims {
  const granted: string[] = [];
  const refused: string[] = [];
  const namespace = app.metadata.namespace as string;
  const before = (app.spec.services ?? []).slice(
    0,
    (app.spec.services ?? []).findIndex(({ name }) => name === service.name),
  );
  for (const host of service.hostnames ?? []) {
    const routes = routesOfHost(service, host);
    const overlaps = (other: RunnerAppSpecService) =>
      other.hostnames?.includes(host) === true && routesOfHost(other, host).some((route) => routes.includes(route));
    if (!isGranted(host, namespace, grants)) refused.push(`${host} is not granted to this namespace`);
    else if (before.some(overlaps)) refused.push(`${host} with one of these paths belongs to a service above`);
    else if (
      rivals
        .ofHost(host)
        .some(
          (rival) =>
            isLiving(rival) &&
            isOlder(rival, app) &&
            isGranted(host, rival.metadata.namespace as string, grants) &&
            rival.spec.services?.some(overlaps),
        )
    )
      // Of another tenant nothing is told but that it is there.
      refused.push(`${host} with one of these paths belongs to an older service`);
    else granted.push(host);
  }
  return { granted, refused };
}

const routesOfHost = ({ paths = [], tls }: RunnerAppSpecService, host: string): readonly string[] =>
  routesOf(
    host,
    paths.map(({ type, value }) => ({ type: type ?? "PathPrefix", value })),
    tls?.mode === "Terminate",
  );

/** @param grants absent = every namespace may have every host */
export function isGranted(host: string, namespace: string, grants: readonly HostGrant[] | undefined): boolean {
  if (grants === undefined) return true;
  return grants.some(
    ({ pattern, namespaces }) => (namespaces.includes("*") || namespaces.includes(namespace)) && matchesHost(host, pattern),
  );
}

const matchesHost = (host: string, pattern: string): boolean =>
  pattern === "*" || (pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern);
