import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import type { EndpointSlice } from "../../src/api/endpoint-slice.ts";
import type { GatewayState } from "../../src/api/gateway-state.ts";
import { silentLogger } from "../../src/api/logger.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { customResourceDefinitions, endpointSlices, pods, runnerApps, tokenReviews } from "../../src/api/resource.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { type GatewayProcess, startGateway } from "../../src/gateway/gateway.ts";
import type { PublishingApp } from "../../src/gateway/rules/published-app.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { createKubeClient } from "../../src/kube/kube-client.ts";
import { createPrometheusMetrics } from "../../src/runtime/metrics.ts";
import { type ApiServer, createApiServer } from "../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../src/simulator/apiserver/in-process-transport.ts";
import { eventually } from "../integration/support/eventually.ts";
import { program as nuptse } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";
import { reactionMs } from "./support/gateway.ts";
import { createTestHaproxy, type TestHaproxy } from "./support/haproxy.ts";
import { startInstance, type TestInstance } from "./support/instances.ts";
import { loadText, startLoad } from "./support/load.ts";

const run = promisify(execFile);
const random = { next: () => Math.random() };

/** Of the kind what the gateway needs. */
const crd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "runnerapps.nuptse.dev" },
  spec: {
    group: "nuptse.dev",
    scope: "Namespaced",
    names: { plural: "runnerapps", kind: "RunnerApp", singular: "runnerapp", listKind: "RunnerAppList" },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

describe("nuptse gateway, with an API server and a real HAProxy", function () {
  this.timeout(4 * reactionMs);
  const haproxyProgram = skipUnless(() => ensureHaproxy("3.0"));
  const clock = createSystemClock({ background: true });
  let server: ApiServer;
  let client: KubeClient;
  let haproxy: TestHaproxy;
  let gateway: GatewayProcess;
  let one: TestInstance;
  let two: TestInstance;
  const signals: string[] = [];

  before(async () => {
    server = createApiServer({ clock, random });
    client = createKubeClient(inProcessTransport(server, { userAgent: "test" }));
    await client.create(customResourceDefinitions, crd as KubeObject);
    [one, two] = await Promise.all([startInstance("one"), startInstance("two")]);
    haproxy = await createTestHaproxy(haproxyProgram());
    const own = createKubeClient(inProcessTransport(server, { userAgent: "nuptse-gateway" }));
    gateway = await startGateway({
      settings: haproxy.settings,
      program: haproxyProgram(),
      client: {
        ...own,
        // The embedded API server reviews no tokens.
        create: (resource, object, options) => {
          if (resource !== tokenReviews) return own.create(resource, object, options);
          const { token } = (object as unknown as { readonly spec: { readonly token: string } }).spec;
          const status = token === "nobody" ? { authenticated: false } : { authenticated: true, user: { username: token } };
          return Promise.resolve({ ...object, status });
        },
        list: (...args) => own.list(...args),
        get: (...args) => own.get(...args),
        watch: (...args) => own.watch(...args),
      } as KubeClient,
      clock,
      random,
      logger: silentLogger,
      metrics: await createPrometheusMetrics({ process: false }),
      metricsAddress: { host: "127.0.0.1", port: 0 },
      stateAddress: { host: "127.0.0.1", port: 0 },
      stateReaders: ["operator"],
      pod: { namespace: "default", name: "gateway-0" },
      signal: (pid, signal) => {
        signals.push(signal);
        process.kill(pid, signal);
      },
      timings: { gatherMs: 20, probeMs: 100, fileDelayMs: 50 },
    });
    await haproxy.start();
  });
  after(async () => {
    await gateway?.stop();
    await haproxy?.stop();
    for (const instance of [one, two]) instance?.kill();
    server?.close();
  });

  const port = () => haproxy.settings.pools[0]?.first ?? 0;
  const ask = async () => {
    const response = await fetch(`http://127.0.0.1:${port()}/`, { headers: { connection: "close" } });
    return response.status === 200 ? response.text() : String(response.status);
  };
  const slice = (endpoints: EndpointSlice["endpoints"]) =>
    ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { namespace: "default", name: "base-1", labels: { "kubernetes.io/service-name": "base-instances" } },
      addressType: "IPv4",
      ports: [{ name: "api", port: one.port, protocol: "TCP" }],
      endpoints,
    }) as unknown as EndpointSlice;
  const endpoint = (name: string, ready: boolean, rest: object = {}) => ({
    addresses: ["127.0.0.1"],
    conditions: { ready, serving: ready, terminating: false, ...rest },
    targetRef: { kind: "Pod", name, uid: `${name}-0000-uid` },
  });
  const setEndpoints = (endpoints: EndpointSlice["endpoints"]) =>
    client.patch(endpointSlices, { namespace: "default", name: "base-1" }, { type: "merge", body: { endpoints } });
  const readiness = async () => (await fetch(`http://127.0.0.1:${gateway.metricsPort}/readyz`)).status;
  const state = async (query = "", token = "operator") => {
    const response = await fetch(`http://127.0.0.1:${gateway.statePort}/v1/state${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return { status: response.status, body: (await response.json()) as GatewayState };
  };

  it("serves what a RunnerApp publishes, on the port that its status says, by the slices of its instances", async () => {
    await eventually("to be ready", reactionMs, async () => (await readiness()) === 200);
    await client.create<PublishingApp>(runnerApps, {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "RunnerApp",
      metadata: { namespace: "default", name: "base" },
      spec: { services: [{ name: "api", protocol: "HTTP", port: 80, targetPort: "api" }] },
      status: { services: [{ name: "api", gatewayPort: port() }] },
    });
    await client.create(endpointSlices, slice([endpoint("base-a-0", true)]));
    assert.equal(await eventually("an answer", reactionMs, () => ask().catch(() => undefined)), "one");
  });

  it("tells the operator of an instance that is drained when it has no sessions left, and wakes who waits for it", async () => {
    const before = await state();
    assert.deepEqual(before.body.servers, [{ service: "default/api", pod: "base-a-0-0000-uid", address: "127.0.0.1", state: "up" }]);
    const slow = fetch(`http://127.0.0.1:${port()}/?delayMs=1500`).then((response) => response.text());
    await eventually("the slow request to arrive", reactionMs, () => one.busy === 1);
    const waiting = state(`?after=${before.body.version}`);
    await setEndpoints([endpoint("base-a-0", false), { ...endpoint("base-b-1", true), addresses: ["127.0.0.2"] }]);
    const [draining] = (await waiting).body.servers;
    assert.equal(draining?.state, "drain");
    const withSession = await eventually("its session", reactionMs, async () =>
      (await state()).body.servers.find(({ sessions }) => sessions === 1),
    );
    assert.equal(withSession.pod, "base-a-0-0000-uid");
    assert.equal(await slow, "one", "what is under way is not cut");
    await eventually("no session", reactionMs, async () => (await state()).body.servers[0]?.sessions === 0);
    await setEndpoints([endpoint("base-a-0", true)]);
    await eventually("it to be back", reactionMs, async () => (await state()).body.servers[0]?.state === "up");
  });

  const refused = [
    { name: "no token that anybody knows", token: "nobody", want: 401 },
    { name: "an account that is not the operator's", token: "alice", want: 403 },
  ];
  for (const tc of refused) {
    it(`tells nothing to ${tc.name}`, async () => assert.equal((await state("", tc.token)).status, tc.want));
  }

  it("has metrics of its own, and HAProxy those of frontends and backends only", async () => {
    const own = await (await fetch(`http://127.0.0.1:${gateway.metricsPort}/metrics`)).text();
    for (const name of ["lag_seconds", "reloads_total", "commands_total", "servers"])
      assert.match(own, new RegExp(`nuptse_gateway_${name}`));
    assert.match(own, /nuptse_gateway_servers 1/);
    const theirs = await (await fetch(`http://${haproxy.settings.metricsBind}/metrics`)).text();
    assert.match(theirs, /haproxy_backend_sessions_total\{proxy="http_\d+"\}/);
    assert.doesNotMatch(theirs, /haproxy_server_/);
  });

  it("leaves in order: not ready, out of all slices, then HAProxy ends what it has; no request fails", async () => {
    await client.create(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "default", name: "gateway-0" },
      spec: { containers: [{ name: "haproxy", image: "x" }] },
    } as KubeObject);
    const load = startLoad({ port: port(), clients: 4 });
    const slow = fetch(`http://127.0.0.1:${port()}/?delayMs=1000`).then((response) => response.text());
    await eventually("the slow request to arrive", reactionMs, () => one.busy >= 1);
    const left = gateway.leave();
    await eventually("not to be ready", reactionMs, async () => (await readiness()) === 503);
    assert.deepEqual(signals, [], "HAProxy serves while it is in a slice");
    const result = await load.stop();
    console.log(loadText("about to leave", result));
    assert.equal(result.failed, 0);
    await client.patch(
      pods,
      { namespace: "default", name: "gateway-0" },
      { type: "merge", body: { metadata: { annotations: { "nuptse.dev/unpublished": "true" } } } },
    );
    await left;
    assert.deepEqual(signals, ["SIGUSR1"]);
    assert.equal(await slow, "one");
    await eventually("HAProxy to end", reactionMs, () => !haproxy.running);
  });
});

describe("nuptse gateway with an HAProxy that is too old", function () {
  this.timeout(4 * reactionMs);
  const old = skipUnless(() => ensureHaproxy("2.6"));

  it("ends at once, with one line that says which one is needed", async () => {
    const kubeconfig = `${import.meta.dirname}/support/nowhere.kubeconfig`;
    const args = [nuptse, "gateway", "--folder", "/tmp/nuptse-none", "--haproxy", old(), "--kubeconfig", kubeconfig];
    await assert.rejects(run(process.execPath, ["--disable-warning=ExperimentalWarning", ...args]), (error) => {
      const { code, stderr } = error as { readonly code: number; readonly stderr: string };
      assert.equal(code, 1);
      assert.match(stderr, /^error: HAProxy 2\.6\.\d+ is too old: 3\.0 or newer is needed[^\n]*\n$/);
      return true;
    });
  });
});
