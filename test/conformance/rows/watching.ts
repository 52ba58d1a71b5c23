import { configMaps, pods } from "../../../src/api/resource.ts";
import { configMap, pod, thing, things } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const seen = ["metadata.name", "metadata.resourceVersion"];

/** Watching: order, contents, selectors, bookmarks, ends. */
export const watchingRows: readonly Row[] = [
  row("a watch without a version begins with what exists", async (api) => {
    await api.create(configMaps, configMap("b"));
    await api.create(configMaps, configMap("a"));
    const watch = await api.watch(configMaps);
    await watch.take(2, ["metadata.name", "kind", "apiVersion"]);
    await api.create(configMaps, configMap("c"));
    await watch.take(1);
  }),
  row("a watch from version 0 does too", async (api) => {
    await api.create(configMaps, configMap("a"));
    const watch = await api.watch(configMaps, { resourceVersion: "0" });
    await watch.take(1);
  }),
  row("a watch from a version tells only what came later", async (api) => {
    await api.create(configMaps, configMap("a"));
    const list = await api.list(configMaps, { show: ["items.*.metadata.name"] });
    await api.create(configMaps, configMap("b"), { show: ["metadata.resourceVersion"] });
    const watch = await api.watch(configMaps, { resourceVersion: list.body.metadata.resourceVersion });
    await api.merge(configMaps, "a", { data: { x: "y" } }, { show: ["metadata.resourceVersion"] });
    await watch.take(2, [...seen, "data"]);
  }),
  row("events come in the order of their versions", async (api) => {
    const watch = await api.watch(configMaps);
    for (const name of ["c", "a", "b"]) await api.create(configMaps, configMap(name), { show: "nothing" });
    for (const name of ["b", "c"]) await api.merge(configMaps, name, { data: { n: name } }, { show: "nothing" });
    await api.delete(configMaps, "a", undefined, { show: "nothing" });
    await watch.take(6, seen);
  }),
  row("DELETED carries the last state and the version of the deletion", async (api) => {
    const watch = await api.watch(configMaps);
    await api.create(configMaps, configMap("a", { x: "1" }), { show: ["metadata.resourceVersion"] });
    await api.merge(configMaps, "a", { data: { x: "2" } }, { show: ["metadata.resourceVersion"] });
    await api.delete(configMaps, "a", undefined, { show: "nothing" });
    await watch.take(3, [...seen, "data.x", "metadata.uid"]);
  }),
  row("a re-created namesake is DELETED and ADDED with another UID", async (api) => {
    const watch = await api.watch(things);
    await api.create(things, thing("a"), { show: "nothing" });
    await api.delete(things, "a", undefined, { show: "nothing" });
    await api.create(things, thing("a"), { show: "nothing" });
    await watch.take(3, [...seen, "metadata.uid", "metadata.generation"]);
  }),
  row("a write that changes nothing makes no event", async (api) => {
    await api.create(configMaps, configMap("a"), { show: "nothing" });
    const watch = await api.watch(configMaps);
    await watch.take(1);
    await api.merge(configMaps, "a", { data: { a: "1" } }, { show: "nothing" });
    await api.create(configMaps, configMap("marker"), { show: "nothing" });
    await watch.take(1);
  }),
  row("with a label selector an object comes and goes as it matches", async (api) => {
    const watch = await api.watch(configMaps, { labelSelector: "on=yes" });
    await api.create(configMaps, configMap("a"), { show: "nothing" });
    await api.merge(configMaps, "a", { metadata: { labels: { on: "yes" } } }, { show: "nothing" });
    await api.merge(configMaps, "a", { data: { b: "2" } }, { show: "nothing" });
    await api.merge(configMaps, "a", { metadata: { labels: { on: "no" } } }, { show: "nothing" });
    await api.delete(configMaps, "a", undefined, { show: "nothing" });
    await api.create(configMaps, configMap("marker", {}, { labels: { on: "yes" } }), { show: "nothing" });
    await watch.take(4, [...seen, "metadata.labels", "data"]);
  }),
  row("with a field selector too", async (api) => {
    const watch = await api.watch(pods, { fieldSelector: "status.phase=Running" });
    await api.create(pods, pod("a", { spec: { nodeName: "n1" } }), { show: "nothing" });
    await api.merge(pods, "a", { status: { phase: "Running" } }, { subresource: "status", show: "nothing" });
    await api.merge(pods, "a", { status: { phase: "Succeeded" } }, { subresource: "status", show: "nothing" });
    await watch.take(2, ["metadata.name", "status.phase"]);
  }),
  row("one object is watched by its name", async (api) => {
    await api.create(things, thing("a"), { show: "nothing" });
    await api.create(things, thing("b"), { show: "nothing" });
    const watch = await api.watch(things, { fieldSelector: "metadata.name=b" });
    await api.merge(things, "a", { spec: { size: 3 } }, { show: "nothing" });
    await api.merge(things, "b", { spec: { size: 4 } }, { show: "nothing" });
    await watch.take(2, ["metadata.name", "spec.size"]);
  }),
  row("a watch of a collection does not see other namespaces", async (api) => {
    const watch = await api.watch(configMaps);
    await api.create(configMaps, configMap(`${api.namespace}-other`), { namespace: "default", show: "nothing" });
    await api.create(configMaps, configMap("mine"), { show: "nothing" });
    await watch.take(1);
    await api.delete(configMaps, `${api.namespace}-other`, undefined, { namespace: "default", show: "nothing" });
  }),
  row("a watch from too old a version is 200, then ERROR 410, then the end", async (api) => {
    const watch = await api.watch(things, { resourceVersion: "1" });
    api.note("status", watch.status);
    await watch.take(1, ["kind", "code", "reason", "message", "status"]);
    await watch.end();
  }),
  row("initial events end with a bookmark that says so", async (api) => {
    await api.create(things, thing("a"), { show: "nothing" });
    await api.create(things, thing("b"), { show: "nothing" });
    const watch = await api.watch(things, { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" });
    await watch.take(3, ["kind", "apiVersion", "metadata.name", "metadata.annotations"], { bookmarks: true });
    await api.create(things, thing("c"), { show: "nothing" });
    await watch.take(1);
  }),
  row("initial events need resourceVersionMatch", async (api) => {
    await api.watch(things, { sendInitialEvents: "true", allowWatchBookmarks: "true" });
    await api.watch(things, { resourceVersion: "1", resourceVersionMatch: "NotOlderThan" });
    await api.list(things, { query: { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" } });
  }),
  row("without initial events a watch begins now", async (api) => {
    await api.create(things, thing("a"), { show: "nothing" });
    const watch = await api.watch(things, {
      sendInitialEvents: "false",
      resourceVersionMatch: "NotOlderThan",
      allowWatchBookmarks: "true",
    });
    await api.create(things, thing("b"), { show: "nothing" });
    await watch.take(1);
  }),
  row("initial events without bookmarks end without a mark", async (api) => {
    await api.create(things, thing("a"), { show: "nothing" });
    const watch = await api.watch(things, { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" });
    await watch.take(1, ["metadata.name"], { bookmarks: true });
    await api.create(things, thing("b"), { show: "nothing" });
    await watch.take(1, ["metadata.name"], { bookmarks: true });
  }),
  row("a watch ends cleanly after timeoutSeconds, with a bookmark shortly before", async (api) => {
    const list = await api.list(configMaps, { show: [] });
    const watch = await api.watch(configMaps, {
      resourceVersion: list.body.metadata.resourceVersion,
      timeoutSeconds: "4",
      allowWatchBookmarks: "true",
    });
    await api.create(configMaps, configMap("a"), { show: "nothing" });
    await watch.end();
  }),
  row("without bookmarks allowed none comes", async (api) => {
    const list = await api.list(configMaps, { show: [] });
    const watch = await api.watch(configMaps, { resourceVersion: list.body.metadata.resourceVersion, timeoutSeconds: "2" });
    await watch.end();
  }),
  row("status writes are seen by a watch of the kind", async (api) => {
    await api.create(things, thing("a"), { show: "nothing" });
    const watch = await api.watch(things);
    await api.merge(things, "a", { status: { phase: "x" } }, { subresource: "status", show: "nothing" });
    await watch.take(2, [...seen, "status.phase", "metadata.generation"]);
  }),
  row("a dry run makes no event", async (api) => {
    const watch = await api.watch(things);
    await api.create(things, thing("a"), { query: { dryRun: "All" }, show: "nothing" });
    await api.create(things, thing("b"), { show: "nothing" });
    await watch.take(1);
  }),
];
