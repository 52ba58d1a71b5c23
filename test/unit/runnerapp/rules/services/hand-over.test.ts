import assert from "node:assert/strict";
import type { Action } from "../../../../../src/api/action.ts";
import type { EndpointSlice } from "../../../../../src/api/endpoint-slice.ts";
import { type HandOver, planHandOver } from "../../../../../src/runnerapp/rules/services/hand-over.ts";
import type { StoredService } from "../../../../../src/runnerapp/rules/services/stored-objects.ts";
import { ownService, publishingApp, service, slice } from "../../../../support/builders/published-services.ts";

const app = publishingApp();
const own = { "nuptse.dev/app": "web", "nuptse.dev/service": "api" };
const instances = service("web-instances", {
  spec: {
    clusterIP: "None",
    selector: { "nuptse.dev/app": "web" },
    ports: [
      { name: "more", port: 80, protocol: "TCP", targetPort: 9000 },
      { name: "api", port: 81, protocol: "TCP", targetPort: "http" },
    ],
  },
  labels: { "nuptse.dev/app": "web" },
  owner: app,
});
const published = ownService("api", app, { ports: [{ port: 80, protocol: "TCP" }] });
const leading = ownService("api", app, { selector: { "nuptse.dev/app": "web" } });
const selector = { app: "old" };
const adopted = (spec: object) =>
  service("api", {
    spec,
    labels: { team: "red", ...own },
    annotations: { "nuptse.dev/adopted": JSON.stringify({ selector, at: "2026-11-21T11:00:00Z" }) },
  });
const ours = slice("api", 21_000, ["10.0.0.1"]);
const kubernetes = slice("api", 80, ["10.1.0.1"], "endpointslice-controller.k8s.io", "api-abcde");

const plan = (services: readonly StoredService[], slices: readonly EndpointSlice[] = []): HandOver =>
  planHandOver({ key: { namespace: "tenant", name: "web" }, services, slices });

const patched = (action: Action | undefined) => (action?.tag === "patch" ? action.operations.filter(({ op }) => op !== "test") : action);
const waits = ["Kubernetes has no EndpointSlice of tenant/api yet"];
const nothing: HandOver = { actions: [], waits: [], remarks: [] };

describe("handing published Services over", () => {
  it("one of our own leads to the instances themselves: by their selector, at the port that the service has there", () => {
    const { actions, ...rest } = plan([instances, published], [ours]);
    assert.equal(actions.length, 1);
    assert.deepEqual(patched(actions[0]), [
      { op: "add", path: "/spec/selector", value: { "nuptse.dev/app": "web" } },
      { op: "replace", path: "/spec/ports", value: [{ port: 80, protocol: "TCP", targetPort: "http" }] },
    ]);
    assert.deepEqual(rest, { waits: [], remarks: [] });
  });

  it("our slice stays until Kubernetes has its own", () => assert.deepEqual(plan([instances, leading], [ours]), { ...nothing, waits }));

  it("then it goes", () => {
    const { actions } = plan([instances, leading], [ours, kubernetes]);
    assert.deepEqual(
      actions.map((action) => action.tag === "delete" && `${action.resource.plural} ${action.ref.name} ${action.uid}`),
      ["endpointslices api-nuptse-ipv4 uid-slice-api-nuptse-ipv4"],
    );
  });

  it("then all is done", () => assert.deepEqual(plan([instances, leading], [kubernetes]), nothing));

  it("where nothing tells of the instances it is left, and said", () => {
    const remarks = ["tenant/api leads nowhere from now on: no Service web-instances tells of its instances"];
    assert.deepEqual(plan([published], [ours]), { ...nothing, remarks });
    assert.deepEqual(plan([service("web-instances", { spec: {}, labels: { "nuptse.dev/app": "web" } }), published], [ours]), {
      ...nothing,
      remarks,
    });
  });

  it("one that was taken over gets back what it had, then slices of Kubernetes, and then loses our labels", () => {
    assert.deepEqual(patched(plan([adopted({})], [ours]).actions[0]), [{ op: "add", path: "/spec/selector", value: selector }]);
    assert.deepEqual(plan([adopted({ selector })], [ours]), { ...nothing, waits });
    assert.equal(plan([adopted({ selector })], [ours, kubernetes]).actions[0]?.tag, "delete");
    assert.deepEqual(patched(plan([adopted({ selector })], [kubernetes]).actions[0]), [
      { op: "add", path: "/metadata/labels", value: { team: "red" } },
      { op: "remove", path: "/metadata/annotations/nuptse.dev~1adopted" },
    ]);
  });

  it("one that somebody else labelled with our labels is left alone", () =>
    assert.deepEqual(plan([instances, service("api", { labels: own })]), nothing));

  it("one that is being deleted is left alone", () => {
    const going = { ...published, metadata: { ...published.metadata, deletionTimestamp: "2026-11-21T12:00:00Z" } };
    assert.deepEqual(plan([instances, going], [ours]), nothing);
  });
});
