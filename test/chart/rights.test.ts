import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { freePorts } from "../../hack/control-plane/free-ports.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { elasticJobs, runnerApps, secrets } from "../../src/api/resource.ts";
import { createHelm, type Helm } from "../cli/helm-transcripts.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { eventually } from "../integration/support/eventually.ts";
import { armedSecond, elasticJob, type JobSpec, onceAt } from "../integration/support/jobs.ts";
import type { OperatorProcess } from "../integration/support/operator-process.ts";
import { ownTestCluster } from "../integration/support/test-cluster.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { patience } from "../support/patience.ts";
import { skipUnless } from "../support/skip.ts";
import { accountKubeconfig, accountUser } from "./support/accounts.ts";
import { chart, find, objectsOf, releaseNamespace, requestsOf, valueArguments } from "./support/chart.ts";

/** Pods of an ended run stay 90 s, and what follows from their end is waited for. */
const cleanedUpMs = 150_000 * patience;
const operatorUser = accountUser(releaseNamespace, "nuptse-operator");

/**
 * What the operator does with each right that the chart grants it. A right that is not here is not granted, and one that is here is used below.
 * "get" beside "list" reads one object of which all could be read, past a cache that may be late: it is granted, and need not come up in each run.
 */
const needed: readonly { readonly of: string; readonly verbs: Readonly<Record<string, string>> }[] = [
  { of: "nuptse.dev/elasticjobs", verbs: { get: "a job is judged as it is now", list: "it knows all jobs", watch: "it sees their edits" } },
  { of: "nuptse.dev/elasticjobs/status", verbs: { patch: "fire times are recorded" } },
  { of: "nuptse.dev/runnerapps", verbs: { get: "a conflict is looked at", list: "it knows all fleets", watch: "it sees their edits" } },
  { of: "nuptse.dev/runnerapps/status", verbs: { patch: "a fleet's state is told" } },
  {
    of: "nuptse.dev/jobrequests",
    verbs: {
      get: "a conflict is looked at",
      list: "it knows what is asked",
      watch: "requests begin",
      delete: "requests go after their time",
    },
  },
  { of: "nuptse.dev/jobrequests/status", verbs: { patch: "a request says what became of it" } },
  {
    of: "nuptse.dev/tenantqueues",
    verbs: {
      get: "a conflict is looked at",
      list: "it knows the tree",
      watch: "it sees its edits",
      admit: "the policy lets it open gates",
    },
  },
  { of: "nuptse.dev/tenantqueues/status", verbs: { patch: "shares are told" } },
  {
    of: "/pods",
    verbs: {
      get: "a name that is taken is looked at",
      list: "it knows what runs",
      watch: "ends are seen",
      create: "runs begin, and fleets grow",
      patch: "gates are opened, images changed in place, the leader labelled",
      delete: "fleets shrink",
      deletecollection: "ended runs are cleaned up",
    },
  },
  { of: "/pods/status", verbs: { patch: "an instance is put in service by its readiness gate" } },
  { of: "/pods/resize", verbs: { patch: "cpu and memory change in place" } },
  { of: "/podtemplates", verbs: { create: "templates are tried by a dry run" } },
  {
    of: "apps/controllerrevisions",
    verbs: {
      get: "a name that is taken is looked at",
      list: "it knows the revisions",
      watch: "it sees them come",
      create: "a template gets its revision",
      delete: "old revisions go",
    },
  },
  {
    of: "/configmaps",
    verbs: {
      get: "a calendar is read",
      list: "it knows the results of runs",
      watch: "it sees them come",
      create: "results are written for a reduce",
      update: "more results are added to them",
      delete: "they go with the pods of their run",
    },
  },
  {
    of: "policy/poddisruptionbudgets",
    verbs: {
      get: "one of the name is looked at",
      list: "it knows them",
      watch: "it sees edits",
      create: "a fleet gets one",
      update: "it follows the spec",
    },
  },
  {
    of: "/services",
    verbs: {
      get: "a conflict is looked at",
      list: "it knows the names in use",
      watch: "it sees them go",
      create: "a service is published",
      patch: "one is taken over",
      delete: "it goes with its entry",
    },
  },
  { of: "/endpoints", verbs: { list: "those of a Service that was taken over are known", watch: "they are seen", delete: "they go" } },
  {
    of: "discovery.k8s.io/endpointslices",
    verbs: {
      get: "a conflict is looked at",
      list: "it knows its slices, and the instances of fleets that others run",
      watch: "it sees them change",
      create: "a service leads to the gateways",
      update: "gateways come and go",
      delete: "slices go with their service",
    },
  },
  { of: "/nodes", verbs: { get: "a node that is gone is asked for", list: "capacity is counted", watch: "nodes come and go" } },
  { of: "/namespaces", verbs: { list: "labels of namespaces are known", watch: "they are followed" } },
  { of: "/resourcequotas", verbs: { list: "quotas are known", watch: "room is seen" } },
  { of: "apps/deployments", verbs: { get: "the surge of a Deployment in a queue is known" } },
  { of: "events.k8s.io/events", verbs: { create: "people are told", patch: "what is told again is counted" } },
  { of: "authentication.k8s.io/tokenreviews", verbs: { create: "who asks why work waits is known" } },
  { of: "authorization.k8s.io/subjectaccessreviews", verbs: { create: "whether he may know is asked" } },
  { of: "authentication.k8s.io/selfsubjectreviews", verbs: { create: "it knows the name under which it creates pods" } },
  {
    of: "admissionregistration.k8s.io/validatingwebhookconfigurations",
    verbs: { get: "its bundle is compared", patch: "authorities are told" },
  },
  {
    of: "admissionregistration.k8s.io/mutatingwebhookconfigurations",
    verbs: { get: "its bundle is compared", patch: "authorities are told" },
  },
  {
    of: "coordination.k8s.io/leases",
    verbs: { create: "the first lease is made", get: "who leads is known, here and elsewhere", update: "the lead is kept" },
  },
  {
    of: "apiextensions.k8s.io/customresourcedefinitions",
    verbs: { get: "it is known whose cluster it is", patch: "the cluster is claimed" },
  },
  {
    of: "networking.k8s.io/networkpolicies",
    verbs: {
      get: "a conflict is looked at",
      list: "it knows them",
      watch: "it sees them go",
      create: "a service is closed to others",
      update: "who may reach it changes",
      delete: "they go with their service",
    },
  },
  { of: "/secrets", verbs: { create: "the first certificate is made", get: "certificates are compared", update: "they are renewed" } },
];

const template = (image: string, cpu = "100m") => ({
  metadata: { labels: { tier: "web" }, annotations: { "test/script": JSON.stringify({ runMs: "forever", startMs: [50, 50] }) } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "main", image, ports: [{ name: "http", containerPort: 8080 }], resources: { requests: { cpu } } }],
  },
});

describe("the operator's rights", function () {
  this.timeout(timeLimits.test + cleanedUpMs);
  const cluster = ownTestCluster({ bare: true, namespaces: ["work", "tight"] });
  const binaries = skipUnless(() => ensureBinaries(["helm", "kubectl"]));
  let kubectl: Kubectl;
  let helm: Helm;
  let operator: OperatorProcess;
  let granted: ReadonlySet<string>;
  /** Requests that were let through, whatever their answer, and those that were not. */
  const used = new Set<string>();
  const refused = new Set<string>();

  const apply = (object: object) => {
    const { namespace = "work" } = (object as KubeObject).metadata;
    return kubectl.ok(["apply", "-n", namespace, "--server-side", "-f", "-"], dump(object));
  };
  const app = (spec: object) => ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name: "web", namespace: "work" },
    spec: {
      replicas: 3,
      inPlace: "IfPossible",
      evacuation: { connectionDrainSeconds: 1 },
      strategy: { rollingUpdate: { maxUnavailable: 1 } },
      template: template("web:1"),
      ...spec,
    },
  });
  const http = { port: 80, targetPort: "http" };
  const closed = (team: string) => ({ name: "closed", ...http, allowedNamespaces: { selector: { matchLabels: { team } } } });
  const editApp = async (spec: object) => {
    await cluster().client.patch(runnerApps, { namespace: "work", name: "web" }, { type: "merge", body: { spec } });
    await kubectl.ok(["wait", "ra/web", "-n", "work", "--for=condition=Ready", "--timeout=90s"]);
  };

  /** What the audit log has seen so far. */
  async function look(): Promise<void> {
    for await (const { stage, verb, objectRef, forbidden } of cluster().plane.auditEvents({ user: operatorUser })) {
      if (objectRef === undefined || stage === "Panic") continue;
      const { apiGroup, resource, subresource } = objectRef;
      const request = `${verb} ${apiGroup}/${subresource === "" ? resource : `${resource}/${subresource}`}`;
      (forbidden ? refused : used).add(request);
    }
  }
  const implied = (request: string) => request.startsWith("get ") && granted.has(request.replace("get ", "list "));
  const untilUsed = (requests: readonly string[], limitMs: number = timeLimits.settled) =>
    eventually("the operator to have used its rights", limitMs, async () => {
      await look();
      assert.deepEqual(
        requests.filter((request) => !used.has(request)),
        [],
      );
      return true;
    });

  before("install the chart, and run the operator as its account", async function () {
    this.timeout(timeLimits.test);
    const { plane } = cluster();
    kubectl = await cluster().kubectl("work");
    helm = await createHelm(binaries().helm, plane.kubeconfigContent, releaseNamespace);
    // The pods of the chart are processes of this test.
    const values = { operator: { replicas: 0 }, gateway: { replicas: 0 }, trace: { enabled: false }, queueGate: "Webhook" };
    const withPolicy = { ...values, queueGate: "Policy" };
    await helm.ok(["install", "nuptse", chart, "--create-namespace", ...valueArguments(withPolicy)]);
    const objects = await objectsOf(binaries().helm, values);
    const rules = ["ClusterRole", "Role"].flatMap((kind) => find(objects, kind, "nuptse-operator").rules ?? []);
    granted = new Set(requestsOf(rules).map((request) => request.split(" ").slice(0, 2).join(" ")));

    const [webhookPort = 0] = await freePorts(1);
    // No network of Services leads to processes of this machine, and there is one gate only: the other configuration is looked after all the same.
    const mutating = find(objects, "MutatingWebhookConfiguration", "nuptse");
    const { webhooks } = mutating as unknown as { readonly webhooks: readonly object[] };
    const without = { ...mutating, webhooks: webhooks.map((webhook) => ({ ...webhook, rules: [] })) };
    await apply(without);
    for (const [kind, path] of [
      ["validatingwebhookconfiguration", "validate"] as const,
      ["mutatingwebhookconfiguration", "gate"] as const,
    ]) {
      const clientConfig = { url: `https://127.0.0.1:${webhookPort}/${path}` };
      await kubectl.ok([
        "patch",
        kind,
        "nuptse",
        "--type=json",
        "-p",
        JSON.stringify([{ op: "replace", path: "/webhooks/0/clientConfig", value: clientConfig }]),
      ]);
    }
    const pod = (name: string, labels: object) => ({
      metadata: { name, namespace: releaseNamespace, labels, annotations: { "test/script": JSON.stringify({ runMs: "forever" }) } },
      spec: { containers: [{ name: "main", image: "nuptse" }], terminationGracePeriodSeconds: 1 },
    });
    await eventually("the account default", timeLimits.reaction, () => kubectl.ok(["get", "sa", "default", "-n", releaseNamespace]));
    for (const made of [pod("operator-0", {}), pod("gateway-0", { "nuptse.dev/gateway": "true" })])
      await apply({ apiVersion: "v1", kind: "Pod", ...made });

    operator = await cluster().operator("unused", {
      kubeconfig: await accountKubeconfig(plane, kubectl, releaseNamespace, "nuptse-operator"),
      lease: "4/3/1",
      args: [
        ...["--lease-namespace", releaseNamespace, "--pod", "operator-0", "--deployment", "nuptse-operator"],
        ...["--webhook-bind-address", `127.0.0.1:${webhookPort}`, "--webhook-host", "127.0.0.1"],
        // Renewed when it is 10 s old.
        ...["--webhook-certificate-seconds", "3600/3590/3", "--certificate", "nuptse-gateway-tls=nuptse-gateway"],
        ...["--explain-address", "127.0.0.1:0"],
      ],
    });
    await operator.leading();
    await operator.ready();

    await kubectl.ok(["label", "namespace", "work", "team=red"]);
    const queue = (name: string, spec: object) =>
      apply({ apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec });
    await queue("corp", { capacity: { resources: { cpu: "10", memory: "40Gi", pods: "100" } } });
    await queue("red", { parent: "corp", max: { cpu: "2" }, namespaceSelector: { matchLabels: { team: "red" } } });
  });
  after("take helm's home away", async () => helm?.close());

  it("are used by jobs: their templates, runs, results, calendars and requests", async () => {
    const { client } = cluster();
    await apply({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "holidays", namespace: "work" },
      data: { dates: "2020-01-01\n" },
    });
    const reduce = { template: { spec: { containers: [{ name: "sum", image: "busybox:1.37" }] } } };
    // Its reduce has to wait while the quota leaves room for three pods only.
    const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "three", namespace: "tight" } };
    await apply({ ...quota, spec: { hard: { "count/pods": "3" } } });
    await eventually(
      "the quota to be in force",
      timeLimits.reaction,
      async () => (await kubectl.ok(["get", "quota", "three", "-n", "tight", "-o", "jsonpath={.status.used}"])) !== "",
    );
    const spec = { schedule: onceAt(armedSecond()), sharding: { total: 3 }, podRetention: { succeeded: 0, failed: 0 } };
    await client.create(elasticJobs, elasticJob("tight", "sum", { ...spec, reduce, script: { runMs: 200, message: "1" } } as JobSpec));
    const listed = ["get", "configmaps", "-n", "tight", "-l", "nuptse.dev/job=sum", "-o", "name"];
    const results = await eventually("the file of results", timeLimits.run, async () => (await kubectl.ok(listed)).trim() || undefined);
    // As when only the first of many chunks of items had ended: the rest is added.
    const cover = JSON.stringify({ succeeded: "0", failed: "" });
    await kubectl.ok(["annotate", results, "-n", "tight", "--overwrite", `nuptse.dev/results=${cover}`]);
    await untilUsed(["create /configmaps", "update /configmaps"]);
    await kubectl.ok(["delete", "quota", "three", "-n", "tight"]);
    const yearly = { crons: ["0 0 1 1 *"] };
    const calendars = [{ name: "holidays", effect: "Exclude" as const }];
    await client.create(elasticJobs, elasticJob("work", "idle", { schedule: { ...yearly, calendars } }));
    await cluster().until("work", "idle", "to be armed", ({ status }) => status?.conditions?.some(({ reason }) => reason === "Armed"));
    // The same trouble twice is one event, counted.
    for (let times = 0; times < 2; times++) {
      await cluster().edit("work", "idle", { schedule: { ...yearly, calendars: [{ name: "missing", effect: "Exclude" }] } });
      await cluster().until("work", "idle", "to stall", ({ status }) =>
        status?.conditions?.some(({ type, status: is }) => type === "Stalled" && is === "True"),
      );
      await cluster().edit("work", "idle", { schedule: { ...yearly, calendars } });
      await cluster().until("work", "idle", "to be armed", ({ status }) => status?.conditions?.some(({ reason }) => reason === "Armed"));
    }
    for (const image of ["busybox:2", "busybox:3"]) {
      await cluster().edit("work", "idle", { template: { spec: { containers: [{ name: "work", image }] } } });
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    const request = { jobName: "idle", run: {}, requestedBy: "nuptse-admin", ttlSecondsAfterFinished: 1 };
    await apply({ apiVersion: "nuptse.dev/v1alpha1", kind: "JobRequest", metadata: { name: "once", namespace: "work" }, spec: request });
    await untilUsed([
      ...["patch nuptse.dev/elasticjobs/status", "patch nuptse.dev/jobrequests/status", "delete nuptse.dev/jobrequests", "create /pods"],
      ...["create /podtemplates", "create apps/controllerrevisions", "delete apps/controllerrevisions", "get /configmaps"],
      ...["create events.k8s.io/events", "patch events.k8s.io/events"],
    ]);
  });

  it("are used by pods in queues, and by who asks why they wait", async () => {
    const pod = template("web:1", "1");
    const labels = { app: "queued", "nuptse.dev/queue": "red" };
    await apply({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "queued", namespace: "work" },
      spec: { replicas: 2, selector: { matchLabels: { app: "queued" } }, template: { ...pod, metadata: { ...pod.metadata, labels } } },
    });
    await kubectl.ok(["rollout", "status", "deployment/queued", "-n", "work", "--timeout=90s"]);
    // The queue is full, so the next pods begin as surge, or not at all.
    await kubectl.ok(["set", "env", "deployment/queued", "-n", "work", "VERSION=2"]);
    const { explainPort } = await operator.said("operator starts");
    await kubectl.ok(["create", "rolebinding", "views", "-n", "work", "--clusterrole=view", "--serviceaccount=work:default"]);
    const token = (await kubectl.ok(["create", "token", "default", "-n", "work"])).trim();
    const asked = await fetch(`http://127.0.0.1:${explainPort}/v1/why?namespace=work&name=idle`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.notEqual(asked.status, 401);
    await untilUsed([
      ...["patch /pods", "patch nuptse.dev/tenantqueues/status", "get apps/deployments"],
      ...["create authentication.k8s.io/tokenreviews", "create authorization.k8s.io/subjectaccessreviews"],
    ]);
    // No request shows it: the policy asks for it when a gate is taken off.
    assert.ok(granted.has("admit nuptse.dev/tenantqueues"));
    used.add("admit nuptse.dev/tenantqueues");
  });

  it("are used by fleets: in place, scaled, published, closed and taken over", async () => {
    const service = {
      metadata: { name: "old", namespace: "work" },
      spec: { selector: { tier: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
    };
    await apply({ apiVersion: "v1", kind: "Service", ...service });
    await eventually("its Endpoints", timeLimits.reaction, () => kubectl.ok(["get", "endpoints", "old", "-n", "work"]));
    await apply(app({}));
    await kubectl.ok(["wait", "ra/web", "-n", "work", "--for=condition=Ready", "--timeout=90s"]);
    await editApp({ services: [{ name: "api", ...http }, closed("red"), { name: "old", ...http, adoptExisting: true }] });
    await editApp({ template: template("web:1", "200m") });
    await untilUsed(["patch /pods/resize", "patch /pods/status", "create networking.k8s.io/networkpolicies"]);
    await apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "gateway-1",
        namespace: releaseNamespace,
        labels: { "nuptse.dev/gateway": "true" },
        annotations: { "test/script": JSON.stringify({ runMs: "forever" }) },
      },
      spec: { containers: [{ name: "main", image: "nuptse" }] },
    });
    await editApp({ services: [{ name: "api", ...http }, closed("blue"), { name: "old", ...http, adoptExisting: true }] });
    await untilUsed(["update discovery.k8s.io/endpointslices", "update networking.k8s.io/networkpolicies", "delete /endpoints"]);
    await editApp({ replicas: 1, strategy: { rollingUpdate: { maxUnavailable: 0 } }, services: [] });
    await untilUsed([
      ...["create policy/poddisruptionbudgets", "update policy/poddisruptionbudgets", "delete /pods"],
      ...["create /services", "patch /services", "delete /services"],
      ...["create discovery.k8s.io/endpointslices", "delete discovery.k8s.io/endpointslices", "delete networking.k8s.io/networkpolicies"],
    ]);
  });

  it("are used to clean up, once the pods of a run have stayed for their time", async function () {
    this.timeout(cleanedUpMs + timeLimits.test);
    await untilUsed(["deletecollection /pods", "delete /configmaps"], cleanedUpMs);
  });

  it("certificates that it keeps for others can be read by them", async () => {
    const made = await cluster().client.get<KubeObject & { readonly data: object }>(secrets, {
      namespace: releaseNamespace,
      name: "nuptse-gateway-tls",
    });
    for (const key of ["tls.crt", "tls.key", "ca.crt"]) assert.ok(key in made.data, key);
  });

  it("nothing is asked for that is not granted", async () => {
    await look();
    assert.deepEqual(
      [...used].filter((request) => !granted.has(request)),
      [],
    );
    assert.deepEqual([...refused], []);
  });

  it("nothing is granted that is not in the table above", () => {
    const told = needed.flatMap(({ of, verbs }) => Object.keys(verbs).map((verb) => `${verb} ${of}`));
    assert.deepEqual([...granted].sort(), told.sort());
  });

  it("nothing is granted that was not used", async () => {
    await look();
    assert.deepEqual(
      [...granted].filter((request) => !used.has(request) && !implied(request)),
      [],
    );
  });

  for (const { of, verbs } of needed)
    for (const [verb, why] of Object.entries(verbs))
      it(`${verb} ${of}: ${why}`, () => {
        const request = `${verb} ${of}`;
        assert.ok(granted.has(request), "is not granted");
        assert.ok(used.has(request) || implied(request), "was not used");
      });
});
