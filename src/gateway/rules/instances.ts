/**
 * What Kubernetes says of endpoints as states of servers. A pod that is not ready gets nothing new, ends what it has for the app's drain time,
 * then nothing at all, and is forgotten a minute later: a pod that only stumbled comes back as the same server. One that was never ready is none.
 */
import type { EndpointSlice, SliceEndpoint } from "../../api/endpoint-slice.ts";
import type { Instance } from "../../haproxy/rules/published-service.ts";

/** What is remembered of an endpoint that was ready once, by pod UID or address. */
export type InstanceMemory = ReadonlyMap<string, Remembered>;

export interface Remembered {
  /** In monotonic milliseconds; absent = it is ready. */
  readonly notReadySince?: number;
}

export interface InstanceStates {
  readonly instances: readonly Instance[];
  readonly memory: InstanceMemory;
  /** When a state changes by time alone; Infinity = never. */
  readonly changesAt: number;
}

/** How long a server that is not ready is kept in maintenance. */
const keptMs = 60_000;
const better: Readonly<Record<Instance["state"], number>> = { ready: 0, drain: 1, maint: 2 };

/**
 * @param port of the instances: a number, or the names of slice ports of which the first that is there counts
 * @param now monotonic milliseconds
 */
export function instanceStates(
  slices: readonly EndpointSlice[],
  port: number | readonly string[],
  memory: InstanceMemory,
  now: number,
  drainMs: number,
): InstanceStates {
  const remembered = new Map<string, Remembered>();
  const found = new Map<string, Instance>();
  const lastResort: Instance[] = [];
  let changesAt = Number.POSITIVE_INFINITY;
  // A pod with addresses of both families is one server, of the family that sorts first.
  const sorted = slices
    .filter(({ addressType }) => addressType !== "FQDN")
    .toSorted((one, other) => (one.addressType < other.addressType ? -1 : 1));
  for (const slice of sorted) {
    const number = portIn(slice, port);
    if (number === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const [address] = endpoint.addresses;
      if (address === undefined) continue;
      const isPod = endpoint.targetRef?.kind === "Pod";
      const uid = (isPod ? endpoint.targetRef?.uid : undefined) ?? "";
      const key = uid === "" ? `${address}:${number}` : uid;
      const { state, since, until } = stateOf(endpoint, memory.get(key), now, drainMs);
      if (state === undefined) continue;
      remembered.set(key, since === undefined ? {} : { notReadySince: since });
      changesAt = Math.min(changesAt, until);
      const instance: Instance = { uid, pod: (isPod ? endpoint.targetRef?.name : undefined) ?? "", address, port: number, state };
      if (isTerminating(endpoint) && state === "drain") lastResort.push(instance);
      const known = found.get(key);
      if (known === undefined || better[state] < better[known.state]) found.set(key, instance);
    }
  }
  const instances = [...found.values()];
  // As kube-proxy does (ProxyTerminatingEndpoints): where nothing else serves, those that are about to go do.
  const noneReady = instances.every(({ state }) => state !== "ready");
  const used = noneReady
    ? instances.map((instance) => (lastResort.includes(instance) ? { ...instance, state: "ready" as const } : instance))
    : instances;
  return { instances: used.sort(byName), memory: remembered, changesAt };
}

const isTerminating = ({ conditions }: SliceEndpoint): boolean => conditions?.terminating === true;

interface EndpointState {
  /** Absent = no server. */
  readonly state?: Instance["state"];
  readonly since?: number;
  readonly until: number;
}

function stateOf(endpoint: SliceEndpoint, before: Remembered | undefined, now: number, drainMs: number): EndpointState {
  const never = Number.POSITIVE_INFINITY;
  const { ready, serving } = endpoint.conditions ?? {};
  if (isTerminating(endpoint)) return (serving ?? ready ?? true) ? { state: "drain", until: never } : { until: never };
  // The API says of an absent condition that it shall be taken for ready.
  if (ready !== false) return { state: "ready", until: never };
  if (before === undefined) return { until: never };
  const since = before.notReadySince ?? now;
  if (now < since + drainMs) return { state: "drain", since, until: since + drainMs };
  if (now < since + drainMs + keptMs) return { state: "maint", since, until: since + drainMs + keptMs };
  return { until: never };
}

function portIn(slice: EndpointSlice, port: number | readonly string[]): number | undefined {
  if (typeof port === "number") return port;
  for (const name of port) {
    const found = slice.ports?.find((candidate) => candidate.name === name && (candidate.protocol ?? "TCP") === "TCP");
    if (found?.port !== undefined) return found.port;
  }
  return undefined;
}

const byName = (one: Instance, other: Instance): number => {
  const [left, right] = [`${one.pod}/${one.uid}/${one.address}`, `${other.pod}/${other.uid}/${other.address}`];
  return left === right ? 0 : left < right ? -1 : 1;
};
