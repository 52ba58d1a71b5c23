import { configMaps, namespaces, pods, resourceQuotas } from "../../../src/api/resource.ts";
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
];
