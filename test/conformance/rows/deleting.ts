import { configMaps, controllerRevisions, namespaces, pods, podTemplates, secrets } from "../../../src/api/resource.ts";
import type { Api } from "../api.ts";
import { configMap, plains, pod, thing, things } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const grace = ["metadata.name", "metadata.deletionGracePeriodSeconds", "metadata.generation", "status.phase"];

async function phase(api: Api, name: string, value: string): Promise<void> {
  await api.merge(pods, name, { status: { phase: value } }, { subresource: "status", show: "nothing" });
}

/** Deleting one and many: what is answered, what a watch sees, grace, preconditions. */
export const deletingRows: readonly Row[] = [
  row("deleting answers a Status with the UID, or the object for some kinds", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.delete(configMaps, "a", undefined, { show: "all" });
    await api.create(things, thing("a"));
    await api.delete(things, "a", undefined, { show: "all" });
    await api.create(pods, pod("a"));
    await api.delete(pods, "a", undefined, { show: ["kind", "metadata.name"] });
    await api.create(podTemplates, { metadata: { name: "a" }, template: pod("x") });
    await api.delete(podTemplates, "a", undefined, { show: ["kind"] });
    await api.create(controllerRevisions, { metadata: { name: "a" }, revision: 1, data: { a: 1 } });
    await api.delete(controllerRevisions, "a", undefined, { show: ["kind", "details"] });
    await api.create(secrets, { metadata: { name: "a" } });
    await api.delete(secrets, "a", undefined, { show: ["kind", "details"] });
  }),
  row("deleting an absent object is NotFound", async (api) => {
    await api.delete(configMaps, "a");
    await api.delete(things, "a");
    await api.delete(pods, "a", { preconditions: { uid: "x" } });
  }),
  row("a deletion with another UID is a Conflict and deletes nothing", async (api) => {
    await api.create(pods, pod("a"));
    await api.delete(pods, "a", { preconditions: { uid: "11111111-2222-4333-8444-555555555555" } });
    await api.create(things, thing("a"));
    await api.delete(things, "a", { preconditions: { uid: "11111111-2222-4333-8444-555555555555" } });
    await api.get(things, "a");
  }),
  row("a deletion with the right UID and version deletes", async (api) => {
    const made = await api.create(things, thing("a"));
    await api.delete(things, "a", { preconditions: { uid: made.body.metadata.uid, resourceVersion: made.body.metadata.resourceVersion } });
    await api.get(things, "a");
  }),
  row("a deletion with an old version is a Conflict", async (api) => {
    const made = await api.create(things, thing("a"));
    await api.merge(things, "a", { spec: { size: 2 } });
    await api.delete(things, "a", { preconditions: { resourceVersion: made.body.metadata.resourceVersion } });
  }),
  row("a pod without a node goes at once, whatever its grace: MODIFIED, DELETED", async (api) => {
    const watch = await api.watch(pods);
    await api.create(pods, pod("a"), { show: "nothing" });
    await api.delete(pods, "a", { gracePeriodSeconds: 50 }, { show: grace });
    await watch.take(3, [...grace, "metadata.resourceVersion", "metadata.deletionTimestamp"]);
  }),
  row("a finished pod goes at once", async (api) => {
    const watch = await api.watch(pods);
    for (const [name, end] of [
      ["a", "Succeeded"],
      ["b", "Failed"],
    ] as const) {
      await api.create(pods, pod(name, { spec: { nodeName: "n1" } }), { show: "nothing" });
      await phase(api, name, end);
      await api.delete(pods, name, undefined, { show: grace });
    }
    await watch.take(8, grace);
  }),
  row("a running pod lives on for its grace until a deletion with grace 0", async (api) => {
    const watch = await api.watch(pods);
    await api.create(pods, pod("a", { spec: { nodeName: "n1" } }), { show: "nothing" });
    await phase(api, "a", "Running");
    await api.delete(pods, "a", undefined, { show: grace });
    await api.get(pods, "a", { show: grace });
    await api.delete(pods, "a", undefined, { show: grace });
    await api.delete(pods, "a", { gracePeriodSeconds: 0 }, { show: grace });
    await watch.take(5, [...grace, "metadata.resourceVersion"]);
  }),
  row("a pod that is bound and pending lives on too", async (api) => {
    await api.create(pods, pod("a", { spec: { nodeName: "n1" } }), { show: "nothing" });
    await api.delete(pods, "a", undefined, { show: grace });
    await api.get(pods, "a", { show: grace });
  }),
  row("the deletion timestamp is the time of the request plus the grace", async (api) => {
    await api.create(pods, pod("a", { spec: { nodeName: "n1", terminationGracePeriodSeconds: 600 } }), { show: "nothing" });
    const reply = await api.delete(pods, "a", undefined, { show: grace });
    const ahead = Date.parse(reply.body.metadata.deletionTimestamp) - Date.now();
    api.note("about 600 s ahead", ahead > 590_000 && ahead <= 601_000);
  }),
  row("a grace can be shortened and not lengthened", async (api) => {
    await api.create(pods, pod("a", { spec: { nodeName: "n1" } }), { show: "nothing" });
    await api.delete(pods, "a", { gracePeriodSeconds: 100 }, { show: grace });
    await api.delete(pods, "a", { gracePeriodSeconds: 200 }, { show: grace });
    await api.delete(pods, "a", { gracePeriodSeconds: 10 }, { show: grace });
  }),
  row("a pod with a finalizer waits for it", async (api) => {
    const watch = await api.watch(pods);
    await api.create(pods, pod("a", { metadata: { finalizers: ["example.io/hold"] } }), { show: "nothing" });
    await api.delete(pods, "a", undefined, { show: grace });
    await api.merge(pods, "a", { metadata: { finalizers: null } }, { show: grace });
    await api.get(pods, "a");
    await watch.take(3, grace);
  }),
  row("a force deletion of a running pod removes it at once", async (api) => {
    const watch = await api.watch(pods);
    await api.create(pods, pod("a", { spec: { nodeName: "n1" } }), { show: "nothing" });
    await phase(api, "a", "Running");
    await api.delete(pods, "a", { gracePeriodSeconds: 0 }, { show: grace });
    await api.get(pods, "a");
    await watch.take(4, grace);
  }),
  row("a grace means nothing for kinds without one", async (api) => {
    await api.create(things, thing("a"));
    await api.delete(things, "a", { gracePeriodSeconds: 30 }, { show: ["status"] });
    await api.get(things, "a");
  }),
  row("a propagation policy that is none is refused", async (api) => {
    await api.create(things, thing("a"));
    await api.delete(things, "a", { propagationPolicy: "Sideways" });
    await api.delete(things, "a", { propagationPolicy: "Background", orphanDependents: true });
  }),
  row("foreground and orphan put finalizers on", async (api) => {
    await api.create(things, thing("a"));
    await api.delete(
      things,
      "a",
      { propagationPolicy: "Foreground" },
      { show: ["metadata.finalizers", "metadata.deletionGracePeriodSeconds", "metadata.generation"] },
    );
    await api.create(things, thing("b", {}, { finalizers: ["example.io/own"] }));
    await api.delete(things, "b", { propagationPolicy: "Orphan" }, { show: ["metadata.finalizers"] });
    await api.delete(things, "b", { propagationPolicy: "Background" }, { show: ["metadata.finalizers"] });
  }),
  row("a collection is deleted by label, and what was deleted is listed", async (api) => {
    for (const name of ["a", "b", "c"])
      await api.create(configMaps, configMap(name, {}, { labels: { run: name === "c" ? "two" : "one" } }), { show: "nothing" });
    const watch = await api.watch(configMaps);
    await watch.take(3);
    await api.deleteCollection(configMaps, { query: { labelSelector: "run=one" }, show: ["kind", "items.*.metadata.name"] });
    await watch.take(2);
    await api.list(configMaps, { show: ["items.*.metadata.name"] });
  }),
  row("a collection that matches nothing is an empty list", async (api) => {
    await api.deleteCollection(pods, { query: { labelSelector: "run=none" }, show: ["kind", "items"] });
    await api.deleteCollection(things, { query: { labelSelector: "run=none" }, show: ["kind", "items"] });
  }),
  row("a limit deletes so many and returns", async (api) => {
    for (const name of ["a", "b", "c"]) await api.create(configMaps, configMap(name), { show: "nothing" });
    await api.deleteCollection(configMaps, { query: { limit: "2" }, show: ["items.*.metadata.name"] });
    await api.list(configMaps, { show: ["items.*.metadata.name"] });
  }),
  row("finished pods are deleted by a field selector, in one request", async (api) => {
    for (const name of ["a", "b", "c"])
      await api.create(pods, pod(name, { spec: { nodeName: "n1" }, metadata: { labels: { run: "r" } } }), { show: "nothing" });
    await phase(api, "a", "Succeeded");
    await phase(api, "b", "Running");
    await phase(api, "c", "Succeeded");
    const watch = await api.watch(pods);
    await watch.take(3);
    await api.deleteCollection(pods, {
      query: { labelSelector: "run in (r)", fieldSelector: "status.phase=Succeeded" },
      show: ["items.*.metadata.name"],
    });
    await watch.take(4, ["metadata.name", "metadata.deletionGracePeriodSeconds"]);
    await api.list(pods, { show: ["items.*.metadata.name"] });
  }),
  row("a dry run of a collection's deletion deletes nothing", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.deleteCollection(configMaps, { body: { dryRun: ["All"] }, show: ["items.*.metadata.name"] });
    await api.list(configMaps, { show: ["items.*.metadata.name"] });
  }),
  row("a UID precondition on a collection fails at the first", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.create(configMaps, configMap("b"));
    const reply = await api.deleteCollection(configMaps, {
      body: { preconditions: { uid: "11111111-2222-4333-8444-555555555555" } },
      show: "nothing",
    });
    api.note("reason", reply.body.reason);
    await api.list(configMaps, { show: ["items.*.metadata.name"] });
  }),
  row("objects with finalizers in a collection live on", async (api) => {
    await api.create(things, thing("a", {}, { finalizers: ["example.io/hold"] }));
    await api.create(things, thing("b"));
    await api.deleteCollection(things, { show: ["items.*.metadata.name"] });
    await api.list(things, { show: ["items.*.metadata.name", "items.*.metadata.deletionTimestamp"] });
  }),
  row("a cluster-scoped object is deleted by its name alone", async (api) => {
    const name = `${api.namespace}-plain`;
    await api.create(plains, { metadata: { name } });
    await api.delete(plains, name, undefined, { show: ["details"] });
  }),
  row("a namespace that is being deleted takes nothing new and says so", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.delete(namespaces, api.namespace, undefined, { show: ["kind", "metadata.deletionTimestamp", "spec", "status"] });
    await api.create(configMaps, configMap("b"));
    await api.create(pods, pod("b"));
    await api.create(things, thing("b"));
    await api.merge(configMaps, "a", { data: { b: "2" } }, { show: ["data"] });
  }),
];
