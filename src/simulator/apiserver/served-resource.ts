import type { CustomResourceVersion } from "../../api/core.ts";
import type { Resource } from "../../api/resource.ts";
import { isFields } from "./json.ts";
import type { ResourceType } from "./resource-type.ts";

/** A kind as discovery, OpenAPI and tables need it. */
export interface ServedResource extends Resource {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: readonly ServedSubresource[];
  /** What the CRD says of this version; absent for built-in kinds. */
  readonly custom?: CustomResourceVersion;
}

export interface ServedSubresource {
  readonly name: string;
  readonly kind: string;
  /** Absent = those of the resource itself. */
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const partVerbs = ["get", "patch", "update"];

function subresource(type: ResourceType, name: string): ServedSubresource {
  switch (name) {
    case "scale":
      return { name, kind: "Scale", group: "autoscaling", version: "v1", verbs: partVerbs };
    case "binding":
      return { name, kind: "Binding", verbs: ["create"] };
    case "eviction":
      return { name, kind: "Eviction", group: "policy", version: "v1", verbs: ["create"] };
    case "token":
      return { name, kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: ["create"] };
    case "log":
      return { name, kind: type.resource.kind, verbs: ["get"] };
    case "finalize":
      return { name, kind: type.resource.kind, verbs: ["update"] };
    default:
      return { name, kind: type.resource.kind, verbs: partVerbs };
  }
}

/** What discovery says of a served kind. */
export function servedResource(type: ResourceType): ServedResource {
  const spec = type.definition?.spec;
  const versions = isFields(spec) && Array.isArray(spec.versions) ? (spec.versions as readonly CustomResourceVersion[]) : [];
  const custom = versions.find((version) => version.name === type.resource.version);
  return {
    ...type.resource,
    singular: type.singular,
    shortNames: type.shortNames,
    categories: type.categories,
    verbs,
    subresources: [...type.subresources].map((name) => subresource(type, name)),
    ...(custom === undefined ? {} : { custom }),
  };
}
