import assert from "node:assert/strict";
import { join } from "node:path";
import { dump } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import type { Pod } from "../../src/api/core.ts";
import { type EndpointSlice, sliceManagerLabel } from "../../src/api/endpoint-slice.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { labels, queueGate, serviceGate } from "../../src/api/names.ts";
import { endpointSlices, pods, runnerApps, services } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { createHelm, type Helm } from "../cli/helm-transcripts.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { eventually } from "../integration/support/eventually.ts";
import type { OperatorProcess } from "../integration/support/operator-process.ts";
import { isRunning, ownTestCluster } from "../integration/support/test-cluster.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { skipUnless } from "../support/skip.ts";
import { accountKubeconfig, accountUser } from "./support/accounts.ts";
import { chart, find, objectsOf, releaseNamespace, requestsOf, root, valueArguments } from "./support/chart.ts";
import { startUninstall, type UninstallProcess } from "./support/uninstall-process.ts";
import { fleetToLeave } from "../support/builders/fleet-to-leave.ts";

const namespace = "work";
const user = accountUser(releaseNamespace, "nuptse-uninstall");
/** The pods of the chart are processes of this test. */
const values = { operator: { replicas: 0 }, gateway: { replicas: 0 }, trace: { enabled: false } };
const annotations = { "test/script": JSON.stringify({ runMs: "forever", startMs: [20, 20] }) };

const podSpec = (cpu: string) => ({
  terminationGracePeriodSeconds: 1,
  containers: [{ name: "main", image: "web:1", ports: [{ name: "http", containerPort: 8080 }], resources: { requests: { cpu } } }],
});

const queue = (name: string, spec: object) => ({ apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec });

/** Two pods of one cpu each in the queue "red". */
const queuedDeployment = (name: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name, [labels.queue]: "red" }, annotations }, spec: podSpec("1") },
  },
});

const web = fleetToLeave(namespace, { metadata: { annotations }, spec: podSpec("100m") });

interface ServiceObject extends KubeObject {
  readonly spec: { readonly selector?: object; readonly ports?: readonly { readonly targetPort?: unknown }[] };
}

describe("nuptse uninstall on a real control plane", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ bare: true, namespaces: [namespace] });
  const binaries = skipUnless(() => ensureBinaries(["helm", "kubectl"]));
  let kubectl: Kubectl;
  let helm: Helm;
  let operator: OperatorProcess;
  let kubeconfig: string;
  let uninstalling: UninstallProcess;

  const applyIn = (target: string, ...objects: readonly object[]) =>
    kubectl.ok(["apply", "-n", target, "--server-side", "-f", "-"], objects.map((object) => dump(object)).join("---\n"));
  const apply = (...objects: readonly object[]) => applyIn(namespace, ...objects);
  const podsOf = async (labelSelector: string): Promise<readonly (Pod & KubeObject)[]> =>
    (await cluster().client.list<Pod & KubeObject>(pods, { namespace, labelSelector })).items.filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
  const isGated = ({ spec }: Pod) => (spec.schedulingGates ?? []).some(({ name }) => name === queueGate);
  const condition = ({ status }: Pod, wanted: string) => status?.conditions?.find(({ type }) => type === wanted)?.status;
  const untilRunning = (app: string, count: number) =>
    eventually(
      `${count} pods of ${app} to run`,
      timeLimits.settled,
      async () => (await podsOf(`app=${app}`)).filter(isRunning).length === count,
    );
  const service = (name: string) => cluster().client.get<ServiceObject>(services, { namespace, name });
  const slicesOf = async (name: string) =>
    (await cluster().client.list<EndpointSlice>(endpointSlices, { namespace, labelSelector: `kubernetes.io/service-name=${name}` })).items;
  const budgets = () => kubectl.ok(["get", "pdb", "-n", namespace, "-o", "name"]);
  /** Whether an instance may be evicted. */
  const evict = async () => {
    const [victim] = (await podsOf(`${labels.app}=web`)).filter((pod) => condition(pod, "Ready") === "True");
    const name = victim?.metadata.name ?? "none";
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
    return cluster().plane.client.send({ method: "POST", path: `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, body: eviction });
  };
  const plainPod = (name: string) => kubectl.ok(["run", name, "-n", namespace, "--image=busybox:1.37", "--dry-run=server", "-o", "name"]);

  before("install the chart, and have everything under way that must come to an end", async function () {
    this.timeout(timeLimits.test);
    const { plane } = cluster();
    kubectl = await cluster().kubectl(namespace);
    helm = await createHelm(binaries().helm, plane.kubeconfigContent, releaseNamespace);
    await helm.ok(["install", "nuptse", chart, "--create-namespace", ...valueArguments({ ...values, queueGate: "Policy" })]);
    // No network of Services leads to processes of this machine. The other gate, which is for older API servers, is there as well, and matches nothing.
    const nowhere = [{ op: "replace", path: "/webhooks/0/clientConfig", value: { url: "https://127.0.0.1:1/validate" } }];
    await kubectl.ok(["patch", "validatingwebhookconfiguration", "nuptse", "--type=json", "-p", JSON.stringify(nowhere)]);
    const gate = find(await objectsOf(binaries().helm, { queueGate: "Webhook" }), "MutatingWebhookConfiguration", "nuptse");
    const { webhooks } = gate as unknown as { readonly webhooks: readonly object[] };
    await apply({ ...gate, webhooks: webhooks.map((webhook) => ({ ...webhook, rules: [] })) });
    await eventually("the account default", timeLimits.reaction, () => kubectl.ok(["get", "sa", "default", "-n", releaseNamespace]));
    await applyIn(releaseNamespace, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "gateway-0", namespace: releaseNamespace, labels: { [labels.gateway]: "true" }, annotations },
      spec: podSpec("100m"),
    });
    operator = await cluster().operator("unused", {
      kubeconfig: await accountKubeconfig(plane, kubectl, releaseNamespace, "nuptse-operator"),
      args: ["--lease-namespace", releaseNamespace],
    });
    await operator.leading();
    await kubectl.ok(["label", "namespace", namespace, "team=red"]);
    const namespaceSelector = { matchLabels: { team: "red" } };
    await apply(
      queue("corp", { capacity: { resources: { cpu: "10", memory: "40Gi", pods: "100" } } }),
      queue("red", { parent: "corp", max: { cpu: "1" }, namespaceSelector }),
    );
    await eventually("the policies to be in force", timeLimits.run, async () => {
      const made = JSON.parse(
        await kubectl.ok(
          ["create", "-f", "-", "--dry-run=server", "-o", "json"],
          dump({ apiVersion: "v1", kind: "Pod", metadata: { name: "probe", labels: { [labels.queue]: "red" } }, spec: podSpec("1") }),
        ),
      ) as Pod;
      return isGated(made);
    });
    await apply(queuedDeployment("early"), {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "old", namespace, labels: { team: "red" } },
      spec: { selector: { app: "early" }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await untilRunning("early", 1);
    await apply(web);
    await eventually("both services to be published", timeLimits.settled, async () => {
      const { status } = await cluster().client.get<RunnerApp & KubeObject>(runnerApps, { namespace, name: "web" });
      const reasons = (status?.services ?? []).map(({ reason }) => reason);
      assert.deepEqual(reasons, ["Published", "Published"]);
      return true;
    });
    await eventually("all instances to serve", timeLimits.settled, async () => {
      const all = await podsOf(`${labels.app}=web`);
      return all.length === 3 && all.every((pod) => condition(pod, "Ready") === "True");
    });
    await apply({ ...web, spec: { ...web.spec, replicas: 2 } });
    await eventually("one to be drained", timeLimits.run, async () =>
      (await podsOf(`${labels.app}=web`)).some((pod) => condition(pod, serviceGate) === "False"),
    );
  });
  after("take helm's home away", async () => helm?.close());

  it("before it: a pod waits for its queue, nobody may evict an instance, and Services lead to the gateways", async () => {
    assert.deepEqual((await podsOf("app=early")).map(isGated).sort(), [false, true]);
    const refused = await eventually("the budget to be counted", timeLimits.reaction, async () => {
      const answer = await evict();
      return answer.status === 429 ? answer : undefined;
    });
    assert.match(refused.text, /disruption budget/);
    for (const name of ["api", "old"]) assert.equal((await service(name)).spec.selector, undefined, name);
  });

  it("by the account of deploy/uninstall it waits until the operator has let go of its Lease", async () => {
    const shipped = await kubectl.ok(["kustomize", join(root, "deploy/uninstall")]);
    const account = shipped.split(/^---\n/m).filter((text) => !/^kind: Job$/m.test(text));
    await kubectl.ok(["apply", "-n", releaseNamespace, "-f", "-"], account.join("---\n"));
    kubeconfig = await accountKubeconfig(cluster().plane, kubectl, releaseNamespace, "nuptse-uninstall");
    uninstalling = startUninstall(kubeconfig, "--namespace", releaseNamespace);
    await eventually("it to have scaled the operator", timeLimits.run, () => uninstalling.said.length >= 2);
    assert.deepEqual(uninstalling.said, [
      "policies and webhook configurations: 18 removed",
      `operator: Deployment ${releaseNamespace}/nuptse-operator is scaled to 0`,
    ]);
    assert.match(await budgets(), /poddisruptionbudget.policy\/web/);
    // As the kubelet ends its pod.
    assert.equal((await operator.stop()).code, 0);
  });

  it("then it does what it says, within its rights", async () => {
    const { code, complaints } = await uninstalling.end;
    assert.equal(complaints, "");
    assert.equal(code, 0);
    assert.deepEqual(uninstalling.said.slice(2), [
      `operator: nobody holds the Lease ${releaseNamespace}/nuptse-operator any more but this process`,
      "PodDisruptionBudgets of fleets: 1 deleted",
      "pods that wait for a queue: 1 let go",
      "instances out of service: 1 put back into service",
      "published Services: 2 given back, or led to the instances themselves",
      "the claim on this cluster: 1 given up",
      uninstalling.said.at(-2) ?? "",
      "the cluster works without nuptse now",
    ]);
    assert.match(uninstalling.said.at(-2) ?? "", /^pods that were held meanwhile: \d+ let go$/);
  });

  it("the pods that waited run", () => untilRunning("early", 2));

  it("a new Deployment with a queue's label starts", async () => {
    await apply(queuedDeployment("late"));
    await untilRunning("late", 2);
  });

  it("a published Service leads to the instances, and one that was taken over is what it was", async () => {
    const api = await service("api");
    assert.deepEqual([api.spec.selector, api.spec.ports?.[0]?.targetPort], [{ [labels.app]: "web" }, "http"]);
    const old = await service("old");
    assert.deepEqual(old.spec.selector, { app: "early" });
    assert.deepEqual(old.metadata.labels, { team: "red" });
    assert.equal(old.metadata.annotations?.["nuptse.dev/adopted"], undefined);
    await eventually("all instances in the slices of Kubernetes, and no gateway", timeLimits.run, async () => {
      const slices = await slicesOf("api");
      assert.deepEqual(
        slices.map(({ metadata }) => metadata.labels?.[sliceManagerLabel]),
        ["endpointslice-controller.k8s.io"],
      );
      const serving = slices.flatMap(({ endpoints, ports }) => (ports?.[0]?.port === 8080 ? (endpoints ?? []) : []));
      return serving.filter(({ conditions }) => conditions?.ready === true).length === 3;
    });
  });

  it("an instance may be evicted, and what users made is still there", async () => {
    assert.equal(await budgets(), "");
    const answer = await evict();
    assert.equal(answer.status, 201, answer.text);
    await kubectl.ok(["get", "ra/web", "tenantqueue/red", "-n", namespace]);
  });

  it("run again it finds nothing to do", async () => {
    const again = startUninstall(kubeconfig, "--namespace", releaseNamespace);
    assert.deepEqual(await again.end, { code: 0, complaints: "" });
    assert.deepEqual(
      again.said.filter((line) => /: [1-9]/.test(line)),
      [],
    );
  });

  it("it asked for nothing that it may not, and may nothing that it did not ask for", async () => {
    const rules = (await objectsOf(binaries().helm))
      .filter(({ metadata }) => metadata.name === "nuptse-uninstall")
      .flatMap((object) => object.rules ?? []);
    const granted = new Set(requestsOf(rules).map((request) => request.split(" ").slice(0, 2).join(" ")));
    const used = new Set<string>();
    for await (const { verb, objectRef, forbidden } of cluster().plane.auditEvents({ user })) {
      if (objectRef === undefined) continue;
      const { apiGroup, resource, subresource } = objectRef;
      const request = `${verb} ${apiGroup}/${subresource === "" ? resource : `${resource}/${subresource}`}`;
      assert.equal(forbidden, false, request);
      used.add(request);
    }
    assert.deepEqual(
      [...used].filter((request) => !granted.has(request)),
      [],
    );
    // Not by every run: what changed at the same time is read once more, a first Lease is made where no operator ever led, and no request shows "admit".
    const sometimes = ["get /pods", "get /services", "create coordination.k8s.io/leases", "admit nuptse.dev/tenantqueues"];
    assert.deepEqual([...granted].filter((request) => !used.has(request)).sort(), sometimes.filter((request) => !used.has(request)).sort());
  });

  it("helm uninstall takes the rest, which lacks some already, and leaves the definitions", async () => {
    await kubectl.ok(["delete", "-k", join(root, "deploy/uninstall"), "-n", releaseNamespace, "--ignore-not-found"]);
    await helm.ok(["uninstall", "nuptse", "--wait", "--timeout=90s"]);
    assert.equal((await kubectl.ok(["get", "crd", "-o", "name"])).match(/nuptse\.dev/g)?.length, 4);
    await kubectl.ok(["get", "ra/web", "-n", namespace]);
    const left = await kubectl.ok([
      "get",
      "clusterroles,clusterrolebindings,sa,roles,rolebindings,jobs",
      "-n",
      releaseNamespace,
      "-o",
      "name",
    ]);
    assert.doesNotMatch(left, /nuptse/);
  });

  it("plain pods are created also where the policies stand, and the definition of TenantQueues is gone", async () => {
    await kubectl.ok(["apply", "-f", join(root, "crds/queue-policies.yaml")]);
    await kubectl.ok(["delete", "crd", "tenantqueues.nuptse.dev", "--timeout=60s"]);
    // By and by the API server learns of both.
    for (let seconds = 0; seconds < 10; seconds++) {
      assert.match(await plainPod(`plain-${seconds}`), /pod\/plain-/);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    await kubectl.ok(["delete", "-f", join(root, "crds/queue-policies.yaml")]);
  });
});
