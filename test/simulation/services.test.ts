import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { EndpointSlice } from "../../src/api/endpoint-slice.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { endpointSlices, networkPolicies, pods, runnerApps, services } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { Stage } from "../../src/simulator/harness/stage.ts";

const from = Date.UTC(2026, 10, 21, 12, 0, 0);
const namespace = "red";
/** Where the stage's operator looks for gateways. */
const gatewayNamespace = "kube-system";

interface ServiceObject extends KubeObject {
  readonly spec: { readonly selector?: object; readonly clusterIP?: string };
}

function app(name: string, spec: object = {}): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: { replicas: 2, services: [{ name: "api", port: 80 }], template: template(), ...spec },
  } as unknown as RunnerApp;
}

const template = () => ({
  metadata: { annotations: { "simulate.nuptse.dev/script": JSON.stringify({ startMs: [2000, 2000] }) } },
  spec: { containers: [{ name: "main", image: "web:1", ports: [{ name: "http", containerPort: 8080 }] }] },
});

/** A cluster with so many gateways. */
async function open(gateways = 2): Promise<Stage> {
  const capacity = { cpu: "10", memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" };
  const stage = await Stage.open({
    from,
    nodes: ["n1", "n2", "n3"].map((name) => ({ name, capacity })),
    namespaces: [{ name: namespace }],
  });
  for (let number = 1; number <= gateways; number++) await addGateway(stage, `gateway-${number}`);
  // In the first minute of its term a leader does not know yet which ports were freed before.
  await stage.advance(60_000);
  return stage;
}

const addGateway = (stage: Stage, name: string) =>
  stage.create(pods, {
    metadata: {
      name,
      namespace: gatewayNamespace,
      labels: { "nuptse.dev/gateway": "" },
      // Goes on until it is told that no slice has it any more, which here nobody heeds.
      annotations: { "simulate.nuptse.dev/script": JSON.stringify({ onTerm: "exitsZero", termMs: [60_000, 60_000] }) },
    },
    spec: { terminationGracePeriodSeconds: 300, containers: [{ name: "haproxy", image: "haproxy:3" }] },
  } as unknown as Pod);

const status = async (stage: Stage, name = "web") => (await stage.get<RunnerApp & KubeObject>(runnerApps, { namespace, name })).status;
const row = async (stage: Stage, name = "web") => (await status(stage, name))?.services?.[0];
const addresses = async (stage: Stage, name = "api") =>
  (await stage.list<EndpointSlice>(endpointSlices, { namespace, labelSelector: `nuptse.dev/service=${name}` })).flatMap(
    ({ endpoints, ports }) => (endpoints ?? []).map((endpoint) => `${endpoint.addresses[0]}:${ports?.[0]?.port}`),
  );
const ipOf = async (stage: Stage, name: string) =>
  ((await stage.get<Pod & KubeObject>(pods, { namespace: gatewayNamespace, name })).status as { readonly podIP?: string }).podIP;
const names = async (stage: Stage) => (await stage.list(services, { namespace })).map(({ metadata }) => metadata.name).sort();

describe("simulation of published services", function () {
  this.timeout(120_000);

  it("an app is published: Service, slice with both gateways, slices of its instances; then nothing is written", async () => {
    const stage = await open();
    await stage.create(runnerApps, app("web"));
    await stage.advance(30_000);
    assert.deepEqual(await row(stage), { name: "api", address: "api.red.svc", port: 80, gatewayPort: 21_000, reason: "Published" });
    assert.deepEqual(await names(stage), ["api", "web-instances"]);
    const [one, two] = [await ipOf(stage, "gateway-1"), await ipOf(stage, "gateway-2")];
    assert.deepEqual(await addresses(stage), [`${one}:21000`, `${two}:21000`]);
    const instances = await stage.list<EndpointSlice>(endpointSlices, {
      namespace,
      labelSelector: "kubernetes.io/service-name=web-instances",
    });
    assert.deepEqual(
      instances.flatMap(({ endpoints, ports }) => [endpoints?.length, ports?.[0]?.name]),
      [2, "api"],
    );
    const [pod] = await stage.list<Pod & KubeObject>(pods, { namespace });
    assert.equal(pod?.metadata.annotations?.["nuptse.dev/service-api"], "api.red.svc:80");
    assert.equal(pod?.spec.terminationGracePeriodSeconds, 40);
    const before = (await stage.get(runnerApps, { namespace, name: "web" })).metadata.resourceVersion;
    await stage.advance(600_000);
    assert.equal((await stage.get(runnerApps, { namespace, name: "web" })).metadata.resourceVersion, before);
    await stage.close();
  });

  it("a gateway that leaves goes from all slices and is told so; one that comes is entered", async () => {
    const stage = await open();
    await stage.create(runnerApps, app("web"));
    await stage.advance(30_000);
    await stage.delete(pods, { namespace: gatewayNamespace, name: "gateway-1" });
    await stage.advance(1000);
    assert.deepEqual(await addresses(stage), [`${await ipOf(stage, "gateway-2")}:21000`]);
    const marked = async () =>
      (await stage.get(pods, { namespace: gatewayNamespace, name: "gateway-1" })).metadata.annotations?.["nuptse.dev/unpublished"];
    assert.equal(await marked(), undefined);
    await stage.advance(4000);
    assert.notEqual(await marked(), undefined);
    await addGateway(stage, "gateway-3");
    await stage.advance(10_000);
    assert.deepEqual(
      (await addresses(stage)).sort(),
      [`${await ipOf(stage, "gateway-2")}:21000`, `${await ipOf(stage, "gateway-3")}:21000`].sort(),
    );
    await stage.close();
  });

  it("the younger of two apps waits for the name, and takes it over when the older goes", async () => {
    const stage = await open();
    await stage.create(runnerApps, app("old"));
    await stage.advance(30_000);
    await stage.create(runnerApps, app("web"));
    await stage.advance(30_000);
    assert.equal((await row(stage, "old"))?.reason, "Published");
    const waiting = await status(stage);
    assert.deepEqual(waiting?.services, [
      { name: "api", reason: "NameConflict", message: "RunnerApp old is older and has a service of this name" },
    ]);
    const stalled = waiting?.conditions?.find(({ type }) => type === "Stalled");
    assert.deepEqual([stalled?.status, stalled?.reason], ["True", "NameConflict"]);
    const first = (await stage.get(services, { namespace, name: "api" })).metadata.uid;
    await stage.delete(runnerApps, { namespace, name: "old" });
    await stage.advance(20_000);
    const taken = await row(stage);
    assert.equal(taken?.reason, "Published");
    // That of the other app was freed less than a minute ago.
    assert.equal(taken?.gatewayPort, 21_001);
    assert.notEqual((await stage.get(services, { namespace, name: "api" })).metadata.uid, first);
    assert.equal((await status(stage))?.conditions?.find(({ type }) => type === "Stalled")?.status, "False");
    await stage.close();
  });

  it("ports survive another leader, also after a status was lost; a freed port is given away only after a minute", async () => {
    const stage = await open();
    await stage.create(runnerApps, app("a", { services: [{ name: "one", port: 80 }] }));
    await stage.advance(1000);
    await stage.create(runnerApps, app("b", { services: [{ name: "two", port: 80 }] }));
    await stage.advance(30_000);
    stage.killOperator();
    stage.startOperator();
    await stage.advance(60_000);
    assert.deepEqual([(await row(stage, "a"))?.gatewayPort, (await row(stage, "b"))?.gatewayPort], [21_000, 21_001]);
    await stage.during(() =>
      stage.client.patch(
        runnerApps,
        { namespace, name: "a" },
        { type: "merge", body: { status: { services: null } } },
        { subresource: "status" },
      ),
    );
    await stage.advance(90_000);
    assert.equal((await row(stage, "a"))?.gatewayPort, 21_000);
    await stage.delete(runnerApps, { namespace, name: "a" });
    await stage.advance(5000);
    await stage.create(runnerApps, app("c", { services: [{ name: "three", port: 80 }] }));
    await stage.advance(30_000);
    assert.equal((await row(stage, "c"))?.gatewayPort, 21_002);
    await stage.advance(60_000);
    await stage.create(runnerApps, app("d", { services: [{ name: "four", port: 80 }] }));
    await stage.advance(30_000);
    assert.equal((await row(stage, "d"))?.gatewayPort, 21_000);
    await stage.close();
  });

  it("a Service is taken over with its address, and given back when the app goes", async () => {
    const stage = await open();
    const theirs = {
      metadata: { name: "old", namespace, labels: { app: "old" } },
      spec: { containers: [{ name: "main", image: "old:1" }] },
    };
    await stage.create(pods, theirs as unknown as Pod);
    const selector = { app: "old" };
    await stage.create(services, {
      metadata: { name: "api", namespace },
      spec: { selector, ports: [{ port: 80 }] },
    } as unknown as KubeObject);
    await stage.advance(10_000);
    const before = await stage.get<ServiceObject>(services, { namespace, name: "api" });
    await stage.create(runnerApps, app("web"));
    await stage.advance(20_000);
    assert.equal((await row(stage))?.reason, "NameConflict");
    assert.deepEqual((await stage.get<ServiceObject>(services, { namespace, name: "api" })).metadata, before.metadata);
    await stage.patchSpec(runnerApps, { namespace, name: "web" }, { services: [{ name: "api", port: 80, adoptExisting: true }] });
    await stage.advance(60_000);
    assert.equal((await row(stage))?.reason, "Published");
    const taken = await stage.get<ServiceObject>(services, { namespace, name: "api" });
    assert.deepEqual(
      [taken.metadata.uid, taken.spec.selector, taken.metadata.ownerReferences],
      [before.metadata.uid, undefined, undefined],
    );
    const slices = await stage.list<EndpointSlice>(endpointSlices, { namespace, labelSelector: "kubernetes.io/service-name=api" });
    assert.deepEqual(
      slices.map(({ metadata }) => metadata.name),
      ["api-nuptse-ipv4"],
    );
    await stage.delete(runnerApps, { namespace, name: "web" });
    await stage.advance(30_000);
    const back = await stage.get<ServiceObject>(services, { namespace, name: "api" });
    assert.deepEqual(
      [back.metadata.uid, back.spec.selector, back.metadata.labels ?? {}, back.metadata.annotations ?? {}],
      [before.metadata.uid, selector, {}, {}],
    );
    const own = await stage.list<EndpointSlice>(endpointSlices, { namespace, labelSelector: "kubernetes.io/service-name=api" });
    assert.ok(
      own.every(({ metadata }) => metadata.labels?.["endpointslice.kubernetes.io/managed-by"] === "endpointslice-controller.k8s.io"),
    );
    assert.deepEqual(
      own.flatMap(({ endpoints }) => endpoints?.length),
      [1],
    );
    await stage.close();
  });

  it("a policy of an app that went while nobody led is taken away, and a fleet of somebody else is published and left alone", async () => {
    const stage = await open();
    const restricted = { name: "api", port: 80, allowedNamespaces: { selector: { matchLabels: { team: "blue" } } } };
    await stage.create(runnerApps, app("web", { services: [restricted] }));
    await stage.advance(30_000);
    assert.equal((await row(stage))?.gatewayPort, 24_000);
    assert.deepEqual(
      (await stage.list(networkPolicies, { namespace: gatewayNamespace })).map(({ metadata }) => metadata.name),
      ["nuptse-gateway", "nuptse.red.api"],
    );
    stage.killOperator();
    await stage.delete(runnerApps, { namespace, name: "web" });
    stage.startOperator();
    await stage.advance(60_000);
    assert.deepEqual(
      (await stage.list(networkPolicies, { namespace: gatewayNamespace })).map(({ metadata }) => metadata.name),
      ["nuptse-gateway"],
    );
    assert.deepEqual(await names(stage), []);

    const { template: _, replicas: __, ...spec } = app("theirs").spec;
    await stage.create(runnerApps, { ...app("theirs"), spec: { ...spec, endpoints: { serviceName: "machines" } } } as RunnerApp);
    await stage.advance(120_000);
    const published = await status(stage, "theirs");
    assert.deepEqual(
      published?.services?.map(({ reason }) => reason),
      ["Published"],
    );
    assert.deepEqual(
      published?.conditions?.map(({ type, status: is, reason }) => `${type}=${is} ${reason}`),
      ["Ready=True Serving"],
    );
    assert.deepEqual(await names(stage), ["api"]);
    assert.deepEqual(await stage.list(pods, { namespace }), []);
    await stage.close();
  });

  it("without a gateway the status says what is missing", async () => {
    const stage = await open(0);
    await stage.create(runnerApps, app("web"));
    await stage.advance(30_000);
    assert.equal((await row(stage))?.reason, "NoGateway");
    await addGateway(stage, "gateway-1");
    await stage.advance(10_000);
    assert.equal((await row(stage))?.reason, "Published");
    await stage.close();
  });
});
