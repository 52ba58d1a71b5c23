import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Pod } from "../../../src/api/core.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { pods } from "../../../src/api/resource.ts";
import type { KubeClient, WatchEvent } from "../../../src/kube/client.ts";

/** Addresses that the kubelets of tests give their pods lie in 10.64.0.0/10; processes of this machine stand for them on its loopback. */
export const loopbackOf = (address: string): string => address.replace(/^10\./, "127.");

/** A client to which pods are at their loopback addresses: what a pod network does for a gateway. */
export function throughPodNetwork(client: KubeClient): KubeClient {
  const mapped = <T>(value: T): T => JSON.parse(JSON.stringify(value).replaceAll(/"10\.(\d+\.\d+\.\d+)"/g, '"127.$1"')) as T;
  async function* events<T>(stream: AsyncIterable<WatchEvent<T>>): AsyncIterable<WatchEvent<T>> {
    for await (const event of stream) yield mapped(event);
  }
  return {
    ...client,
    list: async (resource, options) => mapped(await client.list(resource, options)),
    watch: async <T extends KubeObject>(...args: Parameters<KubeClient["watch"]>) => events(await client.watch<T>(...args)),
  };
}

/** Servers in the place of the containers that the kubelets of tests only play. */
export interface Instances {
  /** Names of the pods whose server takes connections. */
  readonly serving: readonly string[];
  close(): Promise<void>;
}

const lookEveryMs = 50;

/** Answers with the pod's name, after `delayMs` of the query; /sick is a check that no pod passes. */
function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://pod");
  if (pathname === "/sick") response.statusCode = 500;
  setTimeout(() => response.end(name), Number(searchParams.get("delayMs") ?? 0));
}

/**
 * Keeps an HTTP server on `port` of each pod's address, which answers with the pod's name. It begins when the pod has its address, and ends as a
 * well-behaved program does that is told to only after the sleep of its preStop hook: what is under way is finished.
 */
export function serveInstances(client: KubeClient, namespace: string, selector: string, port: number): Instances {
  const servers = new Map<string, { readonly name: string; readonly server: Server; ending?: true }>();
  const timers = new Set<NodeJS.Timeout>();
  let isOver = false;

  async function look(): Promise<void> {
    const { items } = await client.list<Pod & KubeObject>(pods, { namespace, labelSelector: selector });
    for (const pod of items) {
      const uid = pod.metadata.uid as string;
      const address = (pod.status as { readonly podIP?: string } | undefined)?.podIP;
      const known = servers.get(uid);
      if (known === undefined && address !== undefined && pod.metadata.deletionTimestamp === undefined) {
        const server = createServer((request, response) => answer(pod.metadata.name, request, response));
        server.keepAliveTimeout = 60_000;
        server.listen(port, loopbackOf(address));
        servers.set(uid, { name: pod.metadata.name, server });
      } else if (known !== undefined && known.ending === undefined && pod.metadata.deletionTimestamp !== undefined) {
        known.ending = true;
        const { lifecycle } = pod.spec.containers[0] as {
          readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
        };
        const timer = setTimeout(() => end(uid), 1000 * (lifecycle?.preStop?.sleep?.seconds ?? 0));
        timers.add(timer);
      }
    }
  }

  function end(uid: string): void {
    const server = servers.get(uid)?.server;
    servers.delete(uid);
    server?.close();
    server?.closeIdleConnections();
  }

  const loop = (async () => {
    while (!isOver) {
      await look().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  })();
  return {
    get serving() {
      return [...servers.values()].map(({ name }) => name);
    },
    async close() {
      isOver = true;
      await loop;
      for (const timer of timers) clearTimeout(timer);
      for (const { server } of servers.values()) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}
