import type { ServerResponse } from "node:http";
import type { KubeObject } from "../../src/api/meta.ts";
import { type Resource, resourcePath } from "../../src/api/resource.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { createHttpTransport } from "../../src/kube/http-transport.ts";
import { createKubeClient } from "../../src/kube/kube-client.ts";
import { answerJson, startHttpDouble } from "./http-double.ts";

/**
 * What lists and watches of an API server say, over HTTP on loopback, and nothing else of one: no schema, no storage, no history. So whoever follows it is what
 * is looked at, however fast objects change.
 */
export interface WatchServer {
  readonly url: string;
  /** Puts an object in the place of the one of its kind and name, if there is one. Watches are told at once. */
  put(resource: Resource, object: KubeObject): void;
  close(): Promise<void>;
}

interface Collection {
  readonly resource: Resource;
  /** By namespace/name, in the order of their versions. */
  readonly objects: Map<string, KubeObject>;
  readonly watches: Set<ServerResponse>;
}

/** @param resources kinds that it knows; of others it answers 404 */
export async function startWatchServer(resources: readonly Resource[]): Promise<WatchServer> {
  let version = 1;
  const collections = new Map<string, Collection>(
    resources.map((resource) => [resourcePath(resource), { resource, objects: new Map(), watches: new Set() }]),
  );
  const http = await startHttpDouble(({ url }, response) => {
    const { pathname, searchParams } = new URL(url, "http://watch");
    const collection = collections.get(pathname);
    if (collection === undefined) answerJson(response, 404, { kind: "Status", status: "Failure", code: 404, message: pathname });
    else if (searchParams.get("watch") === "true") watch(collection, Number(searchParams.get("resourceVersion")), response);
    else answerJson(response, 200, listOf(collection));
  });

  function listOf({ resource, objects }: Collection) {
    const { group, version: apiVersion, kind } = resource;
    return {
      kind: `${kind}List`,
      apiVersion: group === "" ? apiVersion : `${group}/${apiVersion}`,
      metadata: { resourceVersion: String(version) },
      items: [...objects.values()],
    };
  }

  function watch({ objects, watches }: Collection, from: number, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    // What it has missed, each as it is by now.
    for (const object of objects.values()) if (Number(object.metadata.resourceVersion) > from) response.write(lineOf("MODIFIED", object));
    watches.add(response);
    response.on("close", () => watches.delete(response));
  }

  return {
    url: http.url,
    put(resource, object) {
      const collection = collections.get(resourcePath(resource));
      if (collection === undefined) throw new Error(`the watch server was not told of ${resource.plural}`);
      version++;
      const { namespace, name } = object.metadata;
      const key = `${namespace}/${name}`;
      const held = collection.objects.get(key);
      const uid = object.metadata.uid ?? held?.metadata.uid ?? `uid-${version}`;
      const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(version) } };
      // The last one changed is the last one of the map.
      collection.objects.delete(key);
      collection.objects.set(key, stored);
      const line = lineOf(held === undefined ? "ADDED" : "MODIFIED", stored);
      for (const response of collection.watches) response.write(line);
    },
    close: () => http.close(),
  };
}

/** Follows a watch server, of this process or of another one. */
export interface WatchClient {
  readonly client: KubeClient;
  close(): void;
}

export function createWatchClient(url: string): WatchClient {
  const transport = createHttpTransport({
    credentials: { server: url, tls: {}, headers: () => Promise.resolve({}), refresh: () => Promise.resolve() },
    clock: createSystemClock(),
    random: { next: () => Math.random() },
    userAgent: "watcher",
  });
  return { client: createKubeClient(transport), close: () => transport.close() };
}

const lineOf = (type: "ADDED" | "MODIFIED", object: KubeObject): string => `${JSON.stringify({ type, object })}\n`;
