import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { freePorts } from "../../hack/control-plane/free-ports.ts";
import type { Pod } from "../../src/api/core.ts";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import type { JobRequest } from "../../src/api/job-request.gen.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import {
  elasticJobs,
  jobRequests,
  pods,
  runnerApps,
  secrets,
  tenantQueues,
  validatingWebhookConfigurations,
} from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import type { TenantQueue, TenantQueueSpec } from "../../src/api/tenant-queue.gen.ts";
import { type ApiError, Invalid, Unavailable } from "../../src/kube/errors.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { eventually } from "./support/eventually.ts";
import { armedSecond, elasticJob, onceAt, runId } from "./support/jobs.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { grantedRequests } from "./support/operator-rights.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";
import { installWebhooks } from "./support/webhook-configurations.ts";

const namespace = "hooked";
const gate = { name: "nuptse.dev/queue" };
/** Renewed when it is 10 s old, with overlaps of 3 s: what takes 90 days passes while the tests run. */
const hastyRotation = "3600/3590/3";

const queue = (name: string, spec: TenantQueueSpec): TenantQueue => ({
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "TenantQueue",
  metadata: { name },
  spec,
});

const request = (name: string, spec: JobRequest["spec"]): JobRequest => ({
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "JobRequest",
  metadata: { name, namespace },
  spec,
});

type PodFields = Partial<Pod["spec"]> & { readonly schedulingGates?: readonly { readonly name: string }[] };
const gatesOf = (pod: Pod) => (pod.spec as PodFields).schedulingGates;

function pod(name: string, labels: Readonly<Record<string, string>>, fields: PodFields = {}): Pod {
  const spec = { containers: [{ name: "work", image: "busybox:1.37" }], restartPolicy: "Never", ...fields };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels }, spec } as Pod;
}

/** A queue that admits nothing, so that gates stay. */
const queued = { "nuptse.dev/queue": "closed" };

/** What the API server puts in front of a webhook's words. */
const denied = 'admission webhook "objects.nuptse.dev" denied the request: ';

describe("admission webhooks", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace] });
  let kubectl: Kubectl;
  let ports: readonly number[] = [];
  const operators: OperatorProcess[] = [];

  const start = async (name: string, port: number): Promise<OperatorProcess> => {
    const args = ["--webhook-bind-address", `127.0.0.1:${port}`, "--webhook-host", "127.0.0.1", "--lease-namespace", namespace];
    return cluster().operator(name, { lease: "4/3/1", args: [...args, "--webhook-certificate-seconds", hastyRotation] });
  };

  /** Starts both replicas; the first one leads. */
  async function startBoth(): Promise<void> {
    operators.length = 0;
    const [first, second] = ports as readonly [number, number];
    operators.push(await start("operator-a", first));
    await operators[0]?.leading();
    operators.push(await start("operator-b", second));
    for (const operator of operators) await operator.ready();
  }

  /** The operator wrote its authorities, and the API server took them up. */
  const answering = () =>
    eventually("the webhooks to be called", timeLimits.reaction, async () => {
      await assert.rejects(create(tenantQueues, queue("probe", { parent: "nowhere" }), true), Invalid);
      return (gatesOf(await create(pods, pod("probe", queued), true)) ?? []).length === 1;
    });

  const create = <T extends KubeObject>(
    resource: Parameters<ReturnType<typeof cluster>["client"]["create"]>[0],
    object: T,
    dryRun = false,
  ) => cluster().client.create<T>(resource, object, { dryRun });

  /** The message of a refusal, without the API server's own words. */
  async function refusal(write: Promise<unknown>): Promise<string> {
    const error = await write.then(
      () => assert.fail("was let through"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof Invalid, String(error));
    const message = error.statusObject?.message ?? "";
    assert.ok(message.startsWith(denied), message);
    return message.slice(denied.length);
  }

  const readyMessage = (object: ElasticJob | RunnerApp | TenantQueue) => {
    const ready = object.status?.conditions?.find(({ type }) => type === "Ready");
    return ready?.status === "False" && ready.reason !== "Progressing" ? ready.message : undefined;
  };

  before("start two replicas, and let them meet what is wrong before the webhooks are installed", async function () {
    this.timeout(timeLimits.test);
    kubectl = await cluster().kubectl(namespace);
    ports = await freePorts(2);
    await startBoth();
  });

  const wrongJob = (name: string) => elasticJob(namespace, name, { schedule: { crons: ["0 0 30 2 *"], timeZone: "Europe/Atlantis" } });
  const wrongApp = (name: string): RunnerApp => ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: { template: { spec: { containers: [{ name: "main", image: "Busy_Box" }] } }, selector: { matchLabels: { app: "web" } } },
  });
  const wrongQueues: Readonly<Record<string, TenantQueueSpec>> = {
    orphan: { parent: "nowhere" },
    ring: { parent: "chain" },
    chain: { parent: "ring" },
    greedy: { parent: "corp", guaranteed: { cpu: "2" }, max: { cpu: "1" } },
    unheard: { max: { gpu: 1 } },
  };

  it("is told of the same words as a condition, or as a request that has failed", async () => {
    await create(tenantQueues, queue("corp", { capacity: { resources: { cpu: "8", memory: "8Gi", pods: "50" } } }));
    await create(tenantQueues, queue("team", { parent: "corp", guaranteed: { cpu: "4" }, namespaceSelector: {} }));
    await create(tenantQueues, queue("closed", { parent: "corp", namespaceSelector: {}, stopPolicy: "Hold" }));
    await create(elasticJobs, wrongJob("early"));
    await create(runnerApps, wrongApp("early"));
    for (const [name, spec] of Object.entries(wrongQueues)) await create(tenantQueues, queue(name, spec));
    await create(jobRequests, request("early", { jobName: "early", suspend: { until: "2026-01-01T00:00:00Z" } }));
    const conditions = new Map<string, string>();
    const job = await cluster().until(namespace, "early", "to be not ready", (seen) => readyMessage(seen) !== undefined);
    conditions.set("early", readyMessage(job) as string);
    const appMessage = await eventually("the condition of the app", timeLimits.run, async () =>
      readyMessage(await cluster().client.get<RunnerApp>(runnerApps, { namespace, name: "early" })),
    );
    for (const name of Object.keys(wrongQueues)) {
      const message = await eventually(`the condition of the queue ${name}`, timeLimits.run, async () =>
        readyMessage(await cluster().client.get<TenantQueue>(tenantQueues, { name })),
      );
      conditions.set(name, message);
    }
    const failed = await eventually("the request to have failed", timeLimits.reaction, async () => {
      const { status } = await cluster().client.get<JobRequest>(jobRequests, { namespace, name: "early" });
      return status?.phase === "Failed" ? status : undefined;
    });

    await installWebhooks(cluster().client, { validate: ports[1] as number, gate: ports[0] as number }, "operator-a");
    for (const name of Object.keys(wrongQueues).filter((each) => each !== "ring")) await cluster().client.delete(tenantQueues, { name });
    await answering();

    assert.equal(await refusal(create(elasticJobs, wrongJob("late"))), conditions.get("early"));
    assert.equal(await refusal(create(runnerApps, wrongApp("late"))), appMessage);
    assert.match(appMessage, /^spec\.template\.spec\.containers\[0\]\.image: .*; spec\.template\.metadata\.labels: /);
    assert.equal(
      await refusal(create(jobRequests, request("late", { jobName: "early", suspend: { until: "2026-01-01T00:00:00Z" } }))),
      failed.message,
    );
    for (const [name, spec] of Object.entries(wrongQueues).filter(([each]) => each !== "ring"))
      assert.equal(await refusal(create(tenantQueues, queue(name, spec))), conditions.get(name), name);
    assert.match(conditions.get("chain") ?? "", /^spec\.parent: leads back to the queue itself/);
  });

  it("names every field in one refusal, as kubectl prints it", async () => {
    const said = await kubectl.fails(["apply", "-f", "-"], dump(wrongJob("worse")));
    assert.match(said, /The ElasticJob "worse" is invalid:/);
    assert.match(said, /\* spec\.schedule\.timeZone: .*Atlantis/);
    assert.match(said, /\* spec\.schedule\.crons\[0\]: /);
  });

  it("lets what was wrong before be edited, and not be made worse", async () => {
    const patch = (resource: typeof elasticJobs, ref: { namespace?: string; name: string }, body: object) =>
      cluster().client.patch(resource, ref, { type: "merge", body });
    const early = { namespace, name: "early" };
    await patch(elasticJobs, early, { metadata: { labels: { team: "a" }, finalizers: ["nuptse.dev/test"] }, spec: { suspend: true } });
    await patch(elasticJobs, early, { metadata: { finalizers: null } });
    await patch(tenantQueues, { name: "ring" }, { metadata: { labels: { team: "a" } }, spec: { weight: 2 } });
    assert.match(
      await refusal(patch(elasticJobs, early, { spec: { schedule: { crons: ["0 0 30 2 *", "every day"] } } })),
      /^spec\.schedule\.crons\[1\]: /,
    );
    assert.match(
      await refusal(patch(tenantQueues, { name: "ring" }, { spec: { max: { gpu: 1 } } })),
      /^spec\.max\.gpu: there is no resource gpu/,
    );
    await cluster().client.delete(tenantQueues, { name: "ring" });
  });

  it("does not refuse what was created a moment after what it needs", async () => {
    const names = Array.from({ length: 30 }, (_, index) => `deep-${index}`);
    for (const [index, name] of names.entries())
      await create(
        tenantQueues,
        queue(name, index === 0 ? { parent: "corp" } : { parent: names[index % 3 === 0 ? index - 1 : 0] as string }),
      );
    const options = [{ name: "day", type: "Date" as const }];
    for (let index = 0; index < 10; index++) {
      const name = `fresh-${index}`;
      await create(elasticJobs, elasticJob(namespace, name, { sharding: { total: 1 }, suspend: true }));
      await cluster().edit(namespace, name, { options, sharding: { total: 4 } });
      await create(jobRequests, request(name, { jobName: name, run: { items: "3", options: { day: "-1d" } } }), true);
    }
    const wrong = request("wrong", { jobName: "fresh-0", run: { items: "9", options: { night: "-1d" } } });
    assert.match(
      await refusal(create(jobRequests, wrong)),
      /^spec\.run\.options\.night: is no option of the job; it has day; spec\.run\.items: /,
    );
  });

  it("gates labelled pods, keeps their other gates, and touches no other pod", async () => {
    const free = await create(pods, pod("free", {}));
    assert.equal(gatesOf(free), undefined);
    assert.deepEqual(gatesOf(await create(pods, pod("held", queued))), [gate]);
    const other = { name: "example.org/quota" };
    assert.deepEqual(gatesOf(await create(pods, pod("twice", queued, { schedulingGates: [other] }))), [other, gate]);
    assert.deepEqual(gatesOf(await create(pods, pod("brought", queued, { schedulingGates: [gate] }))), [gate]);
    await cluster().client.patch(pods, { namespace, name: "free" }, { type: "merge", body: { metadata: { labels: { a: "b" } } } });
    await eventually("the free pod to run", timeLimits.run, async () => {
      const { status } = await cluster().client.get<Pod>(pods, { namespace, name: "free" });
      return ["Running", "Succeeded"].includes(status?.phase ?? "");
    });
    const held = await cluster().client.get<Pod>(pods, { namespace, name: "held" });
    assert.equal(held.spec.nodeName, undefined);
  });

  it("gates the pods of a Deployment, and not those of a DaemonSet or of the operator itself", async () => {
    // Whatever ended would be started again and again, also by timers that outlive the suite.
    const metadata = { labels: { ...queued, app: "x" }, annotations: { "test/script": JSON.stringify({ runMs: "forever" }) } };
    const template = { metadata, spec: { containers: [{ name: "work", image: "busybox:1.37" }] } };
    const common = { apiVersion: "apps/v1", spec: { selector: { matchLabels: { app: "x" } }, template } };
    await kubectl.ok(
      ["apply", "-f", "-"],
      dump({ ...common, kind: "Deployment", metadata: { name: "web" }, spec: { ...common.spec, replicas: 2 } }),
    );
    await kubectl.ok(["apply", "-f", "-"], dump({ ...common, kind: "DaemonSet", metadata: { name: "agent" } }));
    const at = armedSecond();
    await cluster().create(elasticJob(namespace, "ours", { schedule: onceAt(at), queue: { name: "team" } }));
    const podsOf = async (kind: string) => {
      const { items } = await cluster().client.list<Pod>(pods, { namespace, labelSelector: "nuptse.dev/queue=closed" });
      return items.filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.kind === kind));
    };
    const gated = await eventually("the Deployment's pods", timeLimits.run, async () => {
      const found = await podsOf("ReplicaSet");
      return found.length === 2 ? found : undefined;
    });
    assert.deepEqual(gated.map(gatesOf), [[gate], [gate]]);
    const ungated = await eventually("the DaemonSet's pods", timeLimits.run, async () => {
      const found = await podsOf("DaemonSet");
      return found.length === 3 ? found : undefined;
    });
    assert.deepEqual(ungated.map(gatesOf), [undefined, undefined, undefined]);
    assert.equal((await cluster().ended(namespace, "ours", runId(at))).phase, "Succeeded");
  });

  it("changes certificates while requests go on, without one failure", async () => {
    const changes = () => operators.map(({ lines }) => lines.filter(({ message }) => message.includes("a certificate is served")).length);
    const wanted = changes().map((count) => count + 2);
    let asked = 0;
    await eventually("both replicas to change their certificates twice", timeLimits.settled, async () => {
      // Were a call to fail, the one would be let through, and the other refused.
      const [refused, held] = await Promise.all([
        refusal(create(tenantQueues, queue("asked", { parent: "nowhere" }), true)).catch((error: unknown) => error),
        create(pods, pod("asked", queued), true).catch((error: unknown) => error),
      ]);
      asked++;
      assert.equal(refused, "spec.parent: there is no TenantQueue nowhere; create it, or name another one");
      assert.deepEqual(gatesOf(held as Pod), [gate]);
      return changes().every((count, index) => count >= (wanted[index] as number));
    });
    assert.ok(asked > 100, `${asked} pairs of requests`);
    const { webhooks } = await cluster().client.get<KubeObject & { webhooks: { clientConfig: { caBundle: string } }[] }>(
      validatingWebhookConfigurations,
      { name: "nuptse" },
    );
    const bundle = Buffer.from(webhooks[0]?.clientConfig.caBundle ?? "", "base64").toString();
    assert.ok((bundle.match(/BEGIN CERTIFICATE/g) ?? []).length <= 2, "what is not needed any more is forgotten");
  });

  it("a Secret that was deleted comes back, without a failure in between", async () => {
    await cluster().client.delete(secrets, { namespace, name: "nuptse-webhook-tls" });
    await eventually("the Secret to be back", timeLimits.reaction, async () => {
      assert.equal((await refusal(create(tenantQueues, queue("asked", { parent: "nowhere" }), true))).startsWith("spec.parent"), true);
      return cluster()
        .client.get(secrets, { namespace, name: "nuptse-webhook-tls" })
        .catch(() => undefined);
    });
  });

  it("needs no right besides those of its roles, and tells no key", async () => {
    const used = new Set<string>();
    for await (const { verb, objectRef } of cluster().plane.auditEvents({ user: "operator-b" })) {
      if (objectRef === undefined) continue;
      const { apiGroup, resource, subresource } = objectRef;
      used.add(`${verb} ${apiGroup}/${subresource === "" ? resource : `${resource}/${subresource}`}`);
    }
    const granted = grantedRequests();
    assert.deepEqual(
      [...used].filter((each) => !granted.has(each)),
      [],
    );
    for (const operator of operators) assert.doesNotMatch(operator.text, /PRIVATE KEY/);
  });

  it("with the operators stopped unlabelled pods start, our own kinds can be edited, and labelled pods are refused", async () => {
    for (const operator of operators) await operator.kill();
    const error = await create(pods, pod("refused", queued)).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Unavailable, String(error));
    assert.match((error as ApiError).message, /failed calling webhook "gate\.nuptse\.dev"/);
    await create(pods, pod("unlabelled", {}));
    await eventually("the unlabelled pod to run", timeLimits.run, async () => {
      const { status } = await cluster().client.get<Pod>(pods, { namespace, name: "unlabelled" });
      return ["Running", "Succeeded"].includes(status?.phase ?? "");
    });
    // Nobody judges it, and a condition will tell of it.
    await create(tenantQueues, queue("slipped", { parent: "nowhere" }));
    await cluster().client.patch(
      elasticJobs,
      { namespace, name: "early" },
      { type: "merge", body: { metadata: { labels: { team: null } } } },
    );
  });

  it("goes on when they are started again", async () => {
    await startBoth();
    await answering();
    assert.deepEqual(gatesOf(await create(pods, pod("refused", queued))), [gate]);
  });
});
