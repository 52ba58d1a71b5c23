import { customResourceDefinitions } from "../../../src/api/resource.ts";
import { definitions, plains, thing, things } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const spec = ["spec"];

const invalidRows = (
  [
    ["a number beyond its bounds", { size: 11 }],
    ["a number below its bounds", { size: -1 }],
    ["a value of another type", { size: "three" }],
    ["a fraction for an integer", { size: 1.5 }],
    ["a word outside of the enum", { color: "Blue" }],
    ["a text too short", { label: "a" }],
    ["a text too long", { label: "abcdefghij" }],
    ["a text outside of the pattern", { label: "ABC" }],
    ["a time that is none", { when: "yesterday" }],
    ["too many elements", { items: [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }, { id: 5 }] }],
    ["too many properties", { table: { a: "1", b: "2", c: "3", d: "4" } }],
    ["an element without what it needs", { items: [{ param: "a" }] }],
    ["an element of the wrong type", { atoms: ["a", 1] }],
    ["a list where an object belongs", { nested: [] }],
    ["an object where a text belongs", { label: {} }],
    ["int-or-string that is neither", { port: true }],
    ["a keyed element twice", { items: [{ id: 1 }, { id: 2 }, { id: 1 }] }],
    ["a member of a set twice", { tags: ["a", "b", "a"] }],
    ["several at once", { size: 99, color: "Blue", label: "x" }],
    ["a rule across fields, told at the field it names", { low: 5, high: 3 }],
    ["a rule with a reason", { needs: true }],
    ["a rule with a computed message", { items: [{ id: 100 }] }],
    ["a rule that compares neighbours", { sorted: [1, 3, 2] }],
    ["a rule on the values of a map", { amounts: { "example.test/disk": -1, cpu: "50%" } }],
    ["a rule on the other form of such a value", { amounts: { cpu: "half" } }],
    ["a broken rule beside a broken bound", { low: 5, high: 3, size: 99 }],
    ["a broken rule beside a wrong type", { low: 5, high: 3, size: "x" }],
  ] as const
).map(([what, body]) =>
  row(`refused: ${what}`, async (api) => {
    await api.create(things, thing("a", body));
  }),
);

/** CustomResourceDefinitions and their objects: defaults, pruning, validation, rules. */
export const customRows: readonly Row[] = [
  row("defaults are filled in, in nested objects too", async (api) => {
    await api.create(things, { metadata: { name: "a" } }, { show: spec });
    await api.create(things, thing("b", { nested: {} }), { show: spec });
    await api.create(things, thing("c", { nested: { deep: {} }, items: [{ id: 1 }] }), { show: spec });
  }),
  row("a default comes back when the field is taken away", async (api) => {
    await api.create(things, thing("a", { size: 5 }));
    await api.merge(things, "a", { spec: { size: null } }, { show: ["spec.size", "metadata.generation"] });
  }),
  row("null becomes the default, or vanishes, or stays where it is allowed", async (api) => {
    await api.create(things, thing("a", { size: null, color: null, note: null, nested: null }), { show: spec });
  }),
  row("unknown fields are pruned at every depth, but not where they are preserved", async (api) => {
    await api.create(
      things,
      thing("a", { zork: 1, nested: { zap: 2 }, items: [{ id: 1, zip: 3 }], free: { any: { thing: [1, "two", null] } } }),
      { show: spec },
    );
  }),
  row("int-or-string takes both", async (api) => {
    await api.create(things, thing("a", { port: 80 }), { show: ["spec.port"] });
    await api.create(things, thing("b", { port: "http" }), { show: ["spec.port"] });
  }),
  row("times are kept as they were written", async (api) => {
    await api.create(things, thing("a", { when: "2026-11-20T10:00:00+08:00" }), { show: ["spec.when"] });
  }),
  ...invalidRows,
  row("a rule at the root sees the name", async (api) => {
    await api.create(things, thing("forbidden"));
  }),
  row("a transition rule: what may not change", async (api) => {
    await api.create(things, thing("a", { fixed: "x" }));
    await api.merge(things, "a", { spec: { fixed: "y" } });
    await api.merge(things, "a", { spec: { size: 2 } }, { show: ["spec.fixed"] });
    await api.merge(things, "a", { spec: { fixed: null } }, { show: ["spec.fixed"] });
    await api.merge(things, "a", { spec: { fixed: "z" } }, { show: ["spec.fixed"] });
  }),
  row("an optional transition rule: what only grows", async (api) => {
    await api.create(things, thing("a", { grows: 3 }));
    await api.merge(things, "a", { spec: { grows: 2 } });
    await api.merge(things, "a", { spec: { grows: 4 } }, { show: ["spec.grows"] });
  }),
  row("an update that breaks validation is Invalid and changes nothing", async (api) => {
    await api.create(things, thing("a", { low: 1, high: 2 }));
    await api.merge(things, "a", { spec: { low: 9 } });
    await api.json(things, "a", [{ op: "replace", path: "/spec/high", value: "x" }]);
    await api.get(things, "a", { show: ["spec.low", "spec.high", "metadata.generation"] });
  }),
  row("status is validated too", async (api) => {
    await api.create(things, thing("a"));
    await api.merge(things, "a", { status: { phase: "x".repeat(30) } }, { subresource: "status" });
    await api.merge(things, "a", { status: { conditions: [{ type: "A" }, { type: "A" }] } }, { subresource: "status" });
    await api.merge(things, "a", { status: { replicas: "two" } }, { subresource: "status" });
    await api.merge(things, "a", { status: { zork: 1 } }, { subresource: "status", show: ["status"] });
  }),
  row("scale reads and writes by its paths", async (api) => {
    await api.create(things, thing("a"));
    await api.merge(things, "a", { status: { replicas: 1, selector: "a=b" } }, { subresource: "status" });
    await api.get(things, "a", { subresource: "scale", show: ["kind", "apiVersion", "metadata.name", "spec", "status"] });
    await api.merge(things, "a", { spec: { replicas: 7 } }, { subresource: "scale", show: ["spec", "status"] });
    await api.get(things, "a", { show: ["spec.replicas", "metadata.generation"] });
  }),
  row("a PUT of a scale is guarded by the version", async (api) => {
    await api.create(things, thing("a"));
    const scale = await api.get(things, "a", { subresource: "scale", show: ["spec"] });
    await api.request(
      "put",
      "PUT",
      `/apis/conformance.nuptse.dev/v1/namespaces/${api.namespace}/things/a/scale`,
      { ...scale.body, spec: { replicas: 3 } },
      { show: ["spec"] },
    );
    await api.request("put", "PUT", `/apis/conformance.nuptse.dev/v1/namespaces/${api.namespace}/things/a/scale`, {
      ...scale.body,
      spec: { replicas: 4 },
    });
  }),
  row("a scale below zero is refused", async (api) => {
    await api.create(things, thing("a"));
    await api.merge(things, "a", { spec: { replicas: -1 } }, { subresource: "scale" });
  }),
  row("a cluster-scoped kind has no namespaces", async (api) => {
    const name = `${api.namespace}-plain`;
    await api.create(plains, { metadata: { name }, value: 3 }, { show: ["metadata.namespace", "value"] });
    const reply = await api.request("namespaced", "GET", `/apis/conformance.nuptse.dev/v1/namespaces/${api.namespace}/plains`, undefined, {
      show: "nothing",
    });
    api.note("status", reply.status);
  }),
  row("a CRD says that it is served", async (api) => {
    await api.get(customResourceDefinitions, "things.conformance.nuptse.dev", {
      show: ["status.conditions.*.type", "status.conditions.*.status", "status.acceptedNames", "status.storedVersions"],
    });
  }),
  row("a CRD's name must be plural and group", async (api) => {
    const [first] = definitions;
    const reply = await api.create(customResourceDefinitions, { ...first, metadata: { name: "wrong.example.io" } }, { show: "nothing" });
    api.note("causes", reply.body.details.causes);
  }),
  row("a CRD whose rule does not compile is refused", async (api) => {
    await api.create(
      customResourceDefinitions,
      {
        metadata: { name: "bads.example.io" },
        spec: {
          group: "example.io",
          scope: "Namespaced",
          names: { plural: "bads", kind: "Bad" },
          versions: [
            {
              name: "v1",
              served: true,
              storage: true,
              schema: {
                openAPIV3Schema: {
                  type: "object",
                  properties: {
                    spec: { type: "object", properties: { a: { type: "integer" } }, "x-kubernetes-validations": [{ rule: "self.b > 1" }] },
                  },
                },
              },
            },
          ],
        },
      },
      { show: "reason" },
    );
  }),
];
