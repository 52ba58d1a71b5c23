import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import {
  CoreV1Api,
  CustomObjectsApi,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  type KubernetesObject,
  Log,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  type V1Status,
} from "@kubernetes/client-node";
import { dump } from "js-yaml";
import { sharedControlPlane } from "../integration/control-plane-fixture.ts";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { type Stage, useEmbeddedServer, usePlayground, useRealServer } from "./stages.ts";

const namespace = "client-node";

function configOf({ kubeconfig }: Stage): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  return config;
}

/** What programs do with @kubernetes/client-node; the same on every API server. */
function describeLibrary(stage: () => Stage): void {
  const core = () => configOf(stage()).makeApiClient(CoreV1Api);
  const asMerge = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
  const asApply = setHeaderOptions("Content-Type", PatchStrategy.ServerSideApply);

  it("creates, patches, applies and deletes objects of built-in kinds", async () => {
    const body = { metadata: { name: "typed" }, data: { a: "1" } };
    assert.deepEqual((await core().createNamespacedConfigMap({ namespace, body })).data, { a: "1" });
    const patched = await core().patchNamespacedConfigMap({ namespace, name: "typed", body: { data: { b: "2" } } }, asMerge);
    assert.deepEqual(patched.data, { a: "1", b: "2" });
    const config = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "typed" }, data: { c: "3" } };
    const applied = await core().patchNamespacedConfigMap({ namespace, name: "typed", body: config, fieldManager: "lib" }, asApply);
    assert.deepEqual(applied.data, { a: "1", b: "2", c: "3" });
    assert.equal((await core().deleteNamespacedConfigMap({ namespace, name: "typed" })).status, "Success");
    await assert.rejects(core().readNamespacedConfigMap({ namespace, name: "typed" }), { code: 404 });
  });
  it("handles custom resources, by name and by what an object says of itself", async () => {
    const widgets = { group: "test.nuptse.dev", version: "v1", namespace, plural: "widgets" };
    const widget = (name: string) => ({
      apiVersion: "test.nuptse.dev/v1",
      kind: "Widget",
      metadata: { name, namespace },
      spec: { replicas: 2 },
    });
    const custom = configOf(stage()).makeApiClient(CustomObjectsApi);
    await custom.createNamespacedCustomObject({ ...widgets, body: widget("named") });
    const { items } = (await custom.listNamespacedCustomObject(widgets)) as { readonly items: readonly KubernetesObject[] };
    assert.deepEqual(
      items.map(({ metadata }) => metadata?.name),
      ["named"],
    );
    const objects = KubernetesObjectApi.makeApiClient(configOf(stage()));
    await objects.create(widget("described"));
    const changed = { ...widget("described"), spec: { replicas: 5 } };
    const patched = await objects.patch(changed, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch);
    assert.deepEqual((patched as unknown as typeof changed).spec, { replicas: 5 });
    await objects.delete(widget("described"));
    await assert.rejects(objects.read(widget("described")), { code: 404 });
  });
  it("an informer tells what is there, what comes, changes and goes", async () => {
    const body = (name: string, value: string) => ({ metadata: { name, labels: { informed: "yes" } }, data: { a: value } });
    await core().createNamespacedConfigMap({ namespace, body: body("first", "1") });
    const seen: string[] = [];
    const list = () => core().listNamespacedConfigMap({ namespace, labelSelector: "informed=yes" });
    const informer = makeInformer<V1ConfigMap>(configOf(stage()), `/api/v1/namespaces/${namespace}/configmaps`, list, "informed=yes");
    for (const verb of ["add", "update", "delete"] as const)
      informer.on(verb as "add", ({ metadata, data }) => seen.push(`${verb} ${metadata?.name} ${data?.["a"]}`));
    // a watch that is cut is an error to it, and begun anew by whoever uses it
    informer.on("error", () => undefined);
    const wants: string[] = [];
    const sees = (...more: readonly string[]) => {
      wants.push(...more);
      return eventually(`it to see ${more}`, timeLimits.reaction, () => {
        assert.deepEqual(seen, wants);
        return true;
      });
    };
    await informer.start();
    try {
      await sees("add first 1");
      await core().createNamespacedConfigMap({ namespace, body: body("second", "1") });
      await sees("add second 1");
      await core().patchNamespacedConfigMap({ namespace, name: "first", body: { data: { a: "2" } } }, asMerge);
      await sees("update first 2");
      await core().deleteNamespacedConfigMap({ namespace, name: "second" });
      await sees("delete second 1");
    } finally {
      await informer.stop();
    }
  });
}

describe("@kubernetes/client-node on the embedded API server", function () {
  this.timeout(60_000);
  describeLibrary(useEmbeddedServer({ namespace }));
});

describe("@kubernetes/client-node on the real API server", function () {
  this.timeout(60_000);
  describeLibrary(useRealServer(sharedControlPlane, namespace));
});

describe("@kubernetes/client-node in the playground", function () {
  this.timeout(60_000);
  const stage = usePlayground({}, namespace);

  before(async () => {
    const { kubectl } = stage();
    const command = ["sh", "-c", "echo begun; sleep 600"];
    const spec = { terminationGracePeriodSeconds: 0, containers: [{ name: "main", image: "x", command }] };
    await kubectl.ok(["create", "-f", "-"], dump({ apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec }));
    await kubectl.ok(["wait", "pod/p", "--for=condition=Ready", "--timeout=20s"]);
  });

  it("reads logs", async () => {
    await eventually("the line", timeLimits.reaction, async () => {
      const into = new PassThrough();
      await new Log(configOf(stage())).log(namespace, "p", "main", into, { tailLines: 1 });
      return (await text(into)) === "begun\n";
    });
  });
  it("runs commands, with their streams apart and their code", async () => {
    const [out, err] = [new PassThrough(), new PassThrough()];
    const { promise, resolve } = Promise.withResolvers<V1Status>();
    const command = ["sh", "-c", "cat; echo bad >&2; exit 3"];
    const input = new PassThrough();
    await new Exec(configOf(stage())).exec(namespace, "p", "main", command, out, err, input, false, resolve);
    input.end("good\n");
    const status = await promise;
    assert.deepEqual([status.status, status.details?.causes?.[0]?.message], ["Failure", "3"]);
    assert.deepEqual([out.read()?.toString(), err.read()?.toString()], ["good\n", "bad\n"]);
  });
});
