import { controllerUser } from "../authorization/rbac.ts";
import type { Resource } from "../../../api/resource.ts";
import { apiVersionOf, resourcePath } from "../../../api/resource.ts";
import type { ApiServer } from "../api-server.ts";
import { type Fields, isFields, type StoredObject, sameJson } from "../json.ts";

/** What controllers of workloads share: objects that another owns, and writes by their own name. */

export const specOf = (object: StoredObject): Fields => (isFields(object.spec) ? object.spec : {});
export const statusOf = (object: StoredObject): Fields => (isFields(object.status) ? object.status : {});
export const sectionOf = (fields: Fields, name: string): Fields => (isFields(fields[name]) ? fields[name] : {});
export const numberOf = (fields: Fields, name: string, otherwise = 0): number =>
  typeof fields[name] === "number" ? fields[name] : otherwise;

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

  constructor(server: ApiServer, agent: string) {
    this.#server = server;
    this.#agent = agent;
  }

  /** Whether it was made. */
  create(kind: Resource, namespace: string | undefined, body: Fields): boolean {
    return (
      this.#server.handle({ method: "POST", path: resourcePath(kind, namespace), body, userAgent: this.#agent, user: controllerUser })
        .status === 201
    );
  }

  delete(kind: Resource, object: StoredObject): void {
    const { namespace, name, uid } = object.metadata;
    const body = { kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid }, propagationPolicy: "Background" };
    this.#server.handle({
      method: "DELETE",
      path: resourcePath(kind, namespace, name),
      body,
      userAgent: this.#agent,
      user: controllerUser,
    });
  }

  merge(kind: Resource, object: StoredObject, body: Fields): void {
    const { namespace, name } = object.metadata;
    const contentType = "application/merge-patch+json";
    this.#server.handle({
      method: "PATCH",
      path: resourcePath(kind, namespace, name),
      contentType,
      body,
      userAgent: this.#agent,
      user: controllerUser,
    });
  }

  /** Replaces the status, unless it is that already. */
  writeStatus(kind: Resource, object: StoredObject, status: Fields): void {
    if (sameJson(object.status, status)) return;
    const { namespace, name } = object.metadata;
    const path = resourcePath(kind, namespace, name, "status");
    this.#server.handle({ method: "PUT", path, body: { ...object, status }, userAgent: this.#agent, user: controllerUser });
  }
}
