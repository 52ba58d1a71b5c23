import { type EndpointSlice, instancesService, sliceServiceLabel } from "../../../src/api/endpoint-slice.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import { endpointSlices, runnerApps } from "../../../src/api/resource.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createKubeSource } from "../../../src/gateway/kube-source.ts";
import type { PublishingApp } from "../../../src/gateway/rules/published-app.ts";
import type { ServiceSource } from "../../../src/gateway/source.ts";
import type { TestInstance } from "../../gateway/support/instances.ts";
import { startWatchServer } from "../../support/watch-server.ts";

/** RunnerApps with one service each, and the slices of their instances, as an agent follows them over the network. */
export interface GatewayFeed {
  /** Of an agent: there is nothing to serve before `begin`. */
  readonly source: ServiceSource;
  /** What there is by now is listed, and then watched. */
  begin(): void;
  publish(index: number, gatewayPort: number): void;
  /** From now on these are the instances of the app `index`. They are of one port, each with an address of its own. */
  place(index: number, instances: readonly TestInstance[]): void;
  close(): Promise<void>;
}

const namespace = "default";
const createdAt = "2026-01-01T00:00:00Z";

export async function startGatewayFeed(): Promise<GatewayFeed> {
  const server = await startWatchServer([runnerApps, endpointSlices]);
  const clock = createSystemClock();
  const kube = createKubeSource({ client: server.client, clock, random: { next: () => Math.random() }, logger: silentLogger });
  let begun = false;
  return {
    source: {
      view: () => (begun ? kube.view() : { complete: true, services: [], problems: new Map(), silentForMs: 0 }),
      onChange: (listener) => kube.onChange(listener),
    },
    begin() {
      begun = true;
      kube.start();
    },
    publish(index, gatewayPort) {
      const name = `app-${index}`;
      server.put(runnerApps, {
        apiVersion: "nuptse.dev/v1alpha1",
        kind: "RunnerApp",
        metadata: { namespace, name, creationTimestamp: createdAt },
        spec: { services: [{ name, protocol: "HTTP", port: 80, targetPort: "web" }] },
        status: { services: [{ name, gatewayPort }] },
      } as PublishingApp);
    },
    place(index, instances) {
      const name = `app-${index}`;
      server.put(endpointSlices, {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { namespace, name: `${name}-instances-1`, labels: { [sliceServiceLabel]: instancesService(name) } },
        addressType: "IPv4",
        ports: [{ name, port: instances[0]?.port ?? 0, protocol: "TCP" }],
        endpoints: instances.map((instance) => ({
          addresses: [instance.asInstance().address],
          conditions: { ready: true, serving: true, terminating: false },
          targetRef: { kind: "Pod", namespace, name: `${name}-${instance.name}`, uid: `${index}-${instance.name}` },
        })),
      } as EndpointSlice);
    },
    async close() {
      kube.stop();
      await server.close();
    },
  };
}
