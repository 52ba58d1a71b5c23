/**
 * What HAProxy shall be: frontends, backends, servers, maps and certificates for a set of services, as values and as the text of a file.
 *
 * The structure is all that a running HAProxy cannot change: everything but servers and map entries. Its hash is the description of the
 * process (`show info` tells it), so that whoever looks at a worker knows which structure it runs, also when somebody else started it.
 */
import { pathsOrAll, routeKey } from "../../api/published-names.ts";
import { shortHash } from "../../base/hash.ts";
import { type Backend, backendName, backendOf, type Server, serversOf, serverWords, spareBackend } from "./backend.ts";
import { type PublishedService, serviceKey } from "./published-service.ts";
import { filesOf, type GatewaySettings, type MapName } from "./settings.ts";

export interface Configuration {
  /** Of the structure; 16 characters. */
  readonly structure: string;
  /** All before the backends, but for the line that names the structure. */
  readonly head: readonly string[];
  /** Of services that have a port with TLS of their own. */
  readonly frontends: readonly OwnFrontend[];
  readonly backends: ReadonlyMap<string, PlannedBackend>;
  /** Those that its frontends use. */
  readonly maps: Maps;
  /** PEM by absolute path; in each path is a hash of the content, so that an older configuration finds its own. */
  readonly certificates: ReadonlyMap<string, string>;
}

export interface OwnFrontend {
  readonly owner: string;
  readonly lines: readonly string[];
}

/** Value by key, by map. */
export type Maps = ReadonlyMap<MapName, ReadonlyMap<string, string>>;

export interface PlannedBackend extends Backend {
  /** "namespace/name" of its service; absent = a spare one. */
  readonly owner?: string;
  readonly servers: ReadonlyMap<string, Server>;
}

/** A file, and whose each line is. */
export interface RenderedFile {
  readonly text: string;
  /** "namespace/name" of the service that a line (from 1) is rendered for. */
  readonly ownerOfLine: (line: number) => string | undefined;
}

/** @param services from selectServices @param pool from choosePool */
export function configurationOf(
  services: readonly PublishedService[],
  pool: ReadonlySet<string>,
  settings: GatewaySettings,
): Configuration {
  const backends = new Map<string, PlannedBackend>();
  for (const service of services) backends.set(backendName(service), plannedBackend(service, settings));
  for (const name of pool) {
    if (!backends.has(name)) backends.set(name, { ...spareBackend(name, settings), servers: noServers });
  }
  const sorted = new Map([...backends].sort(([one], [other]) => (one < other ? -1 : 1)));
  const files = new Map<string, string>();
  const listed: string[] = [];
  const frontends: OwnFrontend[] = [];
  const ownPorts = new Set<number>();
  for (const service of services) {
    if (service.tls.mode !== "Terminate") continue;
    const path = addFile(files, settings, "pem", `${service.tls.certificate.chain.trim()}\n${service.tls.certificate.key.trim()}\n`);
    ownPorts.add(service.port);
    frontends.push({ owner: serviceKey(service), lines: terminatingFrontend(service, path, settings) });
    if (service.hostnames.length > 0) listed.push(`${path} ${service.hostnames.join(" ")}\n`);
  }
  const list = listed.length === 0 ? undefined : addFile(files, settings, "list", listed.join(""));
  const head = [...globalLines(settings), "", ...portsFrontend(ownPorts, settings), "", ...sharedFrontends(list, settings)];
  const structural = [...head, ...frontends.flatMap(({ lines }) => lines), ...[...sorted.values()].map(structuralText)].join("\n");
  const maps = mapsOf(services, list !== undefined);
  return { structure: shortHash(structural, 16), head, frontends, backends: sorted, maps, certificates: files };
}

const structuralTexts = new WeakMap<readonly string[], string>();

/** All of a backend that takes a reload to change. Computed once: the lines of a backend come with its options. */
function structuralText({ name, lines, serverOptions }: PlannedBackend): string {
  const known = structuralTexts.get(lines);
  if (known !== undefined) return known;
  const text = `${name}\n${lines.join("\n")}\n${serverOptions}`;
  structuralTexts.set(lines, text);
  return text;
}

const noServers: ReadonlyMap<string, Server> = new Map();
const planned = new WeakMap<PublishedService, PlannedBackend & { readonly gateways: number }>();

/** The same object for the same service: most of them stay as they are from one look to the next. */
function plannedBackend(service: PublishedService, settings: GatewaySettings): PlannedBackend {
  const known = planned.get(service);
  if (known?.gateways === settings.gateways) return known;
  const backend = { ...backendOf(service, settings), owner: serviceKey(service), servers: serversOf(service), gateways: settings.gateways };
  planned.set(service, backend);
  return backend;
}

function addFile(files: Map<string, string>, settings: GatewaySettings, kind: string, content: string): string {
  const path = `${filesOf(settings).certificates}/${shortHash(content, 32)}.${kind}`;
  files.set(path, content);
  return path;
}

/**
 * What of `desired` a process with the structure of `running` can do: its own backends with the servers that shall be, and map entries to
 * those. All of `desired` when the structures are the same.
 */
export function withinStructure(desired: Configuration, running: Configuration): Configuration {
  if (desired.structure === running.structure) return desired;
  const backends = new Map<string, PlannedBackend>();
  for (const [name, { lines, serverOptions }] of running.backends) {
    const wanted = desired.backends.get(name);
    backends.set(name, {
      name,
      lines,
      serverOptions,
      servers: wanted?.servers ?? noServers,
      ...(wanted?.owner !== undefined && { owner: wanted.owner }),
    });
  }
  const maps = new Map(
    [...running.maps.keys()].map((map) => {
      const entries = [...(desired.maps.get(map) ?? [])].filter(([, backend]) => backends.has(backend));
      return [map, new Map(entries)] as const;
    }),
  );
  return { ...running, backends, maps };
}

/** The text of haproxy.cfg. */
export function renderFile({ structure, head, frontends, backends }: Configuration): RenderedFile {
  const lines: string[] = [];
  const owners: { readonly first: number; readonly owner: string | undefined }[] = [];
  const add = (owner: string | undefined, added: readonly string[]) => {
    owners.push({ first: lines.length + 1, owner });
    lines.push(...added, "");
  };
  const [global = "", ...rest] = head;
  add(undefined, [
    "# Written by nuptse gateway, which overwrites it: changes by hand are lost.",
    global,
    `  description nuptse ${structure}`,
    ...rest,
  ]);
  for (const frontend of frontends) add(frontend.owner, frontend.lines);
  for (const backend of backends.values()) {
    add(backend.owner, [
      `backend ${backend.name}${backend.owner === undefined ? "" : `  # ${backend.owner}`}`,
      ...backend.lines.map((line) => `  ${line}`),
      ...[...backend.servers.values()].map(
        (server) => `  server ${server.name} ${serverWords(server, backend)}${server.maintenance ? " disabled" : ""}`,
      ),
    ]);
  }
  return {
    text: lines.map((line) => `${line}\n`).join(""),
    ownerOfLine: (line) => owners.findLast(({ first }) => first <= line)?.owner,
  };
}

/** The text of a map's file. */
export const renderMap = (entries: ReadonlyMap<string, string>): string => [...entries].map(([key, value]) => `${key} ${value}\n`).join("");

function mapsOf(services: readonly PublishedService[], withTls: boolean): Maps {
  const used: readonly MapName[] = withTls ? ["ports", "exact", "prefix", "tlsExact", "tlsPrefix"] : ["ports", "exact", "prefix"];
  const maps = new Map(used.map((name) => [name, new Map<string, string>()]));
  for (const service of services) {
    const backend = backendName(service);
    const isTerminated = service.tls.mode === "Terminate";
    if (!isTerminated) maps.get("ports")?.set(String(service.port), backend);
    for (const host of service.hostnames) {
      for (const { type, value } of pathsOrAll(service.paths)) {
        const exact = type === "Exact";
        const map = isTerminated ? (exact ? "tlsExact" : "tlsPrefix") : exact ? "exact" : "prefix";
        maps.get(map)?.set(routeKey(host, type, value), backend);
      }
    }
  }
  return maps;
}

function globalLines(settings: GatewaySettings): readonly string[] {
  const { statsSocket } = filesOf(settings);
  return [
    "global",
    `  stats socket ${statsSocket} mode 600 level admin`,
    "  stats timeout 1h",
    `  maxconn ${settings.maxConnections}`,
    ...(settings.threads === undefined ? [] : [`  nbthread ${settings.threads}`]),
    `  hard-stop-after ${settings.hardStopAfterSeconds}s`,
    ...idlePoolLines(settings),
    "defaults",
    "  mode tcp",
    // Without it a client that reuses its connection in the moment of a reload may find it closed (measured on 3.0).
    "  option idle-close-on-response",
    "  option tcpka",
    "  retries 3",
    "  option redispatch 1",
    "  timeout client 1h",
    "  timeout server 1h",
    "  timeout connect 5s",
    "  timeout check 5s",
    "  timeout queue 30s",
    "  timeout http-request 30s",
    "  timeout http-keep-alive 60s",
  ];
}

/**
 * Up to which use of its file descriptors HAProxy keeps connections to instances for the next request. Its own shares, 20 and 25 percent, are of all of them,
 * and a port that nobody asks is one in use: thousands of ports would leave none, and each request would open a connection of its own (measured: twice
 * the processor time for each). So these are the same shares of what connections have, on top of the ports.
 */
function idlePoolLines({ bind, pools, maxConnections }: GatewaySettings): readonly string[] {
  const shared = 2;
  const ports = bind.length * pools.reduce((sum, { first, last }) => sum + last - first + 1, shared);
  const ofConnections = 2 * maxConnections;
  const percent = (share: number) => Math.ceil((100 * (ports + share * ofConnections)) / (ports + ofConnections));
  return [`  tune.pool-low-fd-ratio ${percent(0.2)}`, `  tune.pool-high-fd-ratio ${percent(0.25)}`];
}

/** One frontend for all ports; which of them are served is a map, which changes without a reload. */
function portsFrontend(without: ReadonlySet<number>, settings: GatewaySettings): readonly string[] {
  const map = filesOf(settings).maps.ports;
  const ranges = settings.pools.flatMap((pool) => rangesWithout(pool, without));
  return [
    "frontend ports",
    "  mode tcp",
    ...settings.bind.map((address) => `  bind ${ranges.map((range) => `${bindAddress(address)}:${range}`).join(",")}`),
    `  tcp-request connection reject unless { dst_port,map_str(${map}) -m found }`,
    `  use_backend %[dst_port,map_str(${map})]`,
  ];
}

function rangesWithout({ first, last }: GatewaySettings["pools"][number], without: ReadonlySet<number>): readonly string[] {
  const ranges: string[] = [];
  let from = first;
  for (const port of [...without].filter((port) => port >= first && port <= last).sort((one, other) => one - other)) {
    if (port > from) ranges.push(`${from}-${port - 1}`);
    from = port + 1;
  }
  if (from <= last) ranges.push(`${from}-${last}`);
  return ranges;
}

function sharedFrontends(certificateList: string | undefined, settings: GatewaySettings): readonly string[] {
  const { maps } = filesOf(settings);
  const binds = (port: number, rest: string) => settings.bind.map((address) => `  bind ${bindAddress(address)}:${port}${rest}`);
  return [
    "frontend http",
    "  mode http",
    ...binds(settings.httpPort, ""),
    ...routing(maps.exact, maps.prefix),
    ...(certificateList !== undefined
      ? [
          "",
          "frontend https",
          "  mode http",
          ...binds(settings.httpsPort, ` ssl crt-list ${certificateList} alpn h2,http/1.1`),
          ...routing(maps.tlsExact, maps.tlsPrefix),
        ]
      : []),
    ...(settings.metricsBind === undefined
      ? []
      : [
          "",
          "frontend metrics",
          "  mode http",
          `  bind ${settings.metricsBind}`,
          "  no log",
          // Of all servers it would be more than a hundred megabytes at 15,000 of them.
          "  http-request set-query scope=frontend&scope=backend if { path /metrics }",
          "  http-request use-service prometheus-exporter if { path /metrics }",
        ]),
  ];
}

function routing(exact: string, prefix: string): readonly string[] {
  return [
    "  http-request set-var(txn.host) req.hdr(host),host_only,lower",
    "  http-request set-var(txn.path) path",
    `  http-request set-var(txn.backend) var(txn.host),concat(,txn.path),map_str(${exact})`,
    `  http-request set-var(txn.backend) var(txn.host),concat(,txn.path,/),map_beg(${prefix}) unless { var(txn.backend) -m found }`,
    `  http-request return status 404 content-type text/plain string "no service has this host and path" unless { var(txn.backend) -m found }`,
    "  use_backend %[var(txn.backend)]",
  ];
}

function terminatingFrontend(service: PublishedService, certificate: string, settings: GatewaySettings): readonly string[] {
  return [
    `frontend tls_${service.port}  # ${serviceKey(service)}`,
    `  mode ${service.protocol === "TCP" ? "tcp" : "http"}`,
    ...settings.bind.map((address) => `  bind ${bindAddress(address)}:${service.port} ssl crt ${certificate}`),
    `  default_backend ${backendName(service)}`,
  ];
}

const bindAddress = (address: string): string => (address.includes(":") ? `[${address}]` : address);
