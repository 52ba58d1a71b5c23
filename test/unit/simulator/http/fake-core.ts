import type { KubeObject } from "../../../../src/api/meta.ts";
import type { ApiReply } from "../../../../src/simulator/apiserver/reply.ts";
import type { ServerCore } from "../../../../src/simulator/apiserver/http/core.ts";
import type { ApiRequest } from "../../../../src/simulator/apiserver/request-path.ts";
import type { ServedResource } from "../../../../src/simulator/apiserver/served-resource.ts";
import type { WatchEventOut, WatchListener } from "../../../../src/simulator/apiserver/watches.ts";

/** Two kinds, enough for discovery: pods, and a custom one with a schema and columns. */
export const fakeResources: readonly ServedResource[] = [
  {
    group: "",
    version: "v1",
    plural: "pods",
    kind: "Pod",
    namespaced: true,
    singular: "pod",
    shortNames: ["po"],
    categories: ["all"],
    verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
    subresources: [{ name: "log", kind: "Pod", verbs: ["get"] }],
  },
  {
    group: "nuptse.dev",
    version: "v1alpha1",
    plural: "elasticjobs",
    kind: "ElasticJob",
    namespaced: true,
    singular: "elasticjob",
    shortNames: ["ej"],
    categories: [],
    verbs: ["get", "list", "patch", "watch"],
    subresources: [{ name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: ["get", "patch", "update"] }],
    custom: {
      name: "v1alpha1",
      served: true,
      storage: true,
      schema: {
        openAPIV3Schema: {
          type: "object",
          description: "A job.",
          properties: { apiVersion: { type: "string" }, spec: { type: "object", description: "What is wanted." } },
        },
      },
      additionalPrinterColumns: [{ name: "Total", type: "integer", jsonPath: ".spec.total" }],
    },
  },
];

/** A core that answers as a test says, and keeps what it was asked. */
export interface FakeCore extends ServerCore {
  readonly requests: ApiRequest[];
  /** How many watches were closed by the front. */
  closed: number;
  /** Sends an event to all open watches. */
  emit(event: WatchEventOut): void;
  /** Ends all open watches. */
  endWatches(): void;
}

/** Makes a core; `reply` answers everything but watches, `refuseWatch` answers those instead of opening them. */
export function createFakeCore(reply: (request: ApiRequest) => ApiReply | Promise<ApiReply>, refuseWatch?: ApiReply): FakeCore {
  const listeners = new Set<WatchListener>();
  const core: FakeCore = {
    requests: [],
    closed: 0,
    resources: () => fakeResources,
    respond(request) {
      core.requests.push(request);
      return reply(request);
    },
    watch(request) {
      core.requests.push(request);
      if (refuseWatch !== undefined) return refuseWatch;
      let mine: WatchListener | undefined;
      return {
        subscribe(listener) {
          mine = listener;
          listeners.add(listener);
        },
        close() {
          core.closed++;
          if (mine !== undefined) listeners.delete(mine);
        },
      };
    },
    emit(event) {
      for (const listener of listeners) listener.event(event);
    },
    endWatches() {
      for (const listener of listeners) listener.end();
    },
  };
  return core;
}

/** An ElasticJob as the fake core may answer it. */
export function job(name: string, total: number, resourceVersion = "5"): KubeObject {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, namespace: "default", resourceVersion },
    spec: { total },
  } as KubeObject;
}
