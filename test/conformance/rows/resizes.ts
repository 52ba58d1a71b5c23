import { pods } from "../../../src/api/resource.ts";
import type { Api, Reply } from "../api.ts";
import { pod } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const sized = (name: string, resources: object, more: object = {}): Record<string, unknown> =>
  pod(name, { container: { resources, ...more } });
const small = { requests: { cpu: "100m", memory: "64Mi" } };

const resize = (api: Api, name: string, container: object, more: object = {}): Promise<Reply> =>
  api.merge(
    pods,
    name,
    { spec: { containers: [{ name: "main", image: "example.test/image:1", ...container }], ...more } },
    { subresource: "resize", show: ["spec.containers.*.resources", "spec.containers.*.image", "metadata.generation"] },
  );

/** pods/resize: what of a pod's resources changes while it runs. */
export const resizeRows: readonly Row[] = [
  row("a resize changes cpu and memory, and counts the generation", async (api) => {
    await api.create(pods, sized("a", small), { show: ["metadata.generation", "spec.containers.*.resizePolicy"] });
    await resize(api, "a", { resources: { requests: { cpu: "200m", memory: "64Mi" } } });
    await resize(api, "a", { resources: { requests: { cpu: "200m", memory: "64Mi" } } });
    await resize(api, "a", { resources: { requests: { cpu: "200m", memory: "64Mi" }, limits: { cpu: "1" } } });
    await api.get(pods, "a", { subresource: "resize", show: ["spec.containers.*.resources"] });
    const { body } = await api.get(pods, "a", { show: ["metadata.managedFields.*.subresource"] });
    const bigger = { requests: { cpu: "300m", memory: "96Mi" }, limits: { cpu: "1" } };
    const containers = [{ ...body.spec.containers[0], resources: bigger }];
    await api.replace(
      pods,
      "a",
      { ...body, spec: { ...body.spec, containers } },
      { subresource: "resize", show: ["spec.containers.*.resources"] },
    );
  }),
  row("a resize drops what is none", async (api) => {
    await api.create(pods, sized("a", small), { show: "nothing" });
    await resize(
      api,
      "a",
      { image: "example.test/other:2", resources: { requests: { cpu: "200m", memory: "64Mi" } } },
      { activeDeadlineSeconds: 9 },
    );
    await api.merge(
      pods,
      "a",
      { metadata: { labels: { a: "b" } } },
      { subresource: "resize", show: ["metadata.labels", "spec.activeDeadlineSeconds"] },
    );
  }),
  row("a resize is refused that takes a request away, changes the class or another resource", async (api) => {
    await api.create(pods, sized("a", small), { show: "nothing" });
    await resize(api, "a", { resources: { requests: { cpu: "200m" } } });
    await resize(api, "a", { resources: { requests: { cpu: "200m", memory: "64Mi" }, limits: { cpu: "200m", memory: "64Mi" } } });
    await resize(api, "a", { resources: { requests: { cpu: "200m", memory: "64Mi", "example.com/x": "1" } } }, {});
    await resize(api, "a", { resources: { requests: { cpu: "2", memory: "64Mi" }, limits: { cpu: "1" } } });
  }),
  row("a resize neither adds nor renames containers", async (api) => {
    await api.create(pods, sized("a", small), { show: "nothing" });
    await resize(api, "a", { name: "other", resources: small });
    const containers = ["main", "more"].map((name) => ({ name, image: "example.test/image:1", resources: small }));
    await api.merge(pods, "a", { spec: { containers } }, { subresource: "resize" });
  }),
  row("a resize needs a node that reports resources", async (api) => {
    await api.create(pods, sized("a", small), { show: "nothing" });
    const running = { name: "main", image: "x", imageID: "x", ready: true, restartCount: 0, state: { running: {} } };
    await api.merge(pods, "a", { status: { phase: "Running", containerStatuses: [running] } }, { subresource: "status", show: "nothing" });
    await resize(api, "a", { resources: { requests: { cpu: "200m", memory: "64Mi" } } });
    const reported = { ...running, resources: small };
    await api.merge(pods, "a", { status: { containerStatuses: [reported] } }, { subresource: "status", show: "nothing" });
    await resize(api, "a", { resources: { requests: { cpu: "200m", memory: "64Mi" } } });
  }),
  row("a pod's resources do not change by other ways", async (api) => {
    await api.create(pods, sized("a", small), { show: "nothing" });
    const containers = [{ name: "main", image: "example.test/image:1", resources: { requests: { cpu: "200m", memory: "64Mi" } } }];
    await api.merge(pods, "a", { spec: { containers } });
  }),
];
