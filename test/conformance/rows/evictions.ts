import { pods, type Resource, resourcePath } from "../../../src/api/resource.ts";
import type { Api, Reply, StepOptions } from "../api.ts";
import { pod, thing, things } from "../fixtures.ts";
import { controllerRow, type Row, row } from "../row.ts";
import { warm } from "./controllers.ts";

const budgets: Resource = {
  group: "policy",
  version: "v1",
  plural: "poddisruptionbudgets",
  kind: "PodDisruptionBudget",
  namespaced: true,
};

const labelled = (name: string, metadata: object = {}): Record<string, unknown> =>
  pod(name, { metadata: { labels: { app: "a" }, ...metadata } });
const budget = (name: string, spec: object): Record<string, unknown> => ({
  metadata: { name },
  spec: { selector: { matchLabels: { app: "a" } }, ...spec },
});

/** What a kubelet writes of a pod that runs. */
async function running(api: Api, name: string, ready = true): Promise<void> {
  const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
  await api.merge(pods, name, { status: { phase: "Running", conditions } }, { subresource: "status", show: "nothing" });
}

const evict = (api: Api, name: string, more: object = {}, options: StepOptions = {}): Promise<Reply> => {
  const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name }, ...more };
  return api.request(`evict ${name}`, "POST", resourcePath(pods, api.namespace, name, "eviction"), body, options);
};

const status = {
  disruptionsAllowed: 1,
  currentHealthy: 2,
  desiredHealthy: 1,
  expectedPods: 2,
  observedGeneration: 1,
};
const setStatus = (api: Api, name: string, more: object = {}): Promise<Reply> =>
  api.merge(budgets, name, { status: { ...status, ...more } }, { subresource: "status", show: "nothing" });

/** Evictions, and the budgets that they are held against. */
export const evictionRows: readonly Row[] = [
  row("an eviction without a budget marks the pod and deletes it", async (api) => {
    await api.create(pods, labelled("a"), { show: "nothing" });
    await running(api, "a");
    const watch = await api.watch(pods);
    await watch.take(1, ["metadata.name"]);
    await evict(api, "a", {}, { show: "all" });
    await watch.take(2, ["status.conditions.*.type", "status.conditions.*.reason", "status.conditions.*.message"]);
    await api.get(pods, "a");
  }),
  row("an eviction names its pod, and the pod must be there", async (api) => {
    await evict(api, "absent");
    await api.create(pods, labelled("a"), { show: "nothing" });
    const path = resourcePath(pods, api.namespace, "a", "eviction");
    await api.request("evict another", "POST", path, { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "b" } });
    await evict(api, "a", { deleteOptions: { preconditions: { uid: "11111111-2222-4333-8444-555555555555" } } });
    await evict(api, "a", { deleteOptions: { preconditions: { resourceVersion: "1" } } });
    await api.get(pods, "a", { show: ["status.conditions"] });
  }),
  row("a dry run of an eviction changes nothing", async (api) => {
    await api.create(pods, labelled("a"), { show: "nothing" });
    await api.create(budgets, budget("b", { minAvailable: 1 }), { show: "nothing" });
    await running(api, "a");
    await setStatus(api, "b");
    await evict(api, "a", {}, { query: { dryRun: "All" }, show: "all" });
    await evict(api, "a", { deleteOptions: { dryRun: ["All"] } }, { show: "all" });
    await api.get(pods, "a", { show: ["status.conditions.*.type"] });
    await api.get(budgets, "b", { show: ["status"] });
  }),
  row("a budget is charged by an eviction until nothing is left of it", async (api) => {
    for (const name of ["a", "c"]) {
      await api.create(pods, labelled(name), { show: "nothing" });
      await running(api, name);
    }
    await api.create(budgets, budget("b", { minAvailable: 1 }), { show: ["spec", "status", "metadata.generation"] });
    await evict(api, "a");
    await setStatus(api, "b");
    await evict(api, "a", {}, { show: "all" });
    await api.get(budgets, "b", { show: ["status.disruptionsAllowed", "status.disruptedPods", "status.conditions.*.reason"] });
    await evict(api, "c");
    await setStatus(api, "b", { currentHealthy: 1 });
    await evict(api, "c");
    await api.get(pods, "c", { show: ["status.conditions.*.type"] });
  }),
  row("a pod that is not ready goes where the budget is kept without it, or allows it always", async (api) => {
    await api.create(budgets, budget("b", { minAvailable: 1 }), { show: "nothing" });
    await setStatus(api, "b", { disruptionsAllowed: 0, currentHealthy: 0 });
    await api.create(pods, labelled("a"), { show: "nothing" });
    await running(api, "a", false);
    await evict(api, "a");
    await setStatus(api, "b", { disruptionsAllowed: 0, currentHealthy: 1 });
    await evict(api, "a", {}, { show: "all" });
    await api.create(pods, labelled("c"), { show: "nothing" });
    await running(api, "c", false);
    await api.merge(budgets, "b", { spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" } }, { show: ["metadata.generation"] });
    await setStatus(api, "b", { disruptionsAllowed: 0, currentHealthy: 0 });
    await evict(api, "c", {}, { show: "all" });
  }),
  row("a pod that does not run is evicted whatever the budget", async (api) => {
    await api.create(budgets, budget("b", { minAvailable: 1 }), { show: "nothing" });
    await api.create(pods, labelled("a"), { show: "nothing" });
    await evict(api, "a", {}, { show: "all" });
  }),
  row("two budgets for one pod are too many", async (api) => {
    await api.create(pods, labelled("a"), { show: "nothing" });
    await running(api, "a");
    for (const name of ["b", "c"]) await api.create(budgets, budget(name, { maxUnavailable: 1 }), { show: "nothing" });
    await evict(api, "a", {}, { show: "all" });
  }),
  row("a failed sync of a budget is told to who evicts", async (api) => {
    await api.create(pods, labelled("a"), { show: "nothing" });
    await running(api, "a");
    await api.create(budgets, budget("b", { maxUnavailable: 1 }), { show: "nothing" });
    const condition = {
      type: "DisruptionAllowed",
      status: "False",
      reason: "SyncFailed",
      message: "no scale",
      observedGeneration: 1,
      lastTransitionTime: "2026-11-20T10:00:00Z",
    };
    await setStatus(api, "b", { disruptionsAllowed: 0, conditions: [condition] });
    await evict(api, "a");
    await setStatus(api, "b", { disruptionsAllowed: 0, currentHealthy: 5, conditions: [{ ...condition, reason: "Other" }] });
    await evict(api, "a");
  }),
  row("a budget is refused that cannot be kept", async (api) => {
    await api.create(budgets, budget("b", { minAvailable: -1 }));
    await api.create(budgets, budget("b", { minAvailable: "120%" }));
    await api.create(budgets, budget("b", { maxUnavailable: "many" }));
    await api.create(budgets, budget("b", { minAvailable: 1, maxUnavailable: 1 }), { show: "reason" });
    await api.create(budgets, budget("b", { minAvailable: 1, unhealthyPodEvictionPolicy: "Never" }));
    await api.create(budgets, {
      metadata: { name: "b" },
      spec: { minAvailable: 1, selector: { matchExpressions: [{ key: "a", operator: "In" }] } },
    });
    await api.create(budgets, budget("b", { minAvailable: 1 }), { show: ["spec"] });
    await api.merge(budgets, "b", { spec: { minAvailable: 2 } }, { show: ["metadata.generation", "spec"] });
    await api.merge(budgets, "b", { status: { currentHealthy: -1 } }, { subresource: "status" });
  }),
  controllerRow("the budget of pods is counted, and again after an eviction", async (api) => {
    await warm(api);
    const owner = await api.create(things, thing("owner", { replicas: 3 }), { show: "nothing" });
    const { uid } = owner.body.metadata;
    const ownerReferences = [{ apiVersion: "conformance.nuptse.dev/v1", kind: "Thing", name: "owner", uid, controller: true }];
    for (const name of ["a", "b", "c"]) {
      await api.create(pods, labelled(name, { ownerReferences, finalizers: ["conformance.nuptse.dev/wait"] }), { show: "nothing" });
      await running(api, name);
    }
    await api.create(budgets, budget("half", { maxUnavailable: "40%" }), { show: "nothing" });
    const settles = (allowed: number): Promise<void> =>
      api.until(`${allowed} disruptions`, async () => {
        const { body } = await api.peek(budgets, "half");
        return body.status.observedGeneration === body.metadata.generation && body.status.disruptionsAllowed === allowed;
      });
    await settles(2);
    await api.get(budgets, "half", { show: ["status"] });
    await evict(api, "a", {}, { show: "all" });
    await settles(1);
    await evict(api, "b", {}, { show: "all" });
    await api.until("the count", async () => (await api.peek(budgets, "half")).body.status.currentHealthy === 1);
    await evict(api, "c");
    await api.get(budgets, "half", { show: ["status"] });
    for (const name of ["a", "b", "c"]) await api.merge(pods, name, { metadata: { finalizers: null } }, { show: "nothing" });
  }),
  controllerRow("a budget over pods whose controller is unknown allows nothing", async (api) => {
    await warm(api);
    await api.create(pods, labelled("a"), { show: "nothing" });
    await running(api, "a");
    await api.create(budgets, budget("b", { maxUnavailable: 1 }), { show: "nothing" });
    await api.until("the count", async () => (await api.peek(budgets, "b")).body.status.observedGeneration === 1);
    await api.get(budgets, "b", { show: ["status"] });
    await api.merge(budgets, "b", { spec: { maxUnavailable: null, minAvailable: 0 } }, { show: "nothing" });
    await api.until("the count", async () => (await api.peek(budgets, "b")).body.status.disruptionsAllowed === 1);
    await api.get(budgets, "b", { show: ["status"] });
  }),
];
