import { controllerUser } from "../authorization/rbac.ts";
import type { Timer } from "../../../base/clock.ts";
import { namespaces, resourcePath } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { isFields } from "../json.ts";
import type { ControllerContext } from "./owner-work.ts";

/** Empties namespaces that are being deleted, then lets them go. */
export class NamespaceController {
  readonly #server: ApiServer;
  readonly #later: (action: () => void) => Timer;
  readonly #agent: string;

  constructor({ server, later, agent }: ControllerContext) {
    this.#server = server;
    this.#later = later;
    this.#agent = agent;
  }

  observe(commit: Commit): void {
    const began = commit.object.metadata.deletionTimestamp !== undefined && commit.previous?.metadata.deletionTimestamp === undefined;
    if (commit.type !== "DELETED" && began) this.#later(() => this.#empty(commit.object.metadata.name));
  }

  #empty(namespace: string): void {
    const found = this.#server.typeOf("", "v1", "namespaces")?.collection.get(namespace);
    if (found?.metadata.deletionTimestamp === undefined) return;
    let left = 0;
    for (const type of this.#server.types()) {
      if (!type.resource.namespaced || type.convert !== undefined) continue;
      const objects = type.collection.list({ namespace }) ?? [];
      if (objects.length === 0) continue;
      void this.#server.respond({
        method: "DELETE",
        path: resourcePath(type.resource, namespace),
        userAgent: this.#agent,
        user: controllerUser,
      });
      left += (type.collection.list({ namespace }) ?? []).length;
    }
    // finalizers and grace periods are waited for
    if (left > 0) {
      this.#later(() => this.#empty(namespace));
      return;
    }
    const spec = isFields(found.spec) ? found.spec : {};
    void this.#server.respond({
      method: "PUT",
      path: resourcePath(namespaces, undefined, namespace, "finalize"),
      body: { ...found, spec: { ...spec, finalizers: [] } },
      userAgent: this.#agent,
      user: controllerUser,
    });
  }
}
