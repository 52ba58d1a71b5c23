import type { ServicePath } from "../../api/published-names.ts";

/** What the gateway is to serve: all that is known of one published service, with its instances. Plain values, checked nowhere yet. */
export interface PublishedService {
  readonly namespace: string;
  /** Unique in its namespace. */
  readonly name: string;
  /** RFC 3339, of the object that publishes it: of two that claim one port or host, the older one has it (decision 58). */
  readonly createdAt: string;
  readonly protocol: "TCP" | "HTTP";
  /** Allocated from the pools of GatewaySettings; never two services' at once, and the same at every gateway. */
  readonly port: number;
  /** HTTP: hosts under which the shared ports serve it too. */
  readonly hostnames: readonly string[];
  /** HTTP: paths of those hosts that are its own; none = all. */
  readonly paths: readonly ServicePath[];
  readonly balance: Balance;
  /** HTTP: a client keeps its instance by a cookie. */
  readonly sticky: boolean;
  readonly healthCheck: HealthCheck;
  readonly timeouts: ServiceTimeouts;
  /** Connections that one instance gets at once from all gateways together; the rest waits. Absent = no limit. */
  readonly maxConnections?: number;
  /** An instance that returns from being down gets its full share only after so long; 0 = at once. */
  readonly slowStartSeconds: number;
  readonly tls: ServiceTls;
  readonly instances: readonly Instance[];
}

/** LeastConnections: to the instance with the fewest connections. */
export type Balance = "RoundRobin" | "LeastConnections";

/** How each gateway looks for itself whether an instance answers; whether it is ready is Kubernetes' word. */
export interface HealthCheck {
  readonly type: "TCP" | "HTTP";
  /** HTTP: asked for with GET; 2xx and 3xx are well. */
  readonly path?: string;
  readonly periodSeconds: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
}

export interface ServiceTimeouts {
  readonly connectSeconds: number;
  /** TCP: a connection without traffic is closed after so long. HTTP: an instance that does not answer for so long has failed. */
  readonly idleSeconds: number;
  /** HTTP: the same for upgraded connections, such as WebSocket. */
  readonly tunnelSeconds: number;
}

/** Terminate: clients speak TLS with the gateway, by this certificate. Passthrough: with the instance, which takes no doing. */
export type ServiceTls = { readonly mode: "None" | "Passthrough" } | { readonly mode: "Terminate"; readonly certificate: Certificate };

/** PEM. */
export interface Certificate {
  /** The certificate, then its chain. */
  readonly chain: string;
  readonly key: string;
}

/** One place that serves. */
export interface Instance {
  /** The pod's UID, else "". */
  readonly uid: string;
  /** The pod's name, else "". */
  readonly pod: string;
  readonly address: string;
  readonly port: number;
  /** drain: what is there goes on, nothing new comes, but clients that stick to it. maint: nothing comes. */
  readonly state: "ready" | "drain" | "maint";
}

/** "namespace/name". */
export const serviceKey = ({ namespace, name }: Pick<PublishedService, "namespace" | "name">): string => `${namespace}/${name}`;

/** Defaults of the fields that a RunnerApp may leave out. */
export const serviceDefaults = {
  balance: { TCP: "LeastConnections", HTTP: "RoundRobin" },
  healthCheck: { type: "TCP", periodSeconds: 5, failureThreshold: 3, successThreshold: 2 },
  timeouts: {
    TCP: { connectSeconds: 5, idleSeconds: 3600, tunnelSeconds: 3600 },
    HTTP: { connectSeconds: 5, idleSeconds: 60, tunnelSeconds: 3600 },
  },
  slowStartSeconds: 0,
} as const;
