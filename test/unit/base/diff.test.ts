import assert from "node:assert/strict";
import fc from "fast-check";
import { equalJson, mergePatch } from "../../../src/base/diff.ts";
import { canonicalJson } from "../../../src/base/hash.ts";

const cases: readonly { readonly name: string; readonly from: object; readonly to: object; readonly want: object | undefined }[] = [
  { name: "equal values need none", from: { a: { b: [1] } }, to: { a: { b: [1] } }, want: undefined },
  { name: "the order of keys is no difference", from: { a: 1, b: { c: 1, d: 2 } }, to: { b: { d: 2, c: 1 }, a: 1 }, want: undefined },
  { name: "a field that goes is null", from: { a: 1, b: 2 }, to: { a: 1 }, want: { b: null } },
  { name: "an absent value is a field that goes", from: { a: 1 }, to: { a: undefined }, want: { a: null } },
  { name: "only what differs within an object", from: { a: { b: 1, c: 2 } }, to: { a: { b: 1, c: 3 } }, want: { a: { c: 3 } } },
  { name: "lists are taken whole", from: { a: [1, 2] }, to: { a: [1, 3] }, want: { a: [1, 3] } },
  { name: "an object in the place of a value", from: { a: 1 }, to: { a: { b: 1 } }, want: { a: { b: 1 } } },
];

/** RFC 7386, section 2, word by word. */
function apply(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = apply(result[name], value);
  }
  return result;
}

/** Objects as statuses are: without null, which a merge patch cannot set. */
const tree = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(fc.integer({ max: 3, min: 0 }), fc.constantFrom("x", "y"), fc.array(fc.nat(2), { maxLength: 2 }), tie("object")),
  object: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value"), { maxKeys: 3, noNullPrototype: true }),
})).object;

describe("merge patches", () => {
  for (const tc of cases)
    it(tc.name, () => assert.deepEqual(mergePatch(tc.from as Record<string, unknown>, tc.to as Record<string, unknown>), tc.want));

  it("turn one object into the other", () => {
    fc.assert(
      fc.property(tree, tree, (from, to) => {
        const patch = mergePatch(from, to);
        assert.deepEqual(patch === undefined ? from : apply(from, patch), to);
      }),
    );
  });
});

describe("base/diff equalJson", () => {
  // Few names and values, so that equal pairs are common.
  const { tree: value } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 3 }, fc.constantFrom<unknown>(0, 1, "a", "", null, true), tie("list"), tie("object")),
    list: fc.array(tie("tree"), { maxLength: 2 }),
    object: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.option(tie("tree"), { nil: undefined }), { maxKeys: 3 }),
  }));

  it("says what canonical JSON says", () => {
    let equal = 0;
    fc.assert(
      fc.property(value, value, (left, right) => {
        const same = canonicalJson(left) === canonicalJson(right);
        if (same) equal++;
        assert.equal(equalJson(left, right), same);
        assert.ok(equalJson(left, structuredClone(left)));
      }),
      { numRuns: 5000, seed: 7 },
    );
    assert.ok(equal > 100, `${equal} pairs were equal`);
  });
});
