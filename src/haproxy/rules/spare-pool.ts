import { inRange } from "../../api/gateway-ports.ts";
import { backendName, backendOf, portOfBackend, spareBackend } from "./backend.ts";
import type { PublishedService } from "./published-service.ts";
import type { GatewaySettings } from "./settings.ts";

type PoolSettings = Pick<GatewaySettings, "pools" | "sparePorts" | "gateways">;

const classes = new WeakMap<PublishedService, { readonly gateways: number; readonly isPlain: boolean }>();

/** Whether a service asks for nothing that the backend prepared for its port does not have. */
export function isOfPoolClass(service: PublishedService, settings: PoolSettings): boolean {
  const known = classes.get(service);
  if (known?.gateways === settings.gateways) return known.isPlain;
  const isPlain = asksForNothing(service, settings);
  classes.set(service, { gateways: settings.gateways, isPlain });
  return isPlain;
}

function asksForNothing(service: PublishedService, settings: PoolSettings): boolean {
  if (service.tls.mode === "Terminate") return false;
  const own = backendOf(service, settings);
  const spare = spareBackend(own.name, settings);
  return own.serverOptions === spare.serverOptions && own.lines.join("\n") === spare.lines.join("\n");
}

/**
 * Names of the backends that are prepared, used or not. `current` are those that HAProxy runs: they stay as they are, which needs no reload,
 * while they have what services ask for and a quarter of the spare ports is left; else they are chosen anew, the lowest free ports first.
 */
export function choosePool(
  services: readonly PublishedService[],
  current: ReadonlySet<string>,
  settings: PoolSettings,
): ReadonlySet<string> {
  const plain = services.filter((service) => isOfPoolClass(service, settings)).map(backendName);
  const special = new Set(services.filter((service) => !isOfPoolClass(service, settings)).map(backendName));
  const usedPorts = new Set(services.map(({ port }) => port));
  const kept = new Set([...current].filter((name) => !special.has(name)));
  const freePorts = (pool: GatewaySettings["pools"][number]) =>
    [...kept].filter((name) => {
      const port = portOfBackend(name) ?? 0;
      return name.startsWith("tcp_") && inRange(port, pool) && !usedPorts.has(port);
    }).length;
  const enough = settings.pools.every((pool) => freePorts(pool) >= Math.min(settings.sparePorts / 4, unusedPorts(pool, usedPorts)));
  if (enough && plain.every((name) => kept.has(name))) return kept;
  const chosen = new Set(plain);
  for (const pool of settings.pools) {
    let left = settings.sparePorts;
    for (let port = pool.first; port <= pool.last && left > 0; port++) {
      if (usedPorts.has(port)) continue;
      left--;
      chosen.add(`tcp_${port}`).add(`http_${port}`);
    }
  }
  return chosen;
}

const unusedPorts = (pool: GatewaySettings["pools"][number], used: ReadonlySet<number>): number =>
  pool.last - pool.first + 1 - [...used].filter((port) => inRange(port, pool)).length;
