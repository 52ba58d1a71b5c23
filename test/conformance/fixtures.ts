import type { Resource } from "../../src/api/resource.ts";

/** The kinds that rows use beside the built-in ones. */
const custom = (plural: string, kind: string, namespaced: boolean): Resource => ({
  group: "conformance.nuptse.dev",
  version: "v1",
  plural,
  kind,
  namespaced,
});

/** A namespaced kind with everything that our own CRDs use. */
export const things = custom("things", "Thing", true);
/** A cluster-scoped kind without subresources. */
export const plains = custom("plains", "Plain", false);

const thingSchema = {
  type: "object",
  "x-kubernetes-validations": [{ rule: "self.metadata.name != 'forbidden'", message: "may not be called forbidden" }],
  properties: {
    spec: {
      type: "object",
      default: {},
      "x-kubernetes-validations": [
        {
          rule: "!has(self.low) || !has(self.high) || self.low <= self.high",
          message: "low must not be above high",
          fieldPath: ".low",
          reason: "FieldValueInvalid",
        },
        {
          rule: "!has(self.needs) || has(self.label)",
          message: "label is needed with needs",
          reason: "FieldValueRequired",
          fieldPath: ".label",
        },
      ],
      properties: {
        size: { type: "integer", minimum: 0, maximum: 10, default: 1 },
        color: { type: "string", enum: ["Red", "Green"] },
        label: { type: "string", minLength: 2, maxLength: 8, pattern: "^[a-z]+$" },
        low: { type: "integer" },
        high: { type: "integer" },
        needs: { type: "boolean" },
        fixed: { type: "string", maxLength: 20, "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "fixed cannot change" }] },
        grows: {
          type: "integer",
          "x-kubernetes-validations": [
            { rule: "!oldSelf.hasValue() || self >= oldSelf.value()", optionalOldSelf: true, message: "grows only grows" },
          ],
        },
        when: { type: "string", format: "date-time" },
        port: { "x-kubernetes-int-or-string": true },
        note: { type: "string", nullable: true, maxLength: 20 },
        nested: {
          type: "object",
          properties: {
            on: { type: "boolean", default: true },
            deep: { type: "object", default: {}, properties: { count: { type: "integer", default: 7 } } },
          },
        },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        items: {
          type: "array",
          maxItems: 4,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["id"],
          items: {
            type: "object",
            required: ["id"],
            properties: {
              id: { type: "integer" },
              param: { type: "string", default: "x", maxLength: 20 },
              extra: { type: "string", maxLength: 20 },
            },
          },
          "x-kubernetes-validations": [
            {
              rule: "self.all(i, i.id < 100)",
              message: "ids are below 100",
              messageExpression: "'ids are below 100, found %d items'.format([size(self)])",
            },
          ],
        },
        tags: { type: "array", maxItems: 8, "x-kubernetes-list-type": "set", items: { type: "string", maxLength: 10 } },
        atoms: { type: "array", maxItems: 8, "x-kubernetes-list-type": "atomic", items: { type: "string", maxLength: 10 } },
        table: { type: "object", maxProperties: 3, additionalProperties: { type: "string", maxLength: 10 } },
        amounts: {
          type: "object",
          maxProperties: 3,
          additionalProperties: {
            "x-kubernetes-int-or-string": true,
            maxLength: 10,
            "x-kubernetes-validations": [
              { rule: "type(self) == int ? self >= 0 : self.matches('^[0-9]+%$')", message: "must be a number or a percentage" },
            ],
          },
        },
        sorted: {
          type: "array",
          maxItems: 8,
          items: { type: "integer" },
          "x-kubernetes-validations": [{ rule: "self.all(i, v, i == 0 || self[i - 1] < v)", message: "must ascend" }],
        },
        replicas: { type: "integer", minimum: 0, default: 2 },
      },
    },
    status: {
      type: "object",
      properties: {
        phase: { type: "string", maxLength: 20 },
        replicas: { type: "integer" },
        selector: { type: "string", maxLength: 50 },
        conditions: {
          type: "array",
          maxItems: 8,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["type"],
          items: {
            type: "object",
            required: ["type"],
            properties: { type: { type: "string", maxLength: 20 }, status: { type: "string", maxLength: 20 } },
          },
        },
        counters: { type: "object", additionalProperties: { type: "integer" } },
      },
    },
  },
};

const definition = (resource: Resource, version: Record<string, unknown>): Record<string, unknown> => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${resource.plural}.${resource.group}` },
  spec: {
    group: resource.group,
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    names: { plural: resource.plural, singular: resource.kind.toLowerCase(), kind: resource.kind, listKind: `${resource.kind}List` },
    versions: [{ name: "v1", served: true, storage: true, ...version }],
  },
});

/** The CRDs that every server gets before the rows. */
export const definitions = [
  definition(things, {
    subresources: {
      status: {},
      scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.selector" },
    },
    selectableFields: [{ jsonPath: ".spec.color" }, { jsonPath: ".spec.size" }],
    schema: { openAPIV3Schema: thingSchema },
  }),
  definition(plains, {
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: { value: { type: "integer" }, status: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    },
  }),
];

/** A pod that a server accepts. */
export const pod = (
  name: string,
  more: { readonly spec?: object; readonly metadata?: object; readonly container?: object } = {},
): Record<string, unknown> => ({
  metadata: { name, ...more.metadata },
  spec: { restartPolicy: "Never", containers: [{ name: "main", image: "example.test/image:1", ...more.container }], ...more.spec },
});

export const configMap = (name: string, data: Record<string, string> = { a: "1" }, metadata: object = {}): Record<string, unknown> => ({
  metadata: { name, ...metadata },
  data,
});

export const thing = (name: string, spec: object = {}, metadata: object = {}): Record<string, unknown> => ({
  metadata: { name, ...metadata },
  spec,
});
