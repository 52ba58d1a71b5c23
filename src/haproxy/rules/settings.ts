import { gatewayPools, type PortRange } from "../../api/gateway-ports.ts";

/** What is the same for all services of a gateway. */
export interface GatewaySettings {
  /** Absolute; configuration, maps, certificates and sockets are in it. */
  readonly folder: string;
  /** Addresses that services are served on, such as 0.0.0.0 or ::. */
  readonly bind: readonly string[];
  /** Open to everybody, and the ones for services with allowedNamespaces (decision 28). */
  readonly pools: readonly PortRange[];
  /** Of the shared frontends that go by host and path. */
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Where HAProxy serves its own figures, as address:port; absent = nowhere. */
  readonly metricsBind?: string;
  /** Connections of all services together. */
  readonly maxConnections: number;
  /** Gateways that share the limits of services. */
  readonly gateways: number;
  /** Threads of HAProxy; absent = one a processor. */
  readonly threads?: number;
  /** An old worker that still has connections so long after a reload is ended. */
  readonly hardStopAfterSeconds: number;
  /** Ports of each pool that are prepared, so that a service on one of them needs no reload. */
  readonly sparePorts: number;
}

export const defaultPools: readonly PortRange[] = [gatewayPools.open, gatewayPools.restricted];

/** The files of a gateway. */
export function filesOf({ folder }: Pick<GatewaySettings, "folder">) {
  return {
    configuration: `${folder}/haproxy.cfg`,
    statsSocket: `${folder}/stats.sock`,
    masterSocket: `${folder}/master.sock`,
    certificates: `${folder}/certificates`,
    maps: {
      /** Port to backend. */
      ports: `${folder}/ports.map`,
      /** Host and path to backend; the other two are those of the port with TLS. */
      exact: `${folder}/exact.map`,
      prefix: `${folder}/prefix.map`,
      tlsExact: `${folder}/tls-exact.map`,
      tlsPrefix: `${folder}/tls-prefix.map`,
    },
  } as const;
}

export type MapName = keyof ReturnType<typeof filesOf>["maps"];
