import assert from "node:assert/strict";
import { describeRequest, requestInfo } from "../../../src/kube/request-info.ts";
import type { TransportRequest } from "../../../src/kube/transport.ts";

const cases: readonly {
  readonly request: Pick<TransportRequest, "method" | "path" | "query">;
  readonly want: ReturnType<typeof requestInfo>;
  readonly wantText: string;
}[] = [
  { request: { method: "GET", path: "/api/v1/pods" }, want: { verb: "list", resource: "pods" }, wantText: "list pods" },
  {
    request: { method: "GET", path: "/api/v1/pods", query: { watch: "true" } },
    want: { verb: "watch", resource: "pods" },
    wantText: "watch pods",
  },
  {
    request: { method: "GET", path: "/api/v1/namespaces/shop/pods" },
    want: { verb: "list", resource: "pods", namespace: "shop" },
    wantText: "list pods in shop",
  },
  {
    request: { method: "PATCH", path: "/apis/nuptse.dev/v1alpha1/namespaces/shop/elasticjobs/nightly/status" },
    want: { verb: "patch", resource: "elasticjobs.nuptse.dev/status", namespace: "shop", name: "nightly" },
    wantText: "patch elasticjobs.nuptse.dev/status shop/nightly",
  },
  {
    request: { method: "DELETE", path: "/api/v1/namespaces/shop/pods" },
    want: { verb: "deletecollection", resource: "pods", namespace: "shop" },
    wantText: "deletecollection pods in shop",
  },
  {
    request: { method: "DELETE", path: "/api/v1/namespaces/shop/pods/a" },
    want: { verb: "delete", resource: "pods", namespace: "shop", name: "a" },
    wantText: "delete pods shop/a",
  },
  {
    request: { method: "POST", path: "/api/v1/namespaces/shop/pods/a/binding" },
    want: { verb: "create", resource: "pods/binding", namespace: "shop", name: "a" },
    wantText: "create pods/binding shop/a",
  },
  {
    request: { method: "GET", path: "/api/v1/namespaces/shop" },
    want: { verb: "get", resource: "namespaces", name: "shop" },
    wantText: "get namespaces shop",
  },
  {
    request: { method: "PUT", path: "/api/v1/namespaces/shop/status" },
    want: { verb: "update", resource: "namespaces/status", name: "shop" },
    wantText: "update namespaces/status shop",
  },
  {
    request: { method: "GET", path: "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode" },
    want: { verb: "get", resource: "clusterroles.rbac.authorization.k8s.io", name: "system:node" },
    wantText: "get clusterroles.rbac.authorization.k8s.io system:node",
  },
  { request: { method: "GET", path: "/version" }, want: { verb: "get", resource: "/version" }, wantText: "get /version" },
  {
    request: { method: "GET", path: "/apis/nuptse.dev/v1alpha1" },
    want: { verb: "get", resource: "/apis/nuptse.dev/v1alpha1" },
    wantText: "get /apis/nuptse.dev/v1alpha1",
  },
];

describe("kube/request-info", () => {
  for (const tc of cases) {
    it(`${tc.request.method} ${tc.request.path} is "${tc.wantText}"`, () => {
      assert.deepEqual(requestInfo(tc.request), tc.want);
      assert.equal(describeRequest(tc.request), tc.wantText);
    });
  }
});
