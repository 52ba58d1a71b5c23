import { controllerUser } from "../authorization/rbac.ts";
import type { Timer } from "../../../base/clock.ts";
import { resourcePath, resourceQuotas } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { isFields, sameJson, type StoredObject } from "../json.ts";
import { usedBy } from "../quota.ts";
import type { ControllerContext } from "./owner-work.ts";

/** Writes into ResourceQuotas what is used: after they were made or changed, and when pods end or go. */
export class QuotaController {
  readonly #server: ApiServer;
  readonly #later: (action: () => void) => Timer;
  readonly #agent: string;
  readonly #waiting = new Set<string>();

  constructor({ server, later, agent }: ControllerContext) {
    this.#server = server;
    this.#later = later;
    this.#agent = agent;
  }

  observe(commit: Commit): void {
    const { namespace } = commit.object.metadata;
    if (namespace === undefined || this.#waiting.has(namespace)) return;
    const { collection } = this.#server.typeOf("", "v1", "resourcequotas") ?? {};
    if (collection === undefined || collection.size === 0) return;
    if (commit.resource !== resourceQuotas && !freesQuota(commit)) return;
    if (commit.resource === resourceQuotas && commit.type === "MODIFIED" && sameJson(commit.object.spec, commit.previous?.spec)) return;
    this.#waiting.add(namespace);
    this.#later(() => {
      this.#waiting.delete(namespace);
      this.#recount(namespace);
    });
  }

  #recount(namespace: string): void {
    const quotas = this.#server.typeOf("", "v1", "resourcequotas")?.collection.list({ namespace }) ?? [];
    for (const quota of quotas) {
      const hard = isFields(quota.spec) && isFields(quota.spec.hard) ? quota.spec.hard : {};
      const status = { hard, used: usedBy(quota, this.#objects(namespace)) };
      if (sameJson(status, quota.status)) continue;
      const path = resourcePath(resourceQuotas, namespace, quota.metadata.name, "status");
      void this.#server.respond({ method: "PUT", path, body: { ...quota, status }, userAgent: this.#agent, user: controllerUser });
    }
  }

  *#objects(namespace: string): Iterable<{ readonly resource: Commit["resource"]; readonly object: StoredObject }> {
    for (const type of this.#server.types()) {
      if (!type.resource.namespaced || type.convert !== undefined) continue;
      for (const object of type.collection.list({ namespace }) ?? []) yield { resource: type.resource, object };
    }
  }
}

function freesQuota(commit: Commit): boolean {
  if (commit.type === "DELETED") return true;
  const phase = (object: StoredObject | undefined): unknown => (isFields(object?.status) ? object.status.phase : undefined);
  const now = phase(commit.object);
  return (now === "Succeeded" || now === "Failed") && now !== phase(commit.previous);
}
