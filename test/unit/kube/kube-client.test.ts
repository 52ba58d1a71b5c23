import assert from "node:assert/strict";
import type { KubeObject } from "../../../src/api/meta.ts";
import { elasticJobs, nodes, pods } from "../../../src/api/resource.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { Conflict, Gone, ServerTimeout, TimedOutError } from "../../../src/kube/errors.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../../src/kube/transport.ts";

const pod = { metadata: { name: "a", namespace: "shop" } };
const fence = () => true;

/** What the verbs put onto the wire; the body of deletes is written without its constant kind and version. */
const cases: readonly {
  readonly name: string;
  readonly call: (client: KubeClient) => Promise<unknown>;
  readonly want: Partial<TransportRequest>;
}[] = [
  {
    name: "get",
    call: (client) => client.get(pods, { namespace: "shop", name: "a" }),
    want: { method: "GET", path: "/api/v1/namespaces/shop/pods/a", query: {} },
  },
  {
    name: "get of the metadata alone",
    call: (client) => client.get(nodes, { name: "n1" }, { metadataOnly: true }),
    want: { path: "/api/v1/nodes/n1", accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" },
  },
  {
    name: "list of a page in one namespace",
    call: (client) => client.list(pods, { namespace: "shop", labelSelector: "a=b", limit: 500, continue: "t" }),
    want: { method: "GET", path: "/api/v1/namespaces/shop/pods", query: { labelSelector: "a=b", limit: "500", continue: "t" } },
  },
  {
    name: "list of all namespaces",
    call: (client) => client.list(elasticJobs, { fieldSelector: "metadata.name=a" }),
    want: { method: "GET", path: "/apis/nuptse.dev/v1alpha1/elasticjobs", query: { fieldSelector: "metadata.name=a" } },
  },
  {
    name: "create, with the kind that is left out",
    call: (client) => client.create(pods, pod, { fieldManager: "nuptse", fieldValidation: "Strict", fence, lane: "lease" }),
    want: {
      method: "POST",
      path: "/api/v1/namespaces/shop/pods",
      query: { fieldManager: "nuptse", fieldValidation: "Strict" },
      body: { ...pod, apiVersion: "v1", kind: "Pod" },
      fence,
      lane: "lease",
    },
  },
  {
    name: "create as a dry run",
    call: (client) => client.create(pods, pod, { dryRun: true }),
    want: { query: { dryRun: "All" } },
  },
  {
    name: "create of a binding",
    call: (client) => client.create(pods, { ...pod, kind: "Binding", apiVersion: "v1" }, { subresource: "binding" }),
    want: { method: "POST", path: "/api/v1/namespaces/shop/pods/a/binding", body: { ...pod, kind: "Binding", apiVersion: "v1" } },
  },
  {
    name: "replace of the status",
    call: (client) => client.replace(pods, pod, { subresource: "status" }),
    want: { method: "PUT", path: "/api/v1/namespaces/shop/pods/a/status", body: { ...pod, apiVersion: "v1", kind: "Pod" } },
  },
  {
    name: "merge patch of the status",
    call: (client) =>
      client.patch(elasticJobs, { namespace: "shop", name: "j" }, { type: "merge", body: { a: 1 } }, { subresource: "status" }),
    want: {
      method: "PATCH",
      path: "/apis/nuptse.dev/v1alpha1/namespaces/shop/elasticjobs/j/status",
      contentType: "application/merge-patch+json",
      body: { a: 1 },
      query: {},
    },
  },
  {
    name: "JSON patch",
    call: (client) => client.patch(nodes, { name: "n" }, { type: "json", body: [{ op: "remove", path: "/spec/x" }] }),
    want: {
      method: "PATCH",
      path: "/api/v1/nodes/n",
      contentType: "application/json-patch+json",
      body: [{ op: "remove", path: "/spec/x" }],
    },
  },
  {
    name: "strategic merge patch",
    call: (client) => client.patch(nodes, { name: "n" }, { type: "strategic", body: {} }),
    want: { contentType: "application/strategic-merge-patch+json" },
  },
  {
    name: "server-side apply",
    call: (client) => client.patch(nodes, { name: "n" }, { type: "apply", body: {} }, { fieldManager: "nuptse", force: true }),
    want: { contentType: "application/apply-patch+yaml", query: { fieldManager: "nuptse", force: "true" } },
  },
  {
    name: "delete with preconditions",
    call: (client) =>
      client.delete(
        pods,
        { namespace: "shop", name: "a" },
        { uid: "u", resourceVersion: "7", gracePeriodSeconds: 0, propagationPolicy: "Background", fence },
      ),
    want: {
      method: "DELETE",
      path: "/api/v1/namespaces/shop/pods/a",
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        preconditions: { uid: "u", resourceVersion: "7" },
        gracePeriodSeconds: 0,
        propagationPolicy: "Background",
      },
      fence,
    },
  },
  {
    name: "deletecollection",
    call: (client) => client.deleteCollection(pods, { namespace: "shop", labelSelector: "run in (a,b)", limit: 500 }),
    want: {
      method: "DELETE",
      path: "/api/v1/namespaces/shop/pods",
      query: { labelSelector: "run in (a,b)", limit: "500" },
      body: { apiVersion: "v1", kind: "DeleteOptions" },
    },
  },
  {
    name: "watch",
    call: (client) =>
      client.watch(
        pods,
        { namespace: "shop", resourceVersion: "7", allowBookmarks: true, timeoutSeconds: 300 },
        new AbortController().signal,
      ),
    want: {
      method: "GET",
      path: "/api/v1/namespaces/shop/pods",
      query: { resourceVersion: "7", timeoutSeconds: "300", watch: "true", allowWatchBookmarks: "true" },
    },
  },
  {
    name: "watch with initial events",
    call: (client) => client.watch(pods, { sendInitialEvents: true, allowBookmarks: true }, new AbortController().signal),
    want: {
      path: "/api/v1/pods",
      query: { sendInitialEvents: "true", watch: "true", allowWatchBookmarks: "true", resourceVersionMatch: "NotOlderThan" },
    },
  },
];

function scripted(answer: (request: TransportRequest) => TransportResponse | Error): {
  readonly transport: Transport;
  readonly requests: TransportRequest[];
} {
  const requests: TransportRequest[] = [];
  const respond = async (request: TransportRequest) => {
    requests.push(request);
    const result = answer(request);
    if (result instanceof Error) throw result;
    return result;
  };
  const transport: Transport = {
    request: respond,
    async stream(request) {
      const { status, headers, body } = await respond(request);
      return { status, headers, lines: Array.isArray(body) ? (body as unknown[] as never) : ([body] as never) };
    },
  };
  return { transport, requests };
}

const ok = (body: unknown): TransportResponse => ({ status: 200, headers: {}, body });

describe("kube/kube-client", () => {
  for (const tc of cases) {
    it(tc.name, async () => {
      const { transport, requests } = scripted(() => ok({}));
      await tc.call(createKubeClient(transport));
      const [request] = requests;
      for (const [field, want] of Object.entries(tc.want)) assert.deepEqual(request?.[field as keyof TransportRequest], want, field);
    });
  }

  it("makes errors of refusals, which name verb and object", async () => {
    const { transport } = scripted(() => ({ status: 409, headers: {}, body: { kind: "Status", reason: "Conflict", message: "modified" } }));
    const client = createKubeClient(transport);
    await assert.rejects(client.patch(pods, { namespace: "shop", name: "a" }, { type: "merge", body: {} }), (error: Error) => {
      assert.ok(error instanceof Conflict);
      assert.equal(error.message, "patch pods shop/a: 409 Conflict: modified");
      return true;
    });
  });

  it("makes an error of a refused watch", async () => {
    const { transport } = scripted(() => ({ status: 410, headers: {}, body: { kind: "Status", reason: "Expired", message: "too old" } }));
    await assert.rejects(createKubeClient(transport).watch(pods, {}, new AbortController().signal), Gone);
  });

  it("counts what a deletecollection deleted", async () => {
    const client = (body: unknown) => createKubeClient(scripted(() => ok(body)).transport);
    const options = { namespace: "shop", labelSelector: "a=b" };
    assert.equal(await client({ kind: "PodList", items: [pod, pod, pod] }).deleteCollection(pods, options), 3);
    assert.equal(await client({ kind: "Status", status: "Success" }).deleteCollection(pods, options), 0);
  });

  it("refuses a deletecollection of everything, and an apply without a manager", async () => {
    const { transport, requests } = scripted(() => ok({}));
    const client = createKubeClient(transport);
    await assert.rejects(client.deleteCollection(pods, { namespace: "shop", labelSelector: "" }), TypeError);
    await assert.rejects(client.patch(pods, { name: "a" }, { type: "apply", body: {} }), TypeError);
    assert.equal(requests.length, 0);
  });

  it("tells of objects as they are after a write, and of nothing else", async () => {
    const told: string[] = [];
    const written = { apiVersion: "v1", kind: "Pod", metadata: { name: "a", namespace: "shop", resourceVersion: "7" } };
    let body: unknown = written;
    const { transport } = scripted(() => ok(body));
    const onWrite = (resource: { readonly plural: string }, object: KubeObject) =>
      told.push(`${resource.plural} ${object.metadata.resourceVersion}`);
    const client = createKubeClient(transport, { onWrite });
    const ref = { namespace: "shop", name: "a" };
    await client.create(pods, pod);
    await client.patch(pods, ref, { type: "merge", body: {} }, { subresource: "status" });
    await client.delete(pods, ref);
    assert.deepEqual(told, ["pods 7", "pods 7", "pods 7"]);
    await client.create(pods, pod, { dryRun: true });
    await client.get(pods, ref);
    body = { kind: "Status", status: "Success", metadata: {} };
    await client.delete(pods, ref);
    body = { kind: "Scale", metadata: { name: "a", resourceVersion: "8" } };
    await client.patch(elasticJobs, ref, { type: "merge", body: {} }, { subresource: "scale" });
    body = { kind: "PodList", metadata: { resourceVersion: "9" }, items: [written] };
    await client.deleteCollection(pods, { namespace: "shop", labelSelector: "a=b" });
    assert.deepEqual(told, ["pods 7", "pods 7", "pods 7"]);
  });

  const texts = [
    {
      name: "of a built-in kind, whose metadata stand first",
      text: '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"65595","continue":"eyJ2IjoibWV0YQ"},"items":[{"metadata":{}}]}\n',
      want: ["eyJ2IjoibWV0YQ"],
    },
    {
      name: "of a custom resource, whose metadata stand last",
      text: '{"apiVersion":"nuptse.dev/v1alpha1","items":[{"metadata":{"continue":"a user\'s"}}],"kind":"ElasticJobList","metadata":{"continue":"eyJ2IjoibWV0YQ","resourceVersion":"65595"}}\n',
      want: ["eyJ2IjoibWV0YQ"],
    },
    {
      name: "that is the last page",
      text: '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"65595"},"items":[{"metadata":{"resourceVersion":"1","continue":"no"}}]}\n',
      want: [],
    },
    {
      name: "that is the last page of a custom resource",
      text: '{"apiVersion":"nuptse.dev/v1alpha1","items":[{"metadata":{"continue":"no"}}],"kind":"ElasticJobList","metadata":{"continue":"","resourceVersion":"65595"}}\n',
      want: [],
    },
  ];
  for (const { name, text, want } of texts)
    it(`tells the token of the next page from the text of a list ${name}`, async () => {
      const { transport } = scripted(({ onText }) => {
        onText?.(text);
        return ok(JSON.parse(text));
      });
      const told: string[] = [];
      await createKubeClient(transport).list(pods, { onContinue: (token) => told.push(token) });
      assert.deepEqual(told, want);
    });

  it("tells of writes of which the server says that they timed out: they may have been executed", async () => {
    const lost: string[] = [];
    const { transport } = scripted(() => ({
      status: 504,
      headers: { "content-type": "application/json" },
      body: { kind: "Status", apiVersion: "v1", status: "Failure", reason: "Timeout", message: "no answer within 60 s", code: 504 },
    }));
    const client = createKubeClient(transport, { onLostWrite: (resource) => lost.push(resource.plural) });
    await assert.rejects(client.create(pods, pod), ServerTimeout);
    await assert.rejects(client.get(pods, { name: "a" }), ServerTimeout);
    assert.deepEqual(lost, ["pods"]);
  });

  it("tells of writes whose answer was lost, and of no reads", async () => {
    const lost: string[] = [];
    const { transport } = scripted(() => new TimedOutError("no answer"));
    const client = createKubeClient(transport, { onLostWrite: (resource) => lost.push(resource.plural) });
    await assert.rejects(client.create(pods, pod), TimedOutError);
    await assert.rejects(client.get(pods, { name: "a" }), TimedOutError);
    assert.deepEqual(lost, ["pods"]);
  });
});
