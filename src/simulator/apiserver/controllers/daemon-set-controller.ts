import type { Node, Pod } from "../../../api/core.ts";
import { daemonSets, nodes, pods } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { type Fields, isFields, type StoredObject, sameJson } from "../json.ts";
import { isReady } from "../kinds/eviction.ts";
import { type ControllerContext, OwnerWork } from "./owner-work.ts";
import { matchesNode, untoleratedTaint } from "./node-fit.ts";
import { type ControllerClient, counted, hasEnded, ownedBy, podOf, sectionOf, specOf } from "./owned.ts";
import { Revisions, revisionLabel, revisionOf } from "./revisions.ts";

const generationAnnotation = "deprecated.daemonset.template.generation";

/** What daemons bear that other pods do not, as on a real cluster. */
const tolerations: readonly Fields[] = [
  { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/disk-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/pid-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" },
];

/**
 * Keeps one pod on each node that a DaemonSet is for (pkg/controller/daemon). A new template takes the place of the old one, node by node
 * within maxUnavailable. Not there: maxSurge, and the waiting time between restarts of pods that fail.
 */
export class DaemonSetController {
  readonly #server: ApiServer;
  readonly #revisions: Revisions;
  readonly #work: OwnerWork;
  readonly #client: ControllerClient;

  constructor(context: ControllerContext) {
    this.#server = context.server;
    this.#work = new OwnerWork(context, daemonSets, pods, (_, owner) => this.#sync(owner));
    this.#client = this.#work.client;
    this.#revisions = new Revisions(context.server, this.#client, daemonSets);
  }

  observe(commit: Commit): void {
    this.#work.observe(commit);
    if (commit.resource === nodes && isOther(commit)) this.#work.enqueueAll();
  }

  #sync(set: StoredObject | undefined): void {
    if (set === undefined || set.metadata.deletionTimestamp !== undefined) return;
    const revision = this.#revisions.current(set);
    const hash = revision.slice(set.metadata.name.length + 1);
    const wanted = this.#nodesFor(set);
    for (const [node, daemons] of byNode(wanted, ownedBy(this.#server, pods, set))) this.#keep(set, node, wanted.has(node), daemons, hash);
    this.#roll(set, wanted, hash);
    this.#writeStatus(set, wanted, hash);
    this.#revisions.forget(set, new Set([revision]));
  }

  /** The names of the nodes that the set's pods can be on. */
  #nodesFor(set: StoredObject): ReadonlySet<string> {
    const spec = withTolerations(sectionOf(sectionOf(specOf(set), "template"), "spec"));
    const pod = { metadata: { name: "" }, spec } as unknown as Pod;
    const names = new Set<string>();
    for (const stored of this.#server.typeOf("", "v1", "nodes")?.collection.all() ?? []) {
      const node = stored as unknown as Node;
      const taints = node.spec?.taints ?? [];
      if (matchesNode(pod, node) && untoleratedTaint(pod, taints, ["NoSchedule", "NoExecute"]) === undefined) names.add(node.metadata.name);
    }
    return names;
  }

  /** One living pod where the set belongs, none elsewhere. */
  #keep(set: StoredObject, node: string, belongs: boolean, daemons: readonly StoredObject[], hash: string): void {
    const [first, ...surplus] = daemons.filter((pod) => !hasEnded(pod)).toSorted((one, other) => ageOf(one) - ageOf(other));
    const gone = [...daemons.filter(hasEnded), ...surplus, ...(belongs || first === undefined ? [] : [first])];
    for (const pod of gone) if (pod.metadata.deletionTimestamp === undefined) this.#client.delete(pods, pod);
    if (belongs && daemons.length === 0) this.#create(set, node, hash);
  }

  #create(set: StoredObject, node: string, hash: string): void {
    const generation = set.metadata.annotations?.[generationAnnotation];
    const pod = podOf(set, daemonSets, sectionOf(specOf(set), "template"), {
      metadata: { generateName: `${set.metadata.name}-` },
      labels: { [revisionLabel]: hash, ...(generation === undefined ? {} : { "pod-template-generation": generation }) },
      spec: (spec) => withNode(withTolerations(spec), node),
    });
    this.#client.create(pods, set.metadata.namespace, pod);
  }

  /** Deletes pods of an old template: those that are not ready at once, others as long as not too many are missing. */
  #roll(set: StoredObject, wanted: ReadonlySet<string>, hash: string): void {
    const strategy = sectionOf(specOf(set), "updateStrategy");
    if (strategy.type === "OnDelete") return;
    const daemons = ownedBy(this.#server, pods, set).filter((pod) => wanted.has(nodeOf(pod)) && !hasEnded(pod));
    const serving = daemons.filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod));
    let spare = unavailableOf(strategy, wanted.size) - (wanted.size - serving.length);
    for (const pod of daemons) {
      if (pod.metadata.deletionTimestamp !== undefined || revisionOf(pod) === hash) continue;
      if (isReady(pod) && spare-- <= 0) continue;
      this.#client.delete(pods, pod);
    }
  }

  #writeStatus(set: StoredObject, wanted: ReadonlySet<string>, hash: string): void {
    const living = ownedBy(this.#server, pods, set).filter((pod) => !hasEnded(pod) && pod.metadata.deletionTimestamp === undefined);
    const placed = living.filter((pod) => wanted.has(nodeOf(pod)));
    const ready = placed.filter(isReady).length;
    this.#client.writeStatus(daemonSets, set, {
      currentNumberScheduled: new Set(placed.map(nodeOf)).size,
      numberMisscheduled: living.length - placed.length,
      desiredNumberScheduled: wanted.size,
      numberReady: ready,
      observedGeneration: set.metadata.generation,
      ...counted({
        updatedNumberScheduled: placed.filter((pod) => revisionOf(pod) === hash).length,
        numberAvailable: ready,
        numberUnavailable: wanted.size - ready,
      }),
    });
  }
}

/** Whether more of a node changed than what its kubelet says of it. */
const isOther = ({ type, object, previous }: Commit): boolean =>
  type !== "MODIFIED" || !sameJson(object.spec, previous?.spec) || !sameJson(object.metadata.labels, previous?.metadata.labels);

const ageOf = (pod: StoredObject): number => Date.parse(String(pod.metadata.creationTimestamp));

/** Daemons of a node, with an empty list for a node that lacks one. */
function byNode(wanted: ReadonlySet<string>, daemons: readonly StoredObject[]): ReadonlyMap<string, readonly StoredObject[]> {
  const result = new Map<string, StoredObject[]>([...wanted].map((node) => [node, []]));
  for (const pod of daemons) {
    const node = nodeOf(pod);
    result.set(node, [...(result.get(node) ?? []), pod]);
  }
  return result;
}

/** The node that a daemon is on, or is meant for. */
function nodeOf(pod: StoredObject): string {
  const spec = specOf(pod);
  if (typeof spec.nodeName === "string" && spec.nodeName !== "") return spec.nodeName;
  const required = sectionOf(sectionOf(sectionOf(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution");
  const [term] = Array.isArray(required.nodeSelectorTerms) ? required.nodeSelectorTerms.filter(isFields) : [];
  const [field] = Array.isArray(term?.matchFields) ? term.matchFields.filter(isFields) : [];
  return Array.isArray(field?.values) ? String(field.values[0]) : "";
}

function withTolerations(spec: Fields): Fields {
  const stated: readonly unknown[] = Array.isArray(spec.tolerations) ? spec.tolerations : [];
  return { ...spec, tolerations: [...stated, ...tolerations.filter((one) => !stated.some((other) => sameJson(one, other)))] };
}

/** The scheduler is told the one node that is meant; what else the template asks of nodes was looked at before. */
function withNode(spec: Fields, node: string): Fields {
  const affinity = sectionOf(spec, "affinity");
  const required = { nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }] };
  const nodeAffinity = { ...sectionOf(affinity, "nodeAffinity"), requiredDuringSchedulingIgnoredDuringExecution: required };
  return { ...spec, affinity: { ...affinity, nodeAffinity } };
}

function unavailableOf(strategy: Fields, wanted: number): number {
  const { maxUnavailable = 1 } = sectionOf(strategy, "rollingUpdate");
  return typeof maxUnavailable === "number" ? maxUnavailable : Math.ceil((Number.parseInt(String(maxUnavailable), 10) * wanted) / 100);
}
