const lineFeed = 10;

/**
 * The lines of a text that comes in pieces, split at "\n" only, without it. Node's readline splits at "\r", U+2028 and U+2029 as well, which
 * may stand in a line of JSON or in what a program prints.
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, from)) {
      const line = chunk.subarray(from, at);
      yield (rest.length === 0 ? line : Buffer.concat([...rest, line])).toString("utf8");
      rest = [];
      from = at + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString("utf8");
}
