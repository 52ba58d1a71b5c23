import assert from "node:assert/strict";
import type { Pod } from "../../../src/api/core.ts";
import type { ResourceVector } from "../../../src/quota/resource-vector.ts";
import { podRequest, podUsage, type RequestingContainer, type RequestingPod } from "../../../src/quota/pod-request.ts";

const container = (name: string, requests: Readonly<Record<string, string>>, restartPolicy?: string): RequestingContainer => ({
  name,
  resources: { requests },
  ...(restartPolicy !== undefined && { restartPolicy }),
});
const sidecar = (name: string, cpu: string) => container(name, { cpu }, "Always");
const gib = 1024 * 1024;

interface Case {
  readonly name: string;
  readonly pod: RequestingPod;
  readonly want: ResourceVector;
}

const cases: readonly Case[] = [
  { name: "a pod without requests takes one of pods", pod: { spec: { containers: [{ name: "main" }] } }, want: { pods: 1 } },
  {
    name: "the sum of its containers",
    pod: { spec: { containers: [container("main", { cpu: "500m", memory: "1Gi" }), container("log", { cpu: "250m" })] } },
    want: { cpu: 750, memory: gib, pods: 1 },
  },
  {
    name: "an init container that needs more than they do together, resource by resource",
    pod: {
      spec: {
        containers: [container("main", { cpu: "1", memory: "1Gi" })],
        initContainers: [container("load", { cpu: "3" }), container("unpack", { cpu: "2", memory: "2Gi" })],
      },
    },
    want: { cpu: 3000, memory: 2 * gib, pods: 1 },
  },
  {
    name: "sidecars run beside the containers",
    pod: { spec: { containers: [container("main", { cpu: "1" })], initContainers: [sidecar("mesh", "200m"), sidecar("log", "100m")] } },
    want: { cpu: 1300, pods: 1 },
  },
  {
    name: "an init container needs its own beside the sidecars that started before it, not those after",
    // mesh 200m, then load 3 beside it = 3.2; log comes later; main + mesh + log = 1.3
    pod: {
      spec: {
        containers: [container("main", { cpu: "1" })],
        initContainers: [sidecar("mesh", "200m"), container("load", { cpu: "3" }), sidecar("log", "100m")],
      },
    },
    want: { cpu: 3200, pods: 1 },
  },
  {
    name: "the overhead of its runtime on top",
    pod: { spec: { containers: [container("main", { cpu: "1", memory: "1Gi" })], overhead: { cpu: "250m", memory: "120Mi" } } },
    want: { cpu: 1250, memory: gib + 120 * 1024, pods: 1 },
  },
  {
    name: "a limit without a request is the request",
    pod: { spec: { containers: [{ name: "main", resources: { limits: { cpu: "2", memory: "1Gi" }, requests: { cpu: "1" } } }] } },
    want: { cpu: 1000, memory: gib, pods: 1 },
  },
  {
    name: "requests of the pod as a whole stand for those of its containers; other resources stay",
    pod: {
      spec: {
        containers: [container("main", { cpu: "1", memory: "1Gi", "nvidia.com/gpu": "2" })],
        resources: { requests: { cpu: "3" } },
        overhead: { cpu: "100m" },
      },
    },
    want: { cpu: 3100, memory: gib, "nvidia.com/gpu": 2, pods: 1 },
  },
  {
    name: "a limit of the pod as a whole counts where no container requests that resource",
    pod: { spec: { containers: [container("main", { cpu: "1" })], resources: { limits: { cpu: "3", memory: "2Gi" } } } },
    want: { cpu: 1000, memory: 2 * gib, pods: 1 },
  },
  {
    name: "while a container grows it takes what it is to have",
    pod: {
      spec: { containers: [container("main", { cpu: "2" })] },
      status: { containerStatuses: [{ name: "main", allocatedResources: { cpu: "1" }, resources: { requests: { cpu: "1" } } }] },
    },
    want: { cpu: 2000, pods: 1 },
  },
  {
    name: "while it shrinks, what it still has",
    pod: {
      spec: { containers: [container("main", { cpu: "1" })] },
      status: { containerStatuses: [{ name: "main", allocatedResources: { cpu: "1" }, resources: { requests: { cpu: "2" } } }] },
    },
    want: { cpu: 2000, pods: 1 },
  },
  {
    name: "where the node can never give it, what it has",
    pod: {
      spec: { containers: [container("main", { cpu: "64" })] },
      status: {
        conditions: [{ type: "PodResizePending", reason: "Infeasible" }],
        containerStatuses: [{ name: "main", allocatedResources: { cpu: "1" }, resources: { requests: { cpu: "1" } } }],
      },
    },
    want: { cpu: 1000, pods: 1 },
  },
  {
    name: "where the node cannot give it yet, what it is to have",
    pod: {
      spec: { containers: [container("main", { cpu: "64" })] },
      status: {
        conditions: [{ type: "PodResizePending", reason: "Deferred" }],
        containerStatuses: [{ name: "main", allocatedResources: { cpu: "1" } }],
      },
    },
    want: { cpu: 64_000, pods: 1 },
  },
  {
    name: "a sidecar that is resized",
    pod: {
      spec: { containers: [container("main", { cpu: "1" })], initContainers: [sidecar("mesh", "100m")] },
      status: { initContainerStatuses: [{ name: "mesh", resources: { requests: { cpu: "300m" } } }] },
    },
    want: { cpu: 1300, pods: 1 },
  },
  {
    name: "less than a unit is one",
    pod: { spec: { containers: [container("main", { memory: "1" })] } },
    want: { memory: 1, pods: 1 },
  },
];

describe("the request of a pod", () => {
  for (const tc of cases) it(tc.name, () => assert.deepEqual(podRequest(tc.pod), tc.want));
});

it("a pod as the API server stores it is one that requests", () => {
  const pod: Pod = {
    metadata: { name: "web-1", namespace: "shop" },
    spec: {
      containers: [{ name: "main", image: "registry.example/web:1", resources: { requests: { cpu: "1" } } }],
      overhead: { cpu: "100m" },
    },
    status: { phase: "Running", containerStatuses: [{ name: "main", allocatedResources: { cpu: "2" } }] },
  };
  assert.deepEqual(podUsage(pod), { cpu: 2100, pods: 1 });
});

describe("what a pod takes", () => {
  const spec = { containers: [container("main", { cpu: "1" })] };
  for (const phase of ["Succeeded", "Failed"])
    it(`nothing once it has ${phase}`, () => assert.deepEqual(podUsage({ spec, status: { phase } }), {}));
  for (const phase of ["Pending", "Running", "Unknown"]) {
    it(`all of its request while it is ${phase}`, () => assert.deepEqual(podUsage({ spec, status: { phase } }), { cpu: 1000, pods: 1 }));
  }
});
