import assert from "node:assert/strict";
import { type Ancestry, ancestryOf } from "../../../src/base/ancestry.ts";

const parents: Readonly<Record<string, string | null>> = {
  root: null,
  eng: "root",
  web: "eng",
  lost: "nowhere",
  below: "lost",
  c: "a",
  a: "b",
  b: "c",
  tail: "c",
  self: "self",
};

const cases: readonly { readonly name: string; readonly of: string; readonly want: Ancestry }[] = [
  { name: "a root is its own path", of: "root", want: { kind: "root", path: ["root"] } },
  { name: "the path leads from the node to its root", of: "web", want: { kind: "root", path: ["web", "eng", "root"] } },
  { name: "a parent that nobody is", of: "lost", want: { kind: "missing", path: ["lost"], missing: "nowhere" } },
  {
    name: "below such a one: the last of the path names it",
    of: "below",
    want: { kind: "missing", path: ["below", "lost"], missing: "nowhere" },
  },
  { name: "a name that nobody has", of: "nobody", want: { kind: "missing", path: [], missing: "nobody" } },
  { name: "a circle begins with its lowest name", of: "c", want: { kind: "cycle", path: ["c", "a", "b"], cycle: ["a", "b", "c"] } },
  { name: "and all of its members tell the same", of: "b", want: { kind: "cycle", path: ["b", "c", "a"], cycle: ["a", "b", "c"] } },
  { name: "what hangs below it is no member", of: "tail", want: { kind: "cycle", path: ["tail", "c", "a", "b"], cycle: ["a", "b", "c"] } },
  { name: "a node that is its own parent", of: "self", want: { kind: "cycle", path: ["self"], cycle: ["self"] } },
];

describe("the way up from a node", () => {
  for (const tc of cases)
    it(tc.name, () =>
      assert.deepEqual(
        ancestryOf(tc.of, (name) => parents[name]),
        tc.want,
      ),
    );
});
