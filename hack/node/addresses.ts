/** The addresses of one node: so that several can be on one machine, each has ranges of its own. */
export interface NodeAddresses {
  /** The device on this machine that leads to the node. */
  readonly link: string;
  /** This machine's end of the link, where the API server and the name server listen. */
  readonly machine: string;
  /** The node's end, which is the address of the node. */
  readonly node: string;
  readonly pods: string;
  readonly services: string;
  /** The first of the services, which is the API server's. */
  readonly firstService: string;
}

/** So many nodes can be on one machine. */
export const mostNodes = 16;

/** The addresses of the node of this number, from 0: of 10.231.0.0 to 10.233.255.255. */
export function nodeAddresses(number: number): NodeAddresses {
  return {
    link: `nuptse${number}`,
    machine: `10.231.${number}.1`,
    node: `10.231.${number}.2`,
    pods: `10.232.${number}.0/24`,
    services: `10.233.${number * 16}.0/20`,
    firstService: `10.233.${number * 16}.1`,
  };
}
