import { inRange, type PortRange } from "../../../api/gateway-ports.ts";
import type { RunnerApp, RunnerAppSpecService } from "../../../api/runner-app.gen.ts";
import { isOlder, type Rivals } from "./claims.ts";

/** What is known of the ports of the gateways. */
export interface PortFacts {
  readonly pools: { readonly open: PortRange; readonly restricted: PortRange };
  /** Nothing but this service of the app has it, is about to get it, or has given it back within the last minute (decision 55). */
  isFree(port: number, service: string): boolean;
  /** Where the search begins, as a number that is taken modulo the size of the pool. */
  readonly offset: number;
}

/** Ports that a service has, or had. */
export interface KnownPorts {
  /** In status. */
  readonly recorded?: number;
  /** In its slice: status was lost, or is as old as a backup. */
  readonly served?: number;
}

/**
 * The port of a service: the one that is recorded, if it is of the right pool and no older app has the same; else the one that its slice still tells, if
 * that is free; else the first that is free. The lowest are those that gateways have prepared. undefined = all are given away.
 * @param taken ports of the app's other services
 */
export function choosePort(
  app: RunnerApp,
  { name, allowedNamespaces }: RunnerAppSpecService,
  { recorded, served }: KnownPorts,
  taken: ReadonlySet<number>,
  { pools, isFree, offset }: PortFacts,
  rivals: Rivals,
): number | undefined {
  const pool = allowedNamespaces === undefined ? pools.open : pools.restricted;
  const isOurs = (port: number) => inRange(port, pool) && !taken.has(port);
  if (recorded !== undefined && isOurs(recorded) && !rivals.ofPort(recorded).some((rival) => isOlder(rival, app))) return recorded;
  if (recorded === undefined && served !== undefined && isOurs(served) && isFree(served, name)) return served;
  const size = pool.last - pool.first + 1;
  for (let step = 0; step < size; step++) {
    const port = pool.first + ((offset + step) % size);
    if (!taken.has(port) && isFree(port, name)) return port;
  }
  return undefined;
}
