import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalJson, fnv1a32, shortHash } from "../../../src/base/hash.ts";

describe("canonical JSON", () => {
  const cases: readonly { readonly name: string; readonly value: unknown; readonly want: string }[] = [
    {
      name: "sorts keys at every level",
      value: { b: 1, a: { d: 2, c: [{ f: 1, e: 2 }] } },
      want: '{"a":{"c":[{"e":2,"f":1}],"d":2},"b":1}',
    },
    { name: "leaves absent values out", value: { a: undefined, b: null }, want: '{"b":null}' },
    { name: "keeps the order of lists", value: [2, 1], want: "[2,1]" },
    { name: "an absent value in a list is null", value: [undefined], want: "[null]" },
    { name: "text", value: 'a"b', want: '"a\\"b"' },
    { name: "nothing", value: undefined, want: "null" },
  ];
  for (const tc of cases) it(tc.name, () => assert.equal(canonicalJson(tc.value), tc.want));

  it("is JSON of the same value, and equal for equal values", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
        assert.equal(canonicalJson(JSON.parse(text)), text);
      }),
    );
  });
});

describe("hashes", () => {
  it("shortHash is the beginning of SHA-256", () => {
    // SHA-256 of "abc", FIPS 180-2, appendix B.1.
    assert.equal(shortHash("abc", 16), "ba7816bf8f01cfea");
  });

  // Test vectors of the FNV authors.
  for (const [text, want] of [
    ["", 0x811c9dc5],
    ["a", 0xe40c292c],
    ["foobar", 0xbf9cf968],
  ] as const)
    it(`FNV-1a of ${JSON.stringify(text)}`, () => assert.equal(fnv1a32(text), want));
});
