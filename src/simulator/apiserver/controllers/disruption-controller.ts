import type { Clock } from "../../../base/clock.ts";
import { apiVersionOf, deployments, pods, resourceName } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { keyOf } from "../collection.ts";
import { type Fields, isFields, type StoredObject, valueAt } from "../json.ts";
import { disruptionBudgetKind } from "../kinds/disruption-budget-kind.ts";
import { isReady, withBudgetCondition } from "../kinds/eviction.ts";
import type { ResourceType } from "../resource-type.ts";
import { matchesLabels, requirementsOf } from "../selectors.ts";
import { KeyedWork, Rechecks } from "./keyed-work.ts";
import { ControllerClient, specOf, statusOf } from "./owned.ts";
import type { ControllerContext } from "./owner-work.ts";

const budgets = disruptionBudgetKind.resource;
/** An evicted pod that is not deleted within this time counts again. */
const deletionTimeoutMs = 120_000;

/** Writes into PodDisruptionBudgets how many of their pods may go now (pkg/controller/disruption). */
export class DisruptionController {
  readonly #server: ApiServer;
  readonly #clock: Clock;
  readonly #client: ControllerClient;
  readonly #work: KeyedWork;
  readonly #rechecks: Rechecks;

  constructor({ server, clock, later, agent }: ControllerContext) {
    this.#server = server;
    this.#clock = clock;
    this.#client = new ControllerClient(server, agent);
    this.#work = new KeyedWork(later, (key) => this.#sync(key), this.#client);
    this.#rechecks = new Rechecks(clock, (key) => this.#work.enqueue(key));
  }

  /** Ends what it would look at later. */
  close(): void {
    this.#rechecks.close();
  }

  observe(commit: Commit): void {
    if (commit.resource === budgets) {
      if (commit.type !== "DELETED") this.#enqueue(commit.object);
      return;
    }
    if (commit.resource !== pods || this.#typeOf(budgets).collection.size === 0) return;
    for (const budget of this.#budgetsOf(commit.object, commit.previous)) this.#enqueue(budget);
  }

  /** The budgets that select the pod, or did before its labels changed. */
  #budgetsOf(pod: StoredObject, before: StoredObject | undefined): readonly StoredObject[] {
    const { namespace, labels } = pod.metadata;
    const all = this.#typeOf(budgets).collection.list(namespace === undefined ? {} : { namespace }) ?? [];
    return all.filter((budget) => {
      const wanted = requirementsOf(specOf(budget).selector);
      return wanted !== undefined && (matchesLabels(labels, wanted) || matchesLabels(before?.metadata.labels, wanted));
    });
  }

  #enqueue(budget: StoredObject): void {
    this.#work.enqueue(keyOf(budget.metadata.namespace, budget.metadata.name));
  }

  #sync(key: string): void {
    const budget = this.#typeOf(budgets).collection.get(key);
    if (budget === undefined) return;
    const status = statusOf(budget);
    const now = this.#clock.now();
    const selected = this.#podsOf(budget);
    let counts: { readonly expected: number; readonly desired: number };
    try {
      counts = this.#countsOf(specOf(budget), selected);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#client.writeStatus(budgets, budget, {
        ...status,
        disruptionsAllowed: 0,
        conditions: withBudgetCondition(status, false, now, why),
      });
      return;
    }
    const disrupted = this.#stillDisrupted(key, statusOf(budget), selected);
    const healthy = selected.filter(
      (pod) => pod.metadata.deletionTimestamp === undefined && disrupted[pod.metadata.name] === undefined && isReady(pod),
    ).length;
    const allowed = counts.expected <= 0 ? 0 : Math.max(0, healthy - counts.desired);
    const next: Fields = {
      currentHealthy: healthy,
      desiredHealthy: counts.desired,
      expectedPods: counts.expected,
      disruptionsAllowed: allowed,
      ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
      observedGeneration: budget.metadata.generation,
    };
    const held = status.conditions === undefined ? next : { ...next, conditions: status.conditions };
    this.#client.writeStatus(budgets, budget, { ...next, conditions: withBudgetCondition(held, allowed > 0, now) });
  }

  #podsOf(budget: StoredObject): readonly StoredObject[] {
    const labels = requirementsOf(specOf(budget).selector);
    const { namespace } = budget.metadata;
    if (labels === undefined) return [];
    const all = this.#typeOf(pods).collection.list(namespace === undefined ? {} : { namespace }) ?? [];
    return all.filter((pod) => matchesLabels(pod.metadata.labels, labels));
  }

  /** Evictions that were granted and whose pod is still whole; looked at again when the first of them is too old. */
  #stillDisrupted(key: string, status: Fields, selected: readonly StoredObject[]): Readonly<Record<string, string>> {
    const held = isFields(status.disruptedPods) ? status.disruptedPods : {};
    const now = this.#clock.now();
    const result: Record<string, string> = {};
    for (const pod of selected) {
      const since = held[pod.metadata.name];
      if (typeof since !== "string" || pod.metadata.deletionTimestamp !== undefined) continue;
      const due = Date.parse(since) + deletionTimeoutMs;
      if (due < now) continue;
      this.#rechecks.at(key, due + 1);
      result[pod.metadata.name] = since;
    }
    return result;
  }

  /** How many pods there should be, and how many of them healthy. Throws an Error when it cannot be told. */
  #countsOf(spec: Fields, selected: readonly StoredObject[]): { readonly expected: number; readonly desired: number } {
    const { minAvailable, maxUnavailable } = spec;
    if (maxUnavailable !== undefined) {
      const expected = this.#expectedScale(selected);
      return { expected, desired: Math.max(0, expected - scaledUp(maxUnavailable, expected)) };
    }
    if (typeof minAvailable === "number") return { expected: selected.length, desired: minAvailable };
    if (minAvailable === undefined) return { expected: 0, desired: 0 };
    const expected = this.#expectedScale(selected);
    return { expected, desired: scaledUp(minAvailable, expected) };
  }

  /** The sum of the scales of the controllers of the pods; pods without one do not count. */
  #expectedScale(selected: readonly StoredObject[]): number {
    const scales = new Map<string, number>();
    for (const pod of selected) {
      const found = this.#controllerOf(pod);
      if (found === "none") continue;
      if (found === undefined) throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`);
      scales.set(found.uid, found.scale);
    }
    return [...scales.values()].reduce((sum, scale) => sum + scale, 0);
  }

  /** The object that sets how many pods there are: a ReplicaSet's Deployment, or whatever has a scale. */
  #controllerOf(object: StoredObject): { readonly uid: string; readonly scale: number } | "none" | undefined {
    const reference = object.metadata.ownerReferences?.find((owner) => owner.controller === true);
    if (reference === undefined) return "none";
    const { apiVersion, kind, name, uid } = reference;
    const type = this.#server.types().find((one) => one.resource.kind === kind && apiVersion === apiVersionOf(one.resource));
    if (type === undefined) throw new Error(`no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`);
    const found = type.collection.get(keyOf(type.resource.namespaced ? object.metadata.namespace : undefined, name));
    if (found === undefined || found.metadata.uid !== uid) {
      if (type.scale === undefined) throw new Error(`${resourceName(type.resource)} does not implement the scale subresource`);
      return undefined;
    }
    if (type.resource.group === "apps" && kind === "ReplicaSet") {
      const above = found.metadata.ownerReferences?.find((owner) => owner.controller === true && owner.kind === deployments.kind);
      if (above !== undefined) return this.#controllerOf(found);
    }
    if (type.scale === undefined) throw new Error(`${resourceName(type.resource)} does not implement the scale subresource`);
    const scale = valueAt(found, type.scale.specReplicas);
    return { uid, scale: typeof scale === "number" ? scale : 0 };
  }

  #typeOf({ group, version, plural }: typeof budgets): ResourceType {
    return this.#server.typeOf(group, version, plural) as ResourceType;
  }
}

/** A number as it is, a percentage of the total rounded up. */
function scaledUp(value: unknown, total: number): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(String(value));
  if (percent === null) throw new Error(`invalid value for IntOrString: invalid type: string is not a percentage`);
  return Math.ceil((Number(percent[1]) * total) / 100);
}
