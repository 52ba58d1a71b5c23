import { configMaps, deployments, namespaces, pods, type Resource, resourceQuotas } from "../../../src/api/resource.ts";
import type { Api } from "../api.ts";
import { configMap, pod, thing, things } from "../fixtures.ts";
import { controllerRow, type Row } from "../row.ts";

const ownedBy = (owner: { readonly metadata: { readonly name: string; readonly uid: string } }, more: object = {}): object => ({
  ownerReferences: [
    { apiVersion: "conformance.nuptse.dev/v1", kind: "Thing", name: owner.metadata.name, uid: owner.metadata.uid, ...more },
  ],
});

const gone = (api: Api, resource: Parameters<Api["peek"]>[0], name: string): Promise<void> =>
  api.until(`${name} goes`, async () => (await api.peek(resource, name)).status === 404);

/** The garbage collector waits until it knows of a new kind; a first collection proves that it does, and that pods can be made here. */
export async function warm(api: Api): Promise<void> {
  const owner = await api.create(things, thing("warm"), { show: "nothing" });
  await api.create(configMaps, configMap("warm", {}, ownedBy(owner.body)), { show: "nothing" });
  await api.delete(things, "warm", undefined, { show: "nothing" });
  await gone(api, configMaps, "warm");
}

const replicaSets: Resource = { ...deployments, plural: "replicasets", kind: "ReplicaSet" };

/** What kube-controller-manager does to what the operator writes. */
export const controllerRows: readonly Row[] = [
  controllerRow("dependents go after their owner, in the background", async (api) => {
    await warm(api);
    const owner = await api.create(things, thing("owner"), { show: "nothing" });
    await api.create(configMaps, configMap("a", {}, ownedBy(owner.body)), { show: "nothing" });
    await api.create(pods, pod("b", { metadata: ownedBy(owner.body) }), { show: "nothing" });
    await api.delete(things, "owner", { propagationPolicy: "Background" }, { show: ["status"] });
    await gone(api, configMaps, "a");
    await gone(api, pods, "b");
    await api.get(configMaps, "a");
  }),
  controllerRow("a dependent of an owner that is not there goes", async (api) => {
    await warm(api);
    await api.create(
      configMaps,
      configMap("a", {}, ownedBy({ metadata: { name: "never", uid: "11111111-2222-4333-8444-555555555555" } })),
      { show: "nothing" },
    );
    await gone(api, configMaps, "a");
    await api.get(configMaps, "a");
  }),
  controllerRow("an owner of the same name and another UID does not keep a dependent", async (api) => {
    await warm(api);
    await api.create(things, thing("owner"), { show: "nothing" });
    await api.create(
      configMaps,
      configMap("a", {}, ownedBy({ metadata: { name: "owner", uid: "11111111-2222-4333-8444-555555555555" } })),
      { show: "nothing" },
    );
    await gone(api, configMaps, "a");
    await api.get(things, "owner", { show: ["metadata.name"] });
  }),
  controllerRow("one living owner of two keeps a dependent", async (api) => {
    await warm(api);
    const one = await api.create(things, thing("one"), { show: "nothing" });
    const two = await api.create(things, thing("two"), { show: "nothing" });
    const both = {
      ownerReferences: [
        ...(ownedBy(one.body) as { ownerReferences: object[] }).ownerReferences,
        ...(ownedBy(two.body) as { ownerReferences: object[] }).ownerReferences,
      ],
    };
    await api.create(configMaps, configMap("a", {}, both), { show: "nothing" });
    await api.delete(things, "one", undefined, { show: "nothing" });
    await api.until("the reference goes", async () => (await api.peek(configMaps, "a")).body.metadata.ownerReferences?.length === 1);
    await api.get(configMaps, "a", { show: ["metadata.ownerReferences.*.name"] });
  }),
  controllerRow("in the foreground the owner waits for dependents that block it", async (api) => {
    await warm(api);
    const owner = await api.create(things, thing("owner"), { show: "nothing" });
    await api.create(
      configMaps,
      configMap("a", {}, { ...ownedBy(owner.body, { blockOwnerDeletion: true }), finalizers: ["example.io/hold"] }),
      { show: "nothing" },
    );
    await api.delete(things, "owner", { propagationPolicy: "Foreground" }, { show: ["metadata.finalizers"] });
    await api.until(
      "the dependent is marked",
      async () => (await api.peek(configMaps, "a")).body.metadata?.deletionTimestamp !== undefined,
    );
    await api.get(things, "owner", { show: ["metadata.finalizers"] });
    await api.merge(configMaps, "a", { metadata: { finalizers: null } }, { show: "nothing" });
    await gone(api, things, "owner");
    await api.get(things, "owner");
  }),
  controllerRow("an owner with a finalizer of its own loses its pods to a foreground deletion", async (api) => {
    await warm(api);
    const owner = await api.create(things, thing("owner", {}, { finalizers: ["example.io/own"] }), { show: "nothing" });
    await api.create(pods, pod("a", { metadata: ownedBy(owner.body, { blockOwnerDeletion: true }) }), { show: "nothing" });
    await api.delete(things, "owner", { propagationPolicy: "Foreground" }, { show: "nothing" });
    await gone(api, pods, "a");
    await api.until("only its own is left", async () => (await api.peek(things, "owner")).body.metadata.finalizers?.length === 1);
    await api.get(things, "owner", { show: ["metadata.finalizers"] });
  }),
  controllerRow("a background deletion of an owner with a finalizer keeps its pods", async (api) => {
    await warm(api);
    const owner = await api.create(things, thing("owner", {}, { finalizers: ["example.io/own"] }), { show: "nothing" });
    await api.create(configMaps, configMap("a", {}, ownedBy(owner.body)), { show: "nothing" });
    await api.delete(things, "owner", { propagationPolicy: "Background" }, { show: "nothing" });
    await warm(api);
    await api.get(configMaps, "a", { show: ["metadata.name"] });
  }),
  controllerRow("orphans lose their owner and live", async (api) => {
    await warm(api);
    const owner = await api.create(things, thing("owner"), { show: "nothing" });
    await api.create(configMaps, configMap("a", {}, ownedBy(owner.body)), { show: "nothing" });
    await api.delete(things, "owner", { propagationPolicy: "Orphan" }, { show: ["metadata.finalizers"] });
    await gone(api, things, "owner");
    await api.get(configMaps, "a", { show: ["metadata.ownerReferences"] });
  }),
  controllerRow("a namespace is emptied and goes", async (api) => {
    await api.create(configMaps, configMap("a"), { show: "nothing" });
    await api.create(things, thing("a"), { show: "nothing" });
    await api.create(pods, pod("a"), { show: "nothing" });
    await api.delete(namespaces, api.namespace, undefined, { show: ["status"] });
    await gone(api, namespaces, api.namespace);
    await api.list(things, { show: ["items"] });
  }),
  controllerRow("a quota's use follows pods that are made, end and go", async (api) => {
    await api.create(
      resourceQuotas,
      { metadata: { name: "q" }, spec: { hard: { pods: "5", "count/configmaps": "50" } } },
      { show: ["spec"] },
    );
    const used = async (): Promise<string | undefined> => (await api.peek(resourceQuotas, "q")).body.status?.used?.pods;
    await api.until("the quota is counted", async () => (await used()) === "0");
    await api.create(pods, pod("a", { spec: { nodeName: "n1" } }), { show: "nothing" });
    await api.create(pods, pod("b"), { show: "nothing" });
    await api.until("both count", async () => (await used()) === "2");
    await api.merge(pods, "a", { status: { phase: "Succeeded" } }, { subresource: "status", show: "nothing" });
    await api.until("the ended one counts no more", async () => (await used()) === "1");
    await api.delete(pods, "b", undefined, { show: "nothing" });
    await api.until("the deleted one neither", async () => (await used()) === "0");
    await api.get(resourceQuotas, "q", { show: ["status.hard", "status.used.pods"] });
  }),
  controllerRow("a Deployment makes a ReplicaSet, and that its pods; a new template another one", async (api) => {
    await warm(api);
    const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "x:1" }] } };
    const body = { metadata: { name: "web" }, spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template } };
    await api.create(deployments, body, { show: ["spec.strategy", "spec.revisionHistoryLimit", "spec.progressDeadlineSeconds"] });
    const list = async (resource: Resource) => (await api.peekList(resource, { labelSelector: "app=web" })).items;
    await api.until("two pods", async () => (await list(pods)).length === 2);
    const [made] = await list(pods);
    api.note("pod", [
      made.metadata.ownerReferences[0].kind,
      made.metadata.ownerReferences[0].controller,
      Object.keys(made.metadata.labels).sort(),
    ]);
    await api.until("a status", async () => (await api.peek(deployments, "web")).body.status?.replicas === 2);
    await api.get(deployments, "web", {
      show: ["status.replicas", "status.updatedReplicas", "status.observedGeneration", "status.conditions.*.status"],
    });
    for (const pod of await list(pods)) {
      const status = { phase: "Running", conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }] };
      await api.merge(pods, pod.metadata.name, { status }, { subresource: "status", show: "nothing" });
    }
    await api.until("readiness", async () => (await api.peek(deployments, "web")).body.status?.availableReplicas === 2);
    await api.until("its end", async () =>
      (await api.peek(deployments, "web")).body.status.conditions.some(
        (one: { reason: string }) => one.reason === "NewReplicaSetAvailable",
      ),
    );
    const counts = [
      "status.replicas",
      "status.updatedReplicas",
      "status.readyReplicas",
      "status.availableReplicas",
      "status.unavailableReplicas",
    ];
    await api.get(deployments, "web", { show: counts });
    await api.merge(
      deployments,
      "web",
      { spec: { template: { spec: { containers: [{ name: "main", image: "x:2" }] } } } },
      { show: ["metadata.generation"] },
    );
    await api.until("a third pod", async () => (await list(pods)).length === 3);
    await api.until("a status", async () => (await api.peek(deployments, "web")).body.status.updatedReplicas === 1);
    await api.get(deployments, "web", { show: counts });
    const sets = (await list(replicaSets)).map((set) => [set.metadata.annotations["deployment.kubernetes.io/revision"], set.spec.replicas]);
    api.note("sets", sets.sort());
  }),
];
