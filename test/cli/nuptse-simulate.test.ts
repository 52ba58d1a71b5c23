import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { SimulationReport } from "../../src/cli/simulate/report.ts";
import { program } from "../support/program.ts";

const root = join(import.meta.dirname, "../..");

/** Runs `nuptse simulate <args>` in the project's folder as a process. */
async function simulate(
  args: readonly string[],
  input = "",
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const child = spawn(process.execPath, [program, "simulate", ...args], { cwd: root, stdio: "pipe", timeout: 300_000 });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  child.stdin.end(input);
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
}

const lending = ["-f", "test/cli/testdata/lender-and-owner.yaml", "--for", "2h", "--node-cpu", "4"];

describe("nuptse simulate", function () {
  this.timeout(330_000);

  it("an owner that wants its half back waits for the grace of whoever borrowed it", async () => {
    const { code, out, err } = await simulate([...lending, "--nodes", "1"]);
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    // Six cells of five minutes until the owner comes; a minute of grace; half an hour of work; then red has it all again.
    assert.equal(
      out,
      `2026-01-05T00:00:00Z to 2026-01-05T02:00:00Z, seed 1, 1 nodes

QUEUE     RESOURCE   MEAN   PEAK   GUAR.   SHARE, 5m A CELL
corp      cpu        100%   100%   -       ████████████████████████
├─ blue   cpu        13%    50%    50%           ▄▄▄▄▄▄▁
└─ red    cpu        87%    100%   50%     ██████▅▄▄▄▄▄████████████

QUEUE     RUNS   P50   P90   P99   MAX   STILL   MOST   STARVED
corp      2      0s    1m    1m    1m    0       1      0s
├─ blue   1      1m    1m    1m    1m    0       1      1m
└─ red    1      0s    0s    0s    0s    0       1      0s

QUEUE     CLAIMED   ASKED   RELEASED   DECLINED   WITHDRAWN   OVERDUE   OPEN
corp      1         1       1          0          0           0         0
├─ blue   1         0       0          0          0           0         0
└─ red    0         1       1          0          0           0         0

WORKLOAD     QUEUE   RUNS   P50   P90   P99   MAX   STILL   FAILED
blue/owner   blue    1      1m    1m    1m    1m    0       0
red/filler   red     1      0s    0s    0s    0s    0       0
`,
    );
  });

  it("with a node more nobody waits, and nobody is asked", async () => {
    const { out } = await simulate([...lending, "--nodes", "2", "-o", "json"]);
    const { queues, bucketSeconds } = JSON.parse(out) as SimulationReport;
    assert.equal(bucketSeconds, 300);
    assert.deepEqual(
      queues.map(({ name, waitSeconds, starvedSeconds, reclaims, share }) => ({
        name,
        longest: waitSeconds?.max,
        starved: starvedSeconds.longest,
        asked: reclaims.asked,
        peak: share["cpu"]?.peak,
      })),
      [
        // Eight cores: four of red, and two of blue.
        { name: "corp", longest: 0, starved: 0, asked: 0, peak: 0.75 },
        { name: "blue", longest: 0, starved: 0, asked: 0, peak: 0.25 },
        { name: "red", longest: 0, starved: 0, asked: 0, peak: 0.5 },
      ],
    );
  });

  it("the documented week is what the example gives", async () => {
    const guide = await readFile(join(root, "docs/simulate.md"), "utf8");
    const [, typed = "", shown] = /```console\n\$ nuptse simulate (.*two-tenants.*)\n([^`]*)```/.exec(guide) ?? [];
    const { code, out, err } = await simulate(typed.split(" "));
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.equal(out, shown);
  });

  it("the same seed prints the same bytes, another one others", async () => {
    const night = (seed: string) =>
      simulate(["-f", "examples/simulate", "--nodes", "4", "--node-cpu", "16", "--for", "12h", "--seed", seed, "-o", "json"]);
    const first = await night("5");
    assert.equal(first.code, 0, first.err);
    const { queues } = JSON.parse(first.out) as SimulationReport;
    assert.equal(queues[0]?.share["cpu"]?.peak, 1, "it is full at times, and never more than that");
    assert.equal((await night("5")).out, first.out);
    assert.notEqual((await night("6")).out.replace('"seed": 6', '"seed": 5'), first.out);
  });

  it("a job on a schedule, a node of a file, and a queue that nobody opened: what waits says why", async () => {
    const input = `
apiVersion: v1
kind: Node
metadata: {name: big, resourceVersion: "7", uid: u}
status: {allocatable: {cpu: 2, memory: 4Gi, pods: 10}}
---
{apiVersion: nuptse.dev/v1alpha1, kind: TenantQueue, metadata: {name: open}, spec: {namespaceSelector: {}, defaultQueue: true}}
---
apiVersion: nuptse.dev/v1alpha1
kind: ElasticJob
metadata: {name: hourly, namespace: shop}
spec:
  schedule: {crons: ["@hourly"]}
  queue: {}
  template:
    metadata: {annotations: {simulate.nuptse.dev/script: '{"runMs": [600000, 600000]}'}}
    spec: {containers: [{name: main, image: busybox, resources: {requests: {cpu: 2}}}]}
---
apiVersion: simulate.nuptse.dev/v1alpha1
kind: Workload
metadata: {name: huge, namespace: shop}
spec: {minCount: 2, items: 2, requests: {cpu: 2}, duration: {fixed: 1m}, arrivals: [{at: [10m]}]}
---
apiVersion: simulate.nuptse.dev/v1alpha1
kind: Workload
metadata: {name: stray, namespace: shop}
spec: {queue: opne, requests: {cpu: 1}, duration: {fixed: 1m}, arrivals: [{at: [10m]}]}
`;
    const { code, out } = await simulate(["-f", "-", "--for", "3h", "-o", "json"], input);
    assert.equal(code, 0);
    const { nodes, workloads, queues } = JSON.parse(out) as SimulationReport;
    assert.equal(nodes, 1);
    // 600 s of 3600, three times: at midnight, at one and at two.
    assert.ok(Math.abs((queues[0]?.share["cpu"]?.mean ?? 0) - 1 / 6) < 0.002, String(queues[0]?.share["cpu"]?.mean));
    assert.deepEqual(
      workloads.map(({ name, runs, reasons }) => [name, runs.arrived, runs.begun, reasons.map(({ reason }) => reason)]),
      [
        ["shop/hourly", 3, 3, []],
        ["shop/huge", 1, 0, ["NeverFits"]],
        ["shop/stray", 1, 0, ["QueueNotFound"]],
      ],
    );
  });

  const queue = "{apiVersion: nuptse.dev/v1alpha1, kind: TenantQueue, metadata: {name: q}, spec: {namespaceSelector: {}}}\n---\n";
  const workload = (spec: string) =>
    `${queue}{apiVersion: simulate.nuptse.dev/v1alpha1, kind: Workload, metadata: {name: w, namespace: shop}, spec: {requests: {cpu: 1}, duration: {fixed: 1m}, arrivals: [{every: 5m}], ${spec}}}`;
  const problem = "error: nothing was simulated: a problem in the manifests";
  const refused: readonly {
    readonly name: string;
    readonly args?: readonly string[];
    readonly input?: string;
    readonly want: readonly string[];
  }[] = [
    {
      name: "a field that is not there",
      input: workload("itmes: 3"),
      want: ['stdin#2: Workload shop/w: unknown field "spec.itmes"; did you mean items?', problem],
    },
    {
      name: "a length that is none",
      input: workload("").replace("1m", "ten"),
      want: [
        'stdin#2: Workload shop/w: spec.duration.fixed: Invalid value: "ten": must be a duration such as 90s, 10m, 1h30m or 2d',
        problem,
      ],
    },
    {
      name: "two ways at once",
      input: workload("").replace("every: 5m", 'every: 5m, cron: "0 9 * * *"'),
      want: ["stdin#2: Workload shop/w: spec.arrivals[0]: Invalid value: must have exactly one of perHour, every, cron and at", problem],
    },
    {
      name: "what only a look at the whole tells",
      input: workload("timeZone: Mars/Base"),
      want: [
        'stdin#2: Workload shop/w: spec.timeZone: unknown time zone "Mars/Base"; write a name of the IANA time zone database such as "Asia/Shanghai", or "GMT+08:00"',
        problem,
      ],
    },
    {
      name: "a queue that breaks its schema",
      input: `${workload("")}\n---\n{apiVersion: nuptse.dev/v1alpha1, kind: TenantQueue, metadata: {name: p}, spec: {guaranteed: {gpu: 8}, parent: r}}`,
      want: [
        "stdin#3: TenantQueue p: spec.guaranteed.gpu: there is no resource gpu; there are cpu, memory, ephemeral-storage, pods, hugepages-<size>, or an extended resource with its domain such as nvidia.com/gpu",
        problem,
      ],
    },
    {
      name: "one name twice",
      input: `${workload("")}\n---\n${workload("").replace(queue, "")}`,
      want: ["stdin#3: Workload shop/w: stands in stdin#2 as well; each name may be there once", problem],
    },
    {
      name: "a job that has the name of an arrival",
      input: `${workload("")}\n---\n{apiVersion: nuptse.dev/v1alpha1, kind: ElasticJob, metadata: {name: w-12, namespace: shop}, spec: {template: {spec: {containers: [{name: main, image: x}]}}}}`,
      want: ["error: ElasticJob shop/w-12 has the name of an arrival of Workload w; give one of them another name"],
    },
    {
      name: "no queue",
      input: workload("").replace(queue, ""),
      want: ["error: there is no TenantQueue in these files, so there is nothing to be shared; see docs/simulate.md"],
    },
    {
      name: "nothing that arrives",
      input: queue,
      want: ["error: there is no Workload and no ElasticJob in these files, so nothing would ever arrive; see docs/simulate.md"],
    },
    { name: "a file that is not there", args: ["-f", "nowhere.yaml"], want: ["error: there is no file nowhere.yaml"] },
    { name: "no file", args: [], want: ["error: required option '-f, --filename <file...>' not specified"] },
    {
      name: "a length of the simulation without a unit",
      args: ["-f", "-", "--for", "7"],
      want: ["error: option '--for <duration>' argument '7' is invalid. Write a duration such as 90m, 2h or 7d, from 1m to 366d."],
    },
    {
      name: "a quantity of a node that is none",
      args: ["-f", "-", "--node-cpu", "lots"],
      want: [
        `error: option '--node-cpu <quantity>' argument 'lots' is invalid. cpu: "lots" is not a quantity such as 500m, 1.5, 2Gi or 1e3.`,
      ],
    },
    {
      name: "a resource that no queue has",
      args: ["-f", "-", "--for", "1m", "--resource", "nvidia.com/gpu"],
      input: workload(""),
      want: ["error: --resource: no queue has nvidia.com/gpu; there are cpu, ephemeral-storage, memory, pods"],
    },
    {
      name: "no node",
      args: ["-f", "-", "--nodes", "0"],
      input: workload(""),
      want: ["error: --nodes: 0, and no Node in the files, leave nothing to run on"],
    },
  ];
  for (const { name, args = ["-f", "-"], input, want } of refused)
    it(`refuses ${name} with exit code 2`, async () => {
      const { code, out, err } = await simulate(args, input);
      assert.deepEqual({ code, out, err: err.trimEnd().split("\n") }, { code: 2, out: "", err: want });
    });
});
