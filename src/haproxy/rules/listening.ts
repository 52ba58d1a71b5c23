/** An address that a configuration listens on: the ports `first` to `last`. */
export interface ListenRange {
  /** As HAProxy writes it; "" or "*" = all. */
  readonly host: string;
  readonly first: number;
  readonly last: number;
  /** Of the configuration, from 1. */
  readonly line: number;
}

/** What a configuration of ours listens on, by its `bind` lines; paths of sockets are left out. */
export function listenRanges(text: string): readonly ListenRange[] {
  return text.split("\n").flatMap((content, index) => {
    const [, addresses = ""] = /^ {2}bind (\S+)/.exec(content) ?? [];
    return addresses.split(",").flatMap((address) => {
      const [, host = "", first, last] = /^(.*):(\d+)(?:-(\d+))?$/.exec(address) ?? [];
      return first === undefined ? [] : [{ host, first: Number(first), last: Number(last ?? first), line: index + 1 }];
    });
  });
}

/** Single ports that are listened on now and were not before. Ranges are the gateway's own for good. */
export function newPorts(ranges: readonly ListenRange[], before: readonly ListenRange[]): readonly ListenRange[] {
  const wasThere = ({ host, first }: ListenRange) =>
    before.some((known) => known.host === host && known.first <= first && first <= known.last);
  return ranges.filter((range) => range.first === range.last && !wasThere(range));
}

/**
 * File descriptors that a process with this configuration needs at least: two a connection, one a port, one a check. HAProxy itself asks for some more, so
 * that what does not fit this surely does not start.
 */
export function leastDescriptors(text: string): number {
  const connections = Number(/^ {2}maxconn (\d+)$/m.exec(text)?.[1] ?? 0);
  const ports = listenRanges(text).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const checks = text.match(/^ {2}server .* check /gm)?.length ?? 0;
  return 2 * connections + ports + checks;
}
