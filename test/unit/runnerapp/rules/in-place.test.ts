import assert from "node:assert/strict";
import type { Container, Pod, PodTemplateSpec } from "../../../../src/api/core.ts";
import { inPlaceChange, type InPlaceChange, isChanging, readRecord, recordOf } from "../../../../src/runnerapp/rules/in-place.ts";
import type { RevisionData } from "../../../../src/runnerapp/rules/revision.ts";

interface Facts extends Partial<Container> {
  readonly metadata?: PodTemplateSpec["metadata"];
  readonly spec?: object;
  readonly options?: RevisionData["resourceOptions"];
}

const data = ({ metadata, spec, options, ...container }: Facts = {}): RevisionData => ({
  template: {
    ...(metadata !== undefined && { metadata }),
    spec: { containers: [{ name: "main", image: "web:1", ...container }], ...spec },
  },
  ...(options !== undefined && { resourceOptions: options }),
});

const none: InPlaceChange = { images: [], resources: [], restarts: [], labels: {}, annotations: {} };
const requests = (cpu: string, memory?: string) => ({ resources: { requests: { cpu, ...(memory !== undefined && { memory }) } } });
const restarting = { resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }] };

const rows: readonly {
  readonly name: string;
  readonly from?: Facts;
  readonly to: Facts;
  readonly want: Partial<InPlaceChange> | "anew";
}[] = [
  { name: "nothing", to: {}, want: {} },
  { name: "an image", to: { image: "web:2" }, want: { images: [{ name: "main", image: "web:2" }], restarts: ["main"] } },
  {
    name: "labels and annotations: those that are gone are null, and ours are nobody's business",
    from: { metadata: { labels: { a: "1", b: "1", "nuptse.dev/app": "x" }, annotations: { note: "old" } } },
    to: { metadata: { labels: { a: "2", c: "1" } } },
    want: { labels: { a: "2", b: null, c: "1" }, annotations: { note: null } },
  },
  {
    name: "an amount of cpu",
    from: requests("1"),
    to: requests("2"),
    want: { resources: [{ name: "main", resources: { requests: { cpu: "2" }, limits: {} } }] },
  },
  {
    name: "a limit of which the request was made",
    from: { resources: { limits: { cpu: "1" } } },
    to: { resources: { limits: { cpu: "2" } } },
    want: { resources: [{ name: "main", resources: { requests: { cpu: "2" }, limits: { cpu: "2" } } }] },
  },
  {
    name: "an amount for which the container starts anew",
    from: { ...requests("1", "1Gi"), ...restarting },
    to: { ...requests("2", "1Gi"), ...restarting },
    want: { resources: [{ name: "main", resources: { requests: { cpu: "2", memory: "1Gi" }, limits: {} } }], restarts: ["main"] },
  },
  {
    name: "another amount than that for which it does",
    from: { ...requests("1", "1Gi"), ...restarting },
    to: { ...requests("1", "2Gi"), ...restarting },
    want: { resources: [{ name: "main", resources: { requests: { cpu: "1", memory: "2Gi" }, limits: {} } }] },
  },
  { name: "an amount that was not asked for before", from: requests("1"), to: requests("1", "1Gi"), want: "anew" },
  { name: "an amount that is not asked for any more", from: requests("1", "1Gi"), to: requests("1"), want: "anew" },
  {
    name: "an amount of something that a running pod cannot get",
    from: { resources: { limits: { "example.com/gpu": "1" } } },
    to: { resources: { limits: { "example.com/gpu": "2" } } },
    want: "anew",
  },
  {
    name: "an amount where alternatives say what is asked for",
    from: { ...requests("1"), options: [{}] },
    to: { ...requests("2"), options: [{}] },
    want: "anew",
  },
  {
    name: "an image beside alternatives",
    from: { options: [{}] },
    to: { image: "web:2", options: [{}] },
    want: { images: [{ name: "main", image: "web:2" }], restarts: ["main"] },
  },
  { name: "alternatives", to: { options: [{}] }, want: "anew" },
  { name: "arguments", to: { args: ["--fast"] }, want: "anew" },
  {
    name: "another container",
    to: {
      spec: {
        containers: [
          { name: "main", image: "web:1" },
          { name: "side", image: "side:1" },
        ],
      },
    },
    want: "anew",
  },
  { name: "another name", to: { name: "other" }, want: "anew" },
  { name: "what the pod has besides", to: { spec: { serviceAccountName: "other" } }, want: "anew" },
  {
    name: "an image where there are init containers",
    from: { spec: { initContainers: [{ name: "first", image: "first:1" }] } },
    to: { image: "web:2", spec: { initContainers: [{ name: "first", image: "first:1" }] } },
    want: "anew",
  },
];

describe("what can change in a pod that runs", () => {
  for (const { name, from = {}, to, want } of rows)
    it(name, () => {
      assert.deepEqual(inPlaceChange(data(from), data(to)), want === "anew" ? undefined : { ...none, ...want });
    });
});

const pod = (id: string, restartCount: number, more: { readonly waits?: boolean; readonly observed?: number } = {}): Pod => ({
  metadata: { name: "web-0", generation: 2 },
  spec: { containers: [{ name: "main" }] },
  status: {
    containerStatuses: [
      {
        name: "main",
        containerID: id,
        restartCount,
        state: more.waits === true ? { waiting: { reason: "ContainerCreating" } } : { running: {} },
      },
    ],
    observedGeneration: more.observed ?? 2,
  },
});
const image: InPlaceChange = { ...none, images: [{ name: "main", image: "web:2" }], restarts: ["main"] };

describe("the record of a change in place", () => {
  it("tells which container makes way, and how many of its ends are none of its failures", () => {
    assert.deepEqual(recordOf(pod("a", 3), image), { containers: [{ name: "main", id: "a", ends: 4 }] });
  });

  it("without a restart keeps the ends there were, since another revision counts anew", () => {
    assert.deepEqual(recordOf(pod("a", 3), none), { containers: [{ name: "main", ends: 3 }] });
    assert.deepEqual(recordOf(pod("a", 0), none), { containers: [] });
  });

  it("reads what it wrote, and nothing else", () => {
    const record = recordOf(pod("a", 0), { ...image, resources: [{ name: "main", resources: {} }] });
    assert.deepEqual(readRecord(JSON.stringify(record)), record);
    for (const text of [undefined, "", "{", "null", "{}", '{"containers":[{"name":1,"ends":0}]}'])
      assert.equal(readRecord(text), undefined, text);
  });

  const record = recordOf(pod("a", 0), image);
  const states: readonly (readonly [name: string, pod: Pod, want: boolean])[] = [
    ["the container before it still runs", pod("a", 0), true],
    ["the kubelet has not seen it yet, though the container started anew by itself", pod("b", 1, { observed: 1 }), true],
    ["the new container does not run yet", pod("b", 1, { waits: true }), true],
    ["the new container runs", pod("b", 1), false],
    ["it started anew later by itself", pod("c", 2), false],
  ];
  for (const [name, seen, want] of states)
    it(`${name}: ${want ? "under way" : "done"}`, () => assert.equal(isChanging(seen, record), want));
});
