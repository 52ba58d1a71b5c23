import { configMaps, leases, podTemplates, pods } from "../../../src/api/resource.ts";
import { configMap, plains, pod, thing, things } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const state = ["metadata.generation", "metadata.resourceVersion", "spec", "status"];

/** Creating, replacing and patching: preconditions, versions, generations, names. */
export const writingRows: readonly Row[] = [
  row("creating fills in metadata and generation 1", async (api) => {
    await api.create(things, thing("a", { size: 3 }), {
      show: ["metadata.name", "metadata.namespace", "metadata.generation", "metadata.uid", "metadata.creationTimestamp", "spec"],
    });
  }),
  row("creating an object that exists is AlreadyExists without a UID", async (api) => {
    await api.create(pods, pod("a"));
    await api.create(pods, pod("a"));
    await api.create(things, thing("a"));
    await api.create(things, thing("a"));
  }),
  row("a name is generated from a prefix with five letters", async (api) => {
    const made = await api.create(configMaps, { metadata: { generateName: "job-" } });
    api.note("form", /^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/.test(made.body.metadata.name));
  }),
  row("an object without any name is refused", async (api) => {
    await api.create(configMaps, { metadata: {} });
    await api.create(things, { metadata: {} });
  }),
  row("bad names are refused with the rule", async (api) => {
    await api.create(configMaps, configMap("Upper"));
    await api.create(pods, pod("-a"));
    await api.create(things, thing("a_b"));
  }),
  row("a namespace in the body must be that of the path", async (api) => {
    await api.create(configMaps, configMap("a", {}, { namespace: "other" }));
  }),
  row("creating in an absent namespace is NotFound", async (api) => {
    await api.create(configMaps, configMap("a"), { namespace: "nowhere" });
    await api.create(things, thing("a"), { namespace: "nowhere" });
  }),
  row("resourceVersion may not be set on creation", async (api) => {
    await api.create(configMaps, configMap("a", {}, { resourceVersion: "5" }));
  }),
  row("uid, creationTimestamp and generation of a creation are the server's", async (api) => {
    const made = await api.create(
      things,
      thing("a", {}, { uid: "11111111-2222-4333-8444-555555555555", generation: 7, creationTimestamp: "2001-01-01T00:00:00Z" }),
      { show: ["metadata.generation"] },
    );
    api.note("uid is new", made.body.metadata.uid !== "11111111-2222-4333-8444-555555555555");
    api.note("time is new", made.body.metadata.creationTimestamp !== "2001-01-01T00:00:00Z");
  }),
  row("status sent on creation is dropped where there is a status subresource", async (api) => {
    await api.create(things, { ...thing("a"), status: { phase: "Done" } }, { show: ["status"] });
    const name = `${api.namespace}-plain`;
    await api.create(plains, { metadata: { name }, status: { phase: "Done" } }, { show: ["status"] });
  }),
  row("replacing with the current version works, with an old one it is a Conflict", async (api) => {
    const made = await api.create(things, thing("a", { size: 1 }));
    await api.replace(things, "a", { ...made.body, spec: { size: 2 } }, { show: state });
    await api.replace(things, "a", { ...made.body, spec: { size: 3 } });
    await api.get(things, "a", { show: state });
  }),
  row("replacing a custom resource needs a version", async (api) => {
    await api.create(things, thing("a"));
    await api.replace(things, "a", thing("a", { size: 2 }));
  }),
  row("replacing a config map needs none", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.replace(configMaps, "a", configMap("a", { b: "2" }), { show: ["data"] });
  }),
  row("replacing an absent object is NotFound", async (api) => {
    await api.replace(configMaps, "a", configMap("a"));
    await api.replace(things, "a", thing("a", {}, { resourceVersion: "1" }));
  }),
  row("replacing an absent lease creates it", async (api) => {
    await api.replace(leases, "a", { metadata: { name: "a" }, spec: { holderIdentity: "me" } }, { show: ["spec"] });
  }),
  row("replacing with another name than the path's is refused", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.replace(configMaps, "a", configMap("b"));
  }),
  row("replacing with another UID is a Conflict", async (api) => {
    const made = await api.create(configMaps, configMap("a"));
    await api.replace(configMaps, "a", { ...made.body, metadata: { ...made.body.metadata, uid: "11111111-2222-4333-8444-555555555555" } });
  }),
  row("a write that changes nothing keeps the version", async (api) => {
    const made = await api.create(things, thing("a", { size: 2 }), { show: ["metadata.resourceVersion"] });
    await api.merge(things, "a", { spec: { size: 2 } }, { show: ["metadata.resourceVersion"] });
    await api.replace(things, "a", made.body, { show: ["metadata.resourceVersion"] });
    await api.json(things, "a", [{ op: "replace", path: "/spec/size", value: 2 }], { show: ["metadata.resourceVersion"] });
  }),
  row("generation counts changes of spec, not of metadata or status", async (api) => {
    await api.create(things, thing("a"));
    await api.merge(things, "a", { metadata: { labels: { a: "b" } } }, { show: ["metadata.generation"] });
    await api.merge(things, "a", { spec: { size: 5 } }, { show: ["metadata.generation"] });
    await api.merge(things, "a", { status: { phase: "x" } }, { subresource: "status", show: ["metadata.generation"] });
    await api.merge(things, "a", { metadata: { generation: 99 } }, { show: ["metadata.generation"] });
  }),
  row("without a status subresource a change of status counts", async (api) => {
    const name = `${api.namespace}-plain`;
    await api.create(plains, { metadata: { name } }, { show: ["metadata.generation"] });
    await api.merge(plains, name, { status: { a: 1 } }, { show: ["metadata.generation", "status"] });
  }),
  row("the main resource ignores status, /status ignores all else", async (api) => {
    await api.create(things, thing("a", { size: 1 }));
    await api.merge(things, "a", { spec: { size: 2 }, status: { phase: "no" } }, { show: state });
    await api.merge(
      things,
      "a",
      { spec: { size: 3 }, metadata: { labels: { a: "b" }, annotations: { c: "d" }, finalizers: ["e.io/f"] }, status: { phase: "yes" } },
      { subresource: "status", show: [...state, "metadata.labels", "metadata.annotations", "metadata.finalizers"] },
    );
  }),
  row("a merge on /status with a stale version is a Conflict, without one the last writer wins", async (api) => {
    const made = await api.create(things, thing("a"));
    await api.merge(things, "a", { status: { phase: "one" } }, { subresource: "status", show: ["status"] });
    await api.merge(
      things,
      "a",
      { metadata: { resourceVersion: made.body.metadata.resourceVersion }, status: { phase: "two" } },
      { subresource: "status" },
    );
    await api.merge(things, "a", { status: { phase: "three" } }, { subresource: "status", show: ["status"] });
  }),
  row("a merge on /status with a wrong UID is accepted", async (api) => {
    await api.create(things, thing("a"));
    await api.merge(
      things,
      "a",
      { metadata: { uid: "11111111-2222-4333-8444-555555555555" }, status: { phase: "one" } },
      { subresource: "status", show: ["status", "metadata.uid"] },
    );
  }),
  row("a merge on the main resource with a wrong UID is Invalid", async (api) => {
    await api.create(things, thing("a"));
    await api.merge(things, "a", { metadata: { uid: "11111111-2222-4333-8444-555555555555" } });
  }),
  row("a PUT on /status with a wrong UID is a Conflict", async (api) => {
    const made = await api.create(things, thing("a"));
    await api.replace(
      things,
      "a",
      { ...made.body, metadata: { ...made.body.metadata, uid: "11111111-2222-4333-8444-555555555555" }, status: {} },
      { subresource: "status" },
    );
  }),
  row("/status of an absent object is NotFound", async (api) => {
    await api.merge(things, "a", { status: {} }, { subresource: "status" });
    await api.get(things, "a", { subresource: "status" });
  }),
  row("a subresource that a kind does not have is NotFound", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.get(configMaps, "a", { subresource: "status" });
  }),
  row("null removes in a merge patch, lists are replaced whole", async (api) => {
    await api.create(things, thing("a", { atoms: ["a", "b"], table: { x: "1", y: "2" } }));
    await api.merge(things, "a", { spec: { atoms: ["c"], table: { x: null } } }, { show: ["spec.atoms", "spec.table"] });
  }),
  row("a merge patch that renames is refused", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.merge(configMaps, "a", { metadata: { name: "b" } });
  }),
  row("patching an absent object is NotFound", async (api) => {
    await api.merge(configMaps, "a", { data: {} });
    await api.json(things, "a", []);
  }),
  row("all operations of a JSON patch", async (api) => {
    await api.create(things, thing("a", { atoms: ["a", "b"], table: { x: "1" } }, { annotations: { "a.b/c": "d" } }));
    await api.json(
      things,
      "a",
      [
        { op: "test", path: "/spec/table/x", value: "1" },
        { op: "add", path: "/spec/atoms/-", value: "c" },
        { op: "add", path: "/spec/atoms/0", value: "z" },
        { op: "remove", path: "/spec/atoms/1" },
        { op: "copy", from: "/spec/table/x", path: "/spec/table/y" },
        { op: "move", from: "/spec/table/x", path: "/spec/table/w" },
        { op: "replace", path: "/metadata/annotations/a.b~1c", value: "e" },
      ],
      { show: ["spec.atoms", "spec.table", "metadata.annotations"] },
    );
  }),
  row("a JSON patch whose test fails is Invalid and changes nothing", async (api) => {
    await api.create(things, thing("a", { size: 1 }));
    await api.json(things, "a", [
      { op: "replace", path: "/spec/size", value: 9 },
      { op: "test", path: "/spec/size", value: 3 },
    ]);
    await api.get(things, "a", { show: ["spec.size", "metadata.generation"] });
  }),
  row("a JSON patch can test the UID", async (api) => {
    const made = await api.create(things, thing("a"));
    await api.json(
      things,
      "a",
      [
        { op: "test", path: "/metadata/uid", value: made.body.metadata.uid },
        { op: "add", path: "/metadata/labels", value: { a: "b" } },
      ],
      { show: ["metadata.labels"] },
    );
    await api.json(things, "a", [{ op: "test", path: "/metadata/uid", value: "x" }]);
  }),
  row("a JSON patch of a path that is not there is Invalid", async (api) => {
    await api.create(things, thing("a"));
    await api.json(things, "a", [{ op: "remove", path: "/spec/atoms" }]);
    await api.json(things, "a", [{ op: "replace", path: "/spec/free/x", value: 1 }]);
  }),
  row("JSON is no patch type, and custom resources take no strategic merge", async (api) => {
    await api.create(things, thing("a"));
    const plain = await api.request(
      "plain",
      "PATCH",
      `/apis/conformance.nuptse.dev/v1/namespaces/${api.namespace}/things/a`,
      {},
      { contentType: "application/json", show: "nothing" },
    );
    api.note("reason", plain.body.reason);
    const strategic = await api.request(
      "strategic",
      "PATCH",
      `/apis/conformance.nuptse.dev/v1/namespaces/${api.namespace}/things/a`,
      {},
      { contentType: "application/strategic-merge-patch+json", show: "nothing" },
    );
    api.note("reason", strategic.body.reason);
  }),
  row("a dry run stores nothing and still defaults and validates", async (api) => {
    await api.create(things, thing("a"), { query: { dryRun: "All" }, show: ["metadata.name", "metadata.resourceVersion", "spec"] });
    await api.get(things, "a");
    await api.create(things, thing("b", { size: 99 }), { query: { dryRun: "All" } });
    await api.create(things, thing("c", { size: 1 }), { show: ["metadata.resourceVersion"] });
    await api.merge(things, "c", { spec: { size: 2 } }, { query: { dryRun: "All" }, show: ["spec.size", "metadata.resourceVersion"] });
    await api.delete(things, "c", { dryRun: ["All"] });
    await api.get(things, "c", { show: ["spec.size", "metadata.resourceVersion"] });
  }),
  row("dryRun takes only All", async (api) => {
    await api.create(configMaps, configMap("a"), { query: { dryRun: "Some" } });
  }),
  row("unknown fields of custom resources: warned of and dropped, refused when strict, silent when ignored", async (api) => {
    const body = { ...thing("a", { zork: 1, nested: { zap: 2 } }), extra: 3 };
    await api.create(things, body, { show: ["spec", "extra"] });
    await api.create(things, { ...body, metadata: { name: "b" } }, { query: { fieldValidation: "Strict" } });
    await api.create(things, { ...body, metadata: { name: "c" } }, { query: { fieldValidation: "Ignore" }, show: ["spec"] });
    await api.merge(things, "a", { spec: { zork: 1 } }, { show: ["metadata.generation"] });
  }),
  row("unknown fields of pods: warned of and dropped, refused when strict", async (api) => {
    await api.create(pods, pod("a", { spec: { zork: 1 }, container: { imagee: "x" } }), {
      show: ["spec.zork", "spec.containers.*.imagee"],
    });
    await api.create(pods, pod("b", { spec: { zork: 1 } }), { query: { fieldValidation: "Strict" } });
  }),
  row("unknown fields in metadata are told of too", async (api) => {
    await api.create(things, thing("a", {}, { lables: { a: "b" } }));
    await api.create(configMaps, configMap("a", {}, { lables: { a: "b" } }));
  }),
  row("an apiVersion or kind that is not the path's is refused", async (api) => {
    await api.create(configMaps, { ...configMap("a"), apiVersion: "v2" });
    await api.create(configMaps, { ...configMap("a"), kind: "Secret" }, { show: "reason" });
  }),
  row("a body of the wrong type is a BadRequest", async (api) => {
    await api.create(pods, { metadata: { name: "a" }, spec: { containers: "no" } });
    await api.create(podTemplates, {
      metadata: { name: "a" },
      template: pod("x", { container: { resources: { requests: { cpu: "banana" } } } }),
    });
  }),
  row("an unknown resource of a known group is NotFound", async (api) => {
    await api.request("unknown", "GET", "/api/v1/nothings");
    const other = await api.request("unknown group", "GET", "/apis/nobody.example/v1/nothings", undefined, { show: "nothing" });
    api.note("text", typeof other.body === "string" ? other.body : "json");
  }),
  row("a method that a path does not have is MethodNotAllowed", async (api) => {
    await api.request("post to an object", "POST", `/api/v1/namespaces/${api.namespace}/configmaps/a`, configMap("a"));
    await api.request("put to a collection", "PUT", `/api/v1/namespaces/${api.namespace}/configmaps`, configMap("a"));
  }),
  row("two writers: the second from the same version conflicts, a retry from the new one works", async (api) => {
    const made = await api.create(configMaps, configMap("a"));
    const version = made.body.metadata.resourceVersion;
    const first = await api.merge(
      configMaps,
      "a",
      { metadata: { resourceVersion: version }, data: { a: "2" } },
      { show: ["metadata.resourceVersion"] },
    );
    await api.merge(configMaps, "a", { metadata: { resourceVersion: version }, data: { a: "3" } });
    await api.merge(
      configMaps,
      "a",
      { metadata: { resourceVersion: first.body.metadata.resourceVersion }, data: { a: "3" } },
      { show: ["data", "metadata.resourceVersion"] },
    );
  }),
  row("versions of all kinds are one sequence", async (api) => {
    await api.create(configMaps, configMap("a"), { show: ["metadata.resourceVersion"] });
    await api.create(things, thing("a"), { show: ["metadata.resourceVersion"] });
    await api.create(pods, pod("a"), { show: ["metadata.resourceVersion"] });
    await api.merge(configMaps, "a", { data: { b: "1" } }, { show: ["metadata.resourceVersion"] });
  }),
  row("nulls in a creation of a built-in kind are dropped, as are empty lists and maps", async (api) => {
    await api.create(
      configMaps,
      { metadata: { name: "a", labels: {}, annotations: null }, data: { a: "" } },
      { show: ["metadata.labels", "metadata.annotations", "data"] },
    );
  }),
  row("an immutable config map stays as it is", async (api) => {
    await api.create(configMaps, { ...configMap("a"), immutable: true });
    await api.merge(configMaps, "a", { data: { a: "2" } });
    await api.merge(configMaps, "a", { metadata: { labels: { a: "b" } } }, { show: ["metadata.labels"] });
  }),
];
