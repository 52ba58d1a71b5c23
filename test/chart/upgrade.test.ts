import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import type { CustomResourceDefinition, Pod } from "../../src/api/core.ts";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import type { JobRequest } from "../../src/api/job-request.gen.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { annotations, labels } from "../../src/api/names.ts";
import {
  controllerRevisions,
  customResourceDefinitions,
  elasticJobs,
  jobRequests,
  podDisruptionBudgets,
  pods,
  type Resource,
  runnerApps,
  tenantQueues,
} from "../../src/api/resource.ts";
import { parseTime } from "../../src/base/time.ts";
import { readCrds } from "../../src/simulator/harness/crds.ts";
import { createHelm, type Helm } from "../cli/helm-transcripts.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { eventually } from "../integration/support/eventually.ts";
import { elasticJob, every, secondFromNow } from "../integration/support/jobs.ts";
import type { OperatorProcess } from "../integration/support/operator-process.ts";
import { isRunning, ownTestCluster } from "../integration/support/test-cluster.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { assertExactlyOnce, fireTimesBetween } from "../integration/support/witness.ts";
import { skipUnless } from "../support/skip.ts";
import { accountKubeconfig } from "./support/accounts.ts";
import { baselineChart, baselineDefinitions, baselineObjects } from "./support/baseline.ts";
import { chart, releaseNamespace, valueArguments } from "./support/chart.ts";
import { olderProgram } from "./support/older-program.ts";

/** The pods of the chart are processes of this test, and no network of Services leads to them. */
const values = {
  operator: { replicas: 0 },
  gateway: { replicas: 0 },
  trace: { enabled: false },
  webhooks: { enabled: false },
  queueGate: "Policy",
};
const kinds: Readonly<Record<string, Resource>> = {
  ElasticJob: elasticJobs,
  JobRequest: jobRequests,
  RunnerApp: runnerApps,
  TenantQueue: tenantQueues,
};
const resourceOf = (kind = ""): Resource => kinds[kind] ?? assert.fail(`no kind ${kind} of ours`);
const steadySeconds = 3;
/** Pods that work until they are told to end. */
const endless = { runMs: "forever" } as const;

const template = (name: string, more: object = {}) => ({
  metadata: { labels: { app: name, ...more }, annotations: { "test/script": JSON.stringify(endless) } },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image: "web:1", resources: { requests: { cpu: "1" } } }] },
});

/** What must not change while an object is only looked at by another version. */
const identity = ({ metadata, ...object }: KubeObject) => ({
  name: metadata.name,
  uid: metadata.uid,
  generation: metadata.generation,
  spec: (object as { readonly spec?: unknown }).spec,
});

describe("an upgrade from the recorded version", function () {
  this.timeout(timeLimits.test + timeLimits.settled);
  const cluster = ownTestCluster({ bare: true, namespaces: ["work"] });
  const binaries = skipUnless(() => ensureBinaries(["helm", "kubectl"]));
  let kubectl: Kubectl;
  let helm: Helm;
  let folder: string;
  let kubeconfig: string;
  let older: OperatorProcess;
  let newer: OperatorProcess;
  let from = 0;
  let untouched: object;

  const apply = (object: object, namespace = "work") => kubectl.ok(["apply", "-n", namespace, "--server-side", "-f", "-"], dump(object));
  const ours = (kind: string, name: string, spec: object) => ({ apiVersion: "nuptse.dev/v1alpha1", kind, metadata: { name }, spec });
  const podsBy = async (labelSelector: string): Promise<readonly Pod[]> =>
    (await cluster().client.list<Pod>(pods, { namespace: "work", labelSelector })).items;
  const running = (labelSelector: string, count: number) =>
    eventually(`${count} pods of ${labelSelector} to run`, timeLimits.run, async () => {
      const all = await podsBy(labelSelector);
      return all.filter(isRunning).length === count ? all : undefined;
    });
  const all = async (resource: Resource, namespace?: string) =>
    (await cluster().client.list<KubeObject>(resource, namespace === undefined ? {} : { namespace })).items;
  const operator = (program?: string) =>
    cluster().operator("unused", {
      kubeconfig,
      lease: "4/3/1",
      args: ["--lease-namespace", releaseNamespace, "--deployment", "nuptse-operator"],
      ...(program !== undefined && { program }),
    });

  /** All that an operator of another version must leave alone. */
  async function standing(): Promise<object> {
    const atWork = [...(await podsBy(`${labels.job}=long`)), ...(await podsBy(`${labels.app}=web`)), ...(await podsBy("app=queued"))];
    const made = [...(await all(controllerRevisions, "work")), ...(await all(podDisruptionBudgets, "work"))];
    const specs = [...(await all(elasticJobs, "work")), ...(await all(runnerApps, "work")), ...(await all(tenantQueues))];
    return {
      pods: atWork
        .map(({ metadata, spec, status }) => ({
          name: metadata.name,
          uid: metadata.uid,
          spec,
          restarts: status?.containerStatuses?.map(({ restartCount }) => restartCount),
        }))
        .sort((a, b) => a.name.localeCompare(b.name)),
      made: made.map(({ metadata }) => `${metadata.name} ${metadata.uid}`).sort(),
      specs: specs.map((object) => identity(object)),
    };
  }

  before("install the recorded chart, and run its operator as its account", async function () {
    this.timeout(timeLimits.test);
    kubectl = await cluster().kubectl("work");
    helm = await createHelm(binaries().helm, cluster().plane.kubeconfigContent, releaseNamespace);
    folder = await mkdtemp(join(tmpdir(), "nuptse-older-"));
    await helm.ok(["install", "nuptse", baselineChart, "--create-namespace", ...valueArguments(values)]);
    await eventually("the kinds to be discovered", timeLimits.reaction, () => kubectl.ok(["explain", "ej.spec.retry"]));
    kubeconfig = await accountKubeconfig(cluster().plane, kubectl, releaseNamespace, "nuptse-operator");
    older = await operator(await olderProgram(folder));
    await older.leading();
  });
  after("take away what was written beside the cluster", async () => {
    await helm?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it("the recorded version has jobs, fleets and queues at work", async () => {
    const { client } = cluster();
    from = secondFromNow(4000);
    const misfire = { onDowntime: "FireAll", onOverlap: "FireAll", limit: 20 } as const;
    const steady = { schedule: every(steadySeconds, from), misfire, sharding: { total: 2 }, script: { runMs: [200, 800] } } as const;
    await client.create(elasticJobs, elasticJob("work", "steady", steady));
    await client.create(elasticJobs, elasticJob("work", "long", { sharding: { total: 4 }, script: endless }));
    await client.create(elasticJobs, elasticJob("work", "asked", { script: { runMs: 100 } }));
    for (const jobName of ["long", "asked"])
      await apply(ours("JobRequest", `run-${jobName}`, { jobName, run: {}, requestedBy: "nuptse-admin" }));
    await apply(ours("RunnerApp", "web", { replicas: 3, inPlace: "IfPossible", template: template("web") }));
    await kubectl.ok(["label", "namespace", "work", "team=red"]);
    await apply(ours("TenantQueue", "corp", { capacity: { resources: { cpu: "10", memory: "40Gi", pods: "100" } } }));
    await apply(ours("TenantQueue", "red", { parent: "corp", max: { cpu: "2" }, namespaceSelector: { matchLabels: { team: "red" } } }));
    const selector = { matchLabels: { app: "queued" } };
    const spec = { replicas: 3, selector, template: template("queued", { [labels.queue]: "red" }) };
    await eventually("the gate to be in force", timeLimits.reaction, async () => {
      const probe = { apiVersion: "v1", kind: "Pod", ...template("probe", { [labels.queue]: "red" }) };
      const made = await kubectl.ok(
        ["create", "-n", "work", "--dry-run=server", "-o", "json", "-f", "-"],
        dump({ ...probe, metadata: { ...probe.metadata, name: "probe" } }),
      );
      return made.includes("schedulingGates");
    });
    await apply({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "queued" }, spec });
    await running(`${labels.job}=long`, 4);
    await running("app=queued", 2);
    await kubectl.ok(["wait", "ra/web", "-n", "work", "--for=condition=Ready", "--timeout=90s"]);
    await eventually("the request to have succeeded", timeLimits.run, async () => {
      const request = await client.get<JobRequest>(jobRequests, { namespace: "work", name: "run-asked" });
      return request.status?.phase === "Succeeded";
    });
    untouched = await standing();
  });

  it("helm upgrade brings the definitions of today while it works", async () => {
    await helm.ok(["upgrade", "nuptse", chart, ...valueArguments(values)]);
    const { stdout } = await kubectl.run(["get", "crd", "elasticjobs.nuptse.dev", "-o", "json"]);
    const runnerRef = ["properties", "spec", "properties", "runnerRef"];
    let schema = JSON.parse(stdout).spec.versions[0].schema.openAPIV3Schema;
    for (const key of runnerRef) schema = schema[key];
    assert.equal(schema.type, "object");
    assert.equal(older.ended, false, older.text);
  });

  it("the operator of today stands by, takes over, and claims the cluster", async () => {
    newer = await operator();
    await newer.ready();
    assert.equal(newer.leads, false);
    const ends = older.stop();
    await newer.leading();
    // A version that has stopped and does not end is killed, as the kubelet does after the grace period.
    await ends.catch(() => older.kill());
    assert.match(older.text, /operator has stopped/);
    const { metadata } = await cluster().client.get(customResourceDefinitions, { name: "elasticjobs.nuptse.dev" });
    assert.equal(metadata.annotations?.[annotations.installation], `${releaseNamespace}/nuptse-operator`);
  });

  it("fires what is due, each once: before, while and after", async () => {
    const after = Date.now() + 3 * steadySeconds * 1000;
    const handled = (job: ElasticJob) => (parseTime(job.status?.lastHandledFireTime) ?? 0) >= after;
    const over = (job: ElasticJob) => job.status?.active?.every(({ fireTime }) => (parseTime(fireTime) ?? 0) > after) ?? true;
    await cluster().until("work", "steady", "to have handled some more", (job) => handled(job) && over(job), timeLimits.settled);
    const fireTimes = fireTimesBetween(steadySeconds, from, after);
    await assertExactlyOnce(cluster(), { namespace: "work", job: "steady", fireTimes, items: 2 });
    const asked = cluster()
      .world.ledger.records()
      .filter(({ namespace, job }) => namespace === "work" && job === "asked");
    assert.equal(asked.length, 1, "pods of a run that was asked for once, and had ended");
  });

  it("nothing is restarted, replaced or rewritten", async () => {
    assert.deepEqual(await standing(), untouched);
  });

  it("a second upgrade to the same version changes nothing, and the claim stays", async () => {
    await helm.ok(["upgrade", "nuptse", chart, ...valueArguments(values)]);
    const { metadata } = await cluster().client.get(customResourceDefinitions, { name: "elasticjobs.nuptse.dev" });
    assert.equal(metadata.annotations?.[annotations.installation], `${releaseNamespace}/nuptse-operator`);
    assert.deepEqual(await standing(), untouched);
  });

  it("what was begun by the recorded version is ended by this one: runs, fleets, queues", async () => {
    const { client } = cluster();
    const { status } = await cluster().job("work", "long");
    const run = status?.active?.[0]?.run ?? assert.fail("the run is not active");
    await apply(ours("JobRequest", "cancel-long", { jobName: "long", cancel: { run }, requestedBy: "nuptse-admin" }));
    await cluster().ended("work", "long", run);
    assert.equal(
      cluster()
        .world.ledger.records()
        .filter(({ job }) => job === "long").length,
      4,
      "attempts of its four items",
    );

    const old = new Set((await podsBy(`${labels.app}=web`)).map(({ metadata }) => metadata.uid));
    await client.patch(runnerApps, { namespace: "work", name: "web" }, { type: "merge", body: { spec: { replicas: 4 } } });
    const web = await running(`${labels.app}=web`, 4);
    assert.equal(web.filter(({ metadata }) => old.has(metadata.uid)).length, 3);

    await client.patch(tenantQueues, { name: "red" }, { type: "merge", body: { spec: { max: { cpu: "3" } } } });
    await running("app=queued", 3);
    assert.deepEqual(
      newer.lines.filter(({ level }) => level === "error" || level === "text"),
      [],
    );
  });
});

describe("objects that were stored under the recorded definitions", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ bare: true, namespaces: ["stored"] });
  const stored = new Map<string, KubeObject>();

  before("install the recorded definitions, store the examples of then, install today's definitions", async function () {
    this.timeout(timeLimits.test);
    const { client } = cluster();
    for (const definition of baselineDefinitions()) await client.create(customResourceDefinitions, definition);
    for (const object of baselineObjects()) {
      const resource = resourceOf(object.kind);
      const metadata = resource.namespaced ? { ...object.metadata, namespace: "stored" } : object.metadata;
      const key = `${object.kind} ${object.metadata.name}`;
      if (stored.has(key)) continue;
      const made = await eventually(`${key} to be taken`, timeLimits.reaction, () => client.create(resource, { ...object, metadata }));
      stored.set(key, made);
    }
    for (const { metadata, spec } of readCrds()) {
      const held = await client.get<CustomResourceDefinition>(customResourceDefinitions, { name: metadata.name });
      await client.replace(customResourceDefinitions, { ...held, spec });
    }
    await eventually("the definitions of today to be served", timeLimits.reaction, async () => {
      const probe = { ...elasticJob("stored", "probe", {}), spec: { runnerRef: { name: "x", handler: "y" } } };
      return client.create(elasticJobs, probe as unknown as ElasticJob, { dryRun: true });
    });
  });

  const read = (object: KubeObject) => cluster().client.get<KubeObject>(resourceOf(object.kind), object.metadata);

  it("are read as they were, but for defaults of new fields", async () => {
    assert.ok(stored.size >= 20, `${stored.size} objects`);
    for (const [key, object] of stored) assert.deepEqual(identity(await read(object)), identity(object), key);
  });

  it("can be replaced by themselves, labelled, and told about in their status", async () => {
    const { client } = cluster();
    for (const [key, { kind, metadata: ref }] of stored) {
      const resource = resourceOf(kind);
      const now = await client.get<KubeObject>(resource, ref);
      const labelled = await client.patch<KubeObject>(resource, ref, { type: "merge", body: { metadata: { labels: { touched: "yes" } } } });
      const replaced = await client.replace<KubeObject>(resource, labelled, { fieldValidation: "Strict" });
      const body = { status: { observedGeneration: replaced.metadata.generation } };
      await client.patch(resource, ref, { type: "merge", body }, { subresource: "status" });
      assert.deepEqual(identity(await client.get(resource, ref)), identity(now), key);
    }
  });
});
