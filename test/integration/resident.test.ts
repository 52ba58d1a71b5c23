import assert from "node:assert/strict";
import { dump } from "js-yaml";
import type { Pod } from "../../src/api/core.ts";
import type { ElasticJob, ElasticJobSpec } from "../../src/api/elastic-job.gen.ts";
import { labels } from "../../src/api/names.ts";
import { elasticJobs, pods, runnerApps, secrets } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { recordsOf } from "../../src/elasticjob/rules/resident/dispatch-record.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { FakeExecutors } from "./support/executors.ts";
import { eventually } from "./support/eventually.ts";
import { onceAt, armedSecond } from "./support/jobs.ts";
import { LocalOperator } from "./support/local-operator.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const namespace = "resident";
const port = 18_080;

function fleet(name: string, executor: RunnerApp["spec"]["executor"]): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: {
      replicas: 3,
      template: {
        metadata: { annotations: { "test/script": JSON.stringify({ runMs: "forever", startMs: [50, 50] }) } },
        spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image: "workers:1" }] },
      },
      ...(executor !== undefined && { executor }),
    },
  };
}

function job(name: string, spec: Partial<ElasticJobSpec>, handler = "quick", runner = "workers"): ElasticJob {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, namespace },
    spec: { runnerRef: { name: runner, handler }, ...spec },
  } as ElasticJob;
}

/** The operator in this process, against a real API server, with executors at the pods' addresses. */
describe("resident jobs on a real control plane", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace] });
  let executors: FakeExecutors;
  let kubectl: Kubectl;
  const operator = new LocalOperator(() => cluster().plane.kubeconfig);

  before("start the operator and a fleet", async function () {
    this.timeout(timeLimits.test);
    kubectl = await cluster().kubectl(namespace);
    await operator.start();
    await cluster().client.create(runnerApps, fleet("workers", { port, capacity: 4 }));
    executors = new FakeExecutors(cluster().client, namespace, labels.app, port);
    await kubectl.ok(["wait", "ra/workers", "--for=condition=Ready", "--timeout=60s"]);
  });
  after("end them", async function () {
    this.timeout(timeLimits.operatorEnd);
    await operator.kill();
    await executors?.close();
  });

  const create = (made: ElasticJob) => cluster().client.create(elasticJobs, made);
  const tasksOf = (run: string) => executors.log.filter((task) => task.run === run);
  const ended = (name: string) =>
    cluster().until(namespace, name, "a run to end", ({ status }) => status?.history?.[0] !== undefined, timeLimits.run);

  it("every item is done once, by whom status named before, and no pod is made", async () => {
    const unrecorded: string[] = [];
    executors.onTask = async ({ job: name, run, item, instance }) => {
      const { status } = await cluster().job(namespace, name);
      const records = recordsOf(status?.active?.find((entry) => entry.run === run) ?? { run });
      if (!records.some((record) => record.item === item && record.instance === instance)) unrecorded.push(`${run}/${item} at ${instance}`);
    };
    await create(
      job("prices", {
        schedule: onceAt(armedSecond()),
        sharding: { total: 10, parameters: Array.from({ length: 10 }, (_, item) => `p${item}`) },
      }),
    );
    const { status, metadata } = await ended("prices");
    executors.onTask = async () => undefined;
    const [run] = status?.history ?? [];
    assert.equal(run?.phase, "Succeeded", JSON.stringify(run));
    assert.deepEqual(unrecorded, []);
    assert.deepEqual(
      tasksOf(run?.run as string)
        .map(({ item }) => item)
        .sort((left, right) => left - right),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    assert.equal(new Set(tasksOf(run?.run as string).map(({ instance }) => instance)).size, 3);
    assert.equal(status?.results?.items?.length, 10);
    assert.equal(status?.assignments?.instances?.length, 3);
    const { items } = await cluster().client.list<Pod>(pods, { namespace, labelSelector: `${labels.jobUid}=${metadata.uid}` });
    assert.equal(items.length, 0);
  });

  it("an instance that is deleted gives its item to another, which begins after its end", async () => {
    const retry = { sameNode: 0, backoff: { initialSeconds: 1, factor: 1, maxSeconds: 1 } };
    const { metadata } = await create(job("moved", { schedule: onceAt(armedSecond()), retry }, "slow"));
    const tasks = () => executors.log.filter(({ id }) => id.startsWith(`${metadata.uid}/`));
    const first = await eventually("the item to begin", timeLimits.run, async () => tasks()[0]);
    const { items } = await cluster().client.list<Pod>(pods, { namespace, labelSelector: labels.app });
    const pod = items.find((each) => each.metadata.uid === first.instance) as Pod;
    await cluster().client.delete(pods, { namespace, name: pod.metadata.name }, { uid: first.instance });
    const { status } = await ended("moved");
    assert.equal(status?.history?.[0]?.phase, "Succeeded", JSON.stringify(status?.history));
    assert.equal(status?.history?.[0]?.lost, 1);
    assert.equal(tasks().length, 2);
    assert.notEqual(tasks()[1]?.instance, first.instance);
    assert.ok((first.to as number) <= (tasks()[1]?.from as number), "never on two instances");
  });

  it("an operator that dies leaves its tasks at work, and the next one takes them up", async () => {
    await create(job("taken-over", { schedule: onceAt(armedSecond()), sharding: { total: 6 } }, "slow"));
    const run = await eventually("all items to begin", timeLimits.run, async () => {
      const { metadata, status } = await cluster().job(namespace, "taken-over");
      const tasks = executors.log.filter(({ id }) => id.startsWith(`${metadata.uid}/`));
      if (tasks.length === 6) return tasks[0]?.run as string;
      throw new Error(`${tasks.length} have; the status is ${JSON.stringify(status, undefined, 1)}`);
    });
    await operator.kill();
    await operator.start();
    const { status } = await ended("taken-over");
    assert.equal(status?.history?.[0]?.phase, "Succeeded", JSON.stringify(status?.history));
    assert.equal(tasksOf(run).length, 6, "none was done twice");
  });

  it("a run that is cancelled ends when its executors say so", async () => {
    await create(job("cancelled", { schedule: onceAt(armedSecond()), runTimeoutSeconds: 2 }, "endless"));
    const { status } = await ended("cancelled");
    assert.equal(status?.history?.[0]?.phase, "Failed");
    assert.equal(status?.history?.[0]?.reason, "RunTimeout");
  });

  it("a token is read from its Secret, and waited for; the fleet takes only jobs that it allows", async () => {
    const executor = {
      port,
      tokenSecretRef: { name: "workers-token", key: "token" },
      allowedJobs: { selector: { matchLabels: { team: "a" } } },
    };
    await cluster().client.create(runnerApps, fleet("guarded", executor));
    await kubectl.ok(["wait", "ra/guarded", "--for=condition=Ready", "--timeout=60s"]);
    const made = job("with-token", { schedule: onceAt(armedSecond()) }, "quick", "guarded");
    await create(made);
    const waits = await cluster().until(
      namespace,
      "with-token",
      "to wait",
      ({ status }) => status?.active?.[0]?.reason === "RunnerRefuses",
    );
    assert.match(waits.status?.active?.[0]?.message ?? "", /team=a/);
    await cluster().client.patch(
      elasticJobs,
      { namespace, name: "with-token" },
      { type: "merge", body: { metadata: { labels: { team: "a" } } } },
    );
    await cluster().until(namespace, "with-token", "to miss its token", ({ status }) =>
      status?.active?.[0]?.progress?.[0]?.trouble?.includes("the Secret does not exist"),
    );
    const data = { token: Buffer.from("s3cret-of-workers").toString("base64") };
    await cluster().client.create(secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "workers-token", namespace },
      data,
    } as never);
    const { status, metadata } = await cluster().until(
      namespace,
      "with-token",
      "to end",
      (found) => found.status?.history?.[0] !== undefined,
      2 * timeLimits.run,
    );
    assert.equal(status?.history?.[0]?.phase, "Succeeded");
    assert.equal(executors.log.find(({ id }) => id.startsWith(`${metadata.uid}/`))?.token, "Bearer s3cret-of-workers");
    assert.ok(!JSON.stringify(status).includes("s3cret"));
  });

  const bad: readonly { readonly name: string; readonly spec: object; readonly words: RegExp }[] = [
    {
      name: "neither a template nor a runner",
      spec: { schedule: { crons: ["@daily"] } },
      words: /exactly one of template .* and runnerRef/,
    },
    {
      name: "both",
      spec: { runnerRef: { name: "a", handler: "b" }, template: { spec: { containers: [{ name: "c", image: "d" }] } } },
      words: /exactly one of template .* and runnerRef/,
    },
    { name: "a runner without a handler", spec: { runnerRef: { name: "a" } }, words: /spec\.runnerRef\.handler: Required value/ },
    {
      name: "a reduce of items that have no pods",
      spec: {
        runnerRef: { name: "a", handler: "b" },
        reduce: { template: { spec: { containers: [{ name: "c", image: "d" }] } } },
      },
      words: /spec\.reduce: .*is made of a pod, and a job with runnerRef has none; leave it out/,
    },
    {
      name: "a broadcast of so many items",
      spec: { runnerRef: { name: "a", handler: "b" }, sharding: { total: 3, strategy: "Broadcast" } },
      words: /with strategy Broadcast there is one item for each instance/,
    },
    {
      name: "a strategy for pods",
      spec: { template: { spec: { containers: [{ name: "c", image: "d" }] } }, sharding: { strategy: "First" } },
      words: /leave it out where spec\.template is given/,
    },
    {
      name: "a strategy that does not exist",
      spec: { runnerRef: { name: "a", handler: "b" }, sharding: { strategy: "Random" } },
      words: /spec\.sharding\.strategy: Unsupported value: "Random"/,
    },
  ];
  for (const { name, spec, words } of bad)
    it(`the CRD refuses ${name}`, async () => {
      const manifest = { apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", metadata: { name: "bad", namespace }, spec };
      assert.match(await kubectl.fails(["create", "--validate=false", "-f", "-"], dump(manifest)), words);
    });
});
