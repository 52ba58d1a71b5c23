import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { createNamespace } from "../../hack/control-plane/objects.ts";
import { silentLogger } from "../../src/api/logger.ts";
import type { Pod } from "../../src/api/core.ts";
import type { EndpointSlice } from "../../src/api/endpoint-slice.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { deployments, endpoints, endpointSlices, networkPolicies, pods, runnerApps, services } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { type GatewayProcess, startGateway } from "../../src/gateway/gateway.ts";
import { createPrometheusMetrics } from "../../src/runtime/metrics.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { createTestHaproxy, type TestHaproxy } from "../gateway/support/haproxy.ts";
import { loadText, startLoad } from "../gateway/support/load.ts";
import { patience } from "../support/patience.ts";
import { skipUnless } from "../support/skip.ts";
import { eventually } from "./support/eventually.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { type Instances, serveInstances, throughPodNetwork } from "./support/pod-network.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { longTests, timeLimits } from "./support/time-limits.ts";

const namespace = "shop";
const gatewayNamespace = "edge";
const instancePort = 8080;
/** How long the operator is away. */
const awayMs = longTests ? 60_000 : 10_000;

interface ServiceObject extends KubeObject {
  readonly spec: { readonly clusterIP?: string; readonly selector?: object; readonly ports?: readonly object[] };
}

/** Its pods end by themselves half a second after the operator's preStop sleep. */
const template = (image = "web:1") => ({
  metadata: {
    labels: { tier: "web" },
    annotations: {
      "test/script": JSON.stringify({ runMs: "forever", startMs: [300, 600], onTerm: "exitsZero", termMs: [10_500, 10_500] }),
    },
  },
  spec: { containers: [{ name: "main", image, ports: [{ name: "http", containerPort: instancePort }] }] },
});

const http = { name: "web", port: 80, targetPort: "http", protocol: "HTTP" };

function app(name: string, spec: object = {}): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: {
      replicas: 4,
      template: template(),
      services: [http],
      evacuation: { connectionDrainSeconds: 3 },
      strategy: { rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } },
      ...spec,
    },
  } as unknown as RunnerApp;
}

describe("published services on a real control plane", function () {
  this.timeout(timeLimits.test + 2 * awayMs);
  const haproxyProgram = skipUnless(() => ensureHaproxy("3.0"));
  const cluster = ownTestCluster({ namespaces: [namespace] });
  const clock = createSystemClock({ background: true });
  let kubectl: Kubectl;
  let operator: OperatorProcess;
  let haproxy: TestHaproxy;
  let gateway: GatewayProcess;
  let instances: Instances;
  let args: readonly string[];

  before("start a gateway, and the operator", async function () {
    this.timeout(timeLimits.operatorReady + timeLimits.reaction);
    const { plane, client } = cluster();
    await createNamespace(plane.client, gatewayNamespace, true);
    kubectl = await cluster().kubectl(namespace);
    haproxy = await createTestHaproxy(haproxyProgram());
    gateway = await startGateway({
      settings: haproxy.settings,
      program: haproxyProgram(),
      client: throughPodNetwork(client),
      clock,
      random: { next: () => Math.random() },
      logger: silentLogger,
      metrics: await createPrometheusMetrics({ process: false }),
      metricsAddress: { host: "127.0.0.1", port: 0 },
      stateAddress: { host: "127.0.0.1", port: 0 },
      stateReaders: [],
      signal: (pid, signal) => process.kill(pid, signal),
      timings: { fileDelayMs: 50 },
    });
    await haproxy.start();
    await addGateway("gateway-0");
    instances = serveInstances(client, namespace, "tier=web", instancePort);
    const [open, restricted] = haproxy.settings.pools.map(({ first, last }) => `${first}-${last}`);
    args = ["--gateway-namespace", gatewayNamespace, "--gateway-open-ports", open ?? "", "--gateway-restricted-ports", restricted ?? ""];
    operator = await cluster().operator("operator-a", { args });
    await operator.leading();
  });
  after("end them", async function () {
    this.timeout(timeLimits.operatorEnd);
    await instances?.close();
    await gateway?.stop();
    await haproxy?.stop();
  });

  /** A pod with the label of a gateway; its HAProxy is the one of this suite, whose ports lead to it. */
  const addGateway = (name: string) =>
    cluster().client.create(pods, {
      metadata: {
        name,
        namespace: gatewayNamespace,
        labels: { "nuptse.dev/gateway": "" },
        annotations: { "test/script": JSON.stringify({ runMs: "forever" }) },
      },
      spec: { containers: [{ name: "haproxy", image: "haproxy:3" }], terminationGracePeriodSeconds: 5 },
    } as unknown as Pod);

  const read = (name: string) => cluster().client.get<RunnerApp & KubeObject>(runnerApps, { namespace, name });
  const edit = (name: string, spec: object) => cluster().client.patch(runnerApps, { namespace, name }, { type: "merge", body: { spec } });
  const service = (name: string) => cluster().client.get<ServiceObject>(services, { namespace, name });
  const slicesOf = async (name: string) =>
    (await cluster().client.list<EndpointSlice>(endpointSlices, { namespace, labelSelector: `kubernetes.io/service-name=${name}` })).items;
  const published = (name: string, reason = "Published") =>
    eventually(`${name} to be ${reason}`, timeLimits.run, async () => {
      const { status } = await read(name);
      const row = status?.services?.[0];
      if (row?.reason === reason) return row;
      throw new Error(JSON.stringify(status?.services));
    });
  const instancesOf = async (selector: string) =>
    (await cluster().client.list<Pod & KubeObject>(pods, { namespace, labelSelector: selector })).items.filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
  const isReady = ({ status }: Pod) => status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
  const ask = async (port: number) => (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).text();

  const bad: readonly { readonly name: string; readonly service: object; readonly words: RegExp }[] = [
    { name: "a name with spaces", service: { name: "my service" }, words: /spec\.services\[0\]\.name: Invalid value: "my service"/ },
    {
      name: "a name of 300 characters",
      service: { name: "a".repeat(300) },
      words: /spec\.services\[0\]\.name: Too long: may not be more than 52 bytes/,
    },
    {
      name: "a port outside the range",
      service: { port: 65_536 },
      words: /spec\.services\[0\]\.port: Invalid value: 65536: .*less than or equal to 65535/,
    },
    {
      name: "a host of TCP",
      service: { hostnames: ["a.example"] },
      words: /spec\.services\[0\]\.hostnames: Invalid value: .*hostnames need protocol HTTP/,
    },
    {
      name: "a host with a wildcard",
      service: { protocol: "HTTP", hostnames: ["*.example"] },
      words: /spec\.services\[0\]\.hostnames\[0\]: Invalid value: "\*\.example"/,
    },
    {
      name: "paths without a host",
      service: { protocol: "HTTP", paths: [{ value: "/" }] },
      words: /spec\.services\[0\]\.paths: Invalid value: .*paths need hostnames/,
    },
    {
      name: "a path with a line break",
      service: { protocol: "HTTP", hostnames: ["a.example"], paths: [{ value: "/a\r\nserver x 1.2.3.4" }] },
      words: /spec\.services\[0\]\.paths\[0\]\.value: Invalid value/,
    },
    {
      name: "TLS without a Secret",
      service: { tls: { mode: "Terminate" } },
      words: /spec\.services\[0\]\.tls\.secretName: .*Terminate needs a Secret/,
    },
    {
      name: "passing TLS through by requests",
      service: { protocol: "HTTP", tls: { mode: "Passthrough" } },
      words: /Passthrough needs protocol TCP/,
    },
    { name: "an HTTP check without a path", service: { healthCheck: { type: "HTTP" } }, words: /healthCheck\.path: .*HTTP needs a path/ },
    {
      name: "hosts for some namespaces",
      service: { protocol: "HTTP", hostnames: ["a.example"], allowedNamespaces: { selector: {} } },
      words: /allowedNamespaces: .*must not be set together with hostnames/,
    },
  ];
  for (const { name, service: wrong, words } of bad)
    it(`the CRD refuses ${name}`, async () => {
      const spec = { services: [{ name: "x", port: 80, ...wrong }] };
      assert.match(await kubectl.fails(["create", "--validate=false", "-f", "-"], dump(app("bad", spec))), words);
    });
  it("the CRD refuses a fleet of two kinds, of none, and one that publishes itself", async () => {
    const { template: _, ...without } = app("bad").spec;
    const make = (spec: object) => kubectl.fails(["create", "--validate=false", "-f", "-"], dump({ ...app("bad"), spec }));
    assert.match(await make(without), /must have exactly one of template .* and endpoints/);
    assert.match(await make({ ...app("bad").spec, endpoints: { serviceName: "theirs" } }), /must have exactly one of template/);
    assert.match(await make({ ...without, endpoints: { serviceName: "web" } }), /the gateways would lead to themselves/);
  });

  it("is reached by a Service whose slice has the gateways, and kubectl explain tells how", async () => {
    await kubectl.ok(["apply", "-f", "-"], dump(app("web")));
    const row = await published("web");
    const { spec, metadata } = await service("web");
    assert.match(spec.clusterIP ?? "", /^\d+\./);
    assert.equal(spec.selector, undefined);
    assert.equal(metadata.ownerReferences?.[0]?.name, "web");
    const [slice] = await slicesOf("web");
    assert.deepEqual(slice?.ports, [{ name: "", port: row.gatewayPort, protocol: "TCP" }]);
    assert.match(slice?.endpoints?.[0]?.addresses[0] ?? "", /^10\.64\./);
    await eventually("an answer", timeLimits.reaction, async () =>
      (await ask(row.gatewayPort as number).catch(() => "")).startsWith("web-"),
    );
    assert.match(await kubectl.ok(["explain", "ra.spec.services.adoptExisting"]), /taken over and keeps its/);
    assert.deepEqual(
      (await instancesOf("nuptse.dev/app=web")).map((pod) => pod.metadata.annotations?.["nuptse.dev/service-web"]),
      Array.from({ length: 4 }, () => "web.shop.svc:80"),
    );
  });

  it("a full roll-out under load: no request fails, GET or POST", async () => {
    const { gatewayPort = 0 } = await published("web");
    const before = (await instancesOf("nuptse.dev/app=web")).map(({ metadata }) => metadata.name);
    await eventually("all to be ready", timeLimits.run, async () => (await instancesOf("nuptse.dev/app=web")).filter(isReady).length === 4);
    const load = startLoad({ port: gatewayPort, clients: 8, posts: true });
    await edit("web", { template: template("web:2") });
    await eventually("four new ones", timeLimits.run, async () => {
      const now = await instancesOf("nuptse.dev/app=web");
      return now.length === 4 && now.every((pod) => isReady(pod) && pod.spec.containers[0]?.image === "web:2");
    });
    await eventually("the old ones to be gone", timeLimits.run, () => before.every((name) => !instances.serving.includes(name)));
    const result = await load.stop();
    console.log(loadText(`${before.length} instances rolled`, result));
    assert.equal(result.failed, 0, loadText("roll", result));
    assert.ok(result.sent > 500, String(result.sent));
    assert.ok(before.every((name) => result.by.has(name)));
    assert.equal([...result.by.keys()].filter((name) => !before.includes(name)).length, 4);
  });

  it("a fleet of somebody else is published; while the operator is away its endpoints are followed", async () => {
    const deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "theirs", namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: "theirs" } },
        template: { ...template(), metadata: { ...template().metadata, labels: { tier: "web", app: "theirs" } } },
      },
    };
    await cluster().client.create(deployments, deployment as unknown as KubeObject);
    await cluster().client.create(services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "theirs", namespace },
      spec: { selector: { app: "theirs" }, ports: [{ name: "http", port: 80, targetPort: "http" }] },
    } as unknown as KubeObject);
    const { template: _, replicas: __, strategy: ___, evacuation: ____, ...spec } = app("lent").spec;
    await kubectl.ok(
      ["apply", "-f", "-"],
      dump({ ...app("lent"), spec: { ...spec, services: [{ ...http, name: "lent" }], endpoints: { serviceName: "theirs" } } }),
    );
    const { gatewayPort = 0 } = await published("lent");
    const seen = async () => new Set(await Promise.all(Array.from({ length: 12 }, () => ask(gatewayPort).catch(() => ""))));
    const all = (count: number) =>
      eventually(`answers of ${count}`, timeLimits.run, async () => {
        const names = (await instancesOf("app=theirs")).filter(isReady).map(({ metadata }) => metadata.name);
        const answers = await seen();
        return names.length === count && answers.size === count && names.every((name) => answers.has(name)) ? names : undefined;
      });
    await all(2);
    await operator.kill();
    const awayFrom = Date.now();
    await cluster().client.patch(deployments, { namespace, name: "theirs" }, { type: "merge", body: { spec: { replicas: 4 } } });
    const names = await all(4);
    const gone = names[0] as string;
    await cluster().client.delete(pods, { namespace, name: gone });
    const deletedAt = Date.now();
    await eventually("it to get nothing more", timeLimits.reaction, async () => !(await seen()).has(gone));
    const tookMs = Date.now() - deletedAt;
    console.log(`      the operator is away; a deleted instance gets nothing new after ${tookMs} ms at most`);
    if (longTests) assert.ok(tookMs <= 2000 * patience, `${tookMs} ms`);
    await all(4);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, awayFrom + awayMs - Date.now())));
    assert.ok((await seen()).size > 0);
    operator = await cluster().operator("operator-b", { args });
    await operator.leading();
    assert.equal((await published("lent")).gatewayPort, gatewayPort);
    assert.equal((await service("theirs")).metadata.labels, undefined, "what is somebody else's was changed");
  });

  it("a Service is taken over with its address, nothing of the old way is left, and it is given back", async () => {
    const selector = { app: "theirs" };
    await cluster().client.create(services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "old", namespace },
      spec: { selector, ports: [{ name: "main", port: 80, targetPort: "http" }] },
    } as unknown as KubeObject);
    await eventually("its own slices", timeLimits.reaction, async () =>
      (await slicesOf("old")).some(({ endpoints: all }) => (all ?? []).length === 4),
    );
    const before = await service("old");
    const spec = { replicas: 2, services: [{ ...http, name: "old", adoptExisting: true }] };
    await kubectl.ok(["apply", "-f", "-"], dump(app("taker", spec)));
    const row = await published("taker");
    const taken = await service("old");
    assert.deepEqual(
      [taken.metadata.uid, taken.spec.clusterIP, taken.spec.selector],
      [before.metadata.uid, before.spec.clusterIP, undefined],
    );
    const isClean = async () => {
      const all = await slicesOf("old");
      return (
        all.length === 1 &&
        all[0]?.metadata.name === "old-nuptse-ipv4" &&
        (await cluster().client.list(endpoints, { namespace, labelSelector: "nuptse.dev/service=old" })).items.length === 0
      );
    };
    await eventually("nothing but our slice", timeLimits.run, isClean);
    // The controllers of Kubernetes make none anew, neither from the selector that is gone nor from Endpoints to be mirrored.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.ok(await isClean());
    assert.deepEqual((await slicesOf("old"))[0]?.ports, [{ name: "main", port: row.gatewayPort, protocol: "TCP" }]);

    await kubectl.ok(["delete", "ra", "taker", "--timeout=60s"]);
    await eventually("it to be as before", timeLimits.run, async () => {
      const back = await service("old");
      const all = await slicesOf("old");
      return (
        back.metadata.labels === undefined &&
        back.metadata.annotations === undefined &&
        JSON.stringify(back.spec.selector) === JSON.stringify(selector) &&
        all.every(({ metadata }) => metadata.labels?.["endpointslice.kubernetes.io/managed-by"] === "endpointslice-controller.k8s.io") &&
        all.some(({ endpoints: found }) => (found ?? []).length === 4)
      );
    });
    assert.equal((await service("old")).spec.clusterIP, before.spec.clusterIP);
  });

  it("a Service of somebody else is left alone, and one that cannot be taken over says why", async () => {
    await cluster().client.create(services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "taken", namespace },
      spec: { clusterIP: "None", selector: { app: "x" }, ports: [{ port: 80 }] },
    } as unknown as KubeObject);
    const before = await service("taken");
    await kubectl.ok(["apply", "-f", "-"], dump(app("asks", { replicas: 0, services: [{ ...http, name: "taken" }] })));
    await published("asks", "NameConflict");
    await edit("asks", { services: [{ ...http, name: "taken", adoptExisting: true }] });
    const row = await published("asks", "AdoptionRefused");
    assert.equal(row.message, "it is headless; must be of type ClusterIP");
    assert.equal((await service("taken")).metadata.resourceVersion, before.metadata.resourceVersion);
    await kubectl.ok(["wait", "ra/asks", "--for=condition=Stalled", "--timeout=40s"]);
  });

  it("for some namespaces only: a NetworkPolicy on the gateways' port, which goes with the app", async () => {
    const selector = { matchLabels: { team: "red" } };
    await kubectl.ok(
      ["apply", "-f", "-"],
      dump(app("closed", { replicas: 1, services: [{ ...http, name: "closed", allowedNamespaces: { selector } }] })),
    );
    const { gatewayPort } = await published("closed");
    const [pool] = haproxy.settings.pools.slice(1);
    assert.ok(gatewayPort !== undefined && pool !== undefined && gatewayPort >= pool.first && gatewayPort <= pool.last);
    const policies = async () =>
      (
        await cluster().client.list<KubeObject & { readonly spec: object }>(networkPolicies, {
          namespace: gatewayNamespace,
          labelSelector: "nuptse.dev/service",
        })
      ).items;
    assert.deepEqual(
      (await policies()).map(({ spec }) => spec),
      [
        {
          podSelector: { matchExpressions: [{ key: "nuptse.dev/gateway", operator: "Exists" }] },
          policyTypes: ["Ingress"],
          ingress: [{ from: [{ namespaceSelector: selector }], ports: [{ protocol: "TCP", port: gatewayPort }] }],
        },
      ],
    );
    await kubectl.ok(["get", "netpol", "nuptse-gateway", "-n", gatewayNamespace]);
    await kubectl.ok(["delete", "ra", "closed", "--timeout=60s"]);
    await eventually("no policy", timeLimits.run, async () => (await policies()).length === 0);
    await kubectl.fails(["get", "service", "closed"]);
  });

  it("a gateway that is deleted goes from the slices before it is told that it may end", async () => {
    await addGateway("gateway-1");
    await eventually("two addresses", timeLimits.run, async () => (await slicesOf("web"))[0]?.endpoints?.length === 2);
    await kubectl.ok(["delete", "pod", "gateway-1", "-n", gatewayNamespace, "--wait=false", "--grace-period=60"]);
    await eventually("one address", timeLimits.run, async () => (await slicesOf("web"))[0]?.endpoints?.length === 1);
  });
});
