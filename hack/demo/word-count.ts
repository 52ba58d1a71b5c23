import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Words and how often they come, the most frequent first, equal ones by the alphabet. */
export interface WordCount {
  readonly total: number;
  readonly top: readonly { readonly word: string; readonly count: number }[];
}

/** The result of the run is not what examples/word-count.yaml writes. */
export class ResultError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ResultError";
  }
}

/** Reads what the reduce wrote: the total first, then the most frequent words. Throws ResultError. */
export function readResult(text: string, most: number): WordCount {
  const [first, ...lines] = text.trim().split("\n").map(wordAndCount);
  const words = lines.filter((line) => line !== undefined);
  if (first?.word !== "total" || words.length < lines.length)
    throw new ResultError(`the result of the reduce is not a word count: ${text}`);
  return { total: first.count, top: ordered(words).slice(0, most) };
}

function wordAndCount(line: string): { readonly word: string; readonly count: number } | undefined {
  const [, word, count] = /^([a-z]+) (\d+)$/.exec(line.trim()) ?? [];
  return word === undefined ? undefined : { word, count: Number(count) };
}

/** Counts the words of all files below a directory in this process: what the merged result must be equal to. */
export function countWords(directory: string, most: number): WordCount {
  const counts = new Map<string, number>();
  let total = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    // Bytes, as the program sees them with LC_ALL=C.
    const text = readFileSync(join(entry.parentPath, entry.name), "latin1");
    for (const [word] of text.matchAll(/[A-Za-z]+/g)) {
      const lower = word.toLowerCase();
      counts.set(lower, (counts.get(lower) ?? 0) + 1);
      total++;
    }
  }
  return { total, top: ordered([...counts].map(([word, count]) => ({ word, count }))).slice(0, most) };
}

function ordered(words: readonly { readonly word: string; readonly count: number }[]): WordCount["top"] {
  return words.toSorted((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1));
}
