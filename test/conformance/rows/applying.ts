import { configMaps, pods } from "../../../src/api/resource.ts";
import { configMap, pod, thing, things } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const owners = ["metadata.managedFields"];
const spec = ["spec"];
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
const takenOver = ["spec", "data", "metadata.annotations", "metadata.generation", "metadata.resourceVersion", ...owners];
const clientSide = { query: { fieldManager: "kubectl-client-side-apply" } };

/** A thing "a" as client-side apply makes it. */
const clientApplied = (fields: Record<string, unknown>) => {
  const config = { apiVersion: "conformance.nuptse.dev/v1", kind: "Thing", metadata: { annotations: {}, name: "a" }, spec: fields };
  return thing("a", fields, { annotations: { [lastApplied]: `${JSON.stringify(config)}\n` } });
};

/** Server-side apply and who owns which field. */
export const applyingRows: readonly Row[] = [
  row("applying an absent object creates it, defaults and all; only what was named is owned", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3, items: [{ id: 1 }] } }, { show: [...spec, "metadata.generation", ...owners] });
  }),
  row("applying needs a field manager", async (api) => {
    await api.request(
      "apply",
      "PATCH",
      `/api/v1/namespaces/${api.namespace}/configmaps/a`,
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } },
      { contentType: "application/apply-patch+yaml" },
    );
  }),
  row("force goes with apply only", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.merge(configMaps, "a", {}, { query: { force: "true" } });
  }),
  row("applying the same again changes nothing", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3, tags: ["x"] } }, { show: ["metadata.resourceVersion"] });
    await api.apply(things, "a", "one", { spec: { size: 3, tags: ["x"] } }, { show: ["metadata.resourceVersion"] });
  }),
  row("another value for an owned field is a conflict that names owner and field", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3, color: "Red" } });
    await api.apply(things, "a", "two", { spec: { size: 4 } });
    await api.apply(things, "a", "two", { spec: { size: 4, color: "Green" } });
  }),
  row("the same value is co-owned without conflict", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3 } });
    await api.apply(things, "a", "two", { spec: { size: 3 } }, { show: [...owners, "metadata.generation"] });
    await api.apply(things, "a", "one", { spec: {} }, { show: [...spec, ...owners] });
  }),
  row("force takes the field away", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3, color: "Red" } });
    await api.apply(things, "a", "two", { spec: { size: 4 } }, { force: true, show: [...spec, ...owners] });
  }),
  row("a field left out later is removed, and its default comes back", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3, color: "Red", nested: { deep: { count: 1 } } } });
    await api.apply(things, "a", "one", { spec: { color: "Red" } }, { show: [...spec, ...owners] });
  }),
  row("what others own stays when it is left out", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3, table: { a: "1" } } });
    await api.apply(things, "a", "two", { spec: { table: { b: "2" } } });
    await api.apply(things, "a", "one", { spec: {} }, { show: [...spec, ...owners] });
  }),
  row("two managers hold elements of one keyed list", async (api) => {
    await api.apply(things, "a", "one", {
      spec: {
        items: [
          { id: 1, param: "a" },
          { id: 2, param: "b" },
        ],
      },
    });
    await api.apply(
      things,
      "a",
      "two",
      {
        spec: {
          items: [
            { id: 3, param: "c" },
            { id: 2, extra: "e" },
          ],
        },
      },
      { show: ["spec.items"] },
    );
    await api.apply(things, "a", "one", { spec: { items: [{ id: 2, param: "b" }] } }, { show: ["spec.items", ...owners] });
    await api.apply(things, "a", "two", { spec: { items: [] } }, { show: ["spec.items", ...owners] });
  }),
  row("a conflict in a keyed list names the element", async (api) => {
    await api.apply(things, "a", "one", { spec: { items: [{ id: 1, param: "a" }] } });
    await api.apply(things, "a", "two", { spec: { items: [{ id: 1, param: "b" }] } });
  }),
  row("sets are owned by value, atomic lists as a whole", async (api) => {
    await api.apply(things, "a", "one", { spec: { tags: ["x", "y"], atoms: ["a"] } }, { show: owners });
    await api.apply(things, "a", "two", { spec: { tags: ["y", "z"] } }, { show: ["spec.tags", ...owners] });
    await api.apply(things, "a", "two", { spec: { atoms: ["b"] } });
    await api.apply(things, "a", "one", { spec: { tags: ["y"] } }, { show: ["spec.tags", "spec.atoms"] });
  }),
  row("the order of a keyed list: live elements keep their place, new ones follow", async (api) => {
    await api.apply(things, "a", "one", { spec: { items: [{ id: 5 }, { id: 3 }, { id: 1 }] } });
    await api.apply(things, "a", "two", { spec: { items: [{ id: 1 }, { id: 9 }, { id: 5 }] } }, { show: ["spec.items.*.id"] });
  }),
  row("under preserved unknown fields objects merge and lists are atomic", async (api) => {
    await api.apply(things, "a", "one", { spec: { free: { x: { y: 1 }, l: [1, 2] } } }, { show: owners });
    await api.apply(things, "a", "two", { spec: { free: { x: { z: 2 } } } }, { show: ["spec.free"] });
    await api.apply(things, "a", "two", { spec: { free: { l: [3] } } });
    await api.apply(things, "a", "one", { spec: { free: { l: [1, 2] } } }, { show: ["spec.free", ...owners] });
  }),
  row("labels and annotations are owned by key, finalizers by value", async (api) => {
    await api.apply(
      things,
      "a",
      "one",
      { metadata: { labels: { a: "1" }, annotations: { b: "2" }, finalizers: ["example.io/x"] } },
      { show: owners },
    );
    await api.apply(
      things,
      "a",
      "two",
      { metadata: { labels: { c: "3" }, finalizers: ["example.io/y"] } },
      { show: ["metadata.labels", "metadata.finalizers"] },
    );
    await api.apply(things, "a", "one", {}, { show: ["metadata.labels", "metadata.annotations", "metadata.finalizers", ...owners] });
  }),
  row("a creation owns what it set as an update, defaults included", async (api) => {
    await api.create(things, thing("a", { size: 2, items: [{ id: 1 }] }, { labels: { a: "b" } }), { show: owners });
  }),
  row("the field manager of a write may be given", async (api) => {
    await api.create(configMaps, configMap("a"), { query: { fieldManager: "maker" }, show: owners });
    await api.merge(configMaps, "a", { data: { b: "2" } }, { query: { fieldManager: "changer" }, show: owners });
  }),
  row("a patch takes what it changes from its owner, and only that", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3, table: { a: "1", b: "2" } } });
    await api.merge(things, "a", { spec: { size: 4, table: { a: null } } }, { show: owners });
    await api.apply(things, "a", "one", { spec: { size: 3, table: { b: "2" } } });
  }),
  row("a patch that sets the value that is there takes nothing", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 3 } }, { show: ["metadata.resourceVersion"] });
    await api.merge(things, "a", { spec: { size: 3 } }, { show: ["metadata.resourceVersion", ...owners] });
  }),
  row("status has entries of its own", async (api) => {
    await api.create(things, thing("a"));
    await api.merge(
      things,
      "a",
      { status: { phase: "x", conditions: [{ type: "Ready", status: "True" }] } },
      { subresource: "status", show: owners },
    );
    await api.apply(things, "a", "one", { status: { counters: { a: 1 } } }, { subresource: "status", show: ["status", ...owners] });
    await api.apply(things, "a", "two", { status: { phase: "y" } }, { subresource: "status" });
    await api.apply(things, "a", "one", { status: {} }, { subresource: "status", show: ["status"] });
  }),
  row("status in an apply of the main resource is neither stored nor owned", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 2 }, status: { phase: "x" } }, { show: ["status", ...owners] });
  }),
  row("applying to /status of an absent object is NotFound", async (api) => {
    await api.apply(things, "a", "one", { status: { phase: "x" } }, { subresource: "status" });
  }),
  row("managedFields may not be applied", async (api) => {
    await api.apply(things, "a", "one", { metadata: { managedFields: [] } });
    await api.apply(things, "a", "one", { metadata: { managedFields: [{}] } });
  }),
  row("an update with an empty entry clears all owners", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 2 } });
    await api.merge(things, "a", { metadata: { managedFields: [{}] } }, { show: owners });
  }),
  row("fields outside of the schema cannot be applied", async (api) => {
    await api.apply(things, "a", "one", { spec: { zork: 1 } });
    await api.apply(pods, "a", "one", { spec: { containers: [{ name: "c", image: "x", zork: 1 }] } });
  }),
  row("an element twice cannot be applied", async (api) => {
    await api.apply(things, "a", "one", { spec: { items: [{ id: 1 }, { id: 1 }] } });
    await api.apply(things, "a", "one", { spec: { tags: ["x", "x"] } });
  }),
  row("an element without its key cannot be applied", async (api) => {
    await api.apply(things, "a", "one", { spec: { items: [{ param: "a" }] } });
  }),
  row("the name of the body must be that of the path", async (api) => {
    await api.apply(configMaps, "a", "one", { metadata: { name: "b" } });
  }),
  row("a version in the body is a precondition", async (api) => {
    const made = await api.apply(things, "a", "one", { spec: { size: 2 } });
    await api.merge(things, "a", { spec: { color: "Red" } });
    await api.apply(things, "a", "one", { metadata: { resourceVersion: made.body.metadata.resourceVersion }, spec: { size: 3 } });
  }),
  row("a UID in the body of an absent object is a Conflict", async (api) => {
    await api.apply(things, "a", "one", { metadata: { uid: "11111111-2222-4333-8444-555555555555" } });
  }),
  row("an apply that breaks validation is Invalid", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 99 } });
  }),
  row("an apply of a dry run stores nothing", async (api) => {
    await api.apply(things, "a", "one", { spec: { size: 2 } }, { query: { dryRun: "All" }, show: spec });
    await api.get(things, "a");
  }),
  row("pods: containers by name, environment by name, ports by number and protocol", async (api) => {
    await api.apply(
      pods,
      "a",
      "one",
      {
        metadata: { labels: { a: "b" } },
        spec: {
          restartPolicy: "Never",
          containers: [{ name: "main", image: "x:1", env: [{ name: "A", value: "1" }], ports: [{ containerPort: 80 }] }],
        },
      },
      { show: [...owners, "spec.containers.*.env"] },
    );
    await api.apply(pods, "a", "two", { spec: { containers: [{ name: "main", image: "x:2" }] } });
    await api.apply(
      pods,
      "a",
      "two",
      { spec: { containers: [{ name: "main", image: "x:2" }] } },
      { force: true, show: ["spec.containers.*.image", ...owners] },
    );
  }),
  row("pods: what a creation owns", async (api) => {
    await api.create(
      pods,
      pod("a", {
        metadata: { labels: { a: "b" } },
        container: { env: [{ name: "A", value: "1" }], resources: { requests: { cpu: "1" } } },
      }),
      { show: owners },
    );
    await api.merge(
      pods,
      "a",
      { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
      { subresource: "status", show: owners },
    );
  }),
  row("kubectl takes over what client-side apply left, and the annotation follows", async (api) => {
    await api.create(things, clientApplied({ size: 3, color: "Red" }), clientSide);
    await api.apply(things, "a", "other", { spec: { size: 4 } });
    await api.apply(things, "a", "kubectl", { spec: { size: 4, color: "Green" } }, { show: takenOver });
    await api.apply(things, "a", "kubectl", { spec: { size: 4, color: "Green" } }, { show: takenOver });
    await api.apply(things, "a", "kubectl", { metadata: { annotations: { note: "<b> & é" } }, spec: {} }, { show: takenOver });
  }),
  row("kubectl takes over only what is as client-side apply left it", async (api) => {
    await api.create(things, clientApplied({ size: 3, color: "Red" }), clientSide);
    await api.merge(things, "a", { spec: { size: 5, table: { a: "1" } } }, { query: { fieldManager: "editor" } });
    await api.apply(things, "a", "kubectl", { spec: { size: 4, color: "Green", table: { a: "2" } } });
    await api.apply(things, "a", "kubectl", { spec: { color: "Green" } }, { show: takenOver });
  }),
  row("kubectl takes over nothing by an annotation that is of another version, broken or no object of the kind", async (api) => {
    for (const [name, text] of [
      ["a", JSON.stringify({ apiVersion: "v1", kind: "Thing", spec: { size: 3 } })],
      ["b", "{"],
      ["c", JSON.stringify({ apiVersion: "conformance.nuptse.dev/v1", kind: "Thing", spec: { size: 3, zork: 1 } })],
      ["d", ""],
    ] as const) {
      await api.create(things, thing(name, { size: 3 }, { annotations: { [lastApplied]: text } }), clientSide);
      await api.apply(things, name, "kubectl", { spec: { size: 4 } });
      await api.apply(things, name, "kubectl", { spec: { size: 3 } }, { show: takenOver });
    }
  }),
  row("kubectl's annotation follows in built-in kinds too, and may be applied itself", async (api) => {
    const applied = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", annotations: {} }, data: { x: "1" } });
    await api.create(configMaps, configMap("a", { x: "1" }, { annotations: { [lastApplied]: applied } }), clientSide);
    await api.apply(
      configMaps,
      "a",
      "kubectl-last-applied",
      { metadata: { annotations: { [lastApplied]: applied } } },
      { show: takenOver },
    );
    await api.apply(configMaps, "a", "kubectl", { metadata: { annotations: {} }, data: { x: "2" } }, { show: takenOver });
    await api.apply(
      configMaps,
      "a",
      "kubectl",
      { metadata: { annotations: { [lastApplied]: "mine" } }, data: { x: "3" } },
      { show: takenOver },
    );
  }),
  row("config maps: data by key", async (api) => {
    await api.apply(configMaps, "a", "one", { data: { x: "1", y: "2" } }, { show: owners });
    await api.apply(configMaps, "a", "two", { data: { z: "3" } }, { show: ["data"] });
    await api.apply(configMaps, "a", "one", { data: { y: "2" } }, { show: ["data", ...owners] });
  }),
];
