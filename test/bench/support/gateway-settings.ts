import type { GatewaySettings } from "../../../src/haproxy/rules/settings.ts";

/** Ports that a gateway of a bench has beside those of its services, and one that is left for the bench. */
export const portsBeside = 106;

/** What benches say of a gateway on `address` whose services have the ports from `first` on: a hundred more, two for some namespaces only, and its own. */
export function gatewaySettings(first: number, services: number, address = "127.0.0.1") {
  const open = { first, last: first + services + 99 };
  const restricted = { first: open.last + 1, last: open.last + 2 };
  return {
    pools: [open, restricted],
    httpPort: restricted.last + 1,
    httpsPort: restricted.last + 2,
    metricsBind: `${address}:${restricted.last + 3}`,
    sparePorts: 50,
    maxConnections: 500,
  } as const satisfies Partial<GatewaySettings>;
}
