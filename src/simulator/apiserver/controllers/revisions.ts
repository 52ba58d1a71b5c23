import { canonicalJson, shortHash } from "../../../base/hash.ts";
import { controllerRevisions, type Resource } from "../../../api/resource.ts";
import type { ApiServer } from "../api-server.ts";
import { type Fields, type StoredObject, sameJson } from "../json.ts";
import { type ControllerClient, controlledBy, numberOf, ownedBy, sectionOf, specOf } from "./owned.ts";

/** The label by which a pod tells the revision of its template. */
export const revisionLabel = "controller-revision-hash";

/** The templates that StatefulSets and DaemonSets had, kept as ControllerRevisions so that `rollout undo` finds them (pkg/controller/history). */
export class Revisions {
  readonly #server: ApiServer;
  readonly #client: ControllerClient;
  readonly #kind: Resource;

  constructor(server: ApiServer, client: ControllerClient, kind: Resource) {
    this.#server = server;
    this.#client = client;
    this.#kind = kind;
  }

  /** The name of the revision of the template that the owner has now; it is made, or made the newest again, where that is needed. */
  current(owner: StoredObject): string {
    const template = sectionOf(specOf(owner), "template");
    const data = { spec: { template: { $patch: "replace", ...template } } };
    const held = ownedBy(this.#server, controllerRevisions, owner);
    const highest = Math.max(0, ...held.map((revision) => numberOf(revision, "revision")));
    const equal = held.find((revision) => sameJson(revision.data, data));
    if (equal !== undefined) {
      const isNewest = numberOf(equal, "revision") === highest;
      if (!isNewest) this.#client.merge(controllerRevisions, equal, { revision: highest + 1 });
      return equal.metadata.name;
    }
    const hash = shortHash(canonicalJson(template), 10);
    const name = `${owner.metadata.name}-${hash}`;
    this.#client.create(controllerRevisions, owner.metadata.namespace, {
      metadata: {
        name,
        labels: { ...sectionOf(sectionOf(template, "metadata"), "labels"), "controller.kubernetes.io/hash": hash },
        ownerReferences: [controlledBy(owner, this.#kind)],
      },
      data,
      revision: highest + 1,
    });
    return name;
  }

  /** The template of a revision; undefined when it is gone. */
  template(owner: StoredObject, name: string): Fields | undefined {
    const found = ownedBy(this.#server, controllerRevisions, owner).find((revision) => revision.metadata.name === name);
    if (found === undefined) return undefined;
    const { $patch: _, ...template } = sectionOf(sectionOf(sectionOf(found, "data"), "spec"), "template");
    return template;
  }

  /** Forgets the oldest beyond the owner's limit, except those in use. */
  forget(owner: StoredObject, inUse: ReadonlySet<string>): void {
    const spare = ownedBy(this.#server, controllerRevisions, owner)
      .filter((revision) => !inUse.has(revision.metadata.name))
      .toSorted((one, other) => numberOf(one, "revision") - numberOf(other, "revision"));
    const surplus = Math.max(0, spare.length - numberOf(specOf(owner), "revisionHistoryLimit", 10));
    for (const revision of spare.slice(0, surplus)) this.#client.delete(controllerRevisions, revision);
  }
}

/** The revision that a pod is of, as its controller named it. */
export const revisionOf = (pod: StoredObject): string => pod.metadata.labels?.[revisionLabel] ?? "";
