import assert from "node:assert/strict";
import { applyJsonPatch, JsonPatchError } from "../../../../src/simulator/apiserver/patch/json-patch.ts";
import { applyMergePatch } from "../../../../src/simulator/apiserver/patch/merge-patch.ts";

describe("JSON merge patch", () => {
  // RFC 7396, appendix A
  const cases: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, want] of cases) {
    it(`${JSON.stringify(target)} and ${JSON.stringify(patch)} make ${JSON.stringify(want)}`, () => {
      assert.deepEqual(applyMergePatch(target, patch), want);
    });
  }
});

describe("JSON patch", () => {
  // RFC 6902, appendix A, and what it says of pointers
  const cases: readonly {
    readonly name: string;
    readonly document: unknown;
    readonly patch: readonly unknown[];
    readonly want?: unknown;
  }[] = [
    {
      name: "adds a member",
      document: { foo: "bar" },
      patch: [{ op: "add", path: "/baz", value: "qux" }],
      want: { baz: "qux", foo: "bar" },
    },
    {
      name: "adds an element",
      document: { foo: ["bar", "baz"] },
      patch: [{ op: "add", path: "/foo/1", value: "qux" }],
      want: { foo: ["bar", "qux", "baz"] },
    },
    { name: "removes a member", document: { baz: "qux", foo: "bar" }, patch: [{ op: "remove", path: "/baz" }], want: { foo: "bar" } },
    {
      name: "removes an element",
      document: { foo: ["bar", "qux", "baz"] },
      patch: [{ op: "remove", path: "/foo/1" }],
      want: { foo: ["bar", "baz"] },
    },
    { name: "replaces a value", document: { baz: "qux" }, patch: [{ op: "replace", path: "/baz", value: "boo" }], want: { baz: "boo" } },
    {
      name: "moves a value",
      document: { foo: { bar: "baz", waldo: "fred" }, qux: { corge: "grault" } },
      patch: [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
      want: { foo: { bar: "baz" }, qux: { corge: "grault", thud: "fred" } },
    },
    {
      name: "moves an element",
      document: { foo: ["all", "grass", "cows", "eat"] },
      patch: [{ op: "move", from: "/foo/1", path: "/foo/3" }],
      want: { foo: ["all", "cows", "eat", "grass"] },
    },
    {
      name: "appends",
      document: { foo: ["bar"] },
      patch: [{ op: "add", path: "/foo/-", value: ["abc", "def"] }],
      want: { foo: ["bar", ["abc", "def"]] },
    },
    {
      name: "tests and passes",
      document: { a: [1, { b: 2 }] },
      patch: [{ op: "test", path: "/a/1", value: { b: 2 } }],
      want: { a: [1, { b: 2 }] },
    },
    {
      name: "reads ~01 as ~1",
      document: { "/": 9, "~1": 10 },
      patch: [{ op: "test", path: "/~01", value: 10 }],
      want: { "/": 9, "~1": 10 },
    },
    { name: "fails a test of another value", document: { baz: "qux" }, patch: [{ op: "test", path: "/baz", value: "bar" }] },
    { name: "fails a test of another type", document: { a: 10 }, patch: [{ op: "test", path: "/a", value: "10" }] },
    { name: "adds nothing below what is not there", document: { foo: "bar" }, patch: [{ op: "add", path: "/baz/bat", value: "qux" }] },
    { name: "removes nothing that is not there", document: {}, patch: [{ op: "remove", path: "/a" }] },
    { name: "replaces nothing that is not there", document: {}, patch: [{ op: "replace", path: "/a", value: 1 }] },
    { name: "does not go beyond a list", document: { a: [1] }, patch: [{ op: "add", path: "/a/2", value: 1 }] },
    { name: "takes no index with a leading zero", document: { a: [1, 2] }, patch: [{ op: "remove", path: "/a/01" }] },
    { name: "knows no other operation", document: {}, patch: [{ op: "spin", path: "/a" }] },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const before = JSON.stringify(tc.document);
      if ("want" in tc) assert.deepEqual(applyJsonPatch(tc.document, tc.patch), tc.want);
      else assert.throws(() => applyJsonPatch(tc.document, tc.patch), JsonPatchError);
      assert.equal(JSON.stringify(tc.document), before, "the document itself is not changed");
    });
  }
});
