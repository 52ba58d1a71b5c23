import { apiVersionOf } from "../../../api/resource.ts";
import type { ServedResource, ServedSubresource } from "../served-resource.ts";

/** The kinds of one group and version, in the order in which they are served. */
export interface GroupVersion {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  readonly resources: readonly ServedResource[];
}

/** Orders kinds by group and version; both keep the order of their first appearance, which makes a group's first version its preferred one. */
export function groupVersions(resources: readonly ServedResource[]): readonly GroupVersion[] {
  const byApiVersion = Map.groupBy(resources, apiVersionOf);
  return [...byApiVersion.values()].map((members) => {
    const { group, version } = members[0]!;
    return { group, version, resources: members };
  });
}

/** Aggregated discovery of `/api` (the core group) or of `/apis` (all others): apidiscovery.k8s.io/v2. */
export function aggregatedDiscovery(all: readonly GroupVersion[], root: "/api" | "/apis"): unknown {
  const members = all.filter((each) => (each.group === "") === (root === "/api"));
  const items = [...Map.groupBy(members, (each) => each.group)].map(([group, versions]) => ({
    metadata: group === "" ? {} : { name: group },
    versions: versions.map((each) => ({
      version: each.version,
      freshness: "Current",
      resources: each.resources.map(aggregatedResource),
    })),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

/** `/api` in its old form. `address` is the host and port at which the server is reached. */
export function coreVersions(address: string): unknown {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: address }] };
}

/** `/apis` in its old form. */
export function groupList(all: readonly GroupVersion[]): unknown {
  const names = [...new Set(all.map((each) => each.group).filter((group) => group !== ""))];
  return { kind: "APIGroupList", apiVersion: "v1", groups: names.map((name) => groupBody(all, name)) };
}

/** `/apis/<group>`; undefined when there is no such group. */
export function groupOf(all: readonly GroupVersion[], name: string): unknown {
  return all.some((each) => each.group === name) ? { kind: "APIGroup", apiVersion: "v1", ...groupBody(all, name) } : undefined;
}

/** `/api/v1` and `/apis/<group>/<version>`: every kind and every subresource has an entry of its own there. */
export function resourceList({ group, version, resources }: GroupVersion): unknown {
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: group === "" ? version : `${group}/${version}`,
    resources: resources.flatMap((resource) => [
      {
        name: resource.plural,
        singularName: resource.singular,
        namespaced: resource.namespaced,
        kind: resource.kind,
        verbs: resource.verbs,
        ...shownNames(resource),
      },
      ...resource.subresources.map((subresource) => listedSubresource(resource, subresource)),
    ]),
  };
}

function groupBody(all: readonly GroupVersion[], name: string): object {
  const versions = all
    .filter((each) => each.group === name)
    .map((each) => ({ groupVersion: `${name}/${each.version}`, version: each.version }));
  return { name, versions, preferredVersion: versions[0] };
}

function aggregatedResource(resource: ServedResource): object {
  return {
    resource: resource.plural,
    responseKind: { group: resource.group, version: resource.version, kind: resource.kind },
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...shownNames(resource),
    ...(resource.subresources.length === 0
      ? {}
      : {
          subresources: resource.subresources.map((subresource) => ({
            subresource: subresource.name,
            responseKind: {
              group: subresource.group ?? resource.group,
              version: subresource.version ?? resource.version,
              kind: subresource.kind,
            },
            verbs: subresource.verbs,
          })),
        }),
  };
}

function listedSubresource(resource: ServedResource, subresource: ServedSubresource): object {
  return {
    name: `${resource.plural}/${subresource.name}`,
    singularName: "",
    namespaced: resource.namespaced,
    ...(subresource.group === undefined ? {} : { group: subresource.group }),
    ...(subresource.version === undefined ? {} : { version: subresource.version }),
    kind: subresource.kind,
    verbs: subresource.verbs,
  };
}

function shownNames(resource: ServedResource): object {
  return {
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
  };
}
