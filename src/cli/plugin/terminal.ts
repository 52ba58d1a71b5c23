import type { Terminal } from "./plugin-context.ts";

/** What of a stream a terminal needs. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** Whether a stream is to be written to in colours: a terminal whose user has not set NO_COLOR. */
export function showsColours(stream: Pick<TerminalStream, "isTTY">, environment: Readonly<Record<string, string | undefined>>): boolean {
  return stream.isTTY === true && (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb";
}

/** Draws over what was drawn before; undefined when the stream is no terminal, or one that cannot move its cursor. */
export function createTerminal(stream: TerminalStream, environment: Readonly<Record<string, string | undefined>>): Terminal | undefined {
  if (stream.isTTY !== true || environment["TERM"] === "dumb") return undefined;
  let drawn = 0;
  return {
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
    draw(lines) {
      const back = drawn === 0 ? "" : `\u001b[${drawn}A\u001b[0J`;
      const width = stream.columns || 80;
      stream.write(back + lines.map((line) => `${cut(line, width)}\n`).join(""));
      drawn = lines.length;
    },
  };
}

/** The first so many columns of a line with colours in it: a line that wraps could not be drawn over. */
export function cut(line: string, width: number): string {
  let columns = 0;
  let result = "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|[\s\S]/gu)) {
    if (part.startsWith("\u001b")) result += part;
    else if (columns < width) {
      result += part;
      columns++;
    }
  }
  return result;
}
