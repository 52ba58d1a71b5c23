import type { Paint, Tone } from "./view.ts";

/** Where the demo shows itself: lines that stay, and below them a block that is drawn anew. */
export interface Screen {
  readonly paint: Paint;
  /** A line that stays. */
  line(text?: string): void;
  /** Replaces the block at the end; nothing is shown of it where there is no terminal. */
  block(lines: readonly string[]): void;
}

const codes: Readonly<Record<Tone, string>> = {
  good: "32",
  retry: "1;33",
  failover: "1;35",
  bad: "1;31",
  busy: "36",
  dim: "2",
  strong: "1",
};

/** A screen on a stream: with a block where it is a terminal, with colours unless NO_COLOR is set. */
export function createScreen(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Screen {
  const coloured = stream.isTTY && !environment["NO_COLOR"];
  const paint: Paint = (tone, text) => (coloured ? `\u001b[${codes[tone]}m${text}\u001b[0m` : text);
  if (!stream.isTTY) return { paint, line: (text = "") => void stream.write(`${text}\n`), block() {} };
  let shown: readonly string[] = [];
  const draw = (above: readonly string[], block: readonly string[]) => {
    const up = shown.length === 0 ? "" : `\u001b[${shown.length}A`;
    const width = (stream.columns || 80) - 1;
    stream.write(`${up}\u001b[0J${[...above, ...block.map((line) => clip(line, width))].map((line) => `${line}\n`).join("")}`);
    shown = block;
  };
  return {
    paint,
    line: (text = "") => draw([text], shown),
    block(lines) {
      if (lines.join("\n") !== shown.join("\n")) draw([], lines);
    },
  };
}

/** Cuts a line to a width, so that it never wraps; colours take no place. */
export function clip(line: string, width: number): string {
  let left = width;
  let clipped = "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|./gu)) {
    if (part.startsWith("\u001b")) clipped += part;
    else if (left > 0) {
      clipped += part;
      left--;
    }
  }
  return clipped;
}
