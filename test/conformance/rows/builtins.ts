import { controllerRevisions, coreEvents, events, leases, namespaces, pods, resourceQuotas, secrets } from "../../../src/api/resource.ts";
import { pod } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const lease = (spec: object): Record<string, unknown> => ({ metadata: { name: "l" }, spec });

const event = (name: string, namespace: string, more: object = {}): Record<string, unknown> => ({
  metadata: { name },
  eventTime: "2026-11-20T10:00:00.000000Z",
  action: "Run",
  reason: "RunFailed",
  type: "Warning",
  note: "run failed",
  reportingController: "nuptse.dev/operator",
  reportingInstance: "operator-1",
  regarding: { apiVersion: "v1", kind: "Pod", name: "a", namespace, uid: "11111111-2222-4333-8444-555555555555" },
  ...more,
});

/** Leases, events, secrets, revisions, quotas, namespaces. */
export const builtinRows: readonly Row[] = [
  row("a lease takes times with six digits and nothing else", async (api) => {
    await api.create(leases, lease({ renewTime: "2026-11-20T10:00:00.123456Z", leaseDurationSeconds: 15, holderIdentity: "me" }), {
      show: ["spec"],
    });
    await api.merge(leases, "l", { spec: { renewTime: "2026-11-20T10:00:00.123Z" } }, { show: "reason" });
    await api.create(leases, { ...lease({ renewTime: "2026-11-20T10:00:00.123Z" }), metadata: { name: "m" } });
    await api.create(leases, { ...lease({ renewTime: "2026-11-20T10:00:00Z" }), metadata: { name: "m" } });
  }),
  row("a lease's duration is positive, its holder may be nobody", async (api) => {
    await api.create(leases, lease({ leaseDurationSeconds: 0 }));
    await api.create(leases, lease({ leaseDurationSeconds: 15, holderIdentity: "me" }), { show: ["spec"] });
    await api.merge(leases, "l", { spec: { holderIdentity: "" } }, { show: ["spec.holderIdentity"] });
  }),
  row("a lease is replaced only from its current version", async (api) => {
    const made = await api.create(leases, lease({ holderIdentity: "a" }));
    await api.replace(leases, "l", { ...made.body, spec: { holderIdentity: "b" } }, { show: ["spec"] });
    await api.replace(leases, "l", { ...made.body, spec: { holderIdentity: "c" } });
    await api.replace(leases, "l", lease({ holderIdentity: "d" }));
  }),
  row("an event of events.k8s.io is read in core/v1 under the old names", async (api) => {
    await api.create(events, event("e", api.namespace), { show: ["note", "regarding", "reason", "type", "eventTime", "action"] });
    await api.get(coreEvents, "e", {
      show: [
        "kind",
        "apiVersion",
        "message",
        "involvedObject",
        "reason",
        "type",
        "eventTime",
        "action",
        "reportingComponent",
        "reportingInstance",
      ],
    });
    await api.list(coreEvents, {
      query: { fieldSelector: "involvedObject.name=a,involvedObject.kind=Pod" },
      show: ["items.*.metadata.name"],
    });
    await api.list(coreEvents, { query: { fieldSelector: "involvedObject.name=b" }, show: ["items.*.metadata.name"] });
  }),
  row("an event of core/v1 is read in events.k8s.io under the new names", async (api) => {
    await api.create(
      coreEvents,
      {
        metadata: { name: "e" },
        involvedObject: { kind: "Pod", name: "a", namespace: api.namespace },
        reason: "Started",
        message: "hello",
        type: "Normal",
        source: { component: "kubelet" },
        count: 3,
        firstTimestamp: "2026-11-20T10:00:00Z",
      },
      { show: ["message", "count"] },
    );
    await api.get(events, "e", { show: ["kind", "apiVersion", "note", "regarding", "deprecatedCount", "deprecatedSource"] });
  }),
  row("what an event must say", async (api) => {
    const { action: _action, ...without } = event("e", api.namespace);
    await api.create(events, without);
    await api.create(events, event("e", api.namespace, { note: "x".repeat(1025) }));
    await api.create(events, event("e", api.namespace, { type: "Loud" }));
    await api.create(events, event("e", api.namespace, { reason: "x".repeat(129) }));
  }),
  row("an event about a cluster-scoped object lives in the namespace default", async (api) => {
    const regarding = { apiVersion: "v1", kind: "Node", name: "n", uid: "11111111-2222-4333-8444-555555555555" };
    await api.create(events, event("e", "", { regarding }));
    await api.create(events, event(`e-${api.namespace}`, "", { regarding }), { namespace: "default", show: ["regarding"] });
  }),
  row("of an event only the series may change", async (api) => {
    await api.create(events, event("e", api.namespace));
    await api.merge(events, "e", { series: { count: 2, lastObservedTime: "2026-11-20T10:01:00.000000Z" } }, { show: ["series"] });
    await api.merge(events, "e", { note: "other" });
  }),
  row("a watch of one address sees events written at the other", async (api) => {
    const watch = await api.watch(coreEvents);
    await api.create(events, event("e", api.namespace), { show: "nothing" });
    await watch.take(1, ["metadata.name", "kind", "apiVersion", "message"]);
  }),
  row("a secret's plain data is encoded", async (api) => {
    await api.create(
      secrets,
      { metadata: { name: "a" }, stringData: { x: "hello" }, data: { y: "d29ybGQ=" } },
      { show: ["data", "stringData", "type"] },
    );
  }),
  row("a revision's data cannot change", async (api) => {
    await api.create(controllerRevisions, { metadata: { name: "a" }, data: { x: { y: 1 } }, revision: 1 }, { show: ["data", "revision"] });
    await api.merge(controllerRevisions, "a", { revision: 2 }, { show: ["revision"] });
    const reply = await api.merge(controllerRevisions, "a", { data: { x: { y: 2 } } }, { show: "nothing" });
    api.note("reason", [reply.status, reply.body.reason, reply.body.details.causes.map((cause: { field: string }) => cause.field)]);
  }),
  row("a namespace is Active and carries its name", async (api) => {
    await api.get(namespaces, api.namespace, { show: ["metadata.labels", "spec", "status"] });
  }),
  row("a quota counts what its status says and refuses beyond, a dry run too", async (api) => {
    const hard = { pods: "2", "requests.cpu": "1" };
    const made = await api.create(resourceQuotas, { metadata: { name: "q" }, spec: { hard } }, { show: ["spec", "status"] });
    await api.replace(
      resourceQuotas,
      "q",
      { ...made.body, status: { hard, used: { pods: "0", "requests.cpu": "0" } } },
      { subresource: "status", show: ["status"] },
    );
    const body = (name: string, cpu: string): Record<string, unknown> => pod(name, { container: { resources: { requests: { cpu } } } });
    await api.until(
      "the quota is known",
      async () =>
        (
          await api.request(
            "try",
            "POST",
            `/api/v1/namespaces/${api.namespace}/pods`,
            { apiVersion: "v1", kind: "Pod", ...body("try", "1m") },
            { query: { dryRun: "All" }, show: "nothing" },
          )
        ).status === 201,
    );
    api.transcript.forget();
    await api.create(pods, pod("none"));
    await api.create(pods, body("a", "400m"), { show: ["metadata.name"] });
    await api.get(resourceQuotas, "q", { show: ["status.used"] });
    await api.create(pods, body("b", "700m"));
    await api.create(pods, body("b", "700m"), { query: { dryRun: "All" } });
    await api.create(pods, body("b", "600m"), { query: { dryRun: "All" }, show: ["metadata.name"] });
    await api.create(pods, body("b", "600m"));
    await api.create(pods, body("c", "1m"));
    await api.get(resourceQuotas, "q", { show: ["status.used"] });
  }),
];
