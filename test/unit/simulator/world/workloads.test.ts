import assert from "node:assert/strict";
import { cronJobs, daemonSets, jobs, pods, type Resource, statefulSets } from "../../../../src/api/resource.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import type { PodScript } from "../../../../src/simulator/world/pod-script.ts";
import { createWorld } from "../../../../src/simulator/world/world.ts";
import { type Loose, SimulatedCluster } from "./simulated-cluster.ts";

const start = Date.parse("2026-11-20T16:00:00Z");
const forever: PodScript = { runMs: "forever" };

/** A cluster of three nodes on a clock of its own, whose pods do as they are told. */
async function aCluster(behaviour: (pod: Loose) => PodScript = () => forever) {
  const clock = new VirtualClock(start);
  const cluster = new SimulatedCluster(clock);
  const world = await createWorld({
    client: cluster.client,
    clock,
    random: createSeededRandom(1),
    nodes: ["n1", "n2", "n3"].map((name) => ({ name })),
    kubelet: { kind: "stages", behaviour },
  });
  let at = start;
  const all = (resource: Resource): Loose[] => {
    const root = resource.group === "" ? "/api/v1" : `/apis/${resource.group}/v1`;
    return (cluster.server.handle({ method: "GET", path: `${root}/namespaces/shop/${resource.plural}` }).body as Loose).items;
  };
  return {
    cluster,
    world,
    all,
    names: () =>
      all(pods)
        .map((pod) => pod.metadata.name)
        .sort(),
    async pass(seconds: number) {
      at += seconds * 1_000;
      await clock.runUntil(at);
    },
    async create(resource: Resource, spec: object) {
      await cluster.client.create(resource, { metadata: { namespace: "shop", name: "it" }, spec } as never);
    },
    async patch(resource: Resource, body: object) {
      await cluster.client.patch(resource, { namespace: "shop", name: "it" }, { type: "merge", body } as never);
    },
    read: (resource: Resource): Loose => all(resource).find((one) => one.metadata.name === "it"),
  };
}

const template = (image = "x:1", spec: object = {}) => ({
  metadata: { labels: { app: "it" } },
  spec: { containers: [{ name: "main", image }], ...spec },
});
const selected = (image?: string, spec?: object) => ({ selector: { matchLabels: { app: "it" } }, template: template(image, spec) });
const once = (more: object = {}) => ({ template: template("x:1", { restartPolicy: "Never" }), ...more });
const conditionsOf = (object: Loose): string[] =>
  (object.status.conditions ?? []).map((one: Loose) => `${one.type}=${one.status}:${one.reason}`).sort();

describe("a StatefulSet", () => {
  it("makes its pods in order, each when the one before is ready", async () => {
    const cluster = await aCluster((pod) => (pod.metadata.name === "it-1" ? { ...forever, startMs: 60_000 } : forever));
    await cluster.create(statefulSets, { replicas: 3, serviceName: "it", ...selected() });
    await cluster.pass(5);
    assert.deepEqual(cluster.names(), ["it-0", "it-1"]);
    await cluster.pass(65);
    assert.deepEqual(cluster.names(), ["it-0", "it-1", "it-2"]);
    const [pod] = cluster.all(pods);
    assert.deepEqual([pod.spec.hostname, pod.spec.subdomain, pod.metadata.labels["apps.kubernetes.io/pod-index"]], ["it-0", "it", "0"]);
    const { status } = cluster.read(statefulSets);
    assert.deepEqual([status.replicas, status.readyReplicas, status.currentRevision === status.updateRevision], [3, 3, true]);
  });

  it("gives a pod that goes its name and its claim back", async () => {
    const cluster = await aCluster();
    const claim = { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } };
    await cluster.create(statefulSets, { replicas: 1, serviceName: "it", ...selected(), volumeClaimTemplates: [claim] });
    await cluster.pass(5);
    const [before] = cluster.all(pods);
    await cluster.cluster.client.delete(pods, { namespace: "shop", name: "it-0" });
    await cluster.pass(60);
    const [after] = cluster.all(pods);
    assert.equal(after.metadata.name, "it-0");
    assert.notEqual(after.metadata.uid, before.metadata.uid);
    assert.deepEqual(after.spec.volumes, [{ name: "data", persistentVolumeClaim: { claimName: "data-it-0" } }]);
  });

  it("takes the highest away first when it gets smaller", async () => {
    const cluster = await aCluster();
    await cluster.create(statefulSets, { replicas: 3, serviceName: "it", podManagementPolicy: "Parallel", ...selected() });
    await cluster.pass(3);
    assert.deepEqual(cluster.names(), ["it-0", "it-1", "it-2"]);
    await cluster.patch(statefulSets, { spec: { replicas: 1 } });
    await cluster.pass(60);
    assert.deepEqual(cluster.names(), ["it-0"]);
  });

  it("goes to a new template from the highest down to the partition", async () => {
    const cluster = await aCluster();
    await cluster.create(statefulSets, { replicas: 3, serviceName: "it", ...selected() });
    await cluster.pass(10);
    const images = () => cluster.all(pods).map((pod) => pod.spec.containers[0].image);
    await cluster.patch(statefulSets, { spec: { template: template("x:2"), updateStrategy: { rollingUpdate: { partition: 1 } } } });
    await cluster.pass(180);
    assert.deepEqual(images(), ["x:1", "x:2", "x:2"]);
    const { status } = cluster.read(statefulSets);
    assert.deepEqual([status.currentReplicas, status.updatedReplicas], [1, 2]);
    await cluster.patch(statefulSets, { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } });
    await cluster.pass(90);
    assert.deepEqual(images(), ["x:2", "x:2", "x:2"]);
    const done = cluster.read(statefulSets).status;
    assert.equal(done.currentRevision, done.updateRevision);
  });
});

describe("a DaemonSet", () => {
  const nodesOf = (cluster: Awaited<ReturnType<typeof aCluster>>) =>
    cluster
      .all(pods)
      .map((pod) => pod.spec.nodeName)
      .sort();

  it("has a pod on every node, also on those that come and those that are cordoned", async () => {
    const cluster = await aCluster();
    await cluster.world.cordonNode("n2", true);
    await cluster.create(daemonSets, selected());
    await cluster.pass(5);
    assert.deepEqual(nodesOf(cluster), ["n1", "n2", "n3"]);
    await cluster.world.addNode({ name: "n4" });
    await cluster.pass(5);
    assert.deepEqual(nodesOf(cluster), ["n1", "n2", "n3", "n4"]);
    const { status } = cluster.read(daemonSets);
    assert.deepEqual(
      [status.desiredNumberScheduled, status.currentNumberScheduled, status.numberReady, status.numberAvailable, status.numberUnavailable],
      [4, 4, 4, 4, undefined],
    );
  });

  it("stays away from nodes that it does not choose or tolerate", async () => {
    const cluster = await aCluster();
    await cluster.cluster.client.patch({ ...pods, plural: "nodes", kind: "Node", namespaced: false }, { name: "n1" }, {
      type: "merge",
      body: { spec: { taints: [{ key: "team", value: "a", effect: "NoSchedule" }] } },
    } as never);
    await cluster.create(daemonSets, selected());
    await cluster.pass(5);
    assert.deepEqual(nodesOf(cluster), ["n2", "n3"]);
    await cluster.patch(daemonSets, { spec: { template: { spec: { nodeSelector: { disk: "fast" } } } } });
    await cluster.pass(60);
    assert.deepEqual(nodesOf(cluster), []);
  });

  it("goes to a new template with one node missing at most", async () => {
    const cluster = await aCluster();
    await cluster.create(daemonSets, selected());
    await cluster.pass(10);
    await cluster.patch(daemonSets, { spec: { template: template("x:2") } });
    let fewest = 3;
    for (let second = 0; second < 240; second++) {
      await cluster.pass(1);
      const kept = cluster.all(pods).filter((pod) => pod.metadata.deletionTimestamp === undefined && pod.status.phase === "Running");
      fewest = Math.min(fewest, kept.length);
    }
    assert.equal(fewest, 2);
    assert.deepEqual(
      cluster.all(pods).map((pod) => pod.spec.containers[0].image),
      ["x:2", "x:2", "x:2"],
    );
    assert.equal(cluster.read(daemonSets).status.updatedNumberScheduled, 3);
  });
});

describe("a Job", () => {
  it("runs so many pods to their end, no more than so many at once", async () => {
    const cluster = await aCluster(() => ({ runMs: 5_000 }));
    await cluster.create(jobs, once({ completions: 5, parallelism: 2 }));
    let most = 0;
    for (let second = 0; second < 60; second++) {
      await cluster.pass(1);
      most = Math.max(most, cluster.all(pods).filter((pod) => pod.status.phase === "Running" || pod.status.phase === "Pending").length);
    }
    const job = cluster.read(jobs);
    assert.equal(most, 2);
    assert.deepEqual([job.status.succeeded, job.status.active, job.status.failed], [5, undefined, undefined]);
    assert.deepEqual(conditionsOf(job), ["Complete=True:CompletionsReached", "SuccessCriteriaMet=True:CompletionsReached"]);
    assert.ok(cluster.all(pods).every((pod) => pod.metadata.finalizers === undefined));
  });

  it("tries again 10, 20, 40 s after a failure, and gives up after the limit", async () => {
    const cluster = await aCluster(() => ({ runMs: 1_000, exitCode: 1 }));
    await cluster.create(jobs, once({ backoffLimit: 2 }));
    await cluster.pass(9);
    assert.equal(cluster.all(pods).length, 1);
    await cluster.pass(10);
    assert.equal(cluster.all(pods).length, 2);
    await cluster.pass(60);
    assert.equal(cluster.all(pods).length, 3);
    const job = cluster.read(jobs);
    assert.equal(job.status.failed, 3);
    assert.deepEqual(conditionsOf(job), ["Failed=True:BackoffLimitExceeded", "FailureTarget=True:BackoffLimitExceeded"]);
  });

  it("fails when its time is up, and ends its pods", async () => {
    const cluster = await aCluster();
    await cluster.create(jobs, once({ activeDeadlineSeconds: 20, parallelism: 2, completions: 2 }));
    await cluster.pass(15);
    assert.equal(cluster.read(jobs).status.active, 2);
    await cluster.pass(60);
    assert.deepEqual(conditionsOf(cluster.read(jobs)), ["Failed=True:DeadlineExceeded", "FailureTarget=True:DeadlineExceeded"]);
    assert.deepEqual(cluster.names(), []);
  });

  it("ends its pods while it is suspended, which are no failures", async () => {
    const cluster = await aCluster();
    await cluster.create(jobs, once());
    await cluster.pass(5);
    await cluster.patch(jobs, { spec: { suspend: true } });
    await cluster.pass(60);
    assert.deepEqual(
      [cluster.names(), conditionsOf(cluster.read(jobs)), cluster.read(jobs).status.failed],
      [[], ["Suspended=True:JobSuspended"], undefined],
    );
    await cluster.patch(jobs, { spec: { suspend: false } });
    await cluster.pass(5);
    assert.equal(cluster.read(jobs).status.active, 1);
    assert.deepEqual(conditionsOf(cluster.read(jobs)), ["Suspended=False:JobResumed"]);
  });

  it("gives each pod an index, and that of a failed one to the next", async () => {
    let unlucky: string | undefined;
    const cluster = await aCluster((pod) => {
      const isSecond = pod.metadata.annotations["batch.kubernetes.io/job-completion-index"] === "1";
      if (isSecond) unlucky ??= pod.metadata.uid;
      return isSecond && pod.metadata.uid === unlucky ? { runMs: 1_000, exitCode: 1 } : { runMs: 1_000 };
    });
    await cluster.create(jobs, once({ completionMode: "Indexed", completions: 4, parallelism: 4 }));
    await cluster.pass(6);
    assert.equal(cluster.read(jobs).status.completedIndexes, "0,2,3");
    await cluster.pass(30);
    assert.equal(cluster.read(jobs).status.completedIndexes, "0-3");
    assert.deepEqual(
      cluster
        .all(pods)
        .map((pod) => pod.spec.hostname)
        .sort(),
      ["it-0", "it-1", "it-1", "it-2", "it-3"],
    );
  });

  it("goes with its pods, when it is deleted and when its time to live is over", async () => {
    const cluster = await aCluster(() => ({ runMs: 2_000 }));
    await cluster.create(jobs, once({ ttlSecondsAfterFinished: 30 }));
    await cluster.pass(20);
    assert.equal(conditionsOf(cluster.read(jobs)).length, 2);
    await cluster.pass(40);
    assert.deepEqual([cluster.read(jobs), cluster.names()], [undefined, []]);
    await cluster.create(jobs, once());
    await cluster.pass(1);
    await cluster.cluster.client.delete(jobs, { namespace: "shop", name: "it" });
    await cluster.pass(60);
    assert.deepEqual([cluster.read(jobs), cluster.names()], [undefined, []]);
  });
});

describe("a CronJob", () => {
  it("makes a Job each time, keeps the last ones, and none while one runs where that is forbidden", async () => {
    const cluster = await aCluster(() => ({ runMs: 90_000 }));
    await cluster.create(cronJobs, {
      schedule: "* * * * *",
      concurrencyPolicy: "Forbid",
      successfulJobsHistoryLimit: 1,
      jobTemplate: { spec: once() },
    });
    await cluster.pass(61);
    assert.equal(cluster.all(jobs).length, 1);
    assert.equal(cluster.read(cronJobs).status.lastScheduleTime, "2026-11-20T16:01:00Z");
    assert.equal(cluster.read(cronJobs).status.active.length, 1);
    await cluster.pass(60);
    assert.equal(cluster.all(jobs).length, 1, "the second has to wait for the first");
    await cluster.pass(600);
    assert.ok(cluster.all(jobs).length <= 2);
    assert.equal(cluster.all(jobs).filter((job) => job.status.succeeded === 1).length, 1);
  });
});
