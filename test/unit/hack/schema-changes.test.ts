import assert from "node:assert/strict";
import { definitionChanges } from "../../../hack/compatibility/definition-changes.ts";
import { schemaChanges } from "../../../hack/compatibility/schema-changes.ts";
import type { CustomResourceDefinition, CustomResourceVersion, JsonSchema } from "../../../src/api/core.ts";

const text = { type: "string" };
const object = (properties: Readonly<Record<string, JsonSchema>>, more: object = {}): JsonSchema => ({
  type: "object",
  properties,
  ...more,
});
const rules = (...of: readonly string[]) => ({ "x-kubernetes-validations": of.map((rule) => ({ rule })) });
const map = (...keys: readonly string[]) => ({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys });

/** The schemas of a field, before and after. */
interface Case {
  readonly name: string;
  readonly older: JsonSchema;
  readonly newer: JsonSchema;
  /** "path: effect: what", the path from there on. */
  readonly wants: readonly string[];
}

/** What is changed in an object itself is changed in something that every write changes. */
const rootCases: readonly Case[] = [
  {
    name: "a field is required",
    older: object({ a: text }),
    newer: object({ a: text }, { required: ["a"] }),
    wants: [": Stuck: a is required"],
  },
  {
    name: "a rule more",
    older: object({ a: text }),
    newer: object({ a: text }, rules("has(self.a)")),
    wants: [": Stuck: the rule is new: has(self.a)"],
  },
  {
    name: "a rule more, and a bound, below a field",
    older: object({ spec: object({ a: text }) }),
    newer: object({ spec: object({ a: { ...text, maxLength: 5 } }, rules("has(self.a)")) }),
    wants: ["spec: Ratcheted: the rule is new: has(self.a)", "spec.a: Ratcheted: maxLength was none and is 5"],
  },
];

const schemaCases: readonly Case[] = [
  { name: "nothing changed", older: object({ a: text }), newer: object({ a: text }), wants: [] },
  { name: "other descriptions are no change", older: { ...text, description: "a" }, newer: { ...text, description: "b" }, wants: [] },

  // fields
  { name: "a field more, which has a default", older: object({}), newer: object({ a: { type: "integer", default: 3 } }), wants: [] },
  { name: "a field less", older: object({ a: text, b: text }), newer: object({ a: text }), wants: ["b: Lost: the field is gone"] },
  {
    name: "a field less in the items of a list",
    older: object({ list: { type: "array", items: object({ a: text }) } }),
    newer: object({ list: { type: "array", items: object({}) } }),
    wants: ["list[].a: Lost: the field is gone"],
  },
  {
    name: "a field less where all are kept",
    older: object({ a: text }),
    newer: object({}, { "x-kubernetes-preserve-unknown-fields": true }),
    wants: [],
  },
  {
    name: "fields that are not named are no longer kept",
    older: object({}, { "x-kubernetes-preserve-unknown-fields": true }),
    newer: object({}),
    wants: [": Lost: fields that are not named are dropped"],
  },
  {
    name: "what was kept unseen has a schema",
    older: object({}, { "x-kubernetes-preserve-unknown-fields": true }),
    newer: object({ a: { type: "integer" } }, { "x-kubernetes-preserve-unknown-fields": true }),
    wants: ["a: Ratcheted: it was not looked at and has a schema"],
  },
  {
    name: "values of a map are judged",
    older: { type: "object", additionalProperties: { ...text, maxLength: 9 } },
    newer: { type: "object", additionalProperties: { ...text, maxLength: 5 } },
    wants: ["{}: Ratcheted: maxLength was 9 and is 5"],
  },
  {
    name: "a map is no map any more",
    older: { type: "object", additionalProperties: text },
    newer: object({ a: text }),
    wants: [": Lost: fields that are not named are dropped"],
  },
  {
    name: "a default that is another, one that is new, one that is gone",
    older: object({ a: { ...text, default: "x" }, b: text, c: { ...text, default: "z" } }),
    newer: object({ a: { ...text, default: "y" }, b: { ...text, default: "y" }, c: text }),
    wants: [
      'a: Reinterpreted: the default was "x" and is "y"',
      'b: Reinterpreted: the default was none and is "y"',
      'c: Reinterpreted: the default was "z" and is none',
    ],
  },

  // types
  { name: "another type", older: text, newer: { type: "integer" }, wants: [": Ratcheted: the type was string and is integer"] },
  { name: "a wider type", older: { type: "integer" }, newer: { type: "number" }, wants: [] },
  {
    name: "a narrower type",
    older: { type: "number" },
    newer: { type: "integer" },
    wants: [": Ratcheted: the type was number and is integer"],
  },
  { name: "strings too", older: { type: "integer" }, newer: { "x-kubernetes-int-or-string": true }, wants: [] },
  {
    name: "integers no more",
    older: { "x-kubernetes-int-or-string": true },
    newer: text,
    wants: [": Ratcheted: the type was integer or string and is string"],
  },
  { name: "null is no value any more", older: { ...text, nullable: true }, newer: text, wants: [": Ratcheted: null was a value"] },

  // bounds
  {
    name: "tighter bounds",
    older: { type: "integer", minimum: 1, maximum: 9 },
    newer: { type: "integer", minimum: 2, maximum: 8 },
    wants: [": Ratcheted: minimum was 1 and is 2", ": Ratcheted: maximum was 9 and is 8"],
  },
  {
    name: "looser bounds, and none",
    older: { type: "array", minItems: 1, maxItems: 9, items: text },
    newer: { type: "array", maxItems: 10, items: text },
    wants: [],
  },
  { name: "a bound where none was", older: text, newer: { ...text, maxLength: 63 }, wants: [": Ratcheted: maxLength was none and is 63"] },
  {
    name: "the bound itself is no value any more",
    older: { type: "number", minimum: 0 },
    newer: { type: "number", minimum: 0, exclusiveMinimum: true },
    wants: [": Ratcheted: exclusiveMinimum was none and is true"],
  },
  {
    name: "a value less, and one more",
    older: { ...text, enum: ["A", "B"] },
    newer: { ...text, enum: ["B", "C"] },
    wants: [': Ratcheted: "A" is no value any more'],
  },
  { name: "values more", older: { ...text, enum: ["A"] }, newer: { ...text, enum: ["A", "B"] }, wants: [] },
  { name: "any value", older: { ...text, enum: ["A"] }, newer: text, wants: [] },
  { name: "values where all were", older: text, newer: { ...text, enum: ["A"] }, wants: [': Ratcheted: only ["A"] are values'] },
  {
    name: "another pattern and a format",
    older: { ...text, pattern: "^a" },
    newer: { ...text, pattern: "^ab?", format: "date-time" },
    wants: [': Ratcheted: pattern was "^a" and is "^ab?"', ': Ratcheted: format was none and is "date-time"'],
  },
  { name: "no pattern any more", older: { ...text, pattern: "^a" }, newer: text, wants: [] },

  // what is never forgiven
  {
    name: "required, a field that was optional",
    older: object({ a: text }),
    newer: object({ a: text }, { required: ["a"] }),
    wants: [": Ratcheted: a is required"],
  },
  {
    name: "required, a field that nobody could have",
    older: object({ s: object({}) }),
    newer: object({ s: object({ a: text }, { required: ["a"] }) }),
    wants: ["s: Ratcheted: a is required"],
  },
  {
    name: "required, with a default",
    older: object({}),
    newer: object({ a: { ...text, default: "x" } }, { required: ["a"] }),
    wants: [],
  },
  { name: "no longer required", older: object({ a: text }, { required: ["a"] }), newer: object({ a: text }), wants: [] },
  {
    name: "required within a field that is new",
    older: object({}),
    newer: object({ s: object({ a: text }, { required: ["a"] }) }),
    wants: [],
  },
  {
    name: "a list becomes a set",
    older: { type: "array", items: text },
    newer: { type: "array", items: text, "x-kubernetes-list-type": "set" },
    wants: [": Ratcheted: the list was atomic and is set"],
  },
  {
    name: "a list has other keys",
    older: { type: "array", items: object({ a: text, b: text }), ...map("a") },
    newer: { type: "array", items: object({ a: text, b: text }), ...map("a", "b") },
    wants: [": Ratcheted: the list was map by a and is map by a, b"],
  },
  {
    name: "a list has no keys any more",
    older: { type: "array", items: object({ a: text }), ...map("a") },
    newer: { type: "array", items: object({ a: text }) },
    wants: [],
  },
  {
    name: "other alternatives",
    older: { ...text, anyOf: [{ maxLength: 9 }] },
    newer: { ...text, anyOf: [{ maxLength: 5 }] },
    wants: [": Ratcheted: anyOf is another"],
  },

  // rules
  {
    name: "a rule more",
    older: object({ a: text }, rules("has(self.a)")),
    newer: object({ a: text, b: text }, rules("has(self.a)", "has(self.a) != has(self.b)")),
    wants: [": Ratcheted: the rule is new: has(self.a) != has(self.b)"],
  },
  { name: "a rule less", older: object({ a: text }, rules("has(self.a)")), newer: object({ a: text }), wants: [] },
  {
    name: "a rule with oldSelf",
    older: text,
    newer: { ...text, ...rules("self == oldSelf") },
    wants: [": Stuck: the rule is new: self == oldSelf"],
  },
  {
    name: "rules that hold for whatever has not the new field",
    older: object({ a: text, s: object({}) }),
    newer: object(
      { a: text, b: text, s: object({ c: text }) },
      rules("!has(self.b) || has(self.a)", "!has(self.s) || !has(self.s.c) || self.s.c == 'x'", "has(self.a) || !has(self.b)"),
    ),
    wants: [],
  },
  {
    name: "a rule about fields of before",
    older: object({ a: text, b: text }),
    newer: object({ a: text, b: text }, rules("!has(self.b) || has(self.a)")),
    wants: [": Ratcheted: the rule is new: !has(self.b) || has(self.a)"],
  },
  {
    name: "the new field in brackets, in quotes, in a condition, behind `and`",
    older: object({ a: text }),
    newer: object(
      { a: text, b: text },
      rules("has(self.a) && (!has(self.b) || x)", "self.a == '|| !has(self.b) ||'", "!has(self.b) || x ? y : z", "!has(self.b) && x"),
    ),
    wants: [
      ": Ratcheted: the rule is new: has(self.a) && (!has(self.b) || x)",
      ": Ratcheted: the rule is new: self.a == '|| !has(self.b) ||'",
      ": Ratcheted: the rule is new: !has(self.b) || x ? y : z",
      ": Ratcheted: the rule is new: !has(self.b) && x",
    ],
  },
  {
    name: "the new field may be among the unnamed ones of before",
    older: object({ a: text }, { "x-kubernetes-preserve-unknown-fields": true }),
    newer: object({ a: text }, { "x-kubernetes-preserve-unknown-fields": true, ...rules("!has(self.b) || has(self.a)") }),
    wants: [": Ratcheted: the rule is new: !has(self.b) || has(self.a)"],
  },
];

const version = (name: string, more: Partial<CustomResourceVersion> = {}): CustomResourceVersion => ({
  name,
  served: true,
  storage: true,
  schema: { openAPIV3Schema: object({ a: text }) },
  ...more,
});
const definition = (versions: readonly CustomResourceVersion[], more: object = {}): CustomResourceDefinition => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "things.example.com" },
  spec: { group: "example.com", scope: "Namespaced", names: { kind: "Thing", plural: "things" }, versions, ...more },
});
const withoutA = { openAPIV3Schema: object({}) };
const v1 = definition([version("v1")]);

const definitionCases: readonly {
  readonly name: string;
  readonly older: CustomResourceDefinition;
  readonly newer: CustomResourceDefinition;
  readonly wants: readonly string[];
}[] = [
  { name: "the same", older: v1, newer: v1, wants: [] },
  {
    name: "another scope and another name",
    older: v1,
    newer: definition([version("v1")], { scope: "Cluster", names: { kind: "Thing", plural: "thingies" } }),
    wants: ["definition.scope: Lost: was Namespaced and is Cluster", "definition.names.plural: Lost: was things and is thingies"],
  },
  {
    name: "a version more, which is not stored",
    older: v1,
    newer: definition([version("v1"), version("v2", { storage: false, schema: withoutA })]),
    wants: [],
  },
  {
    name: "a version more, which is stored",
    older: v1,
    newer: definition([version("v1", { storage: false }), version("v2", { schema: withoutA })]),
    wants: ["a: Lost: the field is gone"],
  },
  {
    name: "a version less",
    older: v1,
    newer: definition([version("v2")]),
    wants: ["definition.versions.v1: Lost: the version is gone"],
  },
  {
    name: "a version that is not served any more",
    older: v1,
    newer: definition([version("v1", { served: false })]),
    wants: ["definition.versions.v1: Lost: the version is not served any more"],
  },
  {
    name: "subresources and selectable fields less",
    older: definition([
      version("v1", {
        subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } },
        selectableFields: [{ jsonPath: ".a" }],
      }),
    ]),
    newer: v1,
    wants: [
      "definition.versions.v1: Lost: the subresource status is gone",
      "definition.versions.v1: Lost: the subresource scale is gone, or another",
      "definition.versions.v1: Lost: nobody can select by .a any more",
    ],
  },
];

const shown = (changes: ReturnType<typeof schemaChanges>) => changes.map(({ path, effect, what }) => `${path}: ${effect}: ${what}`);

describe("what a change of a schema does to stored objects", () => {
  for (const { name, older, newer, wants } of schemaCases)
    it(name, () => {
      const changes = schemaChanges(older, newer, "field").map((change) => ({ ...change, path: change.path.replace(/^field\.?/, "") }));
      assert.deepEqual(shown(changes), wants);
    });
  for (const { name, older, newer, wants } of rootCases)
    it(`in the object itself: ${name}`, () => assert.deepEqual(shown(schemaChanges(older, newer)), wants));
});

describe("what a change of a definition does to stored objects", () => {
  for (const { name, older, newer, wants } of definitionCases)
    it(name, () => assert.deepEqual(shown(definitionChanges(older, newer)), wants));
});
