import { pods, replicaSets } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import type { Fields, StoredObject } from "../json.ts";
import { isReady } from "../kinds/eviction.ts";
import { matchesLabels, requirementsOf } from "../selectors.ts";
import { type ControllerContext, OwnerWork } from "./owner-work.ts";
import { type ControllerClient, counted, firstToGo, isActive, numberOf, ownedBy, podOf, sectionOf, specOf } from "./owned.ts";

/** Not more than this many pods are made or deleted at a look, as on a real cluster. */
const burst = 500;

/** Makes and deletes pods until a ReplicaSet has as many as it wants (pkg/controller/replicaset). It adopts no pods of nobody. */
export class ReplicaSetController {
  readonly #server: ApiServer;
  readonly #work: OwnerWork;
  readonly #client: ControllerClient;

  constructor(context: ControllerContext) {
    this.#server = context.server;
    this.#work = new OwnerWork(context, replicaSets, pods, (_, owner) => this.#sync(owner));
    this.#client = this.#work.client;
  }

  observe(commit: Commit): void {
    this.#work.observe(commit);
  }

  #sync(set: StoredObject | undefined): void {
    if (set === undefined) return;
    const active = ownedBy(this.#server, pods, set).filter(isActive);
    const wanted = numberOf(specOf(set), "replicas", 1);
    const held = set.metadata.deletionTimestamp === undefined ? this.#scale(set, active, wanted) : active;
    this.#client.writeStatus(replicaSets, set, this.#statusOf(set, held));
  }

  #scale(set: StoredObject, active: readonly StoredObject[], wanted: number): readonly StoredObject[] {
    if (active.length < wanted) {
      const missing = Math.min(burst, wanted - active.length);
      const pod = podOf(set, replicaSets, sectionOf(specOf(set), "template"), { metadata: { generateName: `${set.metadata.name}-` } });
      for (let made = 0; made < missing; made++) if (!this.#client.create(pods, set.metadata.namespace, pod)) break;
      // their status is counted when they are seen
      return active;
    }
    const surplus = active.toSorted(firstToGo).slice(0, Math.min(burst, active.length - wanted));
    for (const pod of surplus) this.#client.delete(pods, pod);
    return active.filter((pod) => !surplus.includes(pod));
  }

  #statusOf(set: StoredObject, held: readonly StoredObject[]): Fields {
    const labels = requirementsOf({ matchLabels: sectionOf(sectionOf(sectionOf(specOf(set), "template"), "metadata"), "labels") }) ?? [];
    const ready = held.filter(isReady).length;
    const counts = {
      fullyLabeledReplicas: held.filter((pod) => matchesLabels(pod.metadata.labels, labels)).length,
      readyReplicas: ready,
      availableReplicas: ready,
    };
    return {
      replicas: held.length,
      ...counted(counts),
      observedGeneration: set.metadata.generation,
    };
  }
}
