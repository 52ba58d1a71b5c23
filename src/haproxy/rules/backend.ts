import { canonicalAddress } from "../../api/published-names.ts";
import { type Instance, type PublishedService, serviceDefaults } from "./published-service.ts";
import type { GatewaySettings } from "./settings.ts";

/** A backend as it shall be. Its name is that of the protocol and the port, so that every gateway and every restart find the same. */
export interface Backend {
  readonly name: string;
  /** All of its section but for servers: a change of them takes a reload. */
  readonly lines: readonly string[];
  /** What every one of its servers is given; a change of it takes a reload as well. */
  readonly serverOptions: string;
}

/** A server as it shall be. */
export interface Server {
  /** Made of the pod's name and UID: never a slot that another pod has later. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** 0 drains: what is there goes on, nothing new comes but clients that stick to it. A file can say that, as it cannot say `drain`. */
  readonly weight: 0 | 100;
  readonly maintenance: boolean;
  /** The value of the cookie by which clients stick to it; absent = none. */
  readonly cookie?: string;
}

type Mode = "tcp" | "http";

export const backendName = ({ protocol, port }: Pick<PublishedService, "protocol" | "port">): string =>
  `${protocol === "TCP" ? "tcp" : "http"}_${port}`;

/** The way back: undefined for a backend of another name. */
export function portOfBackend(name: string): number | undefined {
  const port = /^(?:tcp|http)_(\d{1,5})$/.exec(name)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** The backend of a service that passed serviceProblems. */
export function backendOf(service: PublishedService, { gateways }: Pick<GatewaySettings, "gateways">): Backend {
  const { protocol, balance, timeouts, healthCheck, sticky, maxConnections, slowStartSeconds } = service;
  const mode: Mode = protocol === "TCP" ? "tcp" : "http";
  const lines = [
    `mode ${mode}`,
    `balance ${balance === "RoundRobin" ? "roundrobin" : "leastconn"}`,
    `timeout connect ${timeouts.connectSeconds}s`,
    ...(mode === "http" ? httpLines(timeouts) : [`timeout tunnel ${timeouts.idleSeconds}s`]),
    ...(sticky ? [`cookie nuptse-instance insert indirect nocache httponly`] : []),
    ...(healthCheck.type === "HTTP"
      ? [
          "option httpchk",
          `http-check send meth GET uri ${healthCheck.path ?? "/"} ver HTTP/1.1 hdr Host ${service.name}.${service.namespace}`,
        ]
      : []),
  ];
  const { periodSeconds, failureThreshold, successThreshold } = healthCheck;
  const serverOptions = [
    `check inter ${periodSeconds}s fastinter 1s fall ${failureThreshold} rise ${successThreshold} observe layer4`,
    ...(maxConnections === undefined ? [] : [`maxconn ${Math.ceil(maxConnections / gateways)}`]),
    ...(slowStartSeconds === 0 ? [] : [`slowstart ${slowStartSeconds}s`]),
  ].join(" ");
  return { name: backendName(service), lines, serverOptions };
}

function httpLines({ idleSeconds, tunnelSeconds }: PublishedService["timeouts"]): readonly string[] {
  return [
    `timeout server ${idleSeconds}s`,
    `timeout tunnel ${tunnelSeconds}s`,
    "option forwardfor",
    "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
    // A request that changes something is sent once; the others go on to the next instance when theirs dies with them.
    "retry-on conn-failure empty-response",
    "http-request disable-l7-retry unless { method GET HEAD OPTIONS }",
  ];
}

/** The backend that is prepared for a service that says nothing but its port. */
export function spareBackend(name: string, settings: Pick<GatewaySettings, "gateways">): Backend {
  const protocol = name.startsWith("tcp_") ? "TCP" : "HTTP";
  const { balance, healthCheck, timeouts, slowStartSeconds } = serviceDefaults;
  const service: PublishedService = {
    namespace: "",
    name: "",
    createdAt: "",
    protocol,
    port: portOfBackend(name) ?? 0,
    hostnames: [],
    paths: [],
    balance: balance[protocol],
    sticky: false,
    healthCheck,
    timeouts: timeouts[protocol],
    slowStartSeconds,
    tls: { mode: "None" },
    instances: [],
  };
  return backendOf(service, settings);
}

/** Servers by name; of two instances that would have one name the first counts. */
export function serversOf(service: PublishedService): ReadonlyMap<string, Server> {
  const servers = new Map<string, Server>();
  for (const instance of service.instances) {
    const name = serverName(instance);
    if (servers.has(name)) continue;
    servers.set(name, {
      name,
      address: canonicalAddress(instance.address),
      port: instance.port,
      weight: instance.state === "ready" ? 100 : 0,
      maintenance: instance.state === "maint",
      ...(service.sticky && { cookie: name.slice(-8) === instance.uid.slice(0, 8) ? instance.uid.slice(0, 8) : name }),
    });
  }
  return servers;
}

export function serverName({ pod, uid, address, port }: Instance): string {
  return pod === "" ? `${canonicalAddress(address)}-${port}` : `${pod}-${uid.slice(0, 8)}`;
}

/** Address, port and options, as `server` of a file and `add server` of the socket take them alike. */
export function serverWords({ address, port, weight, cookie }: Server, { serverOptions }: Backend): string {
  const where = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  return `${where} ${serverOptions} weight ${weight}${cookie === undefined ? "" : ` cookie ${cookie}`}`;
}
