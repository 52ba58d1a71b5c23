import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNamespace } from "../../hack/control-plane/objects.ts";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import type { Pod } from "../../src/api/core.ts";
import type { EndpointSlice } from "../../src/api/endpoint-slice.ts";
import type { ServicesAnswer } from "../../src/api/gateway-state.ts";
import { silentLogger } from "../../src/api/logger.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { endpointSlices, pods, runnerApps, serviceAccounts } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createAuthority, issueCertificate } from "../../src/base/x509.ts";
import { type GatewayProcess, startGateway } from "../../src/gateway/gateway.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import { createHttpTransport, type HttpTransport } from "../../src/kube/http-transport.ts";
import { createServerTime } from "../../src/kube/server-time.ts";
import { createOperator, type Operator } from "../../src/operator/operator.ts";
import { createGatewayRequest } from "../../src/runnerapp/services/gateway-request.ts";
import { createPrometheusMetrics, noMetrics } from "../../src/runtime/metrics.ts";
import { createTestHaproxy, type TestHaproxy } from "../gateway/support/haproxy.ts";
import { skipUnless } from "../support/skip.ts";
import { eventually } from "./support/eventually.ts";
import { operatorGroup } from "./support/operator-rights.ts";
import { type Instances, serveInstances, throughPodNetwork } from "./support/pod-network.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const namespace = "shop";
const gatewayNamespace = "edge";
const account = "operator";
const instancePort = 8080;

/** Its pods end by themselves half a second after the operator's preStop sleep. */
const template = (image: string) => ({
  metadata: {
    labels: { tier: "web" },
    annotations: {
      "test/script": JSON.stringify({ runMs: "forever", startMs: [300, 600], onTerm: "exitsZero", termMs: [10_500, 10_500] }),
    },
  },
  spec: { containers: [{ name: "main", image, ports: [{ name: "http", containerPort: instancePort }] }] },
});

/** Drains take ten minutes at most: whatever goes sooner goes by the word of the gateway. */
const app = (name: string, healthCheck: object = { type: "TCP", periodSeconds: 1, failureThreshold: 1, successThreshold: 1 }): RunnerApp =>
  ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: {
      replicas: 2,
      template: template("web:1"),
      services: [{ name, port: 80, targetPort: "http", protocol: "HTTP", healthCheck }],
      evacuation: { connectionDrainSeconds: 600 },
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    },
  }) as unknown as RunnerApp;

describe("GET /v1/state between the operator and a gateway, on a real API server", function () {
  this.timeout(timeLimits.test);
  const haproxyProgram = skipUnless(() => ensureHaproxy("3.0"));
  const cluster = ownTestCluster({ namespaces: [namespace] });
  const clock = createSystemClock({ background: true });
  const random = { next: () => Math.random() };
  let folder: string;
  let haproxy: TestHaproxy;
  let gateway: GatewayProcess;
  let instances: Instances;
  let transport: HttpTransport;
  let operator: Operator;
  let running: Promise<unknown> | undefined;
  /** What was so when HAProxy was told to end. */
  const atTheSignal: Promise<string>[] = [];

  before("start a gateway with TLS, and an operator that asks it", async function () {
    this.timeout(timeLimits.operatorReady + timeLimits.reaction);
    const { plane, client } = cluster();
    await createNamespace(plane.client, gatewayNamespace, true);
    folder = await mkdtemp(join(tmpdir(), "nuptse-state-"));
    const validity = { validDays: 1, now: Date.now() };
    const authority = createAuthority({ commonName: "gateways", ...validity });
    const names = { commonName: "nuptse-gateway", dnsNames: ["nuptse-gateway"], usages: ["server"] } as const;
    const { certificatePem, privateKeyPem } = issueCertificate(authority, { ...names, ...validity });
    const files = { caFile: join(folder, "ca.pem"), tokenFile: join(folder, "token") };
    await writeFile(files.caFile, authority.certificatePem);
    await writeFile(files.tokenFile, await tokenOf(account));
    haproxy = await createTestHaproxy(haproxyProgram());
    gateway = await startGateway({
      settings: haproxy.settings,
      program: haproxyProgram(),
      client: throughPodNetwork(client),
      clock,
      random,
      logger: silentLogger,
      metrics: await createPrometheusMetrics({ process: false }),
      metricsAddress: { host: "127.0.0.1", port: 0 },
      stateAddress: { host: "127.0.0.1", port: 0 },
      stateReaders: [`system:serviceaccount:${gatewayNamespace}:${account}`],
      stateTls: () => ({ cert: certificatePem, key: privateKeyPem }),
      pod: { namespace: gatewayNamespace, name: "gateway-0" },
      signal: (pid, signal) => {
        atTheSignal.push(seenAt(signal));
        process.kill(pid, signal);
      },
      timings: { fileDelayMs: 50 },
    });
    await haproxy.start();
    await client.create(pods, gatewayPod("gateway-0"));
    instances = serveInstances(client, namespace, "tier=web", instancePort);
    const serverTime = createServerTime(clock);
    transport = createHttpTransport({
      credentials: await loadCredentials({ clock, kubeconfig: await plane.kubeconfigFor("operator-a", [operatorGroup]) }),
      clock,
      random,
      userAgent: "nuptse-test (operator)",
      onServerDate: (date) => serverTime.observe(date),
    });
    const [open, restricted] = haproxy.settings.pools;
    const ask = createGatewayRequest({ port: gateway.statePort, serverName: "nuptse-gateway", ...files });
    operator = createOperator({
      ...{ transport, clock, random, serverTime },
      logger: silentLogger,
      metrics: noMetrics,
      namespace: "default",
      leaseName: "nuptse-operator",
      identity: "operator-a",
      maxClockSkewMs: 0,
      retainedPods: 100,
      concurrency: 16,
      publishing: {
        gatewayNamespace,
        pools: { open: open as NonNullable<typeof open>, restricted: restricted as NonNullable<typeof open> },
      },
      // Pods are at addresses that lead nowhere; the agent listens on loopback.
      askGateway: (_address, question, signal) => ask("127.0.0.1", question, signal),
    });
    running = operator.run();
    await eventually("it to lead", timeLimits.operatorReady, () => operator.phase === "leading");
  });
  after("end them", async function () {
    this.timeout(timeLimits.operatorEnd);
    operator?.stop();
    await running;
    transport?.close();
    await instances?.close();
    await gateway?.stop();
    await haproxy?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A token of the account, as the kubelet gets it for a pod. */
  async function tokenOf(name: string): Promise<string> {
    const { client } = cluster();
    await client.create(serviceAccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: gatewayNamespace, name } });
    const request = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: { namespace: gatewayNamespace, name },
      spec: {},
    };
    const made = await client.create<KubeObject>(serviceAccounts, request as KubeObject, { subresource: "token" });
    return (made as unknown as { readonly status: { readonly token: string } }).status.token;
  }
  /** It lives on for a while when it is told to end, as one does whose containers leave in order. */
  const gatewayPod = (name: string): Pod =>
    ({
      metadata: {
        name,
        namespace: gatewayNamespace,
        labels: { "nuptse.dev/gateway": "" },
        annotations: { "test/script": JSON.stringify({ runMs: "forever", onTerm: "exitsZero", termMs: [25_000, 25_000] }) },
      },
      spec: { containers: [{ name: "haproxy", image: "haproxy:3" }], terminationGracePeriodSeconds: 60 },
    }) as unknown as Pod;
  const read = (name: string) => cluster().client.get<RunnerApp & KubeObject>(runnerApps, { namespace, name });
  const edit = (name: string, spec: object) => cluster().client.patch(runnerApps, { namespace, name }, { type: "merge", body: { spec } });
  const published = (name: string) =>
    eventually(`${name} to be published`, timeLimits.run, async () => {
      const row = (await read(name)).status?.services?.[0];
      return row?.reason === "Published" ? row.gatewayPort : undefined;
    });
  const instancesOf = async (name: string) =>
    (await cluster().client.list<Pod & KubeObject>(pods, { namespace, labelSelector: `nuptse.dev/app=${name}` })).items;
  const figuresOf = async (name: string) => {
    const uid = (await read(name)).metadata.uid ?? "";
    const { body } = await operator.explain({ method: "GET", url: `/v1/services?uid=${uid}` });
    return (body as ServicesAnswer).services?.[0];
  };
  const lagging = async (name: string) => (await read(name)).status?.conditions?.find(({ type }) => type === "GatewayLagging")?.status;
  async function seenAt(signal: string): Promise<string> {
    const slices = await cluster().client.list<EndpointSlice>(endpointSlices, { namespace, labelSelector: "nuptse.dev/service" });
    const left = slices.items.flatMap(({ endpoints }) => endpoints ?? []).length;
    const { metadata } = await cluster().client.get<Pod>(pods, { namespace: gatewayNamespace, name: "gateway-0" });
    const isTold = metadata.annotations?.["nuptse.dev/unpublished"] !== undefined;
    return `${signal}: in ${left} slices, ${isTold ? "told" : "not told"}`;
  }

  it("the leader tells what passes through a service", async () => {
    await cluster().client.create(runnerApps, app("web") as RunnerApp & KubeObject);
    const port = await published("web");
    const up = { up: 2, down: 0, drain: 0, maint: 0 };
    await eventually(
      "both to be up",
      timeLimits.reaction,
      async () => JSON.stringify((await figuresOf("web"))?.instances) === JSON.stringify({ up: 2, down: 0, drain: 0, maint: 0 }),
    );
    const slow = fetch(`http://127.0.0.1:${port}/?delayMs=3000`, { headers: { connection: "close" } });
    const busy = await eventually("a session", timeLimits.reaction, async () => {
      const figures = await figuresOf("web");
      return figures?.sessions === 1 ? figures : undefined;
    });
    assert.deepEqual([busy.service, busy.instances], ["shop/web", up]);
    assert.match(await (await slow).text(), /^web-/);
    await eventually("none", timeLimits.reaction, async () => (await figuresOf("web"))?.sessions === 0);
  });

  it("an instance goes as soon as the gateway says that nothing is left on it, and not before", async () => {
    const port = await published("web");
    const before = (await instancesOf("web")).map(({ metadata }) => metadata.name);
    const slow = fetch(`http://127.0.0.1:${port}/?delayMs=6000`, { headers: { connection: "close" } }).then((response) => response.text());
    await edit("web", { template: template("web:2") });
    // With the drain time of 600 s instead this would take twenty minutes.
    await eventually("the new ones alone", timeLimits.settled, async () => {
      const now = await instancesOf("web");
      return (
        now.length === 2 && now.every(({ spec, metadata }) => spec.containers[0]?.image === "web:2" && !before.includes(metadata.name))
      );
    });
    assert.ok(before.includes(await slow), "what was under way was not cut");
  });

  it("a gateway that does not have an instance up is waited for 10 s, then it is a condition, and it ends", async () => {
    await cluster().client.create(
      runnerApps,
      app("sick", { type: "HTTP", path: "/sick", periodSeconds: 1, failureThreshold: 1, successThreshold: 1 }) as RunnerApp & KubeObject,
    );
    await published("sick");
    await eventually("the gateway to have it down", timeLimits.run, async () => (await figuresOf("sick"))?.instances.down === 2);
    await eventually("the condition", timeLimits.run, async () => (await lagging("sick")) === "True");
    const events = await cluster().eventsOf(namespace, "sick");
    assert.ok(events.some(({ reason }) => reason === "GatewayLagging"));
    const { services } = app("sick").spec;
    await edit("sick", { services });
    await eventually("it to end", timeLimits.run, async () => (await lagging("sick")) === "False");
    assert.equal(await lagging("web"), undefined, "of one that is well nothing is said");
  });

  it("a gateway leaves in order: out of all slices, told so, and only then HAProxy ends", async () => {
    await cluster().client.delete(pods, { namespace: gatewayNamespace, name: "gateway-0" });
    await gateway.leave();
    assert.deepEqual(await Promise.all(atTheSignal), ["SIGUSR1: in 0 slices, told"]);
    await eventually("HAProxy to end", timeLimits.reaction, () => !haproxy.running);
  });
});
