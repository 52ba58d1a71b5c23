/** Ports, both ends inclusive. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Ports of the gateway that services are given: open to everybody, and those of services with allowedNamespaces (decision 28). */
export const gatewayPools: Readonly<Record<"open" | "restricted", PortRange>> = {
  open: { first: 21_000, last: 23_999 },
  restricted: { first: 24_000, last: 26_999 },
};

export const inRange = (port: number, { first, last }: PortRange): boolean => port >= first && port <= last;
