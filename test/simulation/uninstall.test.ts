import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import type { Pod } from "../../src/api/core.ts";
import { type EndpointSlice, sliceManagerLabel } from "../../src/api/endpoint-slice.ts";
import { silentLogger } from "../../src/api/logger.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { labels, queueGate, serviceGate } from "../../src/api/names.ts";
import {
  deployments,
  endpointSlices,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  podDisruptionBudgets,
  pods,
  type Resource,
  runnerApps,
  services,
  tenantQueues,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import type { TenantQueue } from "../../src/api/tenant-queue.gen.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { uninstall } from "../../src/operator/uninstall/uninstall.ts";
import { Stage } from "../../src/simulator/harness/stage.ts";
import { fleetToLeave } from "../support/builders/fleet-to-leave.ts";

const from = Date.UTC(2026, 10, 21, 12, 0, 0);
const namespace = "red";
/** Where the stage's operator has its Lease, and looks for gateways. */
const operatorNamespace = "kube-system";
const policies: readonly Resource[] = [
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
];
const forever = JSON.stringify({ runMs: "forever", startMs: [100, 100] });
const annotations = { "simulate.nuptse.dev/script": forever };
const containers = [
  { name: "main", image: "web:1", ports: [{ name: "http", containerPort: 8080 }], resources: { requests: { cpu: "1" } } },
];

interface ServiceObject extends KubeObject {
  readonly spec: { readonly selector?: object; readonly ports?: readonly { readonly port: number; readonly targetPort?: unknown }[] };
}

const queuedPod = (name: string): KubeObject =>
  ({ metadata: { name, namespace, labels: { [labels.queue]: "red" }, annotations }, spec: { containers } }) as unknown as KubeObject;

const web = fleetToLeave(namespace, { metadata: { annotations }, spec: { containers } }) as unknown as RunnerApp;

/**
 * A cluster in which everything is under way that an uninstallation must bring to an end: a pod waits for its queue, a fleet has a Strict budget and an instance
 * that drains for ten minutes, a Service was made and one was taken over. `obeys`: scaling its Deployment ends the operator.
 */
async function busyCluster({ obeys = true }: { readonly obeys?: boolean } = {}): Promise<Stage> {
  const capacity = { cpu: "10", memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" };
  const stage: Stage = await Stage.open({
    from,
    nodes: ["n1", "n2", "n3"].map((name) => ({ name, capacity })),
    namespaces: [{ name: namespace, labels: { team: "red" } }],
    onCommit({ resource, object }) {
      const { replicas } = ((object as unknown as { readonly spec?: { readonly replicas?: number } }).spec ?? {}) as { replicas?: number };
      if (obeys && resource.plural === "deployments" && object.metadata.name === "nuptse-operator" && replicas === 0) stage.killOperator();
    },
  });
  const shipped = loadAll(readFileSync(join(import.meta.dirname, "../../crds/queue-policies.yaml"), "utf8")) as readonly KubeObject[];
  for (const policy of shipped.filter(({ metadata }) => metadata.name === "nuptse-queue-gate"))
    await stage.create(policies.find(({ kind }) => kind === policy.kind) as Resource, policy);
  const matchLabels = { app: "nuptse-operator" };
  await stage.create(deployments, {
    metadata: { name: "nuptse-operator", namespace: operatorNamespace },
    spec: { replicas: 1, selector: { matchLabels }, template: { metadata: { labels: matchLabels, annotations }, spec: { containers } } },
  } as unknown as KubeObject);
  await stage.create(pods, {
    metadata: { name: "gateway-1", namespace: operatorNamespace, labels: { [labels.gateway]: "" }, annotations },
    spec: { containers: [{ name: "haproxy", image: "haproxy:3" }] },
  } as unknown as Pod);
  const queue = (name: string, spec: TenantQueue["spec"]) =>
    stage.create(tenantQueues, { apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec } as TenantQueue);
  await queue("corp", {});
  await queue("red", { parent: "corp", max: { cpu: "1" }, namespaceSelector: { matchLabels: { team: "red" } } });
  for (const name of ["a", "b"]) await stage.create(pods, queuedPod(name));
  await stage.create(services, {
    metadata: { name: "old", namespace, labels: { team: "red" } },
    spec: { selector: { app: "old" }, ports: [{ port: 80 }] },
  } as unknown as KubeObject);
  // A new leader gives no port away in its first minute.
  await stage.advance(60_000);
  await stage.create(runnerApps, web);
  await stage.advance(120_000);
  await stage.patchSpec(runnerApps, { namespace, name: "web" }, { replicas: 2 });
  await stage.advance(10_000);
  return stage;
}

/** What of the cluster an uninstallation is about. */
async function seen(stage: Stage) {
  const all = await stage.list<Pod & KubeObject>(pods, { namespace });
  const condition = ({ status }: Pod, wanted: string) => status?.conditions?.find(({ type }) => type === wanted)?.status;
  const slices = await stage.list<EndpointSlice>(endpointSlices, { namespace, labelSelector: `kubernetes.io/service-name in (api,old)` });
  const service = async (name: string) => stage.get<ServiceObject>(services, { namespace, name });
  const [api, old] = [await service("api"), await service("old")];
  const instances = all.filter(({ metadata }) => metadata.labels?.[labels.app] === "web");
  return {
    policies: (await Promise.all(policies.map((resource) => stage.list(resource)))).flat().length,
    budgets: (await stage.list(podDisruptionBudgets, { namespace })).length,
    gated: all
      .filter(({ spec }) => (spec.schedulingGates ?? []).some(({ name }) => name === queueGate))
      .map(({ metadata }) => metadata.name),
    running: all.filter(({ status }) => status?.phase === "Running").length,
    inService: instances.map((pod) => [condition(pod, serviceGate), condition(pod, "Ready")].join(" ")),
    api: { selector: api.spec.selector, targetPort: api.spec.ports?.[0]?.targetPort },
    old: { selector: old.spec.selector, labels: old.metadata.labels, annotations: old.metadata.annotations },
    ourSlices: slices.filter(({ metadata }) => metadata.labels?.[sliceManagerLabel] === "nuptse.dev").length,
    /** Endpoints of Kubernetes' own slices of api. */
    addresses: slices
      .filter(
        ({ metadata }) =>
          metadata.labels?.[sliceManagerLabel] !== "nuptse.dev" && metadata.labels?.["kubernetes.io/service-name"] === "api",
      )
      .flatMap(({ endpoints }) => endpoints ?? []).length,
  };
}

const busy = {
  policies: 4,
  budgets: 1,
  gated: ["b"],
  running: 4,
  inService: ["True True", "True True", "False False"],
  api: { selector: undefined, targetPort: 80 },
  ourSlices: 2,
  addresses: 0,
};

const free: Awaited<ReturnType<typeof seen>> = {
  policies: 0,
  budgets: 0,
  gated: [],
  running: 5,
  inService: ["True True", "True True", "True True"],
  api: { selector: { [labels.app]: "web" }, targetPort: "http" },
  old: { selector: { app: "old" }, labels: { team: "red" }, annotations: undefined },
  ourSlices: 0,
  addresses: 3,
};

let processes = 0;

/** `nuptse uninstall` as a process of its own. */
async function run(stage: Stage, more: { readonly client?: KubeClient; readonly limitMs?: number; readonly namespace?: string } = {}) {
  const said: string[] = [];
  const left = await uninstall({
    client: more.client ?? stage.client,
    clock: stage.clock,
    random: createSeededRandom(1),
    logger: silentLogger,
    namespace: more.namespace ?? operatorNamespace,
    deployment: "nuptse-operator",
    leaseName: "nuptse-operator",
    identity: `uninstall-${++processes}`,
    limitMs: more.limitMs ?? 60_000,
    say: (line) => said.push(line),
  });
  return { left, said };
}

/** A client whose process dies when its n-th write, but for those of its lease, has been done: nothing is answered any more. */
function mortal(client: KubeClient, diesAfter: number): { readonly client: KubeClient; readonly writes: () => number } {
  const verbs = new Set<string | symbol>(["create", "replace", "patch", "delete"]);
  const never = new Promise<never>(() => undefined);
  let writes = 0;
  const proxy = new Proxy(client, {
    get: (target, verb) => {
      const method = target[verb as keyof KubeClient] as (...args: readonly unknown[]) => Promise<unknown>;
      return async (resource: Resource, ...args: readonly unknown[]) => {
        if (writes >= diesAfter) return never;
        const counts = verbs.has(verb) && resource.plural !== "leases";
        if (counts) writes += 1;
        const isLast = writes >= diesAfter;
        const answer = await method.call(target, resource, ...args);
        return counts && isLast ? never : answer;
      };
    },
  });
  return { client: proxy, writes: () => writes };
}

describe("simulation of an uninstallation", function () {
  this.timeout(120_000);
  let stage: Stage;
  let writes = 0;

  afterEach(() => stage?.close());

  it("frees what waits, and nothing of it is undone", async () => {
    stage = await busyCluster();
    const { old: _, ...before } = await seen(stage);
    assert.deepEqual(before, { ...busy, inService: before.inService });
    assert.deepEqual([...before.inService].sort(), [...busy.inService].sort());
    const counted = mortal(stage.client, Number.POSITIVE_INFINITY);
    const { left, said } = await stage.during(() => run(stage, { client: counted.client }));
    writes = counted.writes();
    assert.deepEqual(left, []);
    assert.deepEqual(said, [
      "policies and webhook configurations: 4 removed",
      "operator: Deployment kube-system/nuptse-operator is scaled to 0",
      "operator: nobody holds the Lease kube-system/nuptse-operator any more but this process",
      "PodDisruptionBudgets of fleets: 1 deleted",
      "pods that wait for a queue: 1 let go",
      "instances out of service: 1 put back into service",
      "published Services: 2 given back, or led to the instances themselves",
      "the claim on this cluster: 0 given up",
      "pods that were held meanwhile: 0 let go",
    ]);
    await stage.advance(30_000);
    assert.deepEqual(await seen(stage), free);
    await stage.advance(600_000);
    assert.deepEqual(await seen(stage), free);
    await stage.create(pods, queuedPod("late"));
    await stage.advance(10_000);
    assert.deepEqual(await seen(stage), { ...free, running: 6 });
    assert.equal((await stage.get<RunnerApp & KubeObject>(runnerApps, { namespace, name: "web" })).spec.replicas, 2);
  });

  it("done twice it does nothing more", async () => {
    stage = await busyCluster();
    await stage.during(() => run(stage));
    const { left, said } = await stage.during(() => run(stage));
    assert.deepEqual(left, []);
    assert.deepEqual(
      said.filter((line) => /: [1-9]/.test(line)),
      [],
    );
  });

  it("dying after any of its writes does no harm: another run does the rest", async function () {
    this.timeout(300_000);
    assert.ok(writes > 10, `${writes} writes`);
    for (let diesAfter = 1; diesAfter < writes; diesAfter++) {
      stage = await busyCluster();
      const first = mortal(stage.client, diesAfter);
      void run(stage, { client: first.client }).catch(() => undefined);
      await stage.advance(60_000);
      assert.equal(first.writes(), diesAfter);
      const { left } = await stage.during(() => run(stage));
      assert.deepEqual(left, [], `after write ${diesAfter}`);
      await stage.advance(30_000);
      assert.deepEqual(await seen(stage), free, `after write ${diesAfter}`);
      await stage.close();
    }
  });

  it("an operator that goes on leads, and is told of: what it would undo is not done", async () => {
    stage = await busyCluster({ obeys: false });
    const refused = await stage.during(() => run(stage, { limitMs: 30_000 }).catch(String));
    assert.equal(refused, "Error: operator: operator-1 still leads; end it. Nothing else was done, since it would be undone");
    assert.equal((await seen(stage)).budgets, 1);
  });

  it("where the operator's namespace is gone already, the rest is done all the same", async () => {
    stage = await busyCluster();
    stage.killOperator();
    const { left, said } = await stage.during(() => run(stage, { namespace: "gone" }));
    assert.deepEqual(left, []);
    assert.equal(said[1], "operator: there is none in the namespace gone");
    await stage.advance(30_000);
    assert.deepEqual(await seen(stage), free);
  });

  it("installed again, the fleet is published again, and nothing of the time between is left", async () => {
    stage = await busyCluster();
    await stage.during(() => run(stage));
    await stage.advance(60_000);
    stage.startOperator();
    await stage.advance(180_000);
    const { budgets, api, ourSlices, addresses } = await seen(stage);
    assert.deepEqual([budgets, api.selector, ourSlices, addresses], [1, undefined, 2, 0]);
    const rows = (await stage.get<RunnerApp & KubeObject>(runnerApps, { namespace, name: "web" })).status?.services;
    assert.deepEqual(
      rows?.map(({ name, reason }) => `${name} ${reason}`),
      ["api Published", "old Published"],
    );
  });
});
