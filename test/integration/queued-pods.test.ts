import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dump, load } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import type { Pod } from "../../src/api/core.ts";
import { pods, tenantQueues } from "../../src/api/resource.ts";
import type { TenantQueue } from "../../src/api/tenant-queue.gen.ts";
import { createKubectl, type Kubectl } from "../cli/kubectl.ts";
import { eventually } from "./support/eventually.ts";
import { elasticJob } from "./support/jobs.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { isRunning, ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const crds = join(import.meta.dirname, "../../crds");
const operatorUser = "operator-a";
/** Played for ever. */
const endless = { "test/script": JSON.stringify({ runMs: "forever", startMs: [20, 20] }) };
const gate = "nuptse.dev/queue";

interface Words {
  readonly queue?: string;
  readonly cpu?: string;
}

function template(name: string, { queue, cpu = "1" }: Words, restartPolicy: string): object {
  return {
    metadata: { labels: { app: name, ...(queue !== undefined && { [gate]: queue }) }, annotations: endless },
    spec: {
      restartPolicy,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "main", image: "busybox:1.37", resources: { requests: { cpu } } }],
    },
  };
}

function deployment(name: string, replicas: number, words: Words, strategy?: object): string {
  const spec = { replicas, selector: { matchLabels: { app: name } }, template: template(name, words, "Always") };
  return dump({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: { ...spec, ...(strategy !== undefined && { strategy }) },
  });
}

function batchJob(name: string, parallelism: number, words: Words): string {
  const spec = { parallelism, completions: parallelism, backoffLimit: 0, template: template(name, words, "Never") };
  return dump({ apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec });
}

function barePod(name: string, words: Words): string {
  const { metadata, spec } = template(name, words, "Never") as { metadata: object; spec: object };
  return dump({ apiVersion: "v1", kind: "Pod", metadata: { name, ...metadata }, spec });
}

const queue = (name: string, spec: object): string =>
  dump({ apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec });

describe("somebody else's pods in queues, on a real control plane", function () {
  this.timeout(timeLimits.test);
  // More than the tree may use, so that the queues and not the nodes decide.
  const node = (name: string) => ({ name, capacity: { cpu: "4", memory: "16Gi", pods: "110", "ephemeral-storage": "50Gi" } });
  const cluster = ownTestCluster({ namespaces: ["red", "blue", "strict", "free"], nodes: [node("n1"), node("n2"), node("n3")] });
  let kubectl: Kubectl;
  let operator: OperatorProcess;
  const users = new Map<string, Kubectl>();

  /** A kubectl of another user. */
  async function user(name: string, namespace: string): Promise<Kubectl> {
    const { kubectl: binary } = await ensureBinaries(["kubectl"]);
    const made = await createKubectl(binary, await readFile(await cluster().plane.kubeconfigFor(name), "utf8"), namespace);
    users.set(name, made);
    return made;
  }

  before("install the policies, start the operator, make the tree", async function () {
    this.timeout(timeLimits.test);
    kubectl = await cluster().kubectl("red");
    await kubectl.ok(["apply", "-f", join(crds, "roles.yaml"), "-f", join(crds, "policies.yaml")]);
    const policies = await readFile(join(crds, "queue-policies.yaml"), "utf8");
    await kubectl.ok(["apply", "-f", "-"], policies.replaceAll("system:serviceaccount:nuptse:nuptse-operator", operatorUser));
    for (const name of ["red", "blue"]) await kubectl.ok(["label", "namespace", name, `team=${name}`]);
    await kubectl.ok(["label", "namespace", "strict", "nuptse.dev/require-queue=true"]);
    operator = await cluster().operator(operatorUser);
    await operator.leading();
    const selects = (team: string) => ({ namespaceSelector: { matchLabels: { team } } });
    const tree = [
      queue("corp", { capacity: { resources: { cpu: "10", memory: "40Gi", pods: "100" } } }),
      queue("red", { parent: "corp", guaranteed: { cpu: "50%" }, ...selects("red") }),
      queue("blue", { parent: "corp", guaranteed: { cpu: "50%" }, ...selects("blue") }),
    ];
    await kubectl.ok(["apply", "-f", "-"], tree.join("---\n"));
    // A policy takes effect a moment after it was stored.
    await eventually("the policies to be in force", timeLimits.run, async () => {
      const seen = await kubectl.ok(["create", "--dry-run=server", "-o", "json", "-f", "-"], barePod("probe", { queue: "red" }));
      return gatesOf(JSON.parse(seen) as Pod).includes(gate);
    });
  });
  after("close the other kubectls", async () => {
    for (const each of users.values()) await each.close();
  });

  const podsOf = async (namespace: string): Promise<readonly Pod[]> => (await cluster().client.list<Pod>(pods, { namespace })).items;
  /** Resolves when so many pods of these names run, and none besides. */
  const untilRunning = (namespace: string, wanted: Readonly<Record<string, number>>) =>
    eventually(`the pods that run in ${namespace} to be ${JSON.stringify(wanted)}`, timeLimits.settled, async () => {
      const counts: Record<string, number> = {};
      for (const pod of await podsOf(namespace)) {
        const name = pod.metadata.labels?.app ?? pod.metadata.labels?.["nuptse.dev/job"] ?? pod.metadata.name;
        if (isRunning(pod)) counts[name] = (counts[name] ?? 0) + 1;
      }
      assert.deepEqual(counts, wanted);
      return true;
    });
  const statusOf = async (name: string) => (await cluster().client.get<TenantQueue>(tenantQueues, { name })).status;

  it("a guarantee that an ElasticJob borrowed comes back to a Deployment and a batch Job, and nothing of theirs is deleted", async () => {
    await cluster().create(
      elasticJob("blue", "borrower", {
        schedule: { crons: ["@every 1h"], startAt: new Date(Date.now() + 8_000).toISOString().replace(/\.\d+/, "") },
        sharding: { total: 10 },
        queue: { name: "blue", onReclaim: "Stop" },
        script: { runMs: "forever" },
        container: { resources: { requests: { cpu: "1" } } },
      }),
    );
    await untilRunning("blue", { borrower: 10 });
    await kubectl.ok(["apply", "-f", "-"], deployment("web", 3, { queue: "red" }));
    await kubectl.ok(["apply", "-f", "-"], batchJob("count", 2, { queue: "red" }));
    await untilRunning("red", { web: 3, count: 2 });
    await untilRunning("blue", { borrower: 5 });
    assert.deepEqual(
      (await podsOf("red")).map(({ metadata }) => metadata.deletionTimestamp),
      Array.from({ length: 5 }, () => undefined),
    );
    // What the queue says of it is written within 10 s.
    await eventually("the status of red", timeLimits.reaction, async () => {
      const status = await statusOf("red");
      assert.deepEqual([status?.used?.cpu, status?.waiting ?? 0], ["5", 0]);
      return true;
    });
  });

  it("a Deployment rolls in a full queue, and has what it had in the end", async () => {
    const more = deployment("web", 3, { queue: "red" }, { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
    await kubectl.ok(["apply", "-f", "-"], more);
    await kubectl.ok(["set", "env", "deployment/web", "VERSION=2"]);
    assert.match(await kubectl.ok(["rollout", "status", "deployment/web", "--timeout=60s"]), /successfully rolled out/);
    await untilRunning("red", { web: 3, count: 2 });
    // The queue counts what surged once the last old pod is gone.
    await eventually("no pod to be surge any more", timeLimits.reaction, async () => {
      const marks = (await podsOf("red")).flatMap(({ metadata }) => metadata.annotations?.["nuptse.dev/surge"] ?? []);
      assert.deepEqual(marks, []);
      return true;
    });
  });

  it("who waits is told, and begins when there is room", async () => {
    await kubectl.ok(["apply", "-f", "-"], barePod("late", { queue: "red" }));
    await eventually("an event about it", timeLimits.reaction, async () => {
      const told = await cluster().eventsOf("red", "late");
      assert.deepEqual(
        told.map(({ reason }) => reason),
        ["QueuePending"],
      );
      return true;
    });
    await kubectl.ok(["delete", "job", "count"]);
    await untilRunning("red", { web: 3, late: 1 });
    await kubectl.ok(["delete", "pod", "late"]);
  });

  it("tenants neither open the gate, nor leave the queue, nor pass for something else", async () => {
    await kubectl.ok(["create", "rolebinding", "tess", "--clusterrole=edit", "--user=tess", "-n", "red"]);
    const tess = await user("tess", "red");
    await tess.ok(["apply", "-f", "-"], barePod("huge", { queue: "red", cpu: "3" }));
    const patch = (operations: object[]) => ["patch", "pod", "huge", "--type=json", "-p", JSON.stringify(operations)];
    assert.match(
      await tess.fails(patch([{ op: "remove", path: "/spec/schedulingGates" }])),
      /the gate nuptse\.dev\/queue is taken away by the operator once the queue admits the pod/,
    );
    assert.match(
      await tess.fails(["label", "pod", "huge", "nuptse.dev/queue-"]),
      /nuptse\.dev\/queue cannot be changed on a pod that has not ended/,
    );
    assert.match(await tess.fails(["label", "pod", "huge", "nuptse.dev/job-uid=1"]), /nuptse\.dev\/job-uid is set by the operator/);
    assert.match(await tess.fails(["annotate", "pod", "huge", "nuptse.dev/surge=true"]), /nuptse\.dev\/surge is set by the operator/);
    const web = (await podsOf("red")).find(({ metadata }) => metadata.labels?.app === "web")?.metadata.name as string;
    assert.match(
      await tess.fails(["label", "pod", web, "nuptse.dev/queue=blue", "--overwrite"]),
      /cannot be changed on a pod that has not ended/,
    );
    await tess.ok(["delete", "pod", "huge"]);
  });

  it("where a queue is demanded, a pod without one is refused, and the refusal says what to do", async () => {
    const strict = ["create", "-n", "strict", "-f", "-"];
    assert.match(
      await kubectl.fails(strict, barePod("none", {})),
      /pods of the namespace strict name a TenantQueue .*set nuptse\.dev\/queue in the template/,
    );
  });

  it("a queue that holds work is not deleted", async () => {
    assert.match(await kubectl.fails(["delete", "tenantqueue", "red"]), /holds \d+ admitted workloads; set spec\.stopPolicy: HoldAndDrain/);
  });

  it("a lead divides what is his, and nothing else", async () => {
    await kubectl.ok(["create", "clusterrolebinding", "leo", "--clusterrole=nuptse-queue-lead", "--user=leo"]);
    const divide = ["--verb=subdivide", "--resource=tenantqueues.nuptse.dev", "--resource-name=blue"];
    await kubectl.ok(["create", "clusterrole", "lead-of-blue", ...divide]);
    await kubectl.ok(["create", "clusterrolebinding", "lead-of-blue", "--clusterrole=lead-of-blue", "--user=leo"]);
    const leo = await user("leo", "blue");
    await leo.ok(["create", "--dry-run=server", "-f", "-"], queue("blue-batch", { parent: "blue", weight: 2 }));
    const refusals: readonly (readonly [string, RegExp])[] = [
      [queue("red-batch", { parent: "red" }), /spec\.parent: leo needs the verb subdivide on the TenantQueue red/],
      [queue("own-root", {}), /spec\.parent: leo needs the verb subdivide on tenantqueues, to write a root/],
    ];
    for (const [manifest, words] of refusals) assert.match(await leo.fails(["create", "--dry-run=server", "-f", "-"], manifest), words);
    const edit = ["patch", "tenantqueue", "blue", "--dry-run=server", "--type=merge", "-p", '{"spec":{"weight":9}}'];
    assert.match(await leo.fails(edit), /leo needs the verb subdivide on the TenantQueue corp/);
  });

  it("a pool without nodes shows what waits for it, so that it can grow", async () => {
    const pool = queue("pool", {
      capacity: { nodeSelector: { pool: "gpu" }, provisionable: { cpu: "4", memory: "8Gi", pods: "10" } },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "free" } },
    });
    await kubectl.ok(["apply", "-f", "-"], pool);
    await kubectl.ok(["apply", "-n", "free", "-f", "-"], deployment("trainer", 5, { queue: "pool" }));
    await eventually("four pods to be seen by an autoscaler", timeLimits.settled, async () => {
      const seen = (await podsOf("free")).map((pod) => pod.status?.conditions?.find(({ type }) => type === "PodScheduled")?.reason);
      assert.deepEqual(seen.sort(), ["SchedulingGated", ...Array.from({ length: 4 }, () => "Unschedulable")]);
      return true;
    });
    await kubectl.ok(["delete", "-n", "free", "deployment", "trainer"]);
  });

  it("the nodes of an exclusive pool are for pods of its tree alone, which get the toleration when they are admitted", async () => {
    const taint = { key: "pool", operator: "Equal", value: "fast", effect: "NoSchedule" };
    const fast = queue("fast", {
      capacity: { nodeSelector: { pool: "fast" }, tolerations: [taint], provisionable: { cpu: "2", memory: "8Gi", pods: "10" } },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "free" } },
    });
    await kubectl.ok(["apply", "-f", "-"], fast);
    await kubectl.ok(["label", "tenantqueue", "fast", "nuptse.dev/exclusive=true"]);
    const intruder = (toleration: object) => {
      const { spec, ...pod } = load(barePod("intruder", {})) as { spec: object };
      return dump({ ...pod, spec: { ...spec, tolerations: [toleration] } });
    };
    const words = /the nodes that pool taints are for pods of the TenantQueue fast and those below it/;
    await eventually("the policy to know the queue", timeLimits.run, async () => {
      assert.match(await kubectl.fails(["create", "--dry-run=server", "-n", "free", "-f", "-"], intruder(taint)), words);
      return true;
    });
    assert.match(await kubectl.fails(["create", "-n", "free", "-f", "-"], intruder({ operator: "Exists" })), words);
    await kubectl.ok(["create", "--dry-run=server", "-n", "free", "-f", "-"], intruder({ ...taint, key: "other" }));
    await kubectl.ok(["create", "-n", "free", "-f", "-"], barePod("guest", { queue: "fast" }));
    await eventually("the pod to be bound to the pool", timeLimits.settled, async () => {
      const { spec } = (await podsOf("free")).find(({ metadata }) => metadata.name === "guest") as Pod;
      assert.deepEqual([spec.nodeSelector, spec.tolerations?.filter(({ key }) => key === "pool")], [{ pool: "fast" }, [taint]]);
      return true;
    });
    await kubectl.ok(["delete", "-n", "free", "pod", "guest"]);
  });

  it("with the operator stopped, pods without a label start freely, labelled ones wait, and begin when it is back", async () => {
    await operator.kill();
    await kubectl.ok(["apply", "-n", "free", "-f", "-"], barePod("plain", {}));
    await kubectl.ok(["apply", "-f", "-"], barePod("patient", { queue: "red" }));
    await untilRunning("free", { plain: 1 });
    const patient = (await podsOf("red")).find(({ metadata }) => metadata.name === "patient");
    assert.deepEqual(patient === undefined ? [] : gatesOf(patient), [gate]);
    operator = await cluster().operator(operatorUser);
    await untilRunning("red", { web: 3, patient: 1 });
  });
});

const gatesOf = ({ spec }: Pod): readonly string[] => (spec.schedulingGates ?? []).map(({ name }) => name);
