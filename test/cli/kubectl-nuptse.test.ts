import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { dump, load } from "js-yaml";
import { simulateAnnotation } from "../../src/simulator/world/pod-script.ts";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import type { Kubectl, Outcome } from "./kubectl.ts";
import { plain, usePlugin } from "./plugin-fixture.ts";

const namespace = "plugin";

interface JobOptions {
  readonly spec?: object;
  /** How the kubelet plays its pods. */
  readonly script?: object;
  readonly pod?: object;
}

const job = (name: string, { spec = {}, script = { runMs: [50, 50] }, pod = {} }: JobOptions = {}) =>
  dump({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, namespace },
    spec: {
      template: {
        metadata: { annotations: { [simulateAnnotation]: JSON.stringify(script) } },
        spec: { containers: [{ name: "main", image: "registry.example/report:1" }], ...pod },
      },
      ...spec,
    },
  });

/** `kubectl nuptse`, through the real kubectl, from the bundle, against the playground. */
describe("kubectl nuptse", function () {
  this.timeout(60_000);
  const plugin = usePlugin(namespace);
  const run = (args: string, input?: string): Promise<Outcome> => plugin().run(args, input);
  const ok = (args: string, input?: string): Promise<readonly string[]> => plugin().ok(args, input);
  let kubectl: Kubectl;
  before(() => {
    kubectl = plugin().kubectl;
  });
  const create = async (...manifests: readonly string[]) => {
    await kubectl.ok(["apply", "-f", "-"], manifests.join("---\n"));
    for (const manifest of manifests) {
      const { name } = (load(manifest) as { metadata: { name: string } }).metadata;
      if (manifest.includes("kind: ElasticJob")) await kubectl.ok(["wait", `ej/${name}`, "--for=condition=Ready", "--timeout=30s"]);
    }
  };
  const newestRun = async (name: string) => (await run(`history ${name} -o name`)).stdout.split("\n")[0] ?? "";

  describe("asks and shows", () => {
    const script = { runMs: [100, 100], message: "12 rows", log: ["begins", "ends"], cases: [{ item: 1, exitCode: 3 }] };
    before(() =>
      create(
        job("report", { spec: { sharding: { total: 2 } }, script: { runMs: [100, 100], message: "12 rows", log: ["begins", "ends"] } }),
        // Without failFast: item 0 is not cut short by the failure of item 1.
        job("flaky", { spec: { sharding: { total: 2 }, completion: { failFast: false } }, script }),
        job("long", { script: { runMs: "forever" } }),
      ),
    );

    it("run --wait shows what its items do, and ends well", async () => {
      const lines = await ok("run report --wait");
      assert.deepEqual(
        [lines[0], lines.at(-1)?.startsWith("run RUN-r: Succeeded")],
        ["jobrequest.nuptse.dev/report-run-NAME created", true],
      );
      assert.ok(lines.includes("item 0: Succeeded (on NODE, attempt 1, 12 rows)"), lines.join("\n"));
      assert.ok(lines.includes("item 1: Succeeded (on NODE, attempt 1, 12 rows)"), lines.join("\n"));
    });
    it("status shows the run", async () => {
      const lines = await ok("status report");
      assert.ok(lines.includes("Run RUN-r | Succeeded | 2/2 ended, Requested"), lines.join("\n"));
      assert.ok(lines.includes(" | 0 | Succeeded | 1 | NODE | SPAN | 0 | 12 rows"), lines.join("\n"));
      assert.ok(lines.includes("Schedule: | none: it runs only when it is asked to"));
    });
    it("logs of all items carry their numbers, of one none", async () => {
      assert.deepEqual([...(await ok("logs report"))].sort(), ["[0] begins", "[0] ends", "[1] begins", "[1] ends"]);
      assert.deepEqual(await ok("logs report -i 1 --tail 1"), ["ends"]);
      assert.deepEqual(await ok("logs report -i 0 -f"), ["begins", "ends"]);
    });
    it("run --wait of one that fails is exit code 1; retry runs what failed again", async () => {
      const failed = await run("run flaky --wait");
      assert.equal(failed.code, 1);
      assert.match(plain(failed.stderr).join("\n"), /^error: run RUN-r: Failed/);
      assert.ok(
        plain(failed.stdout).some((line) => line.startsWith("item 1: Failed (on NODE, attempt 1, ")),
        failed.stdout,
      );
      const again = await run("retry flaky --wait");
      assert.equal(again.code, 1);
      assert.ok(!again.stdout.includes("item 0"), again.stdout);
    });
    it("mark-succeeded records what somebody did otherwise", async () => {
      const id = await newestRun("flaky");
      // The run is given free a moment after its request has ended.
      const lines = await eventually("the run to be recorded as ended", 20_000, () => ok(`mark-succeeded flaky ${id} --wait`));
      assert.match(lines.join("\n"), /^jobrequest\.nuptse\.dev\/flaky-mark-succeeded-NAME created\nrun RUN-r: Succeeded/);
      const history = await ok("history flaky");
      assert.match(history[1] ?? "", /^RUN-r \| \w+ \| Succeeded \| 1\/1/);
    });
    it("cancel ends the run that there is", async () => {
      await ok("run long");
      await eventually("the run to be at work", 20_000, async () => (await ok("why long"))[0]?.includes("is running"));
      assert.match((await ok("cancel long --wait")).at(-1) ?? "", /^run RUN-r: Succeeded/);
      assert.match((await ok("history long"))[1] ?? "", /Cancelled/);
    });
    it("backfill runs fire times of the past", async () => {
      await create(job("daily", { spec: { schedule: { crons: ["0 0 * * *"] } } }));
      const { code, stdout, stderr } = await run("backfill daily --from 2026-11-01 --to 2026-11-04 --parallelism 3 --wait");
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^3 fire times from 2026-11-01T00:00:00Z to 2026-11-03T00:00:00Z$/m);
      assert.match(
        plain(stdout).join("\n"),
        /^jobrequest.nuptse.dev\/daily-backfill-NAME created\n[\s\S]*backfill: 3 of 3 runs have ended\n[\s\S]*Succeeded/,
      );
    });
    it("-o name and -o json are for scripts", async () => {
      assert.deepEqual(await ok("run report --items 0 -o name"), ["jobrequest.nuptse.dev/report-run-NAME"]);
      const request = JSON.parse((await run("run report --items 1 --parameter x -o json")).stdout) as { spec: object };
      assert.deepEqual(request.spec, {
        jobName: "report",
        requestedBy: "nuptse-admin",
        ttlSecondsAfterFinished: 86400,
        run: { parameter: "x", items: "1", cascade: false },
      });
    });
    it("next is a calendar over all jobs", async () => {
      const lines = await ok("next --count 1");
      assert.deepEqual(lines[0], "FIRE-TIME | FROM-NOW | JOB");
    });
    it("validate needs no cluster", async () => {
      assert.deepEqual(await ok("validate -f -", job("x")), ["stdin: ElasticJob plugin/x is valid"]);
      const { code, stdout } = await run("validate -f -", job("x", { spec: { suspend: "maybe" } }));
      assert.equal(code, 1);
      assert.match(stdout, /spec\.suspend: Invalid value: "string"/);
    });
    it("what fails is one line on stderr: exit code 1 for the cluster, 2 for what was typed", async () => {
      const { code, stdout, stderr } = await run("status reprot");
      assert.deepEqual(
        [code, stdout, stderr],
        [1, "", `error: there is no ElasticJob "reprot" in namespace "${namespace}"; did you mean report?\n`],
      );
      const typo = await run("stauts report");
      assert.deepEqual([typo.code, typo.stderr], [2, "error: unknown command 'stauts' (Did you mean status?)\n"]);
      const elsewhere = await run("status report --kubeconfig nowhere");
      assert.equal(elsewhere.code, 1);
      assert.match(elsewhere.stderr, /^error: there is no kubeconfig nowhere: name one with --kubeconfig or KUBECONFIG/);
    });
    it("completion prints a script", async () => {
      assert.match((await ok("completion bash")).join("\n"), /complete -o default -F _kubectl_nuptse kubectl-nuptse/);
    });
    it("kubectl completes jobs by it", async () => {
      assert.match(await kubectl.ok(["__complete", "nuptse", "status", "re"]), /^report\n:4\n/);
    });
  });

  describe("why says what keeps a job", () => {
    const future = "2099-01-01T00:00:00Z";
    const everySecond = { schedule: { crons: ["* * * * * ?"] } };
    const cases: readonly {
      readonly name: string;
      readonly given: () => Promise<unknown>;
      readonly job: string;
      readonly want: readonly RegExp[];
    }[] = [
      {
        name: "suspended by spec",
        given: () => create(job("asleep", { spec: { ...everySecond, suspend: true } })),
        job: "asleep",
        want: [
          /^ElasticJob asleep in plugin is not running, and nothing will fire\.$/,
          /^- Suspended: it is suspended: spec\.suspend is true$/,
        ],
      },
      {
        name: "suspended by request",
        given: async () => {
          await create(job("resting", { spec: { schedule: { crons: ["0 0 0 1 1 ? 2098"] } } }));
          assert.deepEqual(await ok("suspend resting --until 2h --reason maintenance"), [
            "jobrequest.nuptse.dev/resting-suspend-NAME created",
          ]);
        },
        job: "resting",
        want: [
          /^- Suspended: it is suspended by the request resting-suspend-NAME until TIME, by nuptse-admin: maintenance$/,
          /to do \| kubectl nuptse resume resting$/,
        ],
      },
      {
        name: "waiting for a dependency",
        given: () =>
          create(
            job("upstream", { spec: { schedule: { crons: ["* * * * * ?"], endAt: future } }, script: { runMs: "forever" } }),
            job("downstream", { spec: { schedule: { crons: ["* * * * * ?"] }, after: [{ job: "upstream" }] } }),
          ),
        job: "downstream",
        want: [/^- Dependency: run RUN waits: .*upstream/],
      },
      {
        name: "waiting for concurrency",
        given: async () => {
          await create(job("busy", { script: { runMs: "forever" } }));
          await ok("run busy");
          await eventually("the first run", 20_000, async () => (await ok("why busy"))[0]?.includes("is running"));
          await ok("run busy");
        },
        job: "busy",
        want: [/^- Concurrency: run RUN-r waits: .*at work: RUN-r$/, /^- AtWork: run RUN-r is at work/],
      },
      {
        name: "waiting for its window",
        given: () => create(job("early", { spec: { schedule: { crons: ["* * * * * ?"], startAt: future } } })),
        job: "early",
        want: [/^- BeforeWindow: its window has not begun: nothing fires before spec\.schedule\.startAt, TIME$/],
      },
      {
        name: "misfire skipped",
        given: () => {
          // The first run lasts until the window is over: the other fire times pass meanwhile.
          const endAt = new Date(Date.now() + 4000).toISOString();
          return create(job("overlapping", { spec: { schedule: { ...everySecond.schedule, endAt } }, script: { runMs: [6000, 6000] } }));
        },
        job: "overlapping",
        want: [/^- Misfire: the fire time TIME was skipped: it passed while an earlier run was at work$/],
      },
      {
        name: "image not there",
        given: async () => {
          await create(job("typo", { script: { pullFailures: "forever" } }));
          await ok("run typo");
        },
        job: "typo",
        want: [
          /^ElasticJob typo in plugin has a run that does not go on\.$/,
          /^- Image: the image registry\.example\/report:1 cannot be had \(ImagePullBackOff\): Back-off pulling image/,
        ],
      },
      {
        name: "no node fits",
        given: async () => {
          await create(job("picky", { pod: { nodeSelector: { disk: "ssd" } } }));
          await ok("run picky");
        },
        job: "picky",
        want: [/^- NoNode: no node takes the pod: 0\/4 nodes are available/],
      },
      {
        name: "the API refuses, for quota",
        given: async () => {
          await create(job("greedy", { pod: { priorityClassName: "" } }));
          const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "small", namespace }, spec: { hard: { pods: "0" } } };
          await kubectl.ok(["create", "-f", "-"], dump(quota));
          await ok("run greedy");
        },
        job: "greedy",
        want: [/^- Quota: run RUN-r waits: .*exceeded quota: small/, /to do \| it goes on by itself when there is room/],
      },
    ];
    for (const tc of cases) {
      it(tc.name, async () => {
        await tc.given();
        await eventually(`why ${tc.job}`, 30_000, async () => {
          const lines = await ok(`why ${tc.job}`);
          for (const want of tc.want)
            assert.ok(
              lines.some((line) => want.test(line)),
              `${want} in\n${lines.join("\n")}`,
            );
          return true;
        });
      });
    }

    it("resume ends what suspend began, and says whose spec.suspend is", async () => {
      assert.deepEqual(await ok("resume resting"), ["jobrequest.nuptse.dev/resting-suspend-NAME deleted"]);
      const { code, stderr } = await run("resume asleep");
      assert.equal(code, 1);
      assert.match(stderr, /^error: asleep stays suspended by spec\.suspend, which belongs to whoever keeps the job/);
    });
    after(() => kubectl.ok(["delete", "quota", "small", "--ignore-not-found"]));
  });

  describe("queues", () => {
    const queue = (name: string, spec: object) =>
      dump({ apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec });
    const core = { containers: [{ name: "main", image: "registry.example/report:1", resources: { requests: { cpu: "1" } } }] };
    const queued = (name: string, items: number) =>
      job(name, { spec: { sharding: { total: items }, queue: { name: "reports" } }, script: { runMs: "forever" }, pod: core });
    before(() =>
      create(
        queue("corp", { capacity: { resources: { cpu: 3 } } }),
        queue("reports", { parent: "corp", guaranteed: { cpu: "2" }, namespaceSelector: {} }),
        queue("others", { parent: "corp" }),
        queued("first", 5),
        queued("second", 1),
      ),
    );

    it("queue shows the tree with what is used, borrowed and waited for", async () => {
      await ok("run first");
      await eventually("the first to have what there is", timeLimits.settled, async () => {
        assert.match((await ok("queue reports -o json")).join(""), /"cpu": "3"/);
        return true;
      });
      // Who asks first comes first, by the API server's times of creation, which are whole seconds.
      await setTimeout(1000);
      await ok("run second");
      await eventually("the queue to tell of the second", timeLimits.settled, async () => {
        assert.deepEqual(await ok("queue"), [
          "QUEUE | RESOURCE | USE | USED | GUARANTEED | FAIR-SHARE | ADMITTED | WAITING | OLDEST | WHY",
          "corp | cpu | [########################] | 3 | 3 | 3 | 1 | 1 | -",
          "├─ others | cpu | [........................] | 0 | - | - | 0 | 0",
          "└─ reports | cpu | [################++++++++] | 3 | 2 | 3 | 1 | 1 | SPAN | QueuePending",
        ]);
        return true;
      });
    });
    it("why tells of a run that it waits for its queue", async () => {
      const lines = await ok("why second");
      assert.ok(
        lines.some((line) => line.startsWith("- Queue: run RUN-r waits: waits for its share of the TenantQueue reports")),
        lines.join("\n"),
      );
    });
    it("and what the operator says of it: its place, what comes first, what it lacks and who has that", async () => {
      const lines = await ok("why second");
      const from = lines.findIndex((line) => line.startsWith("- Queue: "));
      assert.deepEqual(lines.slice(from + 1, from + 6), [
        " | since | TIME (SPAN)",
        " | place | number 2 of those that wait in reports",
        " | behind | ElasticJob plugin/first comes first in reports, by priority and age",
        " | lacks | 1 cpu, of which 0 are free in corp; it is with reports 3 (1 borrowed)",
        " | to do | it begins by itself when its turn comes; who has what it lacks: kubectl nuptse queue",
      ]);
      const { waiting } = (
        JSON.parse((await run("why second -o json")).stdout) as { causes: { waiting?: { lacks: readonly object[] } }[] }
      ).causes.find((cause) => cause.waiting !== undefined) ?? { waiting: undefined };
      assert.deepEqual(waiting?.lacks, [
        { queue: "corp", resource: "cpu", requested: "1", free: "0", holders: [{ queue: "reports", used: "3", borrowed: "1" }] },
      ]);
    });
    it("a run at work that waits for more is told so too", async () => {
      const lines = await ok("why first");
      // Status says so too, some seconds later, in words of its own.
      const from = lines.findIndex((line) => line.startsWith("- Queue: run RUN-r waits for more items: "));
      assert.deepEqual(lines.slice(from + 1, from + 4), [
        " | since | TIME (SPAN)",
        " | place | number 1 of those that wait in reports; it has 3 of 5 items",
        " | lacks | 1 cpu, of which 0 are free in corp; it is with reports 3 (1 borrowed)",
      ]);
    });
    it("queue of a leaf shows who waits in it, in their order", async () => {
      const lines = await ok("queue reports");
      assert.deepEqual(lines.slice(-3), [
        "PLACE | WAITS | PRIORITY | ITEMS | SINCE",
        "1 | ElasticJob plugin/first | 0 | 3/5 | SPAN",
        "2 | ElasticJob plugin/second | 0 | 0/1 | SPAN",
      ]);
    });
    it("why of a pod of somebody else tells its place, or that no queue keeps it back", async () => {
      const pod = (name: string, more: object) =>
        dump({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name, ...more },
          spec: { ...core, schedulingGates: [{ name: "nuptse.dev/queue" }] },
        });
      await create(pod("batch", { labels: { "nuptse.dev/queue": "reports" } }), pod("stranger", {}));
      await eventually("the operator to know it", timeLimits.settled, async () => {
        assert.deepEqual((await ok("why pod/batch")).slice(0, 5), [
          "Pod batch in plugin waits for its queue, the TenantQueue reports.",
          "- QueuePending: waits for its share of the TenantQueue reports; see: kubectl nuptse queue reports",
          " | place | number 3 of those that wait in reports",
          " | behind | ElasticJob plugin/first comes first in reports, by priority and age",
          " | lacks | 1 cpu, of which 0 are free in corp; it is with reports 3 (1 borrowed)",
        ]);
        return true;
      });
      assert.deepEqual(await ok("why pod/stranger"), [
        "Pod stranger in plugin is Pending. It has no label nuptse.dev/queue, so no queue keeps it back.",
      ]);
      const { code, stderr } = await run("why pod/nobody");
      assert.deepEqual([code, stderr], [1, 'error: there is no pod "nobody" in namespace "plugin"\n']);
      await kubectl.ok(["delete", "pod", "batch", "stranger"]);
    });
    it("where nobody answers, status is shown and one line says why", async () => {
      const away = "--explain-service away/nuptse-explain";
      const said = "there is no Service away/nuptse-explain (--explain-service names another one)";
      const why = await run(`why second ${away}`);
      assert.equal(why.stderr, `the operator cannot be asked for its place in the queue: ${said}\n`);
      assert.match(why.stdout, /- Queue: run \S+ waits: waits for its share of the TenantQueue reports/);
      const queue = await run(`queue reports ${away}`);
      assert.equal(queue.stderr, `the operator cannot be asked, so figures are from status, some 10 s old: ${said}\n`);
      assert.match(queue.stdout, /^reports +cpu +\[/m);
    });
    it("--explain-service takes a namespace and a name", async () => {
      const { code, stderr } = await run("why second --explain-service nuptse");
      assert.equal(code, 2);
      assert.match(stderr, /Write the namespace and the name of a Service such as nuptse-system\/nuptse-explain/);
    });
    it("queue of a name that does not exist is one line and exit code 1", async () => {
      const { code, stderr } = await run("queue nobody");
      assert.deepEqual([code, stderr], [1, "error: there is no TenantQueue nobody\n"]);
    });
  });
});
