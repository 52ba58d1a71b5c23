import assert from "node:assert/strict";
import { linesOf } from "../../../src/base/lines.ts";

const cases: readonly { readonly name: string; readonly chunks: readonly string[]; readonly want: readonly string[] }[] = [
  { name: "nothing", chunks: [], want: [] },
  { name: "lines in one piece", chunks: ["a\nb\n"], want: ["a", "b"] },
  { name: "a line without an end", chunks: ["a\nb"], want: ["a", "b"] },
  { name: "empty lines", chunks: ["\n\na\n"], want: ["", "", "a"] },
  { name: "lines over several pieces", chunks: ["a", "b\nc", "", "d\n", "\n"], want: ["ab", "cd", ""] },
  { name: "a character that is cut in two", chunks: [], want: ["é"] },
  { name: "what else ends lines elsewhere", chunks: ["a\rb\u2028c\u2029d\r\n"], want: ["a\rb\u2028c\u2029d\r"] },
];

describe("base/lines", () => {
  for (const { name, chunks, want } of cases) {
    it(name, async () => {
      const bytes = name.startsWith("a character") ? [Buffer.from([0xc3]), Buffer.from([0xa9])] : chunks.map((text) => Buffer.from(text));
      async function* pieces() {
        yield* bytes;
      }
      assert.deepEqual(await Array.fromAsync(linesOf(pieces())), want);
    });
  }
});
