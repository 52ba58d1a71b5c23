import { controllerUser } from "../authorization/rbac.ts";
import type { Resource } from "../../../api/resource.ts";
import { apiVersionOf, resourcePath } from "../../../api/resource.ts";
import type { ApiServer } from "../api-server.ts";
import type { ApiReply } from "../reply.ts";
import { type Fields, isFields, type StoredObject, sameJson } from "../json.ts";
import { isReady } from "../kinds/eviction.ts";
import type { ApiRequest } from "../request-path.ts";

/** What controllers of workloads share: objects that another owns, and writes by their own name. */

export const specOf = (object: StoredObject): Fields => (isFields(object.spec) ? object.spec : {});
export const statusOf = (object: StoredObject): Fields => (isFields(object.status) ? object.status : {});
export const sectionOf = (fields: Fields, name: string): Fields => (isFields(fields[name]) ? fields[name] : {});
export const numberOf = (fields: Fields, name: string, otherwise = 0): number =>
  typeof fields[name] === "number" ? fields[name] : otherwise;

/** Whether a pod neither ended nor is about to go. */
export const isActive = (pod: StoredObject): boolean => pod.metadata.deletionTimestamp === undefined && !hasEnded(pod);
/** Whether a pod has reached a phase that it never leaves. */
export const hasEnded = (pod: StoredObject): boolean => {
  const { phase } = statusOf(pod);
  return phase === "Succeeded" || phase === "Failed";
};

/** A field of counts as Go writes it: absent where it is 0. */
export const counted = (counts: Readonly<Record<string, number>>): Fields =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

/** Pods without a node go first, then those that do not run, those that are not ready, and the newest. */
export function firstToGo(left: StoredObject, right: StoredObject): number {
  const rank = (pod: StoredObject): number =>
    (String(specOf(pod).nodeName ?? "") === "" ? 0 : 4) + (statusOf(pod).phase === "Running" ? 2 : 0) + (isReady(pod) ? 1 : 0);
  const age = (pod: StoredObject): number => Date.parse(String(pod.metadata.creationTimestamp));
  return rank(left) - rank(right) || age(right) - age(left) || (left.metadata.name < right.metadata.name ? -1 : 1);
}

/** What a controller gives a pod beside its template. */
export interface PodParts {
  /** With a name, or the beginning of one that the server ends. */
  readonly metadata: { readonly name: string } | { readonly generateName: string };
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  /** Changes the spec of the template. */
  readonly spec?: (spec: Fields) => Fields;
}

/** A pod of a template that an owner controls. */
export function podOf(owner: StoredObject, kind: Resource, template: Fields, parts: PodParts): Fields {
  const metadata = sectionOf(template, "metadata");
  const labels = { ...sectionOf(metadata, "labels"), ...parts.labels };
  const annotations = { ...sectionOf(metadata, "annotations"), ...parts.annotations };
  const finalizers = [...(Array.isArray(metadata.finalizers) ? metadata.finalizers : []), ...(parts.finalizers ?? [])];
  const spec = sectionOf(template, "spec");
  return {
    metadata: {
      ...parts.metadata,
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(finalizers.length === 0 ? {} : { finalizers }),
      ownerReferences: [controlledBy(owner, kind)],
    },
    spec: parts.spec?.(spec) ?? spec,
  };
}

/** The owner that controls an object, where it is of the kind. */
export function controllerOf(object: StoredObject, kind: Resource): { readonly name: string; readonly uid: string } | undefined {
  const owner = object.metadata.ownerReferences?.find((one) => one.controller === true);
  return owner?.kind === kind.kind && owner.apiVersion === apiVersionOf(kind) ? { name: owner.name, uid: owner.uid } : undefined;
}

/** The reference by which an owner controls what it makes. */
export const controlledBy = (owner: StoredObject, kind: Resource): Fields => ({
  apiVersion: apiVersionOf(kind),
  kind: kind.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

/** Objects of a kind in a namespace that an owner controls. */
export function ownedBy(server: ApiServer, kind: Resource, owner: StoredObject): readonly StoredObject[] {
  const { namespace, uid } = owner.metadata;
  const all = server.typeOf(kind.group, kind.version, kind.plural)?.collection.list(namespace === undefined ? {} : { namespace }) ?? [];
  return all.filter((object) => object.metadata.ownerReferences?.some((one) => one.controller === true && one.uid === uid));
}

/** Writes as a controller does: what is refused is tried again when something changes. */
export class ControllerClient {
  readonly #server: ApiServer;
  readonly #agent: string;
  readonly #open = new Set<Promise<unknown>>();

  constructor(server: ApiServer, agent: string) {
    this.#server = server;
    this.#agent = agent;
  }

  /** Resolves when the writes are over that wait for webhooks now; undefined where none does. */
  busy(): Promise<unknown> | undefined {
    return this.#open.size === 0 ? undefined : Promise.all(this.#open);
  }

  /** Whether it was made, or may be: a webhook is asked. */
  create(kind: Resource, namespace: string | undefined, body: Fields): boolean {
    const reply = this.#send({ method: "POST", path: resourcePath(kind, namespace), body });
    return reply === undefined || reply.status === 201;
  }

  delete(kind: Resource, object: StoredObject): void {
    const { namespace, name, uid } = object.metadata;
    const body = { kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid }, propagationPolicy: "Background" };
    this.#send({ method: "DELETE", path: resourcePath(kind, namespace, name), body });
  }

  merge(kind: Resource, object: StoredObject, body: Fields): void {
    const { namespace, name } = object.metadata;
    const contentType = "application/merge-patch+json";
    this.#send({ method: "PATCH", path: resourcePath(kind, namespace, name), contentType, body });
  }

  /** Replaces the status, unless it is that already. */
  writeStatus(kind: Resource, object: StoredObject, status: Fields): void {
    if (sameJson(object.status, status)) return;
    const { namespace, name } = object.metadata;
    this.#send({ method: "PUT", path: resourcePath(kind, namespace, name, "status"), body: { ...object, status } });
  }

  /** The answer, where it need not be waited for. */
  #send(request: ApiRequest): ApiReply | undefined {
    const reply = this.#server.respond({ ...request, userAgent: this.#agent, user: controllerUser });
    if (!(reply instanceof Promise)) return reply;
    const open = reply.finally(() => this.#open.delete(open));
    this.#open.add(open);
    return undefined;
  }
}
