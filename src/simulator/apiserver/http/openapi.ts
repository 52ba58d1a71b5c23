import { createHash } from "node:crypto";
import type { JsonSchema } from "../../../api/core.ts";
import { resourcePath } from "../../../api/resource.ts";
import type { ServedResource } from "../served-resource.ts";
import type { GroupVersion } from "./discovery.ts";

/**
 * OpenAPI v3 as small as kubectl allows (measured with kubectl 1.36): one document a group and version. A path carries the kind as an object
 * and names the parameter `fieldValidation`, by which kubectl knows that the server validates; a schema carries the kind as a list, by which
 * `kubectl explain` finds it. Strategic merge is declared nowhere: kubectl would then compute patches from these schemas.
 */

const metaName = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** Where the documents are (`/openapi/v3`). The hash of a document's content is part of its address. */
export function openApiIndex(all: readonly GroupVersion[]): unknown {
  const paths = all.map((each): [string, object] => {
    const path = documentPath(each);
    const hash = createHash("sha256")
      .update(JSON.stringify(openApiDocument(each)))
      .digest("hex")
      .toUpperCase();
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
  });
  return { paths: Object.fromEntries(paths) };
}

/** The document's path below `/openapi/v3/`: "api/v1" or "apis/<group>/<version>". */
export function documentPath({ group, version }: GroupVersion): string {
  return group === "" ? `api/${version}` : `apis/${group}/${version}`;
}

/** The document of one group and version. */
export function openApiDocument(groupVersion: GroupVersion): unknown {
  const { resources } = groupVersion;
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "v1.36.3" },
    paths: Object.fromEntries(resources.flatMap(pathsOf)),
    components: { schemas: Object.fromEntries([...resources.map(schemaOf), [metaName, objectMetaSchema]]) },
  };
}

function pathsOf(resource: ServedResource): readonly [string, object][] {
  const namespace = resource.namespaced ? "{namespace}" : undefined;
  const collection = resourcePath(resource, namespace);
  const operations = (entries: readonly (readonly [verb: string, method: string])[]) =>
    Object.fromEntries(
      entries.filter(([verb]) => resource.verbs.includes(verb)).map(([verb, method]) => [method, operation(resource, verb)]),
    );
  const ofCollection: [string, object] = [
    collection,
    operations([
      ["list", "get"],
      ["create", "post"],
    ]),
  ];
  const ofObject: [string, object] = [
    `${collection}/{name}`,
    operations([
      ["get", "get"],
      ["update", "put"],
      ["patch", "patch"],
      ["delete", "delete"],
    ]),
  ];
  return [ofCollection, ofObject].filter(([, methods]) => Object.keys(methods).length > 0);
}

const queryText = (name: string, description: string) => ({ name, in: "query", description, schema: { type: "string" } });
const writeParameters = [
  queryText("dryRun", "All = nothing is stored."),
  queryText("fieldManager", "The name under which fields are owned."),
  queryText("fieldValidation", "What happens to unknown fields: Ignore, Warn or Strict."),
];
const patchContent = {
  "application/json-patch+json": {},
  "application/merge-patch+json": {},
  "application/apply-patch+yaml": {},
};

function operation(resource: ServedResource, verb: string): object {
  const writes = verb === "create" || verb === "update" || verb === "patch";
  return {
    ...(writes
      ? { parameters: writeParameters, requestBody: { content: verb === "patch" ? patchContent : { "application/json": {} } } }
      : {}),
    responses: { 200: { description: "OK" } },
    "x-kubernetes-action": verb,
    "x-kubernetes-group-version-kind": kindOf(resource),
  };
}

function schemaOf(resource: ServedResource): [string, object] {
  const { custom, group, version, kind } = resource;
  const declared: JsonSchema = custom?.schema?.openAPIV3Schema ?? {
    type: "object",
    description: `${kind} is one of Kubernetes' own kinds; the embedded cluster does not carry its description.`,
  };
  const schema = { ...declared, properties: { ...standardProperties, ...withoutStandard(declared.properties) } };
  const name = `${group === "" ? "io.k8s.api.core" : group.split(".").toReversed().join(".")}.${version}.${kind}`;
  return [name, { ...schema, "x-kubernetes-group-version-kind": [kindOf(resource)] }];
}

function kindOf({ group, version, kind }: ServedResource): object {
  return { group, version, kind };
}

const standardProperties = {
  apiVersion: { type: "string", description: "The group and version of this object's schema, such as v1 or apps/v1." },
  kind: { type: "string", description: "The kind of this object, in CamelCase." },
  metadata: {
    description: "Standard object's metadata: name, namespace, labels, annotations and what the server adds.",
    allOf: [{ $ref: `#/components/schemas/${metaName}` }],
  },
};

/** A CRD may declare apiVersion, kind and metadata too, mostly without saying anything of them. */
function withoutStandard(properties: Readonly<Record<string, JsonSchema>> | undefined): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(Object.entries(properties ?? {}).filter(([name]) => !Object.hasOwn(standardProperties, name)));
}

const text = (description: string) => ({ type: "string", description });
const texts = (description: string) => ({ type: "object", description, additionalProperties: { type: "string" } });
const objects = (description: string) => ({ type: "array", description, items: { type: "object" } });

const objectMetaSchema = {
  type: "object",
  description: "ObjectMeta is metadata that all persisted resources must have.",
  properties: {
    annotations: texts("Unstructured data of tools, by name. It cannot be selected by."),
    creationTimestamp: { ...text("When the object was created. Set by the server."), format: "date-time" },
    deletionGracePeriodSeconds: {
      type: "integer",
      format: "int64",
      description: "How long the object may take to end once its deletion was asked for.",
    },
    deletionTimestamp: { ...text("When the object is to be gone. Set by the server when its deletion is asked for."), format: "date-time" },
    finalizers: {
      type: "array",
      items: { type: "string" },
      description: "Who must agree before the object goes. It stays until the list is empty.",
    },
    generateName: text("A prefix from which the server makes a name that is unique, if no name is given."),
    generation: { type: "integer", format: "int64", description: "Counts the changes of what is wanted. Set by the server." },
    labels: texts("Names and values by which objects are selected."),
    managedFields: objects("Who set which fields. Set by the server."),
    name: text("The object's name, unique within its kind and namespace. It cannot be changed."),
    namespace: text("The namespace that the object is in."),
    ownerReferences: objects("The objects that this one belongs to. When all of them are gone, it is deleted."),
    resourceVersion: text("The version of this object, for comparing and for watches. Set by the server."),
    uid: text("Tells this object from all others, also from those of the same name before and after it. Set by the server."),
  },
};
