import assert from "node:assert/strict";
import { contentTypeOf, type Form, negotiate } from "../../../../src/simulator/apiserver/http/negotiation.ts";
import { requestInfo } from "../../../../src/simulator/apiserver/http/request-info.ts";

describe("what a request is about", () => {
  const cases: readonly { readonly request: string; readonly want: string }[] = [
    { request: "GET /api/v1/pods", want: "list /v1 pods" },
    { request: "GET /api/v1/pods?watch=true", want: "watch /v1 pods" },
    { request: "GET /api/v1/pods?watch=false", want: "list /v1 pods" },
    { request: "GET /api/v1/namespaces/a/pods/b", want: "get /v1 pods a/b" },
    { request: "GET /api/v1/namespaces/a/pods/b/log", want: "get /v1 pods/log a/b" },
    { request: "GET /api/v1/namespaces/a", want: "get /v1 namespaces /a" },
    { request: "PUT /api/v1/namespaces/a/status", want: "update /v1 namespaces/status /a" },
    { request: "POST /apis/nuptse.dev/v1alpha1/namespaces/a/elasticjobs", want: "create nuptse.dev/v1alpha1 elasticjobs a/" },
    {
      request: "PATCH /apis/nuptse.dev/v1alpha1/namespaces/a/elasticjobs/b/scale",
      want: "patch nuptse.dev/v1alpha1 elasticjobs/scale a/b",
    },
    { request: "DELETE /apis/nuptse.dev/v1alpha1/namespaces/a/elasticjobs", want: "deletecollection nuptse.dev/v1alpha1 elasticjobs a/" },
    { request: "GET /api/v1/nodes/n%2F1", want: "get /v1 nodes /n/1" },
    { request: "GET /apis/nuptse.dev/v1alpha1", want: "no resource" },
    { request: "GET /version", want: "no resource" },
  ];
  for (const tc of cases) {
    it(`${tc.request} is ${tc.want}`, () => {
      const [method = "", url = ""] = tc.request.split(" ");
      const [path = "", query] = url.split("?");
      const info = requestInfo(method, path, Object.fromEntries(new URLSearchParams(query)));
      const resource = info.subresource === "" ? info.resource : `${info.resource}/${info.subresource}`;
      const object = info.namespace === "" && info.name === "" ? "" : ` ${info.namespace}/${info.name}`;
      assert.equal(info.isResource ? `${info.verb} ${info.group}/${info.version} ${resource}${object}` : "no resource", tc.want);
    });
  }
});

describe("the form of an answer", () => {
  const all: readonly Form[] = ["json", "table", "metadata", "discovery"];
  const cases: readonly {
    readonly name: string;
    readonly accept: string | undefined;
    readonly offered?: readonly Form[];
    readonly want: Form | 406;
  }[] = [
    { name: "no header is JSON", accept: undefined, want: "json" },
    { name: "anything is JSON", accept: "*/*", want: "json" },
    {
      name: "kubectl get",
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
      want: "table",
    },
    { name: "a typed client", accept: "application/vnd.kubernetes.protobuf,application/json", want: "json" },
    {
      name: "a metadata client",
      accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
      want: "metadata",
    },
    {
      name: "aggregated discovery",
      accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
      want: "discovery",
    },
    {
      name: "a form that is not offered here",
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
      offered: ["json"],
      want: "json",
    },
    { name: "protobuf alone", accept: "application/vnd.kubernetes.protobuf", want: 406 },
  ];
  for (const tc of cases) {
    it(`${tc.name}: ${tc.want}`, () => {
      if (tc.want === 406) assert.throws(() => negotiate(tc.accept, all), /only the following media types/);
      else assert.equal(negotiate(tc.accept, tc.offered ?? all), tc.want);
    });
  }

  it("aggregated discovery repeats its form", () =>
    assert.equal(contentTypeOf("discovery"), "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"));
});
