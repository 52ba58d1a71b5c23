import assert from "node:assert/strict";
import {
  aggregatedDiscovery,
  groupList,
  groupOf,
  groupVersions,
  resourceList,
} from "../../../../src/simulator/apiserver/http/discovery.ts";
import { openApiDocument, openApiIndex } from "../../../../src/simulator/apiserver/http/openapi.ts";
import { fakeResources } from "./fake-core.ts";

const all = groupVersions(fakeResources);
const [core, nuptse] = all;

describe("discovery", () => {
  it("lists the core group under /api with everything kubectl needs", () => {
    assert.deepEqual(aggregatedDiscovery(all, "/api"), {
      kind: "APIGroupDiscoveryList",
      apiVersion: "apidiscovery.k8s.io/v2",
      metadata: {},
      items: [
        {
          metadata: {},
          versions: [
            {
              version: "v1",
              freshness: "Current",
              resources: [
                {
                  resource: "pods",
                  responseKind: { group: "", version: "v1", kind: "Pod" },
                  scope: "Namespaced",
                  singularResource: "pod",
                  verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
                  shortNames: ["po"],
                  categories: ["all"],
                  subresources: [{ subresource: "log", responseKind: { group: "", version: "v1", kind: "Pod" }, verbs: ["get"] }],
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it("lists named groups under /apis", () => {
    const { items } = aggregatedDiscovery(all, "/apis") as { readonly items: readonly { readonly metadata: object }[] };
    assert.deepEqual(
      items.map((item) => item.metadata),
      [{ name: "nuptse.dev" }],
    );
  });

  it("lists groups in the old form", () => {
    const version = { groupVersion: "nuptse.dev/v1alpha1", version: "v1alpha1" };
    const group = { name: "nuptse.dev", versions: [version], preferredVersion: version };
    assert.deepEqual(groupList(all), { kind: "APIGroupList", apiVersion: "v1", groups: [group] });
    assert.deepEqual(groupOf(all, "nuptse.dev"), { kind: "APIGroup", apiVersion: "v1", ...group });
    assert.equal(groupOf(all, "other.dev"), undefined);
  });

  it("lists subresources as entries of their own in the old form", () => {
    const { groupVersion, resources } = resourceList(nuptse!) as { readonly groupVersion: string; readonly resources: readonly object[] };
    assert.equal(groupVersion, "nuptse.dev/v1alpha1");
    assert.deepEqual(resources[1], {
      name: "elasticjobs/scale",
      singularName: "",
      namespaced: true,
      group: "autoscaling",
      version: "v1",
      kind: "Scale",
      verbs: ["get", "patch", "update"],
    });
  });
});

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: object };
  readonly "x-kubernetes-group-version-kind": object;
}

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
  readonly "x-kubernetes-group-version-kind"?: readonly object[];
}

describe("OpenAPI v3", () => {
  const document = openApiDocument(nuptse!) as OpenApi;
  const kind = { group: "nuptse.dev", version: "v1alpha1", kind: "ElasticJob" };

  it("names the kind as an object and the fieldValidation parameter on the patch operation", () => {
    const patch = document.paths["/apis/nuptse.dev/v1alpha1/namespaces/{namespace}/elasticjobs/{name}"]?.["patch"];
    assert.deepEqual(patch?.["x-kubernetes-group-version-kind"], kind);
    assert.ok(patch?.parameters?.some((parameter) => parameter.name === "fieldValidation" && parameter.in === "query"));
  });

  it("declares strategic merge patch nowhere", () => assert.ok(!JSON.stringify(openApiDocument(core!)).includes("strategic")));

  it("gives the schema of a CRD its kind as a list, its own descriptions and the standard ones", () => {
    const schema = document.components.schemas["dev.nuptse.v1alpha1.ElasticJob"];
    assert.deepEqual(schema?.["x-kubernetes-group-version-kind"], [kind]);
    assert.equal(schema?.description, "A job.");
    assert.equal(schema?.properties?.["spec"]?.description, "What is wanted.");
    assert.ok(schema?.properties?.["apiVersion"]?.description);
    assert.ok(schema?.properties?.["metadata"]?.description);
  });

  it("declares no operation for a verb that is not served", () => {
    assert.deepEqual(Object.keys(document.paths["/apis/nuptse.dev/v1alpha1/namespaces/{namespace}/elasticjobs"] ?? {}), ["get"]);
  });

  it("has addresses that change with the content", () => {
    type Index = { readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>> };
    const address = (index: unknown) => (index as Index).paths["apis/nuptse.dev/v1alpha1"]?.serverRelativeURL;
    const other = groupVersions(fakeResources.map((resource) => ({ ...resource, verbs: ["get"] })));
    assert.match(address(openApiIndex(all)) ?? "", /^\/openapi\/v3\/apis\/nuptse\.dev\/v1alpha1\?hash=[0-9A-F]{64}$/);
    assert.notEqual(address(openApiIndex(all)), address(openApiIndex(other)));
  });
});
