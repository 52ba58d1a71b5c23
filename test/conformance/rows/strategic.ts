import { configMaps, deployments, nodes, pods, type Resource, resourcePath, services } from "../../../src/api/resource.ts";
import type { Api, Reply, StepOptions } from "../api.ts";
import { pod } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const strategic = (api: Api, resource: Resource, name: string, patch: unknown, options: StepOptions = {}): Promise<Reply> =>
  api.request(
    "strategic",
    "PATCH",
    resourcePath(resource, resource.namespaced ? api.namespace : undefined, name, options.subresource),
    patch,
    {
      ...options,
      contentType: "application/strategic-merge-patch+json",
    },
  );

const template = {
  metadata: { labels: { app: "a" } },
  spec: {
    containers: [
      {
        name: "main",
        image: "x:1",
        args: ["a", "b"],
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "2" },
        ],
        ports: [{ containerPort: 80 }, { containerPort: 81 }],
        volumeMounts: [{ name: "v", mountPath: "/v" }],
      },
      { name: "side", image: "y:1" },
    ],
    volumes: [
      { name: "v", emptyDir: {} },
      { name: "w", configMap: { name: "c" } },
    ],
    tolerations: [{ key: "a", operator: "Exists" }],
  },
};

const deployment = { metadata: { name: "d" }, spec: { replicas: 2, selector: { matchLabels: { app: "a" } }, template } };
const inTemplate = (spec: object): object => ({ spec: { template: { spec } } });
const paths = "spec.template.spec";
const container = (fields: object): object => inTemplate({ containers: [{ name: "main", ...fields }] });

/** A patch of the deployment above, and what it shows. */
const patches: readonly (readonly [name: string, patch: object, show: readonly string[]])[] = [
  ["changes one container by its name", container({ image: "x:2" }), [`${paths}.containers.*.name`, `${paths}.containers.*.image`]],
  ["adds a container in front", inTemplate({ containers: [{ name: "new", image: "z" }] }), [`${paths}.containers.*.name`]],
  [
    "adds a container where the order says",
    inTemplate({
      "$setElementOrder/containers": [{ name: "main" }, { name: "new" }, { name: "side" }],
      containers: [{ name: "new", image: "z" }],
    }),
    [`${paths}.containers.*.name`],
  ],
  [
    "orders what it does not change",
    inTemplate({ "$setElementOrder/containers": [{ name: "side" }, { name: "main" }] }),
    [`${paths}.containers.*.name`],
  ],
  [
    "leaves elements that the order does not know where they stood",
    inTemplate({
      "$setElementOrder/containers": [{ name: "new" }, { name: "side" }],
      containers: [
        { name: "new", image: "z" },
        { name: "side", image: "y:2" },
      ],
    }),
    [`${paths}.containers.*.name`],
  ],
  ["takes an element away", inTemplate({ containers: [{ name: "side", $patch: "delete" }] }), [`${paths}.containers.*.name`]],
  [
    "replaces a list",
    inTemplate({ containers: [{ $patch: "replace" }, { name: "only", image: "o", volumeMounts: [{ name: "v", mountPath: "/o" }] }] }),
    [`${paths}.containers.*.name`],
  ],
  [
    "replaces a map",
    { spec: { template: { metadata: { labels: { $patch: "replace", app: "a", z: "1" } } } } },
    ["spec.template.metadata.labels"],
  ],
  ["empties a map", { metadata: { annotations: { $patch: "delete" } } }, ["metadata.annotations"]],
  [
    "merges variables by their name",
    container({
      env: [
        { name: "B", value: "3" },
        { name: "C", value: "4" },
      ],
    }),
    [`${paths}.containers.*.env`],
  ],
  ["takes a variable away", container({ env: [{ name: "A", $patch: "delete" }] }), [`${paths}.containers.*.env`]],
  ["merges ports by their number", container({ ports: [{ containerPort: 81, name: "http" }] }), [`${paths}.containers.*.ports`]],
  ["replaces arguments", container({ args: ["c"] }), [`${paths}.containers.*.args`]],
  ["replaces tolerations", inTemplate({ tolerations: [{ key: "b", operator: "Exists" }] }), [`${paths}.tolerations`]],
  [
    "gives a volume another source",
    inTemplate({ volumes: [{ name: "w", $retainKeys: ["name", "secret"], secret: { secretName: "s" } }] }),
    [`${paths}.volumes`],
  ],
  ["is refused for a volume with two sources", inTemplate({ volumes: [{ name: "w", emptyDir: {} }] }), [`${paths}.volumes`]],
  ["removes by null", { spec: { template: { spec: { tolerations: null } } } }, [`${paths}.tolerations`]],
  [
    "passes over nulls of what is not there",
    { spec: { template: { spec: { hostAliases: null, nodeSelector: { a: null, b: "1" } } } } },
    [`${paths}.nodeSelector`],
  ],
  [
    "passes over directives in what is new",
    inTemplate({
      hostAliases: [
        { ip: "1.2.3.4", $patch: "delete" },
        { ip: "1.2.3.5", hostnames: ["h"] },
      ],
    }),
    [`${paths}.hostAliases`],
  ],
  ["replaces the strategy", { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } }, ["spec.strategy"]],
  ["counts the generation, and not for labels", { metadata: { labels: { a: "b" } } }, ["metadata.generation", "metadata.labels"]],
];

/** What it is refused for. */
const refusals: readonly (readonly [name: string, patch: object])[] = [
  ["an element without its key", inTemplate({ containers: [{ image: "z" }] })],
  ["a directive that is none", inTemplate({ containers: [{ name: "main", $patch: "upsert" }] })],
  ["a directive of a map that is none", { metadata: { labels: { $patch: "upsert" } } }],
  [
    "keys to retain that do not hold what is given",
    inTemplate({ volumes: [{ name: "w", $retainKeys: ["name"], secret: { secretName: "s" } }] }),
  ],
  [
    "an order that does not hold what is given",
    inTemplate({ "$setElementOrder/containers": [{ name: "side" }], containers: [{ name: "main", image: "z" }] }),
  ],
  ["an order that is no list", inTemplate({ "$setElementOrder/containers": "side", containers: [{ name: "main", image: "z" }] })],
  ["a list that holds no objects", inTemplate({ containers: ["main"] })],
];

/** Strategic merge patches of built-in kinds. */
export const strategicRows: readonly Row[] = [
  ...patches.map(([name, patch, show]) =>
    row(`a strategic merge patch ${name}`, async (api) => {
      await api.create(deployments, deployment, { show: "nothing" });
      await strategic(api, deployments, "d", patch, { show });
    }),
  ),
  row("a strategic merge patch is refused that does not fit", async (api) => {
    await api.create(deployments, deployment, { show: "nothing" });
    for (const [name, patch] of refusals) {
      api.note("patch", name);
      const { status, body } = await strategic(api, deployments, "d", patch, { show: "reason" });
      api.note("status", [status, body.reason ?? null]);
    }
    await strategic(api, deployments, "d", [], {});
    await api.get(deployments, "d", { show: ["metadata.generation"] });
  }),
  row("finalizers are a set, and owners merge by their UID", async (api) => {
    await api.create(configMaps, { metadata: { name: "c", finalizers: ["a.io/x", "a.io/y"] } }, { show: "nothing" });
    const show = { show: ["metadata.finalizers"] };
    await strategic(api, configMaps, "c", { metadata: { finalizers: ["a.io/z"] } }, show);
    await strategic(api, configMaps, "c", { metadata: { "$deleteFromPrimitiveList/finalizers": ["a.io/x"] } }, show);
    const order = ["a.io/z", "a.io/y"];
    await strategic(api, configMaps, "c", { metadata: { "$setElementOrder/finalizers": order, finalizers: ["a.io/z"] } }, show);
    await strategic(api, configMaps, "c", { metadata: { finalizers: null } }, show);
  }),
  row("ports of a Service merge by their port", async (api) => {
    await api.create(
      services,
      {
        metadata: { name: "s" },
        spec: {
          clusterIP: "None",
          ports: [
            { name: "a", port: 80 },
            { name: "b", port: 81 },
          ],
        },
      },
      { show: "nothing" },
    );
    await strategic(
      api,
      services,
      "s",
      { spec: { ports: [{ port: 81, targetPort: 8081 }] } },
      { show: ["spec.ports.*.port", "spec.ports.*.targetPort", "spec.ports.*.name"] },
    );
  }),
  row("conditions of a pod merge by their type", async (api) => {
    await api.create(pods, pod("a"), { show: "nothing" });
    const status = (type: string, value: string): object => ({ status: { conditions: [{ type, status: value }] } });
    const options = { subresource: "status", show: ["status.conditions.*.type", "status.conditions.*.status"] } as const;
    await strategic(api, pods, "a", status("Ready", "False"), options);
    await strategic(api, pods, "a", status("Initialized", "True"), options);
    await strategic(api, pods, "a", status("Ready", "True"), options);
  }),
  row("a node is cordoned by a strategic merge patch, and its owner is told", async (api) => {
    const name = `${api.namespace}-node`;
    await api.create(nodes, { metadata: { name, labels: { x: "y" } } }, { show: "nothing" });
    await strategic(api, nodes, name, { spec: { unschedulable: true } }, { show: ["spec.unschedulable", "metadata.managedFields"] });
    await api.merge(
      nodes,
      name,
      { spec: { unschedulable: null }, metadata: { labels: { a: "b" } } },
      { show: ["spec.unschedulable", "metadata.managedFields"] },
    );
    await api.delete(nodes, name, undefined, { show: "nothing" });
  }),
];
