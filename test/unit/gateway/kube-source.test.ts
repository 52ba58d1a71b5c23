import assert from "node:assert/strict";
import { type EndpointSlice, sliceServiceLabel } from "../../../src/api/endpoint-slice.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import { endpointSlices, runnerApps } from "../../../src/api/resource.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle } from "../../../src/base/virtual-clock.ts";
import { createKubeSource, type KubeSource } from "../../../src/gateway/kube-source.ts";
import type { PublishingApp } from "../../../src/gateway/rules/published-app.ts";
import { createWatchClient, startWatchServer, type WatchClient, type WatchServer } from "../../support/watch-server.ts";

const namespace = "shop";

const app = (name: string, fields: Partial<PublishingApp> = {}, count = 0): PublishingApp =>
  ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { namespace, name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { services: [{ name, port: 80, targetPort: "web" }] },
    ...fields,
    status: { ready: count, services: [{ name, gatewayPort: 21_000 + name.length }] },
  }) as PublishingApp;

const slice = (service: string, port: string, address: string): EndpointSlice =>
  ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name: `${service}-1`, labels: { [sliceServiceLabel]: service } },
    addressType: "IPv4",
    ports: [{ name: port, port: 8080 }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  }) as EndpointSlice;

describe("gateway/kube-source", () => {
  let server: WatchServer;
  let watcher: WatchClient;
  let source: KubeSource;
  let told: number;

  beforeEach(async () => {
    server = await startWatchServer([runnerApps, endpointSlices]);
    server.put(runnerApps, app("a"));
    server.put(runnerApps, app("bb"));
    server.put(runnerApps, app("silent", { spec: {} }));
    server.put(endpointSlices, slice("a-instances", "a", "10.0.0.1"));
    server.put(endpointSlices, slice("bb-instances", "bb", "10.0.0.2"));
    watcher = createWatchClient(server.url);
    const random = createSeededRandom(1);
    source = createKubeSource({ client: watcher.client, clock: createSystemClock(), random, logger: silentLogger });
    source.start();
    await toldUntil(() => source.view().complete && addresses().length === 2);
    await settle();
    told = 0;
  });
  afterEach(async () => {
    source?.stop();
    watcher?.close();
    await server?.close();
  });

  const addresses = () => source.view().services.flatMap(({ instances }) => instances.map(({ address }) => address));
  const serviceOf = (name: string) => source.view().services.find((service) => service.name === name);
  const toldUntil = (isSo: () => boolean) =>
    new Promise<void>((resolve) => {
      source.onChange(() => {
        told++;
        if (isSo()) resolve();
      });
    });

  const others: readonly { readonly name: string; readonly change: () => void }[] = [
    {
      name: "instances of somebody else's Service",
      change: () => server.put(endpointSlices, slice("elsewhere", "a", "10.0.0.9")),
    },
    {
      name: "the slice of a published Service, which the operator writes",
      change: () => server.put(endpointSlices, slice("a", "", "10.0.0.9")),
    },
    {
      name: "counts in the status of an app",
      change: () => server.put(runnerApps, app("a", {}, 7)),
    },
    {
      name: "an app that publishes nothing",
      change: () => server.put(runnerApps, app("silent", { spec: {} }, 7)),
    },
  ];
  for (const tc of others) {
    it(`is not woken by ${tc.name}, and what it serves stays the same object`, async () => {
      const before = serviceOf("a");
      tc.change();
      // One watch tells its events in order, and so does the other.
      const inOrder = toldUntil(() => addresses().includes("10.0.0.3") && serviceOf("bb")?.protocol === "HTTP");
      server.put(endpointSlices, slice("bb-instances", "bb", "10.0.0.3"));
      server.put(runnerApps, app("bb", { spec: { services: [{ name: "bb", protocol: "HTTP", port: 80, targetPort: "web" }] } }));
      await inOrder;
      assert.equal(told, 2);
      assert.equal(serviceOf("a"), before);
    });
  }

  it("is woken by a slice that an app has just begun to read, and by one that it reads no more", async () => {
    const fleet = (serviceName: string) =>
      app("a", { spec: { endpoints: { serviceName }, services: [{ name: "a", port: 80, targetPort: "web" }] } });
    server.put(endpointSlices, slice("theirs", "web", "10.0.0.7"));
    const taken = toldUntil(() => addresses().includes("10.0.0.7"));
    server.put(runnerApps, fleet("theirs"));
    await taken;
    const moved = toldUntil(() => addresses().includes("10.0.0.8"));
    server.put(endpointSlices, slice("theirs", "web", "10.0.0.8"));
    await moved;
    const gone = toldUntil(() => !addresses().includes("10.0.0.8"));
    server.put(endpointSlices, {
      ...slice("theirs", "web", "10.0.0.8"),
      metadata: { namespace, name: "theirs-1", labels: { [sliceServiceLabel]: "other" } },
    });
    await gone;
  });

  it("serves what an app says next", async () => {
    const closed = toldUntil(() => serviceOf("a") === undefined);
    server.put(runnerApps, app("a", { spec: {} }));
    await closed;
    const opened = toldUntil(() => serviceOf("a") !== undefined);
    server.put(runnerApps, app("a"));
    await opened;
    assert.deepEqual(addresses().sort(), ["10.0.0.1", "10.0.0.2"]);
  });
});
