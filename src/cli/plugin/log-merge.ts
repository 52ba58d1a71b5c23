/** Logs that are open, or read, at once: each is a connection. */
export const mostLogs = 50;

/** A line of a container's log, with the instant at its front as the API server writes it. */
export interface StampedLine {
  /** RFC 3339 with nine digits: sorts as text. */
  readonly time: string;
  readonly text: string;
}

/** Splits "2026-11-21T18:30:00.000000000Z words" into its parts; a line without an instant has the time "". */
export function stampedLine(line: string): StampedLine {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?: (.*))?$/s.exec(line);
  return match === null ? { time: "", text: line } : { time: match[1] as string, text: match[2] ?? "" };
}

/** Lines of several logs in the order of their instants; each log is in order already, and read only as far as it is needed. */
export async function* mergeLogs<Source>(
  logs: readonly { readonly source: Source; readonly lines: AsyncIterable<StampedLine> }[],
): AsyncGenerator<{ readonly source: Source; readonly line: StampedLine }> {
  const heads: { readonly source: Source; readonly lines: AsyncIterator<StampedLine>; head: StampedLine }[] = [];
  await Promise.all(
    logs.map(async ({ source, lines }, index) => {
      const iterator = lines[Symbol.asyncIterator]();
      const first = await iterator.next();
      if (!first.done) heads[index] = { source, lines: iterator, head: first.value };
    }),
  );
  const open = heads.filter((head) => head !== undefined);
  while (open.length > 0) {
    let earliest = 0;
    for (let index = 1; index < open.length; index++) {
      if ((open[index] as { head: StampedLine }).head.time < (open[earliest] as { head: StampedLine }).head.time) earliest = index;
    }
    const log = open[earliest] as (typeof open)[number];
    yield { source: log.source, line: log.head };
    const next = await log.lines.next();
    if (next.done) open.splice(earliest, 1);
    else log.head = next.value;
  }
}
