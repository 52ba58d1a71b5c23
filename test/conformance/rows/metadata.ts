import { configMaps, pods } from "../../../src/api/resource.ts";
import { configMap, pod, thing, things } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const owner = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: "11111111-2222-4333-8444-555555555555" };

/** Labels, annotations, owners, finalizers. */
export const metadataRows: readonly Row[] = [
  row("bad labels are refused with key or value", async (api) => {
    await api.create(configMaps, configMap("a", {}, { labels: { "bad key": "x" } }));
    await api.create(configMaps, configMap("a", {}, { labels: { ok: "not ok!" } }));
    await api.create(things, thing("a", {}, { labels: { ok: "x".repeat(64) } }));
    await api.create(pods, pod("a", { metadata: { labels: { "/x": "y" } } }));
  }),
  row("bad annotation keys are refused", async (api) => {
    await api.create(configMaps, configMap("a", {}, { annotations: { "a b": "x" } }));
  }),
  row("a label is set and removed by merge patches", async (api) => {
    await api.create(things, thing("a", {}, { labels: { a: "1", b: "2" } }));
    await api.merge(things, "a", { metadata: { labels: { a: null, c: "3" } } }, { show: ["metadata.labels", "metadata.generation"] });
  }),
  row("owner references need all their parts", async (api) => {
    await api.create(configMaps, configMap("a", {}, { ownerReferences: [{ ...owner, name: "" }] }));
    await api.create(configMaps, configMap("a", {}, { ownerReferences: [{ ...owner, uid: "" }] }));
  }),
  row("only one owner may be the controller", async (api) => {
    await api.create(
      configMaps,
      configMap(
        "a",
        {},
        {
          ownerReferences: [
            { ...owner, controller: true },
            { ...owner, name: "two", uid: "22222222-2222-4333-8444-555555555555", controller: true },
          ],
        },
      ),
    );
  }),
  row("a finalizer holds an object that is deleted, and its removal lets it go", async (api) => {
    const watch = await api.watch(things);
    await api.create(things, thing("a", {}, { finalizers: ["example.io/hold"] }), { show: ["metadata.generation"] });
    await api.delete(things, "a", undefined, {
      show: ["metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds", "metadata.generation", "metadata.finalizers"],
    });
    await api.delete(things, "a", undefined, { show: ["metadata.generation", "metadata.finalizers"] });
    await api.merge(things, "a", { metadata: { finalizers: null } }, { show: ["metadata.finalizers"] });
    await api.get(things, "a");
    await watch.take(3, ["metadata.name", "metadata.resourceVersion", "metadata.finalizers", "metadata.deletionTimestamp"]);
  }),
  row("a config map with a finalizer has no generation to count", async (api) => {
    await api.create(configMaps, configMap("a", {}, { finalizers: ["example.io/hold"] }));
    await api.delete(configMaps, "a", undefined, { show: ["metadata.generation", "metadata.deletionGracePeriodSeconds"] });
    await api.json(configMaps, "a", [{ op: "remove", path: "/metadata/finalizers/0" }], { show: ["metadata.finalizers"] });
    await api.get(configMaps, "a");
  }),
  row("one of two finalizers taken off keeps the object", async (api) => {
    await api.create(things, thing("a", {}, { finalizers: ["example.io/one", "example.io/two"] }));
    await api.delete(things, "a");
    await api.merge(things, "a", { metadata: { finalizers: ["example.io/two"] } }, { show: ["metadata.finalizers"] });
    await api.get(things, "a", { show: ["metadata.finalizers"] });
  }),
  row("no finalizer can be added to what is being deleted", async (api) => {
    await api.create(things, thing("a", {}, { finalizers: ["example.io/one"] }));
    await api.delete(things, "a");
    await api.merge(things, "a", { metadata: { finalizers: ["example.io/one", "example.io/two"] } });
  }),
  row("a deletion timestamp cannot be taken back or set", async (api) => {
    await api.create(things, thing("a", {}, { finalizers: ["example.io/one"] }));
    await api.merge(things, "a", { metadata: { deletionTimestamp: "2030-01-01T00:00:00Z" } });
    await api.delete(things, "a");
    await api.merge(things, "a", { metadata: { deletionTimestamp: null } }, { show: ["metadata.deletionTimestamp"] });
  }),
  row("spec and status of what is being deleted can still change", async (api) => {
    await api.create(things, thing("a", {}, { finalizers: ["example.io/one"] }));
    await api.delete(things, "a");
    await api.merge(things, "a", { spec: { size: 4 } }, { show: ["spec.size", "metadata.generation"] });
    await api.merge(things, "a", { status: { phase: "Ending" } }, { subresource: "status", show: ["status"] });
  }),
  row("a finalizer without a slash is taken, with a warning for custom resources", async (api) => {
    await api.create(things, thing("a", {}, { finalizers: ["hold"] }), { show: ["metadata.finalizers"] });
    await api.create(configMaps, configMap("a", {}, { finalizers: ["not ok"] }));
  }),
];
