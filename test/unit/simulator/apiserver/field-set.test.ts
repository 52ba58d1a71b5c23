import assert from "node:assert/strict";
import fc from "fast-check";
import {
  difference,
  type FieldSet,
  FieldSetBuilder,
  intersection,
  keyElement,
  pathsOf,
  pooled,
  printPath,
  recursiveDifference,
  union,
} from "../../../../src/simulator/apiserver/apply/field-set.ts";

const element = fc.constantFrom("f:a", "f:b", "k:{}", "v:1");
const path = fc.array(element, { minLength: 1, maxLength: 3 });
const pathList = fc.array(path, { maxLength: 8 });

function setOf(paths: readonly (readonly string[])[]): FieldSet {
  const builder = new FieldSetBuilder();
  for (const one of paths) builder.add(one);
  return builder.build();
}

const keys = (set: FieldSet): readonly string[] =>
  pathsOf(set)
    .map((one) => one.join("|"))
    .sort();
const keysOf = (paths: readonly (readonly string[])[]): ReadonlySet<string> => new Set(paths.map((one) => one.join("|")));

describe("FieldSet", () => {
  it("is written as managedFields writes it", () => {
    assert.deepEqual(
      setOf([
        ["f:spec", "f:a"],
        ["f:metadata", "f:labels"],
        ["f:metadata", "f:labels", "f:x"],
      ]),
      {
        "f:spec": { "f:a": {} },
        "f:metadata": { "f:labels": { ".": {}, "f:x": {} } },
      },
    );
    assert.equal(keyElement({ protocol: "TCP", containerPort: 80 }), 'k:{"containerPort":80,"protocol":"TCP"}');
    assert.equal(printPath(["f:spec", "f:items", 'k:{"id":0}', "f:param"]), ".spec.items[id=0].param");
  });

  it("unites, intersects and subtracts as sets of paths do", () => {
    fc.assert(
      fc.property(pathList, pathList, (left, right) => {
        const a = keysOf(left);
        const b = keysOf(right);
        const [x, y] = [setOf(left), setOf(right)];
        assert.deepEqual(keys(union(x, y)), [...new Set([...a, ...b])].sort());
        assert.deepEqual(keys(intersection(x, y)), [...a].filter((one) => b.has(one)).sort());
        assert.deepEqual(keys(difference(x, y)), [...a].filter((one) => !b.has(one)).sort());
        const below = (one: string): boolean => [...b].some((other) => one === other || one.startsWith(`${other}|`));
        assert.deepEqual(keys(recursiveDifference(x, y)), [...a].filter((one) => !below(one)).sort());
      }),
    );
  });

  it("is kept without what an equal set keeps already", () => {
    const status = (address: string) =>
      setOf([
        ["f:status", "f:conditions", 'k:{"type":"Ready"}', "f:status"],
        ["f:status", "f:podIPs", `k:{"ip":"${address}"}`],
      ]);
    const [one, other] = [pooled(status("10.0.0.1")), pooled(status("10.0.0.2"))];
    assert.deepEqual([one, other], [status("10.0.0.1"), status("10.0.0.2")]);
    assert.equal(one["f:status"]?.["f:conditions"], other["f:status"]?.["f:conditions"]);
  });

  it("stays the same set when it is kept", () => {
    fc.assert(fc.property(pathList, (paths) => assert.deepEqual(pooled(setOf(paths)), setOf(paths))));
  });
});
