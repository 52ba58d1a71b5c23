import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Words and how often they come, the most frequent first, equal ones by the alphabet. */
export interface WordCount {
  readonly total: number;
  readonly top: readonly { readonly word: string; readonly count: number }[];
}

/** An item's result is not what examples/word-count.yaml writes. */
export class ResultError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ResultError";
  }
}

/**
 * Puts the results of all items together. No two items count the same word, so the most frequent words of all are among those of each.
 * Throws ResultError.
 */
export function mergeResults(results: readonly { readonly item?: number; readonly value?: string }[], most: number): WordCount {
  let total = 0;
  const words: { word: string; count: number }[] = [];
  for (const { item, value = "" } of results) {
    const [first, ...lines] = value.trim().split("\n").map(wordAndCount);
    if (first?.word !== "total" || lines.includes(undefined))
      throw new ResultError(`the result of item ${item} is not a word count: ${value}`);
    total += first.count;
    for (const line of lines) if (line !== undefined) words.push(line);
  }
  return { total, top: ordered(words).slice(0, most) };
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
