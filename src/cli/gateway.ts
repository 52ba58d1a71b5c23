import { isAbsolute } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { isIP } from "node:net";
import type { PortRange } from "../api/gateway-ports.ts";
import type { GatewaySettings } from "../gateway/gateway.ts";
import { UsageError } from "./command-context.ts";
import { type BindAddress, bindAddress, integer, portRange } from "./flag-values.ts";
import { addLoggingOptions, type LoggingOptions } from "./logging-options.ts";

/** What `nuptse gateway` was told. */
export interface GatewayOptions extends LoggingOptions {
  readonly folder: string;
  readonly haproxy: string;
  readonly bind?: readonly string[];
  readonly openPorts: PortRange;
  readonly restrictedPorts: PortRange;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly haproxyMetrics?: BindAddress;
  readonly maxConnections: number;
  readonly gateways: number;
  readonly threads?: number;
  readonly hardStopAfter: number;
  readonly sparePorts: number;
  readonly metricsAddress: BindAddress;
  readonly stateAddress: BindAddress;
  readonly stateReader: readonly string[];
  readonly stateTlsCertFile?: string;
  readonly stateTlsKeyFile?: string;
  /** See OperatorOptions. */
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** The command `gateway`; `run` is called with options that were checked. */
export function gatewayCommand(run: (options: GatewayOptions) => Promise<void>): Command {
  const command = new Command("gateway")
    .summary("keep the HAProxy beside it equal to what RunnerApps publish")
    .description(
      "Watches RunnerApps and EndpointSlices and keeps the HAProxy beside it up to date over its sockets, until it is told to stop. HAProxy " +
        "(3.0 or newer) is started by somebody else, as master and worker, with the file haproxy.cfg of the folder, which this command writes.",
    )
    .requiredOption("--folder <folder>", "where configuration and sockets are, shared with HAProxy; an absolute path", absolute)
    .option("--haproxy <program>", "HAProxy's program, which files are checked with", "haproxy")
    .option("--bind <address...>", "IP addresses that services are served on (default: 0.0.0.0)", ipAddress)
    .option("--open-ports <first-last>", "ports of services that are open to everybody", portRange, { first: 21_000, last: 23_999 })
    .option("--restricted-ports <first-last>", "ports of services with allowedNamespaces", portRange, { first: 24_000, last: 26_999 })
    .option("--http-port <port>", "the port that goes by host and path", integer(1, 65_535), 8080)
    .option("--https-port <port>", "the same with TLS", integer(1, 65_535), 8443)
    .option("--haproxy-metrics <address>", "where HAProxy serves its own metrics (default: nowhere)", bindAddress)
    .option("--max-connections <number>", "connections of all services together", integer(100, 1_000_000), 20_000)
    .option("--gateways <number>", "gateways that share the limits of services", integer(1, 1000), 2)
    .option("--threads <number>", "threads of HAProxy (default: one a processor)", integer(1, 64))
    .option("--hard-stop-after <seconds>", "connections of before a reload are cut after so long", integer(1, 86_400), 600)
    .option("--spare-ports <number>", "ports of each range on which a service needs no reload", integer(1, 3000), 100)
    .option("--metrics-address <address>", "where /metrics, /healthz and /readyz are served", bindAddress, bindAddress("127.0.0.1:8092"))
    .option("--state-address <address>", "where /v1/state is served to the operator", bindAddress, bindAddress("127.0.0.1:8091"))
    .option(
      "--state-reader <user...>",
      "who may read it: a user name such as system:serviceaccount:nuptse-system:nuptse, or group:<name>",
      [],
    )
    .option("--state-tls-cert-file <file>", "serve it over HTTPS with this certificate, PEM; read anew once a minute")
    .option("--state-tls-key-file <file>", "the certificate's key, PEM")
    .option("--kubeconfig <file>", "how to reach the cluster (default: $KUBECONFIG, the pod's own account, or ~/.kube/config)")
    .option("--context <name>", "the context of the kubeconfig (default: its current one)");
  const shown: Readonly<Record<string, string>> = {
    openPorts: "21000-23999",
    restrictedPorts: "24000-26999",
    metricsAddress: "127.0.0.1:8092",
    stateAddress: "127.0.0.1:8091",
  };
  for (const option of command.options) {
    const text = shown[option.attributeName()];
    if (text !== undefined) option.default(option.defaultValue, text);
  }
  addLoggingOptions(command, "info");
  return command.action(async (options: GatewayOptions) => {
    const { openPorts, restrictedPorts, httpPort, httpsPort } = options;
    if (openPorts.first <= restrictedPorts.last && restrictedPorts.first <= openPorts.last)
      throw new UsageError("--open-ports and --restricted-ports overlap: a port belongs to one of them");
    for (const [flag, port] of [["--http-port", httpPort] as const, ["--https-port", httpsPort] as const]) {
      if ([openPorts, restrictedPorts].some(({ first, last }) => port >= first && port <= last))
        throw new UsageError(`${flag} ${port} lies in a range of services' ports: choose one outside of them`);
    }
    if (httpPort === httpsPort) throw new UsageError("--http-port and --https-port must differ");
    if ((options.stateTlsCertFile === undefined) !== (options.stateTlsKeyFile === undefined))
      throw new UsageError("--state-tls-cert-file and --state-tls-key-file belong together: give both, or neither for plain HTTP");
    await run(options);
  });
}

/** The settings that the flags say. */
export function settingsOf(options: GatewayOptions): GatewaySettings {
  const { haproxyMetrics: metrics } = options;
  return {
    folder: options.folder,
    bind: options.bind ?? ["0.0.0.0"],
    pools: [options.openPorts, options.restrictedPorts],
    httpPort: options.httpPort,
    httpsPort: options.httpsPort,
    ...(metrics !== undefined && { metricsBind: `${metrics.host.includes(":") ? `[${metrics.host}]` : metrics.host}:${metrics.port}` }),
    maxConnections: options.maxConnections,
    gateways: options.gateways,
    ...(options.threads !== undefined && { threads: options.threads }),
    hardStopAfterSeconds: options.hardStopAfter,
    sparePorts: options.sparePorts,
  };
}

function absolute(text: string): string {
  if (!isAbsolute(text) || !/^[A-Za-z0-9/._-]{1,80}$/.test(text))
    throw new InvalidArgumentError("Write an absolute path of at most 80 letters, digits, dots, dashes and slashes: sockets are in it.");
  return text.replace(/\/$/, "");
}

function ipAddress(text: string, before: readonly string[] | undefined): readonly string[] {
  if (isIP(text) === 0) throw new InvalidArgumentError("Write an IP address such as 0.0.0.0 or ::.");
  return [...(before ?? []), text];
}
