import assert from "node:assert/strict";
import { dump } from "js-yaml";
import type { Pod } from "../../src/api/core.ts";
import type { ElasticJob, ElasticJobSpec } from "../../src/api/elastic-job.gen.ts";
import type { EndpointSlice, SliceEndpoint } from "../../src/api/endpoint-slice.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { deployments, elasticJobs, endpointSlices, pods, runnerApps, services } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { eventually } from "./support/eventually.ts";
import { type ExecutedTask, FakeExecutors } from "./support/executors.ts";
import { armedSecond, onceAt } from "./support/jobs.ts";
import { LocalOperator } from "./support/local-operator.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const namespace = "foreign";
const port = 18_081;
/** Virtual machines, so to speak: processes of this machine stand for them on its loopback. */
const machines = ["10.200.0.7", "10.200.0.8"] as const;

function fleet(name: string, serviceName: string, executor: object = {}): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: { endpoints: { serviceName }, executor: { port, capacity: 4, ...executor } },
  } as RunnerApp;
}

function service(name: string, spec: object): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { ports: [{ name: "http", port }], ...spec },
  } as unknown as KubeObject;
}

function sliceOf(endpoints: readonly SliceEndpoint[]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "machines-1", namespace, labels: { "kubernetes.io/service-name": "machines" } },
    addressType: "IPv4",
    endpoints,
    ports: [{ name: "http", port }],
  };
}

const listed = (...addresses: readonly string[]): readonly SliceEndpoint[] =>
  addresses.map((address) => ({ addresses: [address], conditions: { ready: true } }));

/** The operator in this process, against a real API server whose own controller keeps the slices of pods. */
describe("jobs at fleets that somebody else runs, on a real control plane", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace] });
  const operator = new LocalOperator(() => cluster().plane.kubeconfig);
  let executors: FakeExecutors;
  let kubectl: Kubectl;

  before("start the operator and executors", async function () {
    this.timeout(timeLimits.test);
    kubectl = await cluster().kubectl(namespace);
    executors = new FakeExecutors(cluster().client, namespace, "role=executor", port);
    for (const address of machines) executors.addMachine(address);
    await operator.start();
  });
  after("end them", async function () {
    this.timeout(timeLimits.operatorEnd);
    await operator.kill();
    await executors?.close();
  });

  async function create(name: string, runner: string, handler: string, spec: Partial<ElasticJobSpec> = {}): Promise<ElasticJob> {
    return cluster().client.create(elasticJobs, {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "ElasticJob",
      metadata: { name, namespace },
      spec: { runnerRef: { name: runner, handler }, schedule: onceAt(armedSecond()), ...spec },
    } as ElasticJob);
  }
  const tasksOf = ({ metadata }: KubeObject): readonly ExecutedTask[] =>
    executors.log.filter(({ id }) => id.startsWith(`${metadata.uid}/`));
  const begun = (job: ElasticJob, count: number) =>
    eventually(`${count} items of ${job.metadata.name} to begin`, timeLimits.run, async () => {
      const tasks = tasksOf(job);
      if (tasks.length >= count) return tasks;
      throw new Error(JSON.stringify((await cluster().job(namespace, job.metadata.name)).status));
    });
  const ended = async (name: string) => {
    const { status } = await cluster().until(
      namespace,
      name,
      "a run to end",
      (job) => job.status?.history?.[0] !== undefined,
      timeLimits.run,
    );
    return status?.history?.[0];
  };

  describe("machines in an EndpointSlice that is kept by hand", () => {
    const list = (endpoints: readonly SliceEndpoint[]) =>
      cluster().client.patch(endpointSlices, { namespace, name: "machines-1" }, { type: "merge", body: { endpoints } });

    it("are waited for until the slice is there, and then share the items", async () => {
      await cluster().client.create(services, service("machines", {}));
      await cluster().client.create(runnerApps, fleet("machines", "machines"));
      const job = await create("prices", "machines", "quick", { sharding: { total: 5 } });
      const waits = await cluster().until(namespace, "prices", "to wait", ({ status }) => status?.active?.[0]?.reason === "NoInstance");
      assert.equal(waits.status?.active?.[0]?.phase, "Waiting");
      await cluster().client.create(endpointSlices, sliceOf(listed(...machines)));
      const run = await ended("prices");
      assert.equal(run?.phase, "Succeeded", JSON.stringify(run));
      const byItem = tasksOf(job).toSorted((one, other) => one.item - other.item);
      const [first, second] = machines;
      // Average: 5 over 2 is 0-1,4 and 2-3.
      assert.deepEqual(
        byItem.map(({ instance }) => instance),
        [first, first, second, second, first],
      );
    });

    it("one that is listed no more keeps what it works on, also when another operator leads, and gets nothing new until it is listed again", async () => {
      const job = await create("kept", "machines", "slow", { sharding: { total: 4 } });
      const tasks = await begun(job, 4);
      assert.equal(new Set(tasks.map(({ instance }) => instance)).size, 2);
      await list(listed(machines[0]));
      await operator.kill();
      await operator.start();
      const run = await ended("kept");
      assert.equal(run?.phase, "Succeeded", JSON.stringify(run));
      assert.equal(tasksOf(job).length, 4, "none was done twice");
      const after = await create("after", "machines", "quick", { sharding: { total: 3 } });
      assert.equal((await ended("after"))?.phase, "Succeeded");
      assert.deepEqual([...new Set(tasksOf(after).map(({ instance }) => instance))], [machines[0]]);
      await list(listed(...machines));
      const again = await create("again", "machines", "quick", { sharding: { strategy: "Broadcast" } });
      assert.equal((await ended("again"))?.phase, "Succeeded");
      assert.deepEqual(
        tasksOf(again)
          .map(({ instance }) => instance)
          .toSorted(),
        [...machines],
      );
    });
  });

  describe("pods of a Deployment", () => {
    before("make it", async () => {
      const labels = { tier: "workers" };
      const template = {
        metadata: {
          labels: { ...labels, role: "executor" },
          annotations: { "test/script": JSON.stringify({ runMs: "forever", startMs: [50, 50] }) },
        },
        spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image: "workers:1" }] },
      };
      await cluster().client.create(deployments, {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "workers", namespace },
        spec: { replicas: 2, selector: { matchLabels: labels }, template },
      } as unknown as KubeObject);
      await cluster().client.create(services, service("workers", { selector: labels }));
      await cluster().client.create(runnerApps, fleet("workers", "workers"));
      await kubectl.ok(["wait", "deployment/workers", "--for=condition=Available", "--timeout=60s"]);
      await kubectl.ok(["wait", "ra/workers", "--for=condition=Ready", "--timeout=60s"]);
    });

    it("are known by their UIDs, and their items move when they are gone, and not before", async () => {
      const job = await create("moved", "workers", "slow", {
        retry: { sameNode: 0, backoff: { initialSeconds: 1, factor: 1, maxSeconds: 1 } },
      });
      const [first] = (await begun(job, 1)) as readonly [ExecutedTask];
      const { items } = await cluster().client.list<Pod>(pods, { namespace, labelSelector: "tier=workers" });
      const pod = items.find(({ metadata }) => metadata.uid === first.instance) as Pod;
      assert.ok(pod !== undefined, `${first.instance} is no pod`);
      await cluster().client.delete(pods, { namespace, name: pod.metadata.name }, { uid: first.instance });
      const run = await ended("moved");
      assert.equal(run?.phase, "Succeeded", JSON.stringify(run));
      assert.deepEqual([run?.lost, tasksOf(job).length], [1, 2]);
      const [, next] = tasksOf(job);
      assert.notEqual(next?.instance, first.instance);
      assert.ok((first.to as number) <= (next?.from as number), "never on two instances");
    });

    it("that are taken out of the Service and live on keep their items", async () => {
      const job = await create("unlisted", "workers", "slow");
      const [first] = (await begun(job, 1)) as readonly [ExecutedTask];
      const { items } = await cluster().client.list<Pod>(pods, { namespace });
      const pod = items.find(({ metadata }) => metadata.uid === first.instance) as Pod;
      await cluster().client.patch(
        pods,
        { namespace, name: pod.metadata.name },
        { type: "merge", body: { metadata: { labels: { tier: "debugged" } } } },
      );
      const run = await ended("unlisted");
      assert.equal(run?.phase, "Succeeded", JSON.stringify(run));
      assert.equal(tasksOf(job).length, 1);
    });
  });

  it("the CRD takes executor with endpoints, and XxlJob only with a token", async () => {
    const refused = await kubectl.fails(["create", "-f", "-"], dump(fleet("bad", "machines", { protocol: "XxlJob" })));
    assert.match(refused, /spec\.executor: .*must have tokenSecretRef with protocol XxlJob/);
    const tokenSecretRef = { name: "token", key: "token" };
    await kubectl.ok(["create", "-f", "-"], dump(fleet("good", "machines", { protocol: "XxlJob", tokenSecretRef })));
  });
});
