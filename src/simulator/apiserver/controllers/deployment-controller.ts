import type { Clock } from "../../../base/clock.ts";
import { formatSeconds } from "../../../base/time.ts";
import { canonicalJson, shortHash } from "../../../base/hash.ts";
import { deployments, replicaSets } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { type Fields, isFields, type StoredObject, sameJson, withField } from "../json.ts";
import { type ControllerContext, OwnerWork } from "./owner-work.ts";
import { type ControllerClient, controlledBy, counted, numberOf, ownedBy, sectionOf, specOf, statusOf } from "./owned.ts";

const hashLabel = "pod-template-hash";
const revisionAnnotation = "deployment.kubernetes.io/revision";

/**
 * Rolls Deployments out over ReplicaSets (pkg/controller/deployment): a new set for a new template, scaled up as the old ones are scaled
 * down within maxSurge and maxUnavailable, or after them. Not there: the deadline of a rollout's progress, and proportional scaling in
 * the middle of one.
 */
export class DeploymentController {
  readonly #server: ApiServer;
  readonly #clock: Clock;
  readonly #work: OwnerWork;
  readonly #client: ControllerClient;

  constructor(context: ControllerContext) {
    this.#server = context.server;
    this.#work = new OwnerWork(context, deployments, replicaSets, (_, owner) => this.#sync(owner));
    this.#client = this.#work.client;
    this.#clock = context.clock;
  }

  observe(commit: Commit): void {
    this.#work.observe(commit);
  }

  #sync(deployment: StoredObject | undefined): void {
    if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined) return;
    const sets = ownedBy(this.#server, replicaSets, deployment);
    const template = sectionOf(specOf(deployment), "template");
    const current = sets.find((set) => sameJson(templateOf(set), template));
    const paused = specOf(deployment).paused === true;
    if (current === undefined && !paused) this.#createSet(deployment, sets, template);
    else if (current !== undefined) {
      this.#number(deployment, current, sets);
      this.#rollOut(
        deployment,
        current,
        sets.filter((set) => set !== current),
        paused,
      );
    }
    this.#writeStatus(deployment, current, sets);
  }

  #createSet(deployment: StoredObject, sets: readonly StoredObject[], template: Fields): void {
    const { name, namespace } = deployment.metadata;
    const hash = shortHash(canonicalJson(template), 10);
    const metadata = sectionOf(template, "metadata");
    const selector = sectionOf(specOf(deployment), "selector");
    const labels = { ...sectionOf(metadata, "labels"), [hashLabel]: hash };
    const isFirst = sets.length === 0 || strategyOf(deployment).type === "Recreate";
    this.#client.create(replicaSets, namespace, {
      metadata: {
        name: `${name}-${hash}`,
        labels,
        annotations: { ...passedOn(deployment), [revisionAnnotation]: String(highestRevision(sets) + 1) },
        ownerReferences: [controlledBy(deployment, deployments)],
      },
      spec: {
        // the first set has all at once; a later one begins with what the rollout gives it
        replicas: isFirst && sets.every((set) => numberOf(specOf(set), "replicas") === 0) ? numberOf(specOf(deployment), "replicas", 1) : 0,
        selector: { ...selector, matchLabels: { ...sectionOf(selector, "matchLabels"), [hashLabel]: hash } },
        template: { ...template, metadata: { ...metadata, labels } },
      },
    });
  }

  /** The set of the newest template has the highest revision, and says what its Deployment does: a set that is gone back to is numbered anew. */
  #number(deployment: StoredObject, current: StoredObject, sets: readonly StoredObject[]): void {
    const highest = highestRevision(sets.filter((set) => set !== current));
    const revision = Math.max(revisionOf(current), highest + 1);
    const annotations = { ...passedOn(deployment), [revisionAnnotation]: String(revision) };
    if (Object.entries(annotations).some(([name, text]) => current.metadata.annotations?.[name] !== text))
      this.#client.merge(replicaSets, current, { metadata: { annotations } });
    if (deployment.metadata.annotations?.[revisionAnnotation] === String(revision)) return;
    this.#client.merge(deployments, deployment, { metadata: { annotations: { [revisionAnnotation]: String(revision) } } });
  }

  #rollOut(deployment: StoredObject, current: StoredObject, old: readonly StoredObject[], paused: boolean): void {
    const wanted = numberOf(specOf(deployment), "replicas", 1);
    const living = old.filter((set) => numberOf(specOf(set), "replicas") > 0 || numberOf(statusOf(set), "replicas") > 0);
    if (living.length === 0 || paused) {
      if (living.length === 0) this.#scale(current, wanted);
      if (living.length === 0) this.#forgetOldest(deployment, old);
      return;
    }
    if (strategyOf(deployment).type === "Recreate") {
      for (const set of living) this.#scale(set, 0);
      return;
    }
    const { surge, unavailable } = limitsOf(deployment, wanted);
    const total = [current, ...old].reduce((sum, set) => sum + numberOf(specOf(set), "replicas"), 0);
    const held = numberOf(specOf(current), "replicas");
    const room = wanted + surge - total;
    if (held > wanted) this.#scale(current, wanted);
    else if (room > 0) this.#scale(current, Math.min(wanted, held + room));
    const available = [current, ...old].reduce((sum, set) => sum + numberOf(statusOf(set), "availableReplicas"), 0);
    this.#scaleDown(living, available - (wanted - unavailable));
  }

  /** Takes from the old sets, first what is not available anyway, then as many as may be missing. */
  #scaleDown(living: readonly StoredObject[], spare: number): void {
    let left = spare;
    for (const set of living.toSorted((one, other) => revisionOf(one) - revisionOf(other))) {
      const held = numberOf(specOf(set), "replicas");
      const broken = Math.max(0, held - numberOf(statusOf(set), "availableReplicas"));
      const fewer = broken + Math.max(0, Math.min(left, held - broken));
      left -= Math.max(0, fewer - broken);
      if (fewer > 0) this.#scale(set, held - fewer);
    }
  }

  #scale(set: StoredObject, replicas: number): void {
    if (numberOf(specOf(set), "replicas") !== replicas) this.#client.merge(replicaSets, set, { spec: { replicas } });
  }

  #forgetOldest(deployment: StoredObject, old: readonly StoredObject[]): void {
    const kept = numberOf(specOf(deployment), "revisionHistoryLimit", 10);
    const byAge = old.toSorted((one, other) => revisionOf(one) - revisionOf(other));
    for (const set of byAge.slice(0, Math.max(0, old.length - kept))) this.#client.delete(replicaSets, set);
  }

  #writeStatus(deployment: StoredObject, current: StoredObject | undefined, sets: readonly StoredObject[]): void {
    const sum = (field: string): number => sets.reduce((total, set) => total + numberOf(statusOf(set), field), 0);
    const wanted = numberOf(specOf(deployment), "replicas", 1);
    const available = sum("availableReplicas");
    const updated = current === undefined ? 0 : numberOf(statusOf(current), "replicas");
    const counts = {
      replicas: sum("replicas"),
      updatedReplicas: updated,
      readyReplicas: sum("readyReplicas"),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, Math.max(wanted, sum("replicas")) - available),
    };
    const complete = updated === wanted && sum("replicas") === wanted && available === wanted;
    const { unavailable } = limitsOf(deployment, wanted);
    const enough = available >= wanted - unavailable;
    const set = current === undefined ? "" : `ReplicaSet "${current.metadata.name}" `;
    this.#client.writeStatus(deployments, deployment, {
      observedGeneration: deployment.metadata.generation,
      ...counted(counts),
      conditions: this.#conditions(deployment, [
        enough
          ? ["Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."]
          : ["Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."],
        complete
          ? ["Progressing", "True", "NewReplicaSetAvailable", `${set}has successfully progressed.`]
          : ["Progressing", "True", current === undefined ? "NewReplicaSetCreated" : "ReplicaSetUpdated", `${set}is progressing.`],
      ]),
    });
  }

  #conditions(deployment: StoredObject, wanted: readonly (readonly [string, string, string, string])[]): readonly Fields[] {
    const { conditions } = statusOf(deployment);
    const held = Array.isArray(conditions) ? conditions.filter(isFields) : [];
    const now = formatSeconds(this.#clock.now());
    return wanted.map(([type, status, reason, message]) => {
      const before = held.find((condition) => condition.type === type);
      if (before?.status === status && before.reason === reason && before.message === message) return before;
      const since = before?.status === status ? before.lastTransitionTime : now;
      return { type, status, lastUpdateTime: now, lastTransitionTime: since, reason, message };
    });
  }
}

/** A set's template as its Deployment wrote it. */
function templateOf(set: StoredObject): Fields {
  const template = sectionOf(specOf(set), "template");
  const metadata = sectionOf(template, "metadata");
  const labels = withField(sectionOf(metadata, "labels"), hashLabel, undefined);
  return { ...template, metadata: { ...metadata, labels } };
}

/** The annotations of a Deployment that its newest set has as well, such as the cause of a change: all but those about itself. */
const passedOn = (deployment: StoredObject): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(
      ([name]) => name !== "kubectl.kubernetes.io/last-applied-configuration" && !name.startsWith("deployment.kubernetes.io/"),
    ),
  );

const revisionOf = (set: StoredObject): number => Number(set.metadata.annotations?.[revisionAnnotation] ?? 0);
const highestRevision = (sets: readonly StoredObject[]): number => Math.max(0, ...sets.map(revisionOf));
const strategyOf = (deployment: StoredObject): Fields => sectionOf(specOf(deployment), "strategy");

/** How many pods more and how many fewer there may be in a rollout: percentages of a surge are rounded up, of a lack down. */
function limitsOf(deployment: StoredObject, wanted: number): { readonly surge: number; readonly unavailable: number } {
  const strategy = strategyOf(deployment);
  if (strategy.type === "Recreate") return { surge: 0, unavailable: 0 };
  const { maxSurge, maxUnavailable } = sectionOf(strategy, "rollingUpdate");
  const amount = (value: unknown, round: (share: number) => number): number =>
    typeof value === "number" ? value : round((Number.parseInt(String(value ?? "25%"), 10) * wanted) / 100);
  const surge = amount(maxSurge, Math.ceil);
  const unavailable = Math.min(wanted, amount(maxUnavailable, Math.floor));
  // with neither, nothing could ever move
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}
