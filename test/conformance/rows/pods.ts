import { nodes, podTemplates, pods } from "../../../src/api/resource.ts";
import { pod } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const refused = (
  [
    ["no container", { spec: { containers: [] } }],
    ["a container without an image", { container: { image: "" } }],
    ["a container with a bad name", { container: { name: "Not_Ok" } }],
    ["a restart policy that is none", { spec: { restartPolicy: "Sometimes" } }],
    ["a request above its limit", { container: { resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } } }],
    ["a mount without its volume", { container: { volumeMounts: [{ name: "data", mountPath: "/data" }] } }],
    ["a volume with two sources", { spec: { volumes: [{ name: "data", emptyDir: {}, hostPath: { path: "/x" } }] } }],
    [
      "two containers of one name",
      {
        spec: {
          containers: [
            { name: "a", image: "x" },
            { name: "a", image: "y" },
          ],
        },
      },
    ],
    ["a bad node selector", { spec: { nodeSelector: { "bad key": "x" } } }],
    ["a toleration without a key", { spec: { tolerations: [{ operator: "Equal", value: "x" }] } }],
    [
      "tolerationSeconds without NoExecute",
      { spec: { tolerations: [{ key: "a", operator: "Exists", effect: "NoSchedule", tolerationSeconds: 3 }] } },
    ],
    ["a deadline of zero", { spec: { activeDeadlineSeconds: 0 } }],
    ["a port beyond the range", { container: { ports: [{ containerPort: 70000 }] } }],
    ["an environment variable without a name", { container: { env: [{ name: "", value: "x" }] } }],
    ["a gate together with a node", { spec: { schedulingGates: [{ name: "example.io/wait" }], nodeName: "n1" } }],
    [
      "an affinity without terms",
      { spec: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } } },
    ],
    [
      "an affinity with a bad operator",
      {
        spec: {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "Near", values: ["x"] }] }],
              },
            },
          },
        },
      },
    ],
    ["a pull policy that is none", { container: { imagePullPolicy: "Maybe" } }],
    ["a resource that is none", { container: { resources: { requests: { bananas: "1" } } } }],
  ] as const
).map(([what, more]) =>
  row(`a pod is refused: ${what}`, async (api) => {
    await api.create(pods, pod("a", more));
  }),
);

/** Pods: defaults, validation, status, binding, gates, templates. */
export const podRows: readonly Row[] = [
  row("a pod is defaulted", async (api) => {
    await api.create(
      pods,
      pod("a", {
        container: {
          ports: [{ containerPort: 80 }],
          livenessProbe: { httpGet: { port: 80 } },
          env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
        },
        spec: { volumes: [{ name: "v" }, { name: "c", configMap: { name: "x" } }] },
      }),
      { show: ["spec", "status", "metadata.generation"] },
    );
    await api.create(
      pods,
      { metadata: { name: "b" }, spec: { containers: [{ name: "c", image: "busybox" }] } },
      { show: ["spec.restartPolicy", "spec.containers"] },
    );
  }),
  row("the pull policy follows the tag", async (api) => {
    for (const [at, image] of [
      "x",
      "x:latest",
      "x:1",
      "host:5000/x",
      "host:5000/x:2",
      "x@sha256:0123456789012345678901234567890123456789012345678901234567890123",
    ].entries()) {
      await api.create(pods, pod(`p${at}`, { container: { image } }), { show: ["spec.containers.*.imagePullPolicy"] });
    }
  }),
  row("quantities are written in their canonical form", async (api) => {
    await api.create(
      pods,
      pod("a", { container: { resources: { requests: { cpu: 0.5, memory: "1024Mi" }, limits: { cpu: "1000m", memory: "1.5Gi" } } } }),
      { show: ["spec.containers.*.resources", "status.qosClass"] },
    );
    await api.create(pods, pod("b", { container: { resources: { limits: { cpu: "2", memory: "1e3" } } } }), {
      show: ["spec.containers.*.resources", "status.qosClass"],
    });
  }),
  ...refused,
  row("bad images pass", async (api) => {
    await api.create(pods, pod("a", { container: { image: "UPPER//:::x" } }), { show: ["spec.containers.*.image"] });
  }),
  row("several errors are told at once", async (api) => {
    await api.create(pods, pod("a", { container: { image: "", name: "" }, spec: { restartPolicy: "Sometimes" } }));
  }),
  row("a template is judged by a dry run of a PodTemplate", async (api) => {
    const strict = { query: { dryRun: "All", fieldValidation: "Strict" } };
    await api.create(podTemplates, { metadata: { name: "a" }, template: pod("x") }, { ...strict, show: ["template.spec.dnsPolicy"] });
    await api.create(podTemplates, { metadata: { name: "a" }, template: pod("x", { container: { image: "" } }) }, strict);
    await api.create(podTemplates, { metadata: { name: "a" }, template: pod("x", { container: { imagee: "y" } }) }, strict);
    await api.create(
      podTemplates,
      { metadata: { name: "a" }, template: pod("x", { container: { resources: { limits: { memory: "much" } } } }) },
      strict,
    );
    await api.create(
      podTemplates,
      {
        metadata: { name: "a" },
        template: { metadata: { labels: { "bad key": "x" } }, spec: { containers: [{ name: "a", image: "x" }] } },
      },
      strict,
    );
    await api.get(podTemplates, "a");
  }),
  row("a pod's image may change, its environment not", async (api) => {
    await api.create(pods, pod("a"));
    await api.json(pods, "a", [{ op: "replace", path: "/spec/containers/0/image", value: "example.test/image:2" }], {
      show: ["spec.containers.*.image", "metadata.generation"],
    });
    await api.json(pods, "a", [{ op: "add", path: "/spec/containers/0/env", value: [{ name: "A", value: "1" }] }]);
    await api.merge(pods, "a", { metadata: { labels: { x: "y" } } }, { show: ["metadata.generation"] });
  }),
  row("a deadline may be set and shortened", async (api) => {
    await api.create(pods, pod("a"));
    await api.merge(pods, "a", { spec: { activeDeadlineSeconds: 100 } }, { show: ["spec.activeDeadlineSeconds"] });
    await api.merge(pods, "a", { spec: { activeDeadlineSeconds: 50 } }, { show: ["spec.activeDeadlineSeconds", "metadata.generation"] });
    await api.merge(pods, "a", { spec: { activeDeadlineSeconds: 60 } });
    await api.merge(pods, "a", { spec: { activeDeadlineSeconds: null } });
  }),
  row("a pod's main resource ignores status, and /status ignores spec", async (api) => {
    await api.create(pods, pod("a"));
    await api.merge(pods, "a", { status: { phase: "Running" } }, { show: ["status.phase"] });
    await api.merge(
      pods,
      "a",
      { spec: { activeDeadlineSeconds: 3 }, status: { phase: "Running", podIP: "10.0.0.1" } },
      { subresource: "status", show: ["status.phase", "status.podIP", "spec.activeDeadlineSeconds", "metadata.generation"] },
    );
  }),
  row("a pod's address and the first of its addresses are one", async (api) => {
    const to = (status: object) =>
      api.merge(pods, "a", { status }, { subresource: "status", show: ["status.podIP", "status.podIPs", "metadata.managedFields"] });
    await api.create(pods, pod("a"));
    await to({ podIP: "10.0.0.1" });
    await to({ podIP: "10.0.0.2" });
    await to({ podIPs: [{ ip: "10.0.0.3" }, { ip: "fd00::3" }] });
    await to({ podIP: null });
    await to({ podIP: "10.0.0.4", podIPs: [{ ip: "10.0.0.4" }, { ip: "fd00::4" }] });
    await to({ podIP: null, podIPs: null });
  }),
  row("conditions in a merge patch replace the list", async (api) => {
    await api.create(pods, pod("a"));
    await api.merge(
      pods,
      "a",
      { status: { conditions: [{ type: "Ready", status: "True" }] } },
      { subresource: "status", show: ["status.conditions.*.type"] },
    );
    await api.merge(
      pods,
      "a",
      { status: { conditions: [{ type: "Mine", status: "True" }] } },
      { subresource: "status", show: ["status.conditions.*.type"] },
    );
  }),
  row("a binding gives a pod its node, once", async (api) => {
    await api.create(pods, pod("a"));
    const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: "a" }, target: { kind: "Node", name: "n1" } };
    const path = `/api/v1/namespaces/${api.namespace}/pods/a/binding`;
    await api.request("bind", "POST", path, binding, { show: ["kind", "status"] });
    await api.get(pods, "a", { show: ["spec.nodeName", "status.conditions.*.type", "status.conditions.*.status", "metadata.generation"] });
    await api.request("bind again", "POST", path, binding);
    await api.request("bind nobody", "POST", `/api/v1/namespaces/${api.namespace}/pods/b/binding`, { ...binding, metadata: { name: "b" } });
  }),
  row("a gated pod says so, cannot be bound, and its gates only go", async (api) => {
    await api.create(pods, pod("a", { spec: { schedulingGates: [{ name: "example.io/wait" }] } }), {
      show: [
        "status.phase",
        "status.conditions.*.type",
        "status.conditions.*.status",
        "status.conditions.*.reason",
        "status.conditions.*.message",
        "metadata.generation",
      ],
    });
    await api.request("bind", "POST", `/api/v1/namespaces/${api.namespace}/pods/a/binding`, {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "a" },
      target: { kind: "Node", name: "n1" },
    });
    await api.json(pods, "a", [{ op: "add", path: "/spec/schedulingGates/-", value: { name: "example.io/more" } }]);
    await api.merge(pods, "a", { spec: { nodeSelector: { zone: "x" } } }, { show: ["spec.nodeSelector", "metadata.generation"] });
    await api.json(
      pods,
      "a",
      [
        { op: "test", path: "/spec/schedulingGates", value: [{ name: "example.io/wait" }] },
        { op: "remove", path: "/spec/schedulingGates" },
      ],
      { show: ["spec.schedulingGates", "metadata.generation", "status.conditions"] },
    );
  }),
  row("an empty list applied by another manager takes no gate off", async (api) => {
    await api.create(pods, pod("a", { spec: { schedulingGates: [{ name: "example.io/wait" }] } }));
    await api.apply(pods, "a", "other", { spec: { schedulingGates: [] } }, { show: ["spec.schedulingGates"] });
  }),
  row("a node is registered with a status and changed by parts", async (api) => {
    const name = `${api.namespace}-node`;
    await api.create(
      nodes,
      {
        metadata: { name, labels: { zone: "a" } },
        spec: { taints: [{ key: "k", effect: "NoSchedule" }] },
        status: { capacity: { cpu: "4" }, conditions: [{ type: "Ready", status: "True" }] },
      },
      { show: ["status.capacity", "status.conditions.*.type"] },
    );
    await api.merge(nodes, name, { spec: { unschedulable: true } }, { show: ["spec.unschedulable"] });
    await api.merge(
      nodes,
      name,
      { status: { conditions: [{ type: "Ready", status: "Unknown" }] } },
      { subresource: "status", show: ["status.conditions.*.status", "status.capacity"] },
    );
    await api.delete(nodes, name, undefined, { show: ["details.kind"] });
  }),
];
