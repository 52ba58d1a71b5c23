import {
  controllerRevisions,
  cronJobs,
  daemonSets,
  deployments,
  jobs,
  nodes,
  pods,
  replicaSets,
  type Resource,
  statefulSets,
} from "../../../src/api/resource.ts";
import type { Api, StoredBody } from "../api.ts";
import { controllerRow, type Row, row } from "../row.ts";
import { warm } from "./controllers.ts";

const template = (more: object = {}, image = "x:1"): object => ({
  metadata: { labels: { app: "it" } },
  spec: { containers: [{ name: "main", image }], ...more },
});
const selected = (more: object = {}): Record<string, unknown> => ({
  metadata: { name: "it" },
  spec: { selector: { matchLabels: { app: "it" } }, template: template(), ...more },
});
const once = (more: object = {}): Record<string, unknown> => ({
  metadata: { name: "it" },
  spec: { template: template({ restartPolicy: "Never" }), ...more },
});

const listed = async (api: Api, resource: Resource = pods): Promise<readonly StoredBody[]> =>
  (await api.peekList(resource, { labelSelector: "app=it" })).items;

/** Plays the kubelet: gives a pod a phase, ready where it runs. */
async function play(api: Api, name: string, phase: string): Promise<void> {
  const status = phase === "Running" ? "True" : "False";
  const conditions = [{ type: "Ready", status, lastTransitionTime: "2026-01-01T00:00:00Z" }];
  await api.merge(pods, name, { status: { phase, conditions } }, { subresource: "status", show: "nothing" });
}

/** Waits until there are so many pods that are not going. */
async function count(api: Api, wanted: number): Promise<readonly StoredBody[]> {
  let found: readonly StoredBody[] = [];
  await api.until(`${wanted} pods`, async () => {
    found = (await listed(api)).filter((pod) => pod.metadata.deletionTimestamp === undefined);
    return found.length === wanted;
  });
  return found;
}

const conditionsOf = (body: StoredBody): readonly string[] =>
  (body.status?.conditions ?? []).map((one: StoredBody) => `${one.type}=${one.status} ${one.reason}: ${one.message}`).sort();

/** Deployments, StatefulSets, DaemonSets, Jobs and CronJobs: what the server makes of them, and what their controllers do. */
export const workloadRows: readonly Row[] = [
  row("a StatefulSet is completed", async (api) => {
    await api.create(statefulSets, selected({ serviceName: "it" }), {
      show: [
        "spec.podManagementPolicy",
        "spec.replicas",
        "spec.revisionHistoryLimit",
        "spec.updateStrategy",
        "spec.persistentVolumeClaimRetentionPolicy",
        "status",
        "metadata.generation",
      ],
    });
  }),
  row("of a StatefulSet only some fields change", async (api) => {
    await api.create(statefulSets, selected({ serviceName: "it" }), { show: "nothing" });
    await api.merge(statefulSets, "it", { spec: { replicas: 2, template: { spec: { terminationGracePeriodSeconds: 5 } } } });
    await api.merge(statefulSets, "it", { spec: { serviceName: "other" } });
    await api.merge(statefulSets, "it", { spec: { podManagementPolicy: "Parallel" } });
  }),
  row("a workload without a selector, with another one than its template; a StatefulSet with a policy that there is not", async (api) => {
    const bare = { metadata: { name: "a" }, spec: { template: template() } };
    for (const kind of [statefulSets, deployments, replicaSets, daemonSets]) await api.create(kind, bare, { show: "reason" });
    await api.create(statefulSets, selected({ serviceName: "it", selector: { matchLabels: { app: "other" } } }));
    await api.create(statefulSets, selected({ serviceName: "it", podManagementPolicy: "Random" }), { show: "reason" });
  }),
  row("a DaemonSet is completed, and its template is numbered", async (api) => {
    await api.create(daemonSets, selected(), {
      show: ["spec.revisionHistoryLimit", "spec.updateStrategy", "status", "metadata.annotations", "metadata.generation"],
    });
    await api.merge(daemonSets, "it", { spec: { minReadySeconds: 1 } }, { show: ["metadata.annotations", "metadata.generation"] });
    await api.merge(
      daemonSets,
      "it",
      { spec: { template: template({}, "x:2") } },
      { show: ["metadata.annotations", "metadata.generation"] },
    );
  }),
  row("the pods of a workload are started again", async (api) => {
    const spec = { template: template({ restartPolicy: "Never" }) };
    await api.create(daemonSets, selected(spec));
    await api.create(deployments, selected(spec));
    await api.create(replicaSets, selected(spec));
  }),
  row("a workload's selector stays", async (api) => {
    await api.create(deployments, selected(), { show: "nothing" });
    const both = { selector: { matchLabels: { app: "other" } }, template: { metadata: { labels: { app: "other" } } } };
    await api.merge(deployments, "it", { spec: both }, { show: "reason" });
    await api.create(deployments, { ...selected({ replicas: -1 }), metadata: { name: "less" } });
  }),
  row("a Job is completed, and selects by its own UID", async (api) => {
    await api.create(jobs, once(), {
      show: [
        "spec.completions",
        "spec.parallelism",
        "spec.backoffLimit",
        "spec.completionMode",
        "spec.suspend",
        "spec.podReplacementPolicy",
        "spec.manualSelector",
        "spec.selector",
        "spec.template.metadata",
        "metadata.labels",
        "status",
      ],
    });
    const queue = { ...once({ parallelism: 3 }), metadata: { name: "queue" } };
    await api.create(jobs, queue, { show: ["spec.completions", "spec.parallelism"] });
  }),
  row("a Job's pods end, and its numbers are none below 0", async (api) => {
    await api.create(jobs, { metadata: { name: "it" }, spec: { template: template() } });
    await api.create(jobs, once({ parallelism: -1 }));
    await api.create(jobs, once({ completionMode: "Sometimes" }), { show: "reason" });
    await api.create(jobs, once({ completionMode: "Indexed", parallelism: 1 }));
  }),
  row("of a Job the template, the selector and the number of completions stay", async (api) => {
    await api.create(jobs, once(), { show: "nothing" });
    await api.merge(jobs, "it", { spec: { parallelism: 4, suspend: true } }, { show: ["spec.parallelism", "metadata.generation"] });
    await api.merge(jobs, "it", { spec: { completions: 9 } });
    await api.merge(jobs, "it", { spec: { template: { spec: { restartPolicy: "OnFailure" } } } }, { show: "reason" });
  }),
  row("a CronJob is completed, and refused without a schedule", async (api) => {
    await api.create(
      cronJobs,
      {
        metadata: { name: "it" },
        spec: { schedule: "* * * * *", jobTemplate: { spec: { template: template({ restartPolicy: "Never" }) } } },
      },
      {
        show: [
          "spec.concurrencyPolicy",
          "spec.suspend",
          "spec.successfulJobsHistoryLimit",
          "spec.failedJobsHistoryLimit",
          "spec.jobTemplate.spec.backoffLimit",
          "status",
        ],
      },
    );
    await api.create(cronJobs, {
      metadata: { name: "b" },
      spec: { jobTemplate: { spec: { template: template({ restartPolicy: "Never" }) } } },
    });
    await api.create(cronJobs, {
      metadata: { name: "c" },
      spec: { schedule: "* * * * *", jobTemplate: { spec: { template: template() } } },
    });
  }),

  controllerRow("a StatefulSet makes its pods one after the other, with names of their own", async (api) => {
    await warm(api);
    await api.create(statefulSets, selected({ serviceName: "it", replicas: 2 }), { show: "nothing" });
    await count(api, 1);
    await api.get(pods, "it-0", { show: ["spec.hostname", "spec.subdomain", "metadata.ownerReferences.*.kind"] });
    const labels = Object.keys((await api.peek(pods, "it-0")).body.metadata.labels).sort();
    api.note("labels", labels);
    await play(api, "it-0", "Running");
    await count(api, 2);
    await play(api, "it-1", "Running");
    await api.until("both are ready", async () => (await api.peek(statefulSets, "it")).body.status.readyReplicas === 2);
    const { status } = (await api.peek(statefulSets, "it")).body;
    api.note("status", [
      status.replicas,
      status.availableReplicas,
      status.updatedReplicas,
      status.currentRevision === status.updateRevision,
    ]);
    await api.merge(statefulSets, "it", { spec: { replicas: 1 } }, { show: "nothing" });
    const [left] = await count(api, 1);
    api.note("left", left.metadata.name);
    const revisions = await listed(api, controllerRevisions);
    api.note(
      "revisions",
      revisions.map((one) => [one.revision, Object.keys(one.data.spec.template).sort()]),
    );
  }),
  controllerRow("a StatefulSet's new template begins at the highest number", async (api) => {
    await warm(api);
    await api.create(statefulSets, selected({ serviceName: "it", replicas: 2, podManagementPolicy: "Parallel" }), { show: "nothing" });
    for (const pod of await count(api, 2)) await play(api, pod.metadata.name, "Running");
    await api.until("both are ready", async () => (await api.peek(statefulSets, "it")).body.status.readyReplicas === 2);
    await api.merge(statefulSets, "it", { spec: { template: template({}, "x:2") } }, { show: "nothing" });
    const image = async (name: string): Promise<string | undefined> => (await api.peek(pods, name)).body.spec?.containers[0].image;
    await api.until("the second pod is new", async () => (await image("it-1")) === "x:2");
    api.note("the first", await image("it-0"));
    await play(api, "it-1", "Running");
    await api.until("the first pod is new", async () => (await image("it-0")) === "x:2");
  }),
  controllerRow("a DaemonSet has one pod for each node that it chooses", async (api) => {
    await warm(api);
    const label = `daemons-${api.namespace}`;
    for (const name of ["a", "b"]) {
      const metadata = { name: `${api.namespace}-${name}`, labels: { pool: label } };
      await api.create(nodes, { metadata }, { show: "nothing" });
    }
    const chosen = { template: template({ nodeSelector: { pool: label } }) };
    await api.create(daemonSets, selected(chosen), { show: "nothing" });
    const made = await count(api, 2);
    const [field] = made[0].spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields;
    api.note("affinity", [field.key, field.operator, field.values.length]);
    const keys = made[0].spec.tolerations.map((one: StoredBody) => `${one.key} ${one.operator} ${one.effect}`);
    api.note("tolerations", keys.sort());
    for (const pod of made) await play(api, pod.metadata.name, "Running");
    await api.until("all are ready", async () => (await api.peek(daemonSets, "it")).body.status.numberReady === 2);
    await api.get(daemonSets, "it", {
      show: ["status.desiredNumberScheduled", "status.numberMisscheduled", "status.numberAvailable", "status.numberUnavailable"],
    });
    for (const name of ["a", "b"]) await api.delete(nodes, `${api.namespace}-${name}`, undefined, { show: "nothing" });
  }),
  controllerRow("a Job ends when as many pods as it wants have succeeded", async (api) => {
    await warm(api);
    await api.create(jobs, once({ completions: 2, parallelism: 2 }), { show: "nothing" });
    const made = await count(api, 2);
    api.note("finalizers", made[0].metadata.finalizers);
    await api.until("a status", async () => (await api.peek(jobs, "it")).body.status.active === 2);
    for (const pod of made) await play(api, pod.metadata.name, "Succeeded");
    await api.until("its end", async () => (await api.peek(jobs, "it")).body.status.completionTime !== undefined);
    const { body } = await api.peek(jobs, "it");
    api.note("conditions", conditionsOf(body));
    const { conditions: _, startTime, completionTime, ...counts } = body.status;
    api.note("counts", [counts, startTime !== undefined, completionTime !== undefined]);
    await api.until("the pods are let go", async () => (await listed(api)).every((pod) => pod.metadata.finalizers === undefined));
  }),
  controllerRow("a Job fails when more pods fail than it bears", async (api) => {
    await warm(api);
    await api.create(jobs, once({ backoffLimit: 0 }), { show: "nothing" });
    const [pod] = await count(api, 1);
    await play(api, pod.metadata.name, "Failed");
    await api.until("its end", async () => conditionsOf((await api.peek(jobs, "it")).body).some((one) => one.startsWith("Failed=True")));
    const { body } = await api.peek(jobs, "it");
    api.note("conditions", conditionsOf(body));
    api.note("counts", [body.status.failed, body.status.active ?? null, body.status.ready, body.status.terminating]);
  }),
  controllerRow("a suspended Job has no pods until it goes on", async (api) => {
    await warm(api);
    await api.create(jobs, once({ suspend: true }), { show: "nothing" });
    await api.until("it is told", async () => conditionsOf((await api.peek(jobs, "it")).body).length === 1);
    api.note("conditions", conditionsOf((await api.peek(jobs, "it")).body));
    api.note("pods", (await listed(api)).length);
    await api.merge(jobs, "it", { spec: { suspend: false } }, { show: "nothing" });
    await count(api, 1);
    await api.until("it is told", async () => conditionsOf((await api.peek(jobs, "it")).body)[0]?.startsWith("Suspended=False") === true);
    api.note("conditions", conditionsOf((await api.peek(jobs, "it")).body));
  }),
  controllerRow("an indexed Job numbers its pods", async (api) => {
    await warm(api);
    await api.create(jobs, once({ completionMode: "Indexed", completions: 3, parallelism: 3 }), { show: "nothing" });
    const made = await count(api, 3);
    const key = "batch.kubernetes.io/job-completion-index";
    const told = made.map((pod) => [
      pod.metadata.annotations[key],
      pod.metadata.labels[key],
      pod.spec.hostname,
      pod.spec.containers[0].env,
    ]);
    api.note(
      "pods",
      told.sort((one, other) => (one[0] < other[0] ? -1 : 1)),
    );
    for (const pod of made) if (pod.metadata.annotations[key] !== "1") await play(api, pod.metadata.name, "Succeeded");
    await api.until("two are counted", async () => (await api.peek(jobs, "it")).body.status.succeeded === 2);
    await api.get(jobs, "it", { show: ["status.completedIndexes", "status.active"] });
  }),
];
