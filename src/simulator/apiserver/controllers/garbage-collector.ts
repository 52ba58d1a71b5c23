import { controllerUser } from "../authorization/rbac.ts";
import type { Timer } from "../../../base/clock.ts";
import type { OwnerReference } from "../../../api/meta.ts";
import { type Resource, resourcePath } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { keyOf } from "../collection.ts";
import type { StoredObject } from "../json.ts";
import type { ResourceType } from "../resource-type.ts";
import type { ControllerContext } from "./owner-work.ts";

interface Dependent {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string;
}

const foreground = "foregroundDeletion";
const orphan = "orphan";

/**
 * The garbage collector of kube-controller-manager, by UID: an object whose owners are all gone is deleted; an owner that is deleted in
 * the foreground waits for the dependents that block it; one that is deleted with `orphan` lets go of them. It acts a little after what
 * it saw, as the real one does.
 */
export class GarbageCollector {
  readonly #server: ApiServer;
  readonly #later: (action: () => void) => Timer;
  readonly #agent: string;
  /** By the UID of the owner, then by their own. */
  readonly #dependents = new Map<string, Map<string, Dependent>>();
  readonly #queue = new Map<string, Dependent>();
  #armed = false;

  constructor({ server, later, agent }: ControllerContext) {
    this.#server = server;
    this.#later = later;
    this.#agent = agent;
  }

  observe(commit: Commit): void {
    const { object, previous } = commit;
    const self = dependentOf(commit.resource, object);
    this.#follow(self, commit.type === "DELETED" ? [] : (object.metadata.ownerReferences ?? []), previous?.metadata.ownerReferences ?? []);
    if (commit.type === "DELETED") {
      for (const dependent of this.#dependents.get(self.uid)?.values() ?? []) this.#examine(dependent);
      for (const owner of object.metadata.ownerReferences ?? []) this.#examineOwner(owner, object.metadata.namespace);
      return;
    }
    const finalizers = object.metadata.finalizers ?? [];
    const waits = object.metadata.deletionTimestamp !== undefined && (finalizers.includes(foreground) || finalizers.includes(orphan));
    const owned = (object.metadata.ownerReferences ?? []).length > 0 && object.metadata.deletionTimestamp === undefined;
    if (waits || owned) this.#examine(self);
  }

  #follow(self: Dependent, now: readonly OwnerReference[], before: readonly OwnerReference[]): void {
    if (now === before) return;
    for (const owner of before) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(self.uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
    for (const owner of now) {
      const dependents = this.#dependents.get(owner.uid);
      if (dependents === undefined) this.#dependents.set(owner.uid, new Map([[self.uid, self]]));
      else dependents.set(self.uid, self);
    }
  }

  #examine(dependent: Dependent): void {
    this.#queue.set(dependent.uid, dependent);
    if (this.#armed) return;
    this.#armed = true;
    this.#later(() => {
      this.#armed = false;
      const queue = [...this.#queue.values()];
      this.#queue.clear();
      for (const one of queue) this.#process(one);
    });
  }

  #examineOwner(owner: OwnerReference, namespace: string | undefined): void {
    const type = this.#typeOf(owner);
    const found = type === undefined ? undefined : this.#ownerObject(type, owner, namespace);
    if (type !== undefined && found?.metadata.deletionTimestamp !== undefined) this.#examine(dependentOf(type.resource, found));
  }

  #process({ resource, namespace, name, uid }: Dependent): void {
    const type = this.#server.typeOf(resource.group, resource.version, resource.plural);
    const object = type?.collection.get(keyOf(namespace, name));
    if (type === undefined || object === undefined || object.metadata.uid !== uid) return;
    const finalizers = object.metadata.finalizers ?? [];
    if (object.metadata.deletionTimestamp !== undefined) {
      if (finalizers.includes(orphan)) this.#orphanDependents(type, object);
      else if (finalizers.includes(foreground)) this.#deleteDependents(type, object);
      return;
    }
    this.#collect(type, object);
  }

  /** Deletes an object whose owners are gone; lets go of single owners that are. */
  #collect(type: ResourceType, object: StoredObject): void {
    const owners = object.metadata.ownerReferences ?? [];
    if (owners.length === 0) return;
    const solid: OwnerReference[] = [];
    const waiting: OwnerReference[] = [];
    let unknown = false;
    for (const owner of owners) {
      const ownerType = this.#typeOf(owner);
      if (ownerType === undefined) {
        unknown = true;
        continue;
      }
      const found = this.#ownerObject(ownerType, owner, object.metadata.namespace);
      if (found === undefined || found.metadata.uid !== owner.uid) continue;
      const blocks = found.metadata.deletionTimestamp !== undefined && (found.metadata.finalizers ?? []).includes(foreground);
      (blocks ? waiting : solid).push(owner);
    }
    // a kind that is not served may be served later: its objects are not judged
    if (unknown) return;
    if (solid.length === owners.length) return;
    if (solid.length > 0) {
      this.#patch(type, object, { metadata: { ownerReferences: solid, uid: object.metadata.uid } });
      return;
    }
    const hasDependents = (this.#dependents.get(object.metadata.uid ?? "")?.size ?? 0) > 0;
    this.#delete(type, object, waiting.length > 0 && hasDependents ? "Foreground" : "Background");
  }

  #deleteDependents(type: ResourceType, owner: StoredObject): void {
    let blocked = false;
    for (const dependent of [...(this.#dependents.get(owner.metadata.uid ?? "")?.values() ?? [])]) {
      const { resource, namespace, name } = dependent;
      const dependentType = this.#server.typeOf(resource.group, resource.version, resource.plural);
      const object = dependentType?.collection.get(keyOf(namespace, name));
      if (dependentType === undefined || object === undefined || object.metadata.uid !== dependent.uid) continue;
      const reference = (object.metadata.ownerReferences ?? []).find((one) => one.uid === owner.metadata.uid);
      if (object.metadata.deletionTimestamp === undefined) this.#collect(dependentType, object);
      const still = dependentType.collection.get(keyOf(namespace, name));
      if (still !== undefined && reference?.blockOwnerDeletion === true) blocked = true;
    }
    if (!blocked) this.#withoutFinalizer(type, owner, foreground);
  }

  #orphanDependents(type: ResourceType, owner: StoredObject): void {
    for (const { resource, namespace, name } of [...(this.#dependents.get(owner.metadata.uid ?? "")?.values() ?? [])]) {
      const dependentType = this.#server.typeOf(resource.group, resource.version, resource.plural);
      const object = dependentType?.collection.get(keyOf(namespace, name));
      if (dependentType === undefined || object === undefined) continue;
      const left = (object.metadata.ownerReferences ?? []).filter((one) => one.uid !== owner.metadata.uid);
      this.#patch(dependentType, object, { metadata: { ownerReferences: left.length === 0 ? null : left } });
    }
    this.#withoutFinalizer(type, owner, orphan);
  }

  #withoutFinalizer(type: ResourceType, object: StoredObject, finalizer: string): void {
    const live = type.collection.get(keyOf(object.metadata.namespace, object.metadata.name));
    if (live === undefined) return;
    const left = (live.metadata.finalizers ?? []).filter((one) => one !== finalizer);
    this.#patch(type, live, { metadata: { finalizers: left.length === 0 ? null : left } });
  }

  #patch(type: ResourceType, object: StoredObject, body: unknown): void {
    const path = resourcePath(type.resource, object.metadata.namespace, object.metadata.name);
    void this.#server.respond({
      method: "PATCH",
      path,
      contentType: "application/merge-patch+json",
      body,
      userAgent: this.#agent,
      user: controllerUser,
    });
  }

  #delete(type: ResourceType, object: StoredObject, propagationPolicy: "Background" | "Foreground"): void {
    const path = resourcePath(type.resource, object.metadata.namespace, object.metadata.name);
    const { uid } = object.metadata;
    void this.#server.respond({
      method: "DELETE",
      path,
      body: { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy, preconditions: { uid } },
      userAgent: this.#agent,
      user: controllerUser,
    });
  }

  #typeOf(owner: OwnerReference): ResourceType | undefined {
    const [group = "", version = ""] = owner.apiVersion.includes("/") ? owner.apiVersion.split("/") : ["", owner.apiVersion];
    return this.#server
      .types()
      .find(({ resource }) => resource.kind === owner.kind && resource.group === group && resource.version === version);
  }

  #ownerObject(type: ResourceType, owner: OwnerReference, namespace: string | undefined): StoredObject | undefined {
    return type.collection.get(keyOf(type.resource.namespaced ? namespace : undefined, owner.name));
  }
}

function dependentOf(resource: Resource, object: StoredObject): Dependent {
  return { resource, namespace: object.metadata.namespace, name: object.metadata.name, uid: object.metadata.uid ?? "" };
}
