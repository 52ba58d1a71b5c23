import assert from "node:assert/strict";
import type { CustomResourceVersion } from "../../../../../src/api/core.ts";
import type { KubeObject } from "../../../../../src/api/meta.ts";
import type { Cell } from "../../../../../src/simulator/apiserver/http/table/columns.ts";
import { printerOf, tableOf } from "../../../../../src/simulator/apiserver/http/table/table.ts";
import type { ServedResource } from "../../../../../src/simulator/apiserver/served-resource.ts";

const now = Date.UTC(2026, 10, 21, 12, 0, 0);
const created = "2026-11-21T11:59:00Z";

const served = (group: string, plural: string, custom?: CustomResourceVersion): ServedResource => ({
  group,
  version: "v1",
  plural,
  kind: plural,
  namespaced: true,
  singular: plural,
  shortNames: [],
  categories: [],
  verbs: [],
  subresources: [],
  ...(custom === undefined ? {} : { custom }),
});

const cells = (resource: ServedResource, object: object): readonly Cell[] => printerOf(resource).cells(object, now);
const pod = (spec: object, status: object, metadata: object = {}) => ({
  metadata: { name: "p", creationTimestamp: created, ...metadata },
  spec: { containers: [{ name: "a" }], ...spec },
  status,
});

describe("the table of pods", () => {
  const running = { name: "a", ready: true, restartCount: 0, state: { running: {} } };
  const ended = (exitCode: number, reason?: string) => ({ name: "a", restartCount: 0, state: { terminated: { exitCode, reason } } });
  const cases: readonly { readonly name: string; readonly pod: object; readonly want: readonly [string, string, string] }[] = [
    { name: "a new pod shows its phase", pod: pod({}, { phase: "Pending" }), want: ["0/1", "Pending", "0"] },
    { name: "a running pod is ready", pod: pod({}, { phase: "Running", containerStatuses: [running] }), want: ["1/1", "Running", "0"] },
    {
      name: "a gated pod says so",
      pod: pod({}, { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] }),
      want: ["0/1", "SchedulingGated", "0"],
    },
    {
      name: "a waiting container gives its reason",
      pod: pod({}, { phase: "Pending", containerStatuses: [{ name: "a", state: { waiting: { reason: "ErrImagePull" } } }] }),
      want: ["0/1", "ErrImagePull", "0"],
    },
    {
      name: "a finished pod is Completed",
      pod: pod({}, { phase: "Succeeded", containerStatuses: [ended(0, "Completed")] }),
      want: ["0/1", "Completed", "0"],
    },
    {
      name: "an exit code without a reason",
      pod: pod({}, { phase: "Failed", containerStatuses: [ended(3)] }),
      want: ["0/1", "ExitCode:3", "0"],
    },
    {
      name: "a failed container beats a completed one",
      pod: pod(
        { containers: [{ name: "a" }, { name: "b" }] },
        { phase: "Failed", containerStatuses: [ended(0, "Completed"), { ...ended(1, "Error"), name: "b" }] },
      ),
      want: ["0/2", "Error", "0"],
    },
    { name: "an evicted pod", pod: pod({}, { phase: "Failed", reason: "Evicted" }), want: ["0/1", "Evicted", "0"] },
    {
      name: "a pod that is being deleted",
      pod: pod({}, { phase: "Running", containerStatuses: [running] }, { deletionTimestamp: created }),
      want: ["1/1", "Terminating", "0"],
    },
    {
      name: "a restart with its instant",
      pod: pod(
        {},
        {
          phase: "Running",
          containerStatuses: [
            { ...running, restartCount: 2, lastState: { terminated: { exitCode: 1, finishedAt: "2026-11-21T11:59:50Z" } } },
          ],
        },
      ),
      want: ["1/1", "Running", "2 (10s ago)"],
    },
    {
      name: "an init container at work",
      pod: pod(
        { initContainers: [{ name: "i" }, { name: "j" }] },
        {
          phase: "Pending",
          initContainerStatuses: [
            { name: "i", state: { terminated: { exitCode: 0 } } },
            { name: "j", state: { running: {} } },
          ],
        },
      ),
      want: ["0/1", "Init:1/2", "0"],
    },
    {
      name: "a sidecar counts as a container",
      pod: pod(
        { initContainers: [{ name: "s", restartPolicy: "Always" }] },
        {
          phase: "Running",
          initContainerStatuses: [{ name: "s", started: true, ready: true, state: { running: {} } }],
          containerStatuses: [running],
        },
      ),
      want: ["2/2", "Running", "0"],
    },
  ];
  for (const tc of cases)
    it(tc.name, () =>
      assert.deepEqual(cells(served("", "pods"), tc.pod), ["p", ...tc.want, "60s", "<none>", "<none>", "<none>", "<none>"]),
    );
});

describe("the tables of other built-in kinds", () => {
  const metadata = { name: "x", creationTimestamp: created };
  const cases: readonly {
    readonly name: string;
    readonly group?: string;
    readonly plural: string;
    readonly object: object;
    readonly want: readonly Cell[];
  }[] = [
    { name: "a namespace", plural: "namespaces", object: { metadata, status: { phase: "Active" } }, want: ["x", "Active", "60s"] },
    {
      name: "a config map",
      plural: "configmaps",
      object: { metadata, data: { a: "1", b: "2" }, binaryData: { c: "" } },
      want: ["x", 3, "60s"],
    },
    { name: "a secret", plural: "secrets", object: { metadata, type: "Opaque", data: { a: "" } }, want: ["x", "Opaque", 1, "60s"] },
    {
      name: "a lease",
      group: "coordination.k8s.io",
      plural: "leases",
      object: { metadata, spec: { holderIdentity: "me" } },
      want: ["x", "me", "60s"],
    },
    { name: "a CRD", group: "apiextensions.k8s.io", plural: "customresourcedefinitions", object: { metadata }, want: ["x", created] },
    {
      name: "a node",
      plural: "nodes",
      object: {
        metadata: { ...metadata, labels: { "node-role.kubernetes.io/worker": "" } },
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: "Ready", status: "True" }],
          nodeInfo: { kubeletVersion: "v1.36.0", kernelVersion: "6.1", architecture: "arm64" },
        },
      },
      want: ["x", "Ready,SchedulingDisabled", "worker", "60s", "v1.36.0", "<none>", "<none>", "<unknown>", "6.1 (arm64)", "<unknown>"],
    },
    {
      name: "a service",
      plural: "services",
      object: {
        metadata,
        spec: {
          type: "ClusterIP",
          clusterIPs: ["10.0.0.1"],
          ports: [
            { port: 80, protocol: "TCP" },
            { port: 53, nodePort: 30053, protocol: "UDP" },
          ],
          selector: { b: "2", a: "1" },
        },
      },
      want: ["x", "ClusterIP", "10.0.0.1", "<none>", "80/TCP,53:30053/UDP", "60s", "a=1,b=2"],
    },
    {
      name: "a deployment",
      group: "apps",
      plural: "deployments",
      object: {
        metadata,
        spec: { replicas: 3, selector: { matchLabels: { a: "1" } }, template: { spec: { containers: [{ name: "c", image: "i:1" }] } } },
        status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 },
      },
      want: ["x", "2/3", 3, 1, "60s", "c", "i:1", "a=1"],
    },
    {
      name: "a controller revision",
      group: "apps",
      plural: "controllerrevisions",
      object: {
        metadata: {
          ...metadata,
          ownerReferences: [{ apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", name: "etl", uid: "u", controller: true }],
        },
        revision: 4,
      },
      want: ["x", "elasticjob.nuptse.dev/etl", 4, "60s"],
    },
    {
      name: "a pod template",
      plural: "podtemplates",
      object: {
        metadata,
        template: { metadata: { labels: { a: "1" } }, spec: { containers: [{ name: "c", image: "i" }, { name: "d" }] } },
      },
      want: ["x", "c,d", "i,", "a=1"],
    },
    {
      name: "an endpoint slice",
      group: "discovery.k8s.io",
      plural: "endpointslices",
      object: {
        metadata,
        addressType: "IPv4",
        ports: [{ port: 80 }],
        endpoints: [{ addresses: ["1", "2"] }, { addresses: ["3"] }, { addresses: ["4"] }],
      },
      want: ["x", "IPv4", "80", "1,2,3 + 1 more...", "60s"],
    },
    {
      name: "a priority class",
      group: "scheduling.k8s.io",
      plural: "priorityclasses",
      object: { metadata, value: 7, preemptionPolicy: "Never" },
      want: ["x", 7, false, "60s", "Never"],
    },
    {
      name: "a quota",
      plural: "resourcequotas",
      object: {
        metadata,
        status: { hard: { "requests.cpu": "4", pods: "10", "limits.cpu": "8" }, used: { pods: "3", "requests.cpu": "1" } },
      },
      want: ["x", "pods: 3/10, requests.cpu: 1/4", "limits.cpu: 0/8", "60s"],
    },
    {
      name: "an event of core/v1",
      plural: "events",
      object: {
        metadata,
        type: "Warning",
        reason: "RunFailed",
        message: " run 1 failed\n",
        count: 2,
        involvedObject: { kind: "ElasticJob", name: "etl" },
        source: { component: "nuptse", host: "h" },
        firstTimestamp: "2026-11-21T11:58:00Z",
        lastTimestamp: "2026-11-21T11:59:30Z",
      },
      want: ["30s", "Warning", "RunFailed", "elasticjob/etl", "", "nuptse, h", "run 1 failed", "2m", 2, "x"],
    },
    {
      name: "an event of the newer form, with a series",
      group: "events.k8s.io",
      plural: "events",
      object: {
        metadata,
        type: "Normal",
        reason: "RunSkipped",
        note: "skipped",
        regarding: { kind: "ElasticJob", name: "etl" },
        reportingController: "nuptse",
        reportingInstance: "nuptse-1",
        eventTime: "2026-11-21T11:58:00.000000Z",
        series: { count: 7, lastObservedTime: "2026-11-21T11:59:59.000000Z" },
      },
      want: ["1s", "Normal", "RunSkipped", "elasticjob/etl", "", "nuptse, nuptse-1", "skipped", "2m", 7, "x"],
    },
  ];
  for (const tc of cases) it(tc.name, () => assert.deepEqual(cells(served(tc.group ?? "", tc.plural), tc.object), tc.want));

  it("an object that its printer cannot read is shown by its name", () => {
    const { rows } = tableOf({ metadata: { name: "odd" } }, printerOf(served("", "services")), { include: "None", now, headers: true });
    assert.deepEqual(rows, [{ cells: ["odd", null, null, null, null, null, null] }]);
  });
});

describe("the table of a custom kind", () => {
  const version = (...columns: NonNullable<CustomResourceVersion["additionalPrinterColumns"]>): CustomResourceVersion => ({
    name: "v1",
    served: true,
    storage: true,
    additionalPrinterColumns: columns,
  });
  const object = {
    metadata: { name: "etl", creationTimestamp: created },
    spec: { total: 4, half: 0.5, suspend: false, crons: ["a", "b"] },
    status: { conditions: [{ type: "Ready", status: "True" }], next: "2026-11-21T13:00:00Z" },
  };
  const cases: readonly { readonly name: string; readonly type: string; readonly path: string; readonly want: Cell }[] = [
    { name: "a condition as text", type: "string", path: '.status.conditions[?(@.type=="Ready")].status', want: "True" },
    { name: "an integer", type: "integer", path: ".spec.total", want: 4 },
    { name: "a number as text", type: "string", path: ".spec.total", want: "4" },
    { name: "a number", type: "number", path: ".spec.half", want: 0.5 },
    { name: "a boolean", type: "boolean", path: ".spec.suspend", want: false },
    { name: "a list as text is JSON", type: "string", path: ".spec.crons", want: '["a","b"]' },
    { name: "a date is an age", type: "date", path: ".metadata.creationTimestamp", want: "60s" },
    { name: "a date in the future", type: "date", path: ".status.next", want: "<invalid>" },
    { name: "nothing where the path leads nowhere", type: "string", path: ".status.nope", want: null },
    { name: "nothing where the type does not fit", type: "integer", path: ".metadata.name", want: null },
    { name: "nothing where the path fails", type: "string", path: ".spec.crons[9]", want: null },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const resource = served("nuptse.dev", "elasticjobs", version({ name: "C", type: tc.type, jsonPath: tc.path }));
      assert.deepEqual(cells(resource, object), ["etl", tc.want]);
    });
  }

  it("has an age when the CRD declares no columns", () => {
    const printer = printerOf(served("nuptse.dev", "elasticjobs", version()));
    assert.deepEqual(
      printer.columns.map(({ name, type }) => [name, type]),
      [
        ["Name", "string"],
        ["Age", "date"],
      ],
    );
    assert.deepEqual(printer.cells(object, now), ["etl", "60s"]);
  });

  it("keeps priority, format and description of its columns", () => {
    const column = { name: "Zone", type: "string", jsonPath: ".spec.zone", priority: 1, format: "f", description: "d" };
    const [, zone] = printerOf(served("nuptse.dev", "elasticjobs", version(column))).columns;
    assert.deepEqual(zone, { name: "Zone", type: "string", format: "f", description: "d", priority: 1 });
  });

  it("names list metadata, and carries metadata or whole objects as asked", () => {
    const printer = printerOf(served("nuptse.dev", "elasticjobs", version()));
    const list = { metadata: { resourceVersion: "7", continue: "t" }, items: [object as KubeObject] };
    const table = tableOf(list, printer, { include: "Metadata", now, headers: true });
    assert.deepEqual(table.metadata, { resourceVersion: "7", continue: "t" });
    assert.deepEqual(table.rows[0]?.object, { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata });
    const whole = tableOf(list, printer, { include: "Object", now, headers: false });
    assert.deepEqual([whole.columnDefinitions, whole.rows[0]?.object], [null, object]);
  });
});
