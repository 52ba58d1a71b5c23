import { persistentVolumeClaims, pods, statefulSets } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { keyOf } from "../collection.ts";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import { isReady } from "../kinds/eviction.ts";
import { type ControllerContext, OwnerWork } from "./owner-work.ts";
import { type ControllerClient, counted, hasEnded, numberOf, ownedBy, podOf, sectionOf, specOf, statusOf } from "./owned.ts";
import { Revisions, revisionLabel, revisionOf } from "./revisions.ts";

/**
 * Keeps pods with names of their own (pkg/controller/statefulset): made in the order of their numbers and taken away in the opposite one,
 * each when the one before it is ready, unless the policy is Parallel; a new template goes from the highest number down to the partition.
 * Claims are made and never taken away. Not there: maxUnavailable, and pods that nobody owns are not adopted.
 */
export class StatefulSetController {
  readonly #server: ApiServer;
  readonly #revisions: Revisions;
  readonly #work: OwnerWork;
  readonly #client: ControllerClient;

  constructor(context: ControllerContext) {
    this.#server = context.server;
    this.#work = new OwnerWork(context, statefulSets, pods, (_, owner) => this.#sync(owner));
    this.#client = this.#work.client;
    this.#revisions = new Revisions(context.server, this.#client, statefulSets);
  }

  observe(commit: Commit): void {
    this.#work.observe(commit);
  }

  #sync(set: StoredObject | undefined): void {
    if (set === undefined || set.metadata.deletionTimestamp !== undefined) return;
    const newest = this.#revisions.current(set);
    const before = statusOf(set).currentRevision;
    const current = typeof before === "string" && before !== "" ? before : newest;
    const members = this.#members(set);
    if (this.#fill(set, members, current, newest) && this.#shrink(set, members)) this.#update(set, members, newest);
    this.#writeStatus(set, this.#members(set), current, newest);
  }

  /** The pods by their numbers. */
  #members(set: StoredObject): ReadonlyMap<number, StoredObject> {
    const prefix = `${set.metadata.name}-`;
    const members = new Map<number, StoredObject>();
    for (const pod of ownedBy(this.#server, pods, set)) {
      const number = pod.metadata.name.startsWith(prefix) ? pod.metadata.name.slice(prefix.length) : "";
      if (/^\d+$/.test(number)) members.set(Number(number), pod);
    }
    return members;
  }

  /** Makes what is missing; whether the others may be looked at: where order counts, only when all are there and ready. */
  #fill(set: StoredObject, members: ReadonlyMap<number, StoredObject>, current: string, newest: string): boolean {
    const parallel = isParallel(set);
    for (const ordinal of ordinalsOf(set)) {
      const pod = members.get(ordinal);
      if (pod === undefined) this.#create(set, ordinal, ordinal < partitionOf(set) ? current : newest);
      else if (hasEnded(pod) && pod.metadata.deletionTimestamp === undefined) this.#client.delete(pods, pod);
      else if (pod.metadata.deletionTimestamp === undefined && isReady(pod)) continue;
      if (!parallel) return false;
    }
    return true;
  }

  /** Takes away what is too much; whether nothing is. */
  #shrink(set: StoredObject, members: ReadonlyMap<number, StoredObject>): boolean {
    const wanted = new Set(ordinalsOf(set));
    const surplus = [...members].filter(([ordinal]) => !wanted.has(ordinal)).sort(([one], [other]) => other - one);
    for (const [, pod] of surplus) {
      if (pod.metadata.deletionTimestamp === undefined) this.#client.delete(pods, pod);
      if (!isParallel(set)) break;
    }
    return surplus.length === 0;
  }

  #isOutdated(set: StoredObject, ordinal: number, pod: StoredObject, newest: string): boolean {
    return sectionOf(specOf(set), "updateStrategy").type !== "OnDelete" && ordinal >= partitionOf(set) && revisionOf(pod) !== newest;
  }

  /** Deletes the highest pod that has not the newest template, once all above it are ready. */
  #update(set: StoredObject, members: ReadonlyMap<number, StoredObject>, newest: string): void {
    for (const ordinal of [...ordinalsOf(set)].reverse()) {
      const pod = members.get(ordinal);
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
      if (this.#isOutdated(set, ordinal, pod, newest)) {
        this.#client.delete(pods, pod);
        return;
      }
      if (!isReady(pod)) return;
    }
  }

  #create(set: StoredObject, ordinal: number, revision: string): void {
    const { name: setName, namespace } = set.metadata;
    const name = `${setName}-${ordinal}`;
    const claims = this.#claims(set, name);
    const template = this.#revisions.template(set, revision) ?? sectionOf(specOf(set), "template");
    const labels = {
      "statefulset.kubernetes.io/pod-name": name,
      "apps.kubernetes.io/pod-index": String(ordinal),
      [revisionLabel]: revision,
    };
    const subdomain = specOf(set).serviceName;
    const pod = podOf(set, statefulSets, template, {
      metadata: { name },
      labels,
      spec: (spec) => ({
        ...spec,
        hostname: name,
        ...(typeof subdomain === "string" && subdomain !== "" ? { subdomain } : {}),
        ...withClaims(spec, claims),
      }),
    });
    this.#client.create(pods, namespace, pod);
  }

  /** Makes the claims of a pod that are not there; which volume is which claim. */
  #claims(set: StoredObject, pod: string): readonly Fields[] {
    const { volumeClaimTemplates } = specOf(set);
    const { namespace } = set.metadata;
    return (Array.isArray(volumeClaimTemplates) ? volumeClaimTemplates.filter(isFields) : []).map((claim) => {
      const metadata = sectionOf(claim, "metadata");
      const claimName = `${String(metadata.name)}-${pod}`;
      const held = this.#server.typeOf("", "v1", "persistentvolumeclaims")?.collection.get(keyOf(namespace, claimName));
      const labels = { ...sectionOf(metadata, "labels"), ...sectionOf(sectionOf(specOf(set), "selector"), "matchLabels") };
      if (held === undefined)
        this.#client.create(persistentVolumeClaims, namespace, { metadata: { ...metadata, name: claimName, labels }, spec: claim.spec });
      return { name: metadata.name, persistentVolumeClaim: { claimName } };
    });
  }

  #writeStatus(set: StoredObject, members: ReadonlyMap<number, StoredObject>, current: string, newest: string): void {
    const all = [...members.values()];
    const ready = all.filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod));
    const of = (revision: string): number =>
      all.filter((pod) => pod.metadata.deletionTimestamp === undefined && revisionOf(pod) === revision).length;
    const wanted = ordinalsOf(set).length;
    const updated = of(newest);
    const settled = updated === wanted && all.length === wanted && ready.length === wanted;
    const now = settled && partitionOf(set) === 0 ? newest : current;
    this.#client.writeStatus(statefulSets, set, {
      observedGeneration: set.metadata.generation,
      replicas: all.length,
      ...counted({ readyReplicas: ready.length, currentReplicas: of(now), updatedReplicas: updated }),
      currentRevision: now,
      updateRevision: newest,
      collisionCount: 0,
      availableReplicas: ready.length,
    });
    if (settled) this.#revisions.forget(set, new Set([now, newest, ...all.map(revisionOf)]));
  }
}

const isParallel = (set: StoredObject): boolean => specOf(set).podManagementPolicy === "Parallel";
const partitionOf = (set: StoredObject): number =>
  numberOf(sectionOf(sectionOf(specOf(set), "updateStrategy"), "rollingUpdate"), "partition");

/** The numbers of the pods that a set wants. */
function ordinalsOf(set: StoredObject): readonly number[] {
  const start = numberOf(sectionOf(specOf(set), "ordinals"), "start");
  return Array.from({ length: numberOf(specOf(set), "replicas", 1) }, (_, at) => start + at);
}

/** A claim takes the place of a volume of its name. */
function withClaims(spec: Fields, claims: readonly Fields[]): Fields {
  if (claims.length === 0) return {};
  const names = new Set(claims.map((claim) => claim.name));
  const others = Array.isArray(spec.volumes) ? spec.volumes.filter((volume) => isFields(volume) && !names.has(volume.name)) : [];
  return { volumes: [...others, ...claims] };
}
