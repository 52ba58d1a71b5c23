import type { Status } from "../../../api/meta.ts";
import { formatSeconds } from "../../../base/time.ts";
import { admitPart } from "../admission/attributes.ts";
import { keyOf } from "../collection.ts";
import { type DeleteEnvironment, type DeleteOptions, deleteObject, deleteOptionsOf } from "../deletion.ts";
import { type Fields, isFields, type StoredObject, withField } from "../json.ts";
import type { ApiRequest } from "../request-path.ts";
import type { ResourceType } from "../resource-type.ts";
import { matchesLabels, requirementsOf } from "../selectors.ts";
import { badRequest, conflict, forbidden, notFound, tooManyRequests, unknownError } from "../status.ts";

/** The kinds that an eviction looks at. */
export interface EvictionTypes {
  readonly pods: ResourceType;
  readonly budgets: ResourceType;
}

/** More than this many evictions that the disruption controller has not seen through are too many. */
const maxDisruptedPods = 2_000;
const tooMany = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

const evictionKind = { group: "policy", version: "v1", kind: "Eviction" };

const statusOf = (object: StoredObject): Fields => (isFields(object.status) ? object.status : {});
const numberAt = (fields: Fields, name: string): number => (typeof fields[name] === "number" ? fields[name] : 0);

/**
 * POST of an Eviction (registry/core/pod/storage/eviction.go): the one budget that covers the pod is asked and charged, the pod is marked
 * and then deleted. Throws ApiFailure 400, 404, 409, 429.
 */
export function evictPod(env: DeleteEnvironment, types: EvictionTypes, namespace: string, name: string, request: ApiRequest): Status {
  const { body } = request;
  if (!isFields(body)) throw badRequest("the request body is no Eviction");
  const metadata = isFields(body.metadata) ? body.metadata : {};
  if (metadata.name !== name) throw badRequest("name in URL does not match name in Eviction object");
  const options = optionsOf(body, request);
  admitPart(
    env.admission,
    { type: types.pods, subresource: "eviction", written: evictionKind, namespace, name, object: body, dryRun: options.dryRun },
    request,
  );
  const pod = types.pods.collection.get(keyOf(namespace, name));
  if (pod === undefined) throw notFound(types.pods.resource, name);
  if (!needsNoBudget(pod)) {
    const budgets = budgetsOf(types.budgets, pod);
    if (budgets.length > 1) throw unknownError(tooMany);
    const [budget] = budgets;
    if (budget !== undefined && !isFreeToGo(pod, budget)) charge(env, types.budgets, budget, pod, options, request);
  }
  markAndDelete(env, types.pods, pod, options, request);
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}

/** A dry run may be asked for in the query or in the body; both must say the same. */
function optionsOf(body: Fields, request: ApiRequest): DeleteOptions {
  const stated = isFields(body.deleteOptions) ? body.deleteOptions : {};
  const { kind: _kind, ...options } = stated;
  const inQuery = request.query?.dryRun === undefined ? [] : [request.query.dryRun];
  const inBody = Array.isArray(options.dryRun) ? options.dryRun.map(String) : [];
  if (inQuery.length > 0 && inBody.length > 0 && inQuery.join() !== inBody.join()) {
    throw unknownError(`Non-matching dry-run options in request and content: [${inQuery.join(" ")}] and [${inBody.join(" ")}]`);
  }
  return deleteOptionsOf({ ...request, body: options });
}

/** Pods that do not run count for no budget. */
function needsNoBudget(pod: StoredObject): boolean {
  const { phase } = statusOf(pod);
  return phase === "Succeeded" || phase === "Failed" || phase === "Pending" || pod.metadata.deletionTimestamp !== undefined;
}

/** The budgets of the pod's namespace that select it. */
function budgetsOf(type: ResourceType, pod: StoredObject): readonly StoredObject[] {
  const { namespace, labels } = pod.metadata;
  const all = type.collection.list(namespace === undefined ? {} : { namespace }) ?? [];
  return all.filter((budget) => {
    const wanted = requirementsOf(isFields(budget.spec) ? budget.spec.selector : undefined);
    return wanted !== undefined && matchesLabels(labels, wanted);
  });
}

/** A pod that is not ready is no loss, where the budget says so or is kept without it. */
function isFreeToGo(pod: StoredObject, budget: StoredObject): boolean {
  if (isReady(pod)) return false;
  if (isFields(budget.spec) && budget.spec.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const status = statusOf(budget);
  const desired = numberAt(status, "desiredHealthy");
  return desired > 0 && numberAt(status, "currentHealthy") >= desired;
}

/** Whether the condition Ready of a pod is True. */
export function isReady(pod: StoredObject): boolean {
  return conditionsOf(statusOf(pod)).some((condition) => condition.type === "Ready" && condition.status === "True");
}

const conditionsOf = (status: Fields): readonly Fields[] => (Array.isArray(status.conditions) ? status.conditions.filter(isFields) : []);

/** Takes one disruption from the budget, and names the pod there so that the controller does not count it until it is gone. */
function charge(
  env: DeleteEnvironment,
  type: ResourceType,
  budget: StoredObject,
  pod: StoredObject,
  options: DeleteOptions,
  request: ApiRequest,
): void {
  const { name } = budget.metadata;
  const status = statusOf(budget);
  const refuse = (message: string, retryAfterSeconds: number) =>
    tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds, [
      { reason: "DisruptionBudget", message },
    ]);
  if (numberAt(status, "observedGeneration") < (budget.metadata.generation ?? 0))
    throw refuse(`The disruption budget ${name} is still being processed by the server.`, 10);
  const allowed = numberAt(status, "disruptionsAllowed");
  const disrupted = isFields(status.disruptedPods) ? status.disruptedPods : {};
  if (Object.keys(disrupted).length > maxDisruptedPods) {
    const why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
    throw forbidden({ ...type.resource, plural: "poddisruptionbudget" }, name, why);
  }
  if (allowed === 0) throw refuse(refusalOf(name, status), 0);
  if (options.dryRun) return;
  const next = {
    ...status,
    disruptionsAllowed: allowed - 1,
    disruptedPods: { ...disrupted, [pod.metadata.name]: formatSeconds(env.now()) },
    ...(allowed === 1 ? { conditions: withBudgetCondition(status, false, env.now()) } : {}),
  };
  env.commit(type, "MODIFIED", withField(budget, "status", next), budget, request);
}

function refusalOf(name: string, status: Fields): string {
  const condition = conditionsOf(status).find((one) => one.type === "DisruptionAllowed" && one.status === "False");
  const message = typeof condition?.message === "string" ? condition.message : "";
  if (message !== "" && condition?.reason === "SyncFailed")
    return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${message}`;
  const [desired, current] = [numberAt(status, "desiredHealthy"), numberAt(status, "currentHealthy")];
  if (current <= desired) return `The disruption budget ${name} needs ${desired} healthy pods and has ${current} currently`;
  if (message !== "")
    return `The disruption budget ${name} does not allow evicting pods currently (${String(condition?.reason)}): ${message}`;
  return `The disruption budget ${name} does not allow evicting pods currently`;
}

/** The conditions of a budget's status with DisruptionAllowed as it is now; a failed sync gives its message. */
export function withBudgetCondition(status: Fields, allowed: boolean, now: number, failure?: string): readonly Fields[] {
  const held = conditionsOf(status);
  const before = held.find((condition) => condition.type === "DisruptionAllowed");
  const value = allowed ? "True" : "False";
  const condition: Fields = {
    type: "DisruptionAllowed",
    status: value,
    observedGeneration: numberAt(status, "observedGeneration"),
    lastTransitionTime: before?.status === value ? before.lastTransitionTime : formatSeconds(now),
    reason: failure !== undefined ? "SyncFailed" : allowed ? "SufficientPods" : "InsufficientPods",
    message: failure ?? "",
  };
  return before === undefined ? [...held, condition] : held.map((one) => (one === before ? condition : one));
}

/** Marks the pod as disrupted, and then deletes it: two changes, as watchers of the real server see them. */
function markAndDelete(env: DeleteEnvironment, type: ResourceType, pod: StoredObject, options: DeleteOptions, request: ApiRequest): void {
  const { name, namespace, uid, resourceVersion } = pod.metadata;
  let current = pod;
  if (!options.dryRun) {
    const named = { ...type.resource, plural: "Pod" };
    if (options.uid !== undefined && options.uid !== "" && options.uid !== uid) {
      throw conflict(
        named,
        name,
        `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
      );
    }
    if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
      throw conflict(
        named,
        name,
        `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
      );
    }
    current = env.commit(type, "MODIFIED", withDisruptionTarget(pod, env.now()), pod, request);
  }
  const bumped = options.resourceVersion === undefined ? {} : { resourceVersion: current.metadata.resourceVersion ?? "" };
  deleteObject(env, type, namespace, name, { ...options, ...bumped }, request);
}

function withDisruptionTarget(pod: StoredObject, now: number): StoredObject {
  const status = statusOf(pod);
  const held = conditionsOf(status);
  const before = held.find((condition) => condition.type === "DisruptionTarget");
  const condition: Fields = {
    type: "DisruptionTarget",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: before?.status === "True" ? before.lastTransitionTime : formatSeconds(now),
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
  };
  const conditions = before === undefined ? [...held, condition] : held.map((one) => (one === before ? condition : one));
  return withField(pod, "status", { ...status, conditions });
}
