import assert from "node:assert/strict";
import { ServerFixture } from "./server-fixture.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

function definition(spec: object, more: object = {}): object {
  const openAPIV3Schema = { type: "object", properties: { spec } };
  return {
    metadata: { name: "toys.example.io" },
    spec: {
      group: "example.io",
      scope: "Namespaced",
      names: { plural: "toys", kind: "Toy" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema }, ...more }],
    },
  };
}

const object = (properties: object, more: object = {}): object => ({ type: "object", properties, ...more });
const rule = (text: string, more: object = {}): object => ({ "x-kubernetes-validations": [{ rule: text, ...more }] });

describe("CRDs that the embedded server cannot serve are refused", () => {
  const cases: readonly { readonly name: string; readonly spec: object; readonly wantField: string }[] = [
    {
      name: "a rule over a field that is not there",
      spec: object({ a: { type: "integer" } }, rule("self.b > 1")),
      wantField: "properties[spec].x-kubernetes-validations[0].rule",
    },
    {
      name: "has() of a field that is not there",
      spec: object({ a: { type: "integer" } }, rule("has(self.b)")),
      wantField: "properties[spec].x-kubernetes-validations[0].rule",
    },
    {
      name: "a rule of the wrong types",
      spec: object({ a: { type: "integer" } }, rule("self.a == 'x'")),
      wantField: "properties[spec].x-kubernetes-validations[0].rule",
    },
    {
      name: "a rule that is no truth value",
      spec: object({ a: { type: "integer" } }, rule("self.a + 1")),
      wantField: "properties[spec].x-kubernetes-validations[0].rule",
    },
    {
      name: "a function that is not known here",
      spec: object({ a: { type: "string" } }, rule("quantity(self.a).isGreaterThan(quantity('1'))")),
      wantField: "properties[spec].x-kubernetes-validations[0].rule",
    },
    {
      name: "a rule that does not parse",
      spec: object({ a: { type: "string" } }, rule("self.a ==")),
      wantField: "properties[spec].x-kubernetes-validations[0].rule",
    },
    {
      name: "a message that is no text",
      spec: object({ a: { type: "integer" } }, rule("self.a > 1", { messageExpression: "self.a" })),
      wantField: "properties[spec].x-kubernetes-validations[0].messageExpression",
    },
    {
      name: "a field path to nowhere",
      spec: object({ a: { type: "integer" } }, rule("self.a > 1", { fieldPath: ".zork" })),
      wantField: "properties[spec].x-kubernetes-validations[0].fieldPath",
    },
    { name: "a node without a type", spec: object({ a: {} }), wantField: "properties[spec].properties[a].type" },
    { name: "a list without items", spec: object({ a: { type: "array" } }), wantField: "properties[spec].properties[a].items" },
    {
      name: "a key that may be absent",
      spec: object({
        a: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["id"],
          items: object({ id: { type: "integer" } }),
        },
      }),
      wantField: "properties[spec].properties[a].items.properties[id].default",
    },
    {
      name: "a keyword that is not known here",
      spec: object({ a: { type: "string", patternProperties: {} } }),
      wantField: "properties[spec].properties[a].patternProperties",
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const answer = new ServerFixture().call("POST", definitions, definition(tc.spec));
      assert.equal(answer.status, 422);
      assert.deepEqual(
        answer.body.details.causes.map((cause: { field: string }) => cause.field),
        [`spec.validation.openAPIV3Schema.${tc.wantField}`],
      );
    });
  }
});

describe("rules of CRDs", () => {
  const toys = "/apis/example.io/v1/namespaces/default/toys";
  const accepts = (spec: object, toy: object): boolean => {
    const fixture = new ServerFixture();
    const made = fixture.call("POST", definitions, definition(spec));
    assert.equal(made.status, 201, JSON.stringify(made.body.message));
    const answer = fixture.call("POST", toys, { metadata: { name: "a" }, spec: toy });
    assert.ok([201, 422].includes(answer.status));
    return answer.status === 201;
  };
  const texts = { type: "array", items: { type: "string" } };
  const numbers = { type: "array", items: { type: "integer" } };
  const cases: readonly { readonly name: string; readonly spec: object; readonly good: object; readonly bad: object }[] = [
    {
      name: "all, over texts",
      spec: object({ l: texts }, rule("self.l.all(x, x.matches('^[a-z]+$'))")),
      good: { l: ["a"] },
      bad: { l: ["a", "B"] },
    },
    { name: "exists_one", spec: object({ l: numbers }, rule("self.l.exists_one(x, x == 1)")), good: { l: [1, 2] }, bad: { l: [1, 1] } },
    {
      name: "unique by pairs",
      spec: object({ l: numbers }, rule("self.l.all(x, self.l.exists_one(y, y == x))")),
      good: { l: [1, 2] },
      bad: { l: [1, 2, 1] },
    },
    {
      name: "two names in all",
      spec: object({ l: numbers }, rule("self.l.all(i, v, i == 0 || self.l[i - 1] < v)")),
      good: { l: [1, 2] },
      bad: { l: [2, 1] },
    },
    {
      name: "two names in exists",
      spec: object({ l: numbers }, rule("self.l.exists(i, v, v == i)")),
      good: { l: [5, 1] },
      bad: { l: [5, 5] },
    },
    {
      name: "size of maps",
      spec: object({ m: { type: "object", additionalProperties: { type: "string" } } }, rule("size(self.m) <= 1")),
      good: { m: { a: "b" } },
      bad: { m: { a: "b", c: "d" } },
    },
    {
      name: "keys of maps",
      spec: object({ m: { type: "object", additionalProperties: { type: "string" } } }, rule("self.m.all(k, k.startsWith('a'))")),
      good: { m: { ab: "" } },
      bad: { m: { b: "" } },
    },
    {
      name: "a value of a map",
      spec: object({ m: { type: "object", additionalProperties: { type: "string" } } }, rule("!('x' in self.m) || self.m['x'] == 'y'")),
      good: { m: { x: "y" } },
      bad: { m: { x: "z" } },
    },
    {
      name: "absent fields",
      spec: object({ a: { type: "integer" }, b: { type: "integer" } }, rule("has(self.a) != has(self.b)")),
      good: { a: 1 },
      bad: { a: 1, b: 1 },
    },
    {
      name: "instants",
      spec: object(
        { a: { type: "string", format: "date-time" }, b: { type: "string", format: "date-time" } },
        rule("timestamp(self.a) < timestamp(self.b)"),
      ),
      good: { a: "2026-01-01T00:00:00Z", b: "2026-01-01T01:00:00+00:00" },
      bad: { a: "2026-01-01T00:00:00Z", b: "2026-01-01T00:30:00+01:00" },
    },
    {
      name: "durations",
      spec: object({ a: { type: "string" } }, rule("duration(self.a) <= duration('1h')")),
      good: { a: "59m" },
      bad: { a: "61m" },
    },
    {
      name: "int-or-string",
      spec: object({ p: { "x-kubernetes-int-or-string": true } }, rule("type(self.p) == int ? self.p > 0 : self.p.endsWith('%')")),
      good: { p: "10%" },
      bad: { p: 0 },
    },
    {
      name: "fields named like words of the language",
      spec: object(
        { namespace: { type: "string" }, "a-b": { type: "integer" } },
        rule("self.__namespace__ == 'x' && self.a__dash__b == 1"),
      ),
      good: { namespace: "x", "a-b": 1 },
      bad: { namespace: "y", "a-b": 1 },
    },
    {
      name: "preserved unknown fields are equal or not",
      spec: object(
        { l: { type: "array", items: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } },
        rule("self.l[0] == self.l[1]"),
      ),
      good: { l: [{ x: [1] }, { x: [1] }] },
      bad: { l: [{ x: [1] }, { x: [2] }] },
    },
    {
      name: "whole numbers stay exact",
      spec: object({ a: { type: "integer" } }, rule("self.a % 2 == 0 && self.a / 2 == 4503599627370495")),
      good: { a: 9007199254740990 },
      bad: { a: 9007199254740989 },
    },
    {
      name: "texts replaced and joined",
      spec: object({ l: texts }, rule("self.l.join(',').replace('a', 'b') == 'b,c'")),
      good: { l: ["a", "c"] },
      bad: { l: ["a"] },
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      assert.equal(accepts(tc.spec, tc.good), true, "good");
      assert.equal(accepts(tc.spec, tc.bad), false, "bad");
    });
  }

  it("are forgiven where nothing changed, with a warning", () => {
    const fixture = new ServerFixture();
    const nested = (text: string): object =>
      object({ part: object({ a: { type: "integer" } }, rule(text, { message: "too small" })), other: { type: "integer" } });
    fixture.call("POST", definitions, definition(nested("self.a > 0")));
    fixture.call("POST", toys, { metadata: { name: "a" }, spec: { part: { a: 1 } } });
    const live = fixture.call("GET", `${definitions}/toys.example.io`).body;
    fixture.call("PUT", `${definitions}/toys.example.io`, { ...live, spec: (definition(nested("self.a > 5")) as { spec: object }).spec });
    const forgiven = fixture.merge(`${toys}/a`, { spec: { other: 2 } });
    assert.deepEqual([forgiven.status, forgiven.headers.warning], [200, '299 - "spec.part: Invalid value: too small"']);
    assert.equal(fixture.merge(`${toys}/a`, { spec: { part: { a: 2 } } }).status, 422);
  });
});
