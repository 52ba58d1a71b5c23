import assert from "node:assert/strict";
import type { TenantQueue, TenantQueueSpec, TenantQueueStatus } from "../../../src/api/tenant-queue.gen.ts";
import { standingProblems, tenantQueueProblems } from "../../../src/validation/tenant-queue.ts";
import { iso } from "../../support/builders/elastic-job.ts";
import { makeQueue, queuesByName } from "../../support/builders/tenant-queue.ts";

const fixed = (cpu: number): TenantQueueSpec => ({ capacity: { resources: { cpu } } });
const granted = (parent: string, cpu: string, effective = cpu): TenantQueueStatus => ({
  parent,
  guaranteed: { cpu: { granted: cpu, effective } },
});

interface Case {
  readonly name: string;
  /** What is judged; its name is q. */
  readonly spec: TenantQueueSpec;
  readonly status?: TenantQueueStatus;
  readonly beside?: readonly TenantQueue[];
  readonly complete?: boolean;
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly want: readonly string[];
}

const corp = makeQueue("corp", fixed(100), { createdAt: iso("07:00:00") });
const web = makeQueue(
  "web",
  { parent: "corp", namespaceSelector: { matchLabels: { team: "web" } }, defaultQueue: true },
  { createdAt: iso("07:00:00") },
);

const specCases: readonly Case[] = [
  { name: "a plain root is right", spec: {}, want: [] },
  {
    name: "a plain queue is right",
    spec: {
      parent: "corp",
      guaranteed: { cpu: "50%", memory: "1Gi", "nvidia.com/gpu": 2, "hugepages-2Mi": "1Gi", pods: 10 },
      max: { cpu: 60 },
    },
    complete: false,
    want: [],
  },
  {
    name: "a percentage over 100",
    spec: { parent: "p", guaranteed: { cpu: "150%" } },
    want: ["spec.guaranteed.cpu: is 150%; must be at most 100%, the whole of what the parent has"],
  },
  {
    name: "a percentage as a limit",
    spec: { max: { cpu: "50%" } },
    want: ["spec.max.cpu: is the percentage 50%; only guarantees may be one: give a quantity"],
  },
  { name: "a negative quantity", spec: { max: { cpu: "-1" } }, want: ['spec.max.cpu: "-1" must not be negative'] },
  {
    name: "an absurd quantity",
    spec: { capacity: { resources: { memory: "9000P" } } },
    want: ['spec.capacity.resources.memory: "9000P" is more than any cluster has'],
  },
  {
    name: "no quantity",
    spec: { capacity: { provisionable: { cpu: "lots" } } },
    want: ['spec.capacity.provisionable.cpu: "lots" is not a quantity such as 500m, 1.5, 2Gi or 1e3'],
  },
  {
    name: "a part of a piece",
    spec: { max: { "nvidia.com/gpu": "500m" } },
    want: ["spec.max.nvidia.com/gpu: is 500m; nvidia.com/gpu is counted in whole pieces"],
  },
  {
    name: "an unknown resource",
    spec: { max: { gpu: 4 } },
    want: [
      "spec.max.gpu: there is no resource gpu; there are cpu, memory, ephemeral-storage, pods, hugepages-<size>, or an extended resource with its domain such as nvidia.com/gpu",
    ],
  },
  {
    name: "a resource as a quota writes it",
    spec: { max: { "requests.cpu": 4 } },
    want: ["spec.max.requests.cpu: there is no resource requests.cpu; give cpu, which is what pods request"],
  },
  {
    name: "a resource of a reserved domain",
    spec: { max: { "nuptse.dev/workloads": 4 } },
    want: [
      "spec.max.nuptse.dev/workloads: there is no resource nuptse.dev/workloads, since nuptse.dev is reserved; there are cpu, memory, ephemeral-storage, pods, hugepages-<size>, or an extended resource with its domain such as nvidia.com/gpu",
    ],
  },
  {
    name: "a limit below the guarantee",
    spec: { parent: "corp", guaranteed: { cpu: "10500m" }, max: { cpu: 10 } },
    beside: [corp],
    want: ["spec.max.cpu: is 10, below the guarantee of 10500m; raise it, or lower spec.guaranteed.cpu"],
  },
  {
    name: "a limit below a guarantee that is a percentage, where the whole is known",
    spec: { parent: "corp", guaranteed: { cpu: "50%" }, max: { cpu: 40 } },
    beside: [corp],
    want: ["spec.max.cpu: is 40, below the guarantee of 50% (50); raise it, or lower spec.guaranteed.cpu"],
  },
  {
    name: "a limit as large as the guarantee",
    spec: { parent: "corp", guaranteed: { cpu: "50%" }, max: { cpu: 50 } },
    beside: [corp],
    want: [],
  },
];

const placeCases: readonly Case[] = [
  {
    name: "an unknown parent",
    spec: { parent: "crop" },
    beside: [corp],
    want: ["spec.parent: there is no TenantQueue crop; create it, or name another one"],
  },
  { name: "of a few manifests no parent is missed", spec: { parent: "crop" }, complete: false, want: [] },
  {
    name: "a parent whose own parent is unknown",
    spec: { parent: "eng" },
    beside: [makeQueue("eng", { parent: "crop" })],
    want: ["spec.parent: the TenantQueue crop, which eng above it names as its parent, does not exist; create it, or correct eng"],
  },
  {
    name: "a cycle",
    spec: { parent: "a" },
    beside: [makeQueue("a", { parent: "b" }), makeQueue("b", { parent: "q" })],
    want: ["spec.parent: leads back to the queue itself (a -> b -> q -> a); name another parent in one of them"],
  },
  {
    name: "a parent that takes work itself",
    spec: { parent: "web" },
    beside: [corp, web],
    want: [
      "spec.parent: the queue web takes work itself (its spec.namespaceSelector), and only queues without children do; take that away first, or name another parent",
    ],
  },
  {
    name: "a selector on a queue with queues below it",
    spec: { parent: "corp", namespaceSelector: {} },
    beside: [corp, ...["d", "c", "b", "a"].map((name) => makeQueue(name, { parent: "q" }))],
    want: [
      "spec.namespaceSelector: only queues without children take work, and a, b, c and 1 other are below this one; take it away, and let namespaces use those",
    ],
  },
];

const defaultCases: readonly Case[] = [
  {
    name: "a second default of a namespace that is known",
    spec: { parent: "corp", namespaceSelector: {}, defaultQueue: true },
    beside: [corp, web],
    namespaces: { shop: { team: "web" }, other: {} },
    want: [
      "spec.defaultQueue: web is the default queue of the namespace shop already; set one of the two to false, or narrow its namespaceSelector",
    ],
  },
  {
    name: "two defaults with no namespace in common",
    spec: { parent: "corp", namespaceSelector: { matchLabels: { team: "ads" } }, defaultQueue: true },
    beside: [corp, web],
    namespaces: { shop: { team: "web" }, banners: { team: "ads" } },
    want: [],
  },
  {
    name: "where no namespaces are known, a selector that is surely within the other",
    spec: { parent: "corp", namespaceSelector: { matchLabels: { team: "web", stage: "test" } }, defaultQueue: true },
    beside: [corp, web],
    want: [
      "spec.defaultQueue: web is the default queue of the same namespaces already; set one of the two to false, or narrow its namespaceSelector",
    ],
  },
  {
    name: "the older one of two has no problem: it is the default",
    spec: { parent: "corp", namespaceSelector: {}, defaultQueue: true },
    beside: [corp, makeQueue("late", { parent: "corp", namespaceSelector: {}, defaultQueue: true }, { createdAt: iso("23:00:00") })],
    want: [],
  },
];

const poolCases: readonly Case[] = [
  {
    name: "a second root of all nodes",
    spec: {},
    beside: [makeQueue("old", {}, { createdAt: iso("07:00:00") })],
    want: [
      "spec.capacity: selects nodes that the root old has already; give the two roots different nodeSelectors, or hang this queue below old",
    ],
  },
  {
    name: "a pool within an older one",
    spec: { capacity: { nodeSelector: { zone: "a", pool: "x" } } },
    beside: [makeQueue("old", { capacity: { nodeSelector: { zone: "a" } } }, { createdAt: iso("07:00:00") })],
    want: [
      "spec.capacity: selects nodes that the root old has already; give the two roots different nodeSelectors, or hang this queue below old",
    ],
  },
  {
    name: "pools with different labels",
    spec: { capacity: { nodeSelector: { zone: "a" } } },
    beside: [makeQueue("old", { capacity: { nodeSelector: { zone: "b" } } })],
    want: [],
  },
  {
    name: "a pool whose taint the older root does not tolerate",
    spec: { capacity: { nodeSelector: { pool: "gpu" }, tolerations: [{ key: "nvidia.com/gpu", operator: "Exists" }] } },
    beside: [makeQueue("old")],
    want: [],
  },
  { name: "a fixed capacity beside all nodes", spec: fixed(10), beside: [makeQueue("old")], want: [] },
];

const guaranteeCases: readonly Case[] = [
  {
    name: "more than the parent has",
    spec: { parent: "corp", guaranteed: { cpu: 60 } },
    beside: [corp, makeQueue("a", { parent: "corp", guaranteed: { cpu: "50%" } })],
    want: [
      "spec.guaranteed.cpu: is 60 where corp has a capacity of 100 and its other queues are guaranteed 50 of it; ask for 50 at most, lower theirs, or raise that of corp",
    ],
  },
  {
    name: "all that is left",
    spec: { parent: "corp", guaranteed: { cpu: 50 } },
    beside: [corp, makeQueue("a", { parent: "corp", guaranteed: { cpu: "50%" } })],
    want: [],
  },
  {
    name: "of a queue further down: percentages are resolved on the way",
    spec: { parent: "eng", guaranteed: { cpu: 26 } },
    beside: [
      corp,
      makeQueue("eng", { parent: "corp", guaranteed: { cpu: "50%" } }),
      makeQueue("a", { parent: "eng", guaranteed: { cpu: "50%" } }),
    ],
    want: [
      "spec.guaranteed.cpu: is 26 where eng has a guarantee of 50 and its other queues are guaranteed 25 of it; ask for 25 at most, lower theirs, or raise that of eng",
    ],
  },
  {
    name: "of a parent that is guaranteed nothing",
    spec: { parent: "eng", guaranteed: { cpu: 1 } },
    beside: [corp, makeQueue("eng", { parent: "corp" })],
    want: [
      "spec.guaranteed.cpu: is 1 where eng has a guarantee of 0 and its other queues are guaranteed 0 of it; ask for 0 at most, lower theirs, or raise that of eng",
    ],
  },
  {
    name: "where the capacity is not known, percentages are added up",
    spec: { parent: "nodes", guaranteed: { cpu: "60%", memory: "100%" } },
    beside: [makeQueue("nodes"), makeQueue("a", { parent: "nodes", guaranteed: { cpu: "50%", memory: "1Gi" } })],
    want: [
      "spec.guaranteed.cpu: is 60% where nodes has a capacity of 100% and its other queues are guaranteed 50% of it; ask for 50% at most, lower theirs, or raise that of nodes",
    ],
  },
  {
    name: "and where there is none just now, too",
    spec: { parent: "nodes", guaranteed: { cpu: "60%" } },
    status: granted("nodes", "50%", "0"),
    beside: [
      makeQueue("nodes", {}, { status: { capacity: {} } }),
      makeQueue("a", { parent: "nodes" }, { status: granted("nodes", "50%", "0") }),
    ],
    want: [
      "spec.guaranteed.cpu: is 60% where nodes has a capacity of 100% and its other queues are guaranteed 50% of it; ask for 50% at most, lower theirs, or raise that of nodes",
    ],
  },
  {
    name: "a capacity that status tells",
    spec: { parent: "nodes", guaranteed: { cpu: 11 } },
    beside: [makeQueue("nodes", {}, { status: { capacity: { cpu: "10" } } })],
    want: [
      "spec.guaranteed.cpu: is 11 where nodes has a capacity of 10 and its other queues are guaranteed 0 of it; ask for 10 at most, lower theirs, or raise that of nodes",
    ],
  },
  {
    name: "of pods, where a fixed capacity does not count them",
    spec: { parent: "corp", guaranteed: { pods: 1000 } },
    beside: [corp],
    want: [],
  },
  {
    name: "what a sibling was granted counts, not what it asks for in vain",
    spec: { parent: "corp", guaranteed: { cpu: 50 } },
    beside: [corp, makeQueue("a", { parent: "corp", guaranteed: { cpu: 90 } }, { status: granted("corp", "50") })],
    want: [],
  },
  {
    name: "a sibling that came from elsewhere and was granted nothing here yet",
    spec: { parent: "corp", guaranteed: { cpu: 80 } },
    beside: [corp, makeQueue("a", { parent: "corp", guaranteed: { cpu: 50 } }, { status: granted("elsewhere", "50") })],
    want: [],
  },
  {
    name: "while capacity lacks, a guarantee may be lowered",
    spec: { parent: "nodes", guaranteed: { cpu: 48 } },
    status: granted("nodes", "50", "45"),
    beside: [
      makeQueue("nodes", {}, { status: { capacity: { cpu: "90" } } }),
      makeQueue("a", { parent: "nodes" }, { status: granted("nodes", "50", "45") }),
    ],
    want: [],
  },
  {
    name: "not below what the queues below are guaranteed",
    spec: { parent: "corp", guaranteed: { cpu: 40 } },
    status: granted("corp", "60"),
    beside: [corp, makeQueue("x", { parent: "q" }, { status: granted("q", "50") })],
    want: ["spec.guaranteed.cpu: is 40, and the queues below are guaranteed 50 together; lower theirs first, or keep it at 50 or more"],
  },
  {
    name: "nor taken away while they have it",
    spec: { parent: "corp" },
    status: granted("corp", "60"),
    beside: [corp, makeQueue("x", { parent: "q" }, { status: granted("q", "50") })],
    want: ["spec.guaranteed.cpu: is 0, and the queues below are guaranteed 50 together; lower theirs first, or keep it at 50 or more"],
  },
];

describe("validation of a TenantQueue", () => {
  const groups = {
    "by itself": specCases,
    "its place": placeCases,
    "default queues": defaultCases,
    pools: poolCases,
    guarantees: guaranteeCases,
  };
  for (const [title, cases] of Object.entries(groups)) {
    describe(title, () => {
      for (const tc of cases) {
        it(tc.name, () => {
          const queue = makeQueue("q", tc.spec, { createdAt: iso("12:00:00"), ...(tc.status !== undefined && { status: tc.status }) });
          const world = {
            queues: queuesByName(...(tc.beside ?? []), queue),
            complete: tc.complete ?? tc.beside !== undefined,
            ...(tc.namespaces !== undefined && { namespaces: new Map(Object.entries(tc.namespaces)) }),
          };
          assert.deepEqual(
            tenantQueueProblems(queue, world).map(({ path, message }) => `${path}: ${message}`),
            tc.want,
          );
        });
      }
    });
  }

  it("a queue is judged as it is to be, not as it is stored", () => {
    const stored = makeQueue("q", { parent: "corp", guaranteed: { cpu: 100 } });
    const edited = makeQueue("q", { parent: "corp", guaranteed: { cpu: 10 } });
    assert.deepEqual(tenantQueueProblems(edited, { queues: queuesByName(corp, stored), complete: true }), []);
  });

  it("of all stored queues those are told that have a problem, each with its own", () => {
    const selector = { namespaceSelector: { matchLabels: { team: "web" } }, defaultQueue: true };
    const queues = queuesByName(
      corp,
      web,
      makeQueue("eng", { parent: "corp", namespaceSelector: {} }),
      makeQueue("api", { parent: "eng", ...selector }),
      makeQueue("ads", { parent: "eng", namespaceSelector: { matchLabels: { team: "ads" } }, defaultQueue: true, max: { gpu: 1 } }),
    );
    const namespaces = new Map([
      ["shop", { team: "web" }],
      ["banners", { team: "ads" }],
    ]);
    const texts = (problems: ReturnType<typeof standingProblems>) =>
      Object.fromEntries([...problems].map(([name, all]) => [name, all.map(({ path }) => path)]));
    const want = { eng: ["spec.namespaceSelector"], api: ["spec.defaultQueue"], ads: ["spec.max.gpu"] };
    assert.deepEqual(texts(standingProblems({ queues, complete: true, namespaces })), want);
    assert.deepEqual(texts(standingProblems({ queues, complete: true })), want);
    assert.match(
      standingProblems({ queues, complete: true, namespaces }).get("api")?.[0]?.message ?? "",
      /^web is the default queue of the namespace shop/,
    );
  });
});
