import assert from "node:assert/strict";
import { type Effect, schemaChanges } from "../../hack/compatibility/schema-changes.ts";
import type { JsonSchema } from "../../src/api/core.ts";
import { sharedControlPlane } from "./control-plane-fixture.ts";
import { eventually } from "./support/eventually.ts";
import { timeLimits } from "./support/time-limits.ts";

const group = "stored.nuptse.dev";
const text: JsonSchema = { type: "string" };
const integer: JsonSchema = { type: "integer" };
const texts: JsonSchema = { type: "array", items: text };
const rule = (expression: string) => ({ "x-kubernetes-validations": [{ rule: expression }] });
const object = (properties: Readonly<Record<string, JsonSchema>>, more: object = {}): JsonSchema => ({
  type: "object",
  properties,
  ...more,
});

/** A field of an object, stored under one schema and found under another. */
interface Case {
  readonly name: string;
  readonly older: JsonSchema;
  readonly newer: JsonSchema;
  /** What the newer definition says of the object as a whole. */
  readonly root?: object;
  readonly stored: unknown;
  /** Another value, as bad as the stored one. */
  readonly edited: unknown;
  readonly want: Effect | "None";
  /** What the API server does, where it is milder than what is said of the change. */
  readonly seen?: Effect | "None";
}

const cases: readonly Case[] = [
  { name: "a looser bound", older: { ...integer, maximum: 5 }, newer: { ...integer, maximum: 9 }, stored: 5, edited: 9, want: "None" },
  { name: "a tighter bound", older: integer, newer: { ...integer, maximum: 5 }, stored: 7, edited: 8, want: "Ratcheted" },
  { name: "a shorter list", older: texts, newer: { ...texts, maxItems: 1 }, stored: ["x", "y"], edited: ["x", "z"], want: "Ratcheted" },
  { name: "a value less", older: text, newer: { ...text, enum: ["A"] }, stored: "B", edited: "C", want: "Ratcheted" },
  { name: "a pattern", older: text, newer: { ...text, pattern: "^a" }, stored: "b", edited: "c", want: "Ratcheted" },
  { name: "a format", older: text, newer: { ...text, format: "date-time" }, stored: "b", edited: "c", want: "Ratcheted" },
  { name: "a rule", older: integer, newer: { ...integer, ...rule("self < 5") }, stored: 7, edited: 8, want: "Ratcheted" },
  {
    name: "a rule that looks at the value of before",
    older: integer,
    newer: { ...integer, ...rule("self < 5 && oldSelf < 5") },
    stored: 7,
    edited: 8,
    want: "Stuck",
  },
  {
    name: "a field that is required",
    older: object({ b: text, c: text }),
    newer: object({ b: text, c: text }, { required: ["b"] }),
    stored: { c: "x" },
    edited: { c: "y" },
    want: "Ratcheted",
  },
  {
    name: "a set with a value twice",
    older: texts,
    newer: { ...texts, "x-kubernetes-list-type": "set" },
    stored: ["x", "x"],
    edited: ["y", "y"],
    want: "Ratcheted",
    seen: "None",
  },
  { name: "alternatives", older: text, newer: { ...text, anyOf: [{ maxLength: 1 }] }, stored: "xx", edited: "yy", want: "Ratcheted" },
  { name: "another type", older: text, newer: integer, stored: "x", edited: "y", want: "Ratcheted" },
  {
    name: "a rule on the object as a whole",
    older: integer,
    newer: integer,
    root: rule("self.spec.a < 5"),
    stored: 7,
    edited: 8,
    want: "Stuck",
  },
  { name: "a field less", older: object({ b: text, c: text }), newer: object({ c: text }), stored: { b: "x" }, edited: {}, want: "Lost" },
  {
    name: "a new default of an old field",
    older: object({ b: text, c: text }),
    newer: object({ b: { ...text, default: "z" }, c: text }),
    stored: { c: "x" },
    edited: {},
    want: "Reinterpreted",
  },
];

/** What hack/compatibility says of changes is what a real API server does to stored objects. */
describe("what a change of a definition does to a stored object", function () {
  this.timeout(timeLimits.test);
  const plane = sharedControlPlane();

  for (const [index, { name, stored, edited, want, seen = want, ...changed }] of cases.entries())
    it(`${name}: ${want}`, async () => {
      const older = object({ spec: object({ a: changed.older, other: text, by: text }) });
      // The default tells by which of the two definitions an object is read.
      const newer = object({ spec: object({ a: changed.newer, other: text, by: { ...text, default: "the newer" } }) }, changed.root);
      const said = schemaChanges(older, newer).filter(({ path }) => path !== "spec.by");
      assert.deepEqual([...new Set(said.map(({ effect }) => effect))], want === "None" ? [] : [want]);
      const { client } = plane();
      const plural = `case${index}s`;
      const path = `/apis/${group}/v1/${plural}/it`;
      const merge = (body: object) => client.send({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
      const read = async () => JSON.parse(await client.text({ path })).spec as { readonly a: unknown; readonly by?: string };
      await define(plural, older);
      await eventually(`${plural} to be served`, timeLimits.reaction, async () => {
        const body = { apiVersion: `${group}/v1`, kind: `Case${index}`, metadata: { name: "it" }, spec: { a: stored } };
        await client.text({ method: "POST", path: `/apis/${group}/v1/${plural}`, body });
        return true;
      });
      await define(plural, newer);
      const spec = await eventually("the newer definition to be in force", timeLimits.reaction, async () => {
        const is = await read();
        return is.by !== undefined && is;
      });

      const observed = async (): Promise<Effect | "None"> => {
        if (JSON.stringify(spec.a) !== JSON.stringify(stored)) return Object.keys(spec.a as object).length < 1 ? "Lost" : "Reinterpreted";
        if ((await merge({ spec: { other: "touched" } })).status === 422) return "Stuck";
        return (await merge({ spec: { a: edited } })).status === 422 ? "Ratcheted" : "None";
      };
      assert.equal(await observed(), seen);
    });

  async function define(plural: string, openAPIV3Schema: JsonSchema): Promise<void> {
    const { client } = plane();
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: "Cluster",
        names: { plural, kind: plural.replace(/^c(.*)s$/, "C$1") },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    };
    await client.text({
      method: "PATCH",
      path: `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${group}?fieldManager=test&force=true`,
      body: definition,
      contentType: "application/apply-patch+yaml",
    });
  }
});
