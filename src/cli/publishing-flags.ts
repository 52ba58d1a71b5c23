import { type Command, InvalidArgumentError } from "commander";
import { gatewayPools, type PortRange } from "../api/gateway-ports.ts";
import { integer, portRange } from "./flag-values.ts";

/** A pattern of hosts, and the namespaces that may have them. */
export interface HostGrantFlag {
  readonly pattern: string;
  readonly namespaces: readonly string[];
}

/** Where the gateways are, and what they may serve. */
export interface PublishingFlags {
  /** Absent = that of the Lease. */
  readonly gatewayNamespace?: string;
  readonly gatewayOpenPorts: PortRange;
  readonly gatewayRestrictedPorts: PortRange;
  /** Absent = every namespace may have every host. */
  readonly gatewayHost?: readonly HostGrantFlag[];
  readonly gatewayStatePort: number;
  /** Absent = gateways are not asked for their state. */
  readonly gatewayStateCaFile?: string;
  readonly gatewayStateServerName: string;
  /** Absent = that of the pod's own account. */
  readonly gatewayStateTokenFile?: string;
}

/** Adds --gateway-namespace and what belongs to it. */
export function addPublishingOptions(command: Command): Command {
  return command
    .option(
      "--gateway-namespace <name>",
      "the namespace of the gateways' pods, which have the label nuptse.dev/gateway (default: that of the Lease)",
    )
    .option(
      "--gateway-open-ports <first-last>",
      "ports of the gateways for services that are open to everybody",
      portRange,
      gatewayPools.open,
    )
    .option("--gateway-restricted-ports <first-last>", "the same for services with allowedNamespaces", portRange, gatewayPools.restricted)
    .option(
      "--gateway-host <pattern=namespaces...>",
      "who may publish which hosts, such as '*.pig.example=pigs,farm' or '*=*'; nobody has any other then (default: everybody has every host)",
      hostGrant,
    )
    .option("--gateway-state-port <port>", "the port on which gateways tell their state", integer(1, 65_535), 8091)
    .option(
      "--gateway-state-ca-file <file>",
      "ask the gateways for their state over HTTPS; who signed their certificates, PEM (default: they are not asked, and drains take their full time)",
    )
    .option("--gateway-state-server-name <name>", "a name that those certificates are for", "nuptse-gateway")
    .option("--gateway-state-token-file <file>", "the token for it (default: that of the pod's own account)");
}

/** Defaults of ports as they are typed. */
export const publishingDefaults: Readonly<Record<string, string>> = {
  gatewayOpenPorts: rangeText(gatewayPools.open),
  gatewayRestrictedPorts: rangeText(gatewayPools.restricted),
};

function rangeText({ first, last }: PortRange): string {
  return `${first}-${last}`;
}

const hostPattern = /^(?:\*|(?:\*\.)?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*)$/;
const namespaceName = /^(?:\*|[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)$/;

function hostGrant(text: string, before: readonly HostGrantFlag[] | undefined): readonly HostGrantFlag[] {
  const [pattern = "", list = "", ...more] = text.split("=");
  const namespaces = list.split(",");
  if (more.length > 0 || pattern.length > 253 || !hostPattern.test(pattern) || !namespaces.every((name) => namespaceName.test(name)))
    throw new InvalidArgumentError(
      "Write a host, *.<domain> or *, an equals sign, and namespaces with commas between or *, such as *.pig.example=pigs,farm.",
    );
  return [...(before ?? []), { pattern, namespaces }];
}
