import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type EndpointSlice, instancesService, sliceServiceLabel } from "../../../src/api/endpoint-slice.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { endpointSlices, type Resource, runnerApps } from "../../../src/api/resource.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createKubeSource } from "../../../src/gateway/kube-source.ts";
import type { PublishingApp } from "../../../src/gateway/rules/published-app.ts";
import type { ServiceSource } from "../../../src/gateway/source.ts";
import type { TestInstance } from "../../gateway/support/instances.ts";
import { createWatchClient } from "../../support/watch-server.ts";
import { Child, closeChildren } from "./child.ts";

/** RunnerApps with one service each, and the slices of their instances, as an agent follows them over the network. */
export interface GatewayFeed {
  /** Of an agent: there is nothing to serve before `begin`. */
  readonly source: ServiceSource;
  /** What there is by now is listed, and then watched. Resolves when it begins. */
  begin(): Promise<void>;
  publish(index: number, gatewayPort: number): void;
  /** From now on these are the instances of the app `index`. They are of one port, each with an address of its own. */
  place(index: number, instances: readonly TestInstance[]): void;
  close(): Promise<void>;
}

const script = join(import.meta.dirname, "../processes/watched.ts");
const namespace = "default";
const createdAt = "2026-01-01T00:00:00Z";

export async function startGatewayFeed(): Promise<GatewayFeed> {
  const folder = await mkdtemp(join(tmpdir(), "nuptse-feed-"));
  const child = new Child(script, [], join(folder, "log"));
  const { stdin, stdout } = child.process;
  if (stdin === null || stdout === null) throw new Error("the watch server has no pipes");
  const lines = createInterface({ input: stdout });
  const [url] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as readonly (string | undefined)[];
  if (url === undefined) throw new Error(`the watch server did not start:\n${await child.lastLines()}`);
  const put = (resource: Resource, object: KubeObject) => stdin.write(`${JSON.stringify([resource, object])}\n`);
  const watcher = createWatchClient(url);
  const clock = createSystemClock();
  const kube = createKubeSource({ client: watcher.client, clock, random: { next: () => Math.random() }, logger: silentLogger });
  let begun = false;
  return {
    source: {
      view: () => (begun ? kube.view() : { complete: true, services: [], problems: new Map(), silentForMs: 0 }),
      onChange: (listener) => kube.onChange(listener),
    },
    async begin() {
      const isThere = once(lines, "line");
      stdin.write('"there"\n');
      await isThere;
      begun = true;
      kube.start();
    },
    publish(index, gatewayPort) {
      const name = `app-${index}`;
      put(runnerApps, {
        apiVersion: "nuptse.dev/v1alpha1",
        kind: "RunnerApp",
        metadata: { namespace, name, creationTimestamp: createdAt },
        spec: { services: [{ name, protocol: "HTTP", port: 80, targetPort: "web" }] },
        status: { services: [{ name, gatewayPort }] },
      } as PublishingApp);
    },
    place(index, instances) {
      const name = `app-${index}`;
      put(endpointSlices, {
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
      watcher.close();
      await child.end();
      await closeChildren();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
