import type { Timer } from "../../../base/clock.ts";
import { pods, type Resource } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { keyOf } from "../collection.ts";
import type { Fields, StoredObject } from "../json.ts";
import { isReady } from "../kinds/eviction.ts";
import { matchesLabels, requirementsOf } from "../selectors.ts";
import { KeyedWork } from "./keyed-work.ts";
import { ControllerClient, controlledBy, controllerOf, numberOf, ownedBy, sectionOf, specOf, statusOf } from "./owned.ts";

export const replicaSets: Resource = { group: "apps", version: "v1", plural: "replicasets", kind: "ReplicaSet", namespaced: true };

/** Not more than this many pods are made or deleted at a look, as on a real cluster. */
const burst = 500;

/** Makes and deletes pods until a ReplicaSet has as many as it wants (pkg/controller/replicaset). It adopts no pods of nobody. */
export class ReplicaSetController {
  readonly #server: ApiServer;
  readonly #client: ControllerClient;
  readonly #work: KeyedWork;

  constructor(server: ApiServer, later: (action: () => void) => Timer, agent: string) {
    this.#server = server;
    this.#client = new ControllerClient(server, agent);
    this.#work = new KeyedWork(later, (key) => this.#sync(key));
  }

  observe(commit: Commit): void {
    const { namespace, name } = commit.object.metadata;
    if (commit.resource === pods) {
      const owner = controllerOf(commit.object, replicaSets);
      if (owner !== undefined) this.#work.enqueue(keyOf(namespace, owner.name));
    } else if (commit.resource.group === "apps" && commit.resource.plural === "replicasets" && commit.type !== "DELETED") {
      this.#work.enqueue(keyOf(namespace, name));
    }
  }

  #sync(key: string): void {
    const set = this.#server.typeOf("apps", "v1", "replicasets")?.collection.get(key);
    if (set === undefined) return;
    const active = ownedBy(this.#server, pods, set).filter(isActive);
    const wanted = numberOf(specOf(set), "replicas", 1);
    const held = set.metadata.deletionTimestamp === undefined ? this.#scale(set, active, wanted) : active;
    this.#client.writeStatus(replicaSets, set, this.#statusOf(set, held));
  }

  #scale(set: StoredObject, active: readonly StoredObject[], wanted: number): readonly StoredObject[] {
    if (active.length < wanted) {
      const missing = Math.min(burst, wanted - active.length);
      for (let made = 0; made < missing; made++) if (!this.#client.create(pods, set.metadata.namespace, podOf(set))) break;
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
      ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
      observedGeneration: set.metadata.generation,
    };
  }
}

const isActive = (pod: StoredObject): boolean => {
  const { phase } = statusOf(pod);
  return pod.metadata.deletionTimestamp === undefined && phase !== "Succeeded" && phase !== "Failed";
};

/** A pod of the template, with a name that the server ends. */
function podOf(set: StoredObject): Fields {
  const template = sectionOf(specOf(set), "template");
  const { labels, annotations, finalizers } = sectionOf(template, "metadata");
  return {
    metadata: {
      generateName: `${set.metadata.name}-`,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controlledBy(set, replicaSets)],
    },
    spec: template.spec,
  };
}

/** Pods without a node go first, then those that do not run, those that are not ready, and the newest. */
function firstToGo(left: StoredObject, right: StoredObject): number {
  const rank = (pod: StoredObject): number =>
    (String(specOf(pod).nodeName ?? "") === "" ? 0 : 4) + (statusOf(pod).phase === "Running" ? 2 : 0) + (isReady(pod) ? 1 : 0);
  const age = (pod: StoredObject): number => Date.parse(String(pod.metadata.creationTimestamp));
  return rank(left) - rank(right) || age(right) - age(left) || (left.metadata.name < right.metadata.name ? -1 : 1);
}
