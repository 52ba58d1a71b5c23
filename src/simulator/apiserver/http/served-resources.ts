import type { CustomResourceDefinition } from "../../../api/core.ts";
import type { ResourceType } from "../resource-type.ts";
import type { ServedResource, ServedSubresource } from "./core.ts";

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const partVerbs = ["get", "patch", "update"];

/** Each kind is described once: types are made anew when their CRD changes. */
const known = new WeakMap<ResourceType, ServedResource>();

/** A kind of the core as discovery, OpenAPI and tables need it. */
export function servedResource(type: ResourceType): ServedResource {
  let served = known.get(type);
  if (served === undefined) {
    served = describe(type);
    known.set(type, served);
  }
  return served;
}

function describe(type: ResourceType): ServedResource {
  const { group, version, plural, kind, namespaced } = type.resource;
  const names = new Set(type.subresources);
  // logs are the front's own business
  if (group === "" && plural === "pods") names.add("log");
  const definition = type.definition as unknown as CustomResourceDefinition | undefined;
  const custom = definition?.spec.versions.find((each) => each.name === version);
  return {
    group,
    version,
    plural,
    kind,
    namespaced,
    singular: type.singular,
    shortNames: type.shortNames,
    categories: type.categories,
    verbs,
    subresources: [...names].map((name) => subresource(name, kind)),
    ...(custom === undefined ? {} : { custom }),
  };
}

function subresource(name: string, kind: string): ServedSubresource {
  if (name === "scale") return { name, kind: "Scale", group: "autoscaling", version: "v1", verbs: partVerbs };
  if (name === "binding") return { name, kind: "Binding", verbs: ["create"] };
  return { name, kind, verbs: name === "log" ? ["get"] : partVerbs };
}
