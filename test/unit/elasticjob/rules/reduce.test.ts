import assert from "node:assert/strict";
import { reduceItem } from "../../../../src/api/names.ts";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { at, plainTemplate } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const run = "20261121t120000z";
const reduceTemplate = { spec: { containers: [{ name: "main", image: "registry.example/merge:1", command: ["/merge"] }] } };
const reduced: Partial<ElasticJobSpec> = { sharding: { total: 3 }, reduce: { template: reduceTemplate } };

/** A run of three items that fired at noon. */
function fired(spec: Partial<ElasticJobSpec> = reduced): JobWorld {
  const world = JobWorld.accepted({ spec });
  world.to("12:00:00").forgetLog();
  return world;
}

/** The same, with all items ended well at 12:00:02. */
function itemsDone(spec: Partial<ElasticJobSpec> = reduced): JobWorld {
  const world = fired(spec);
  world.to("12:00:02");
  for (const item of [0, 1, 2]) world.runs(item, 0, "n1", `result ${item}`);
  return world;
}

const lines = (world: JobWorld): readonly string[] => [...world.configMaps.values()][0]?.data?.["results.jsonl"]?.split("\n") ?? [];

describe("reduce: one more pod after all items, given all results as a file", () => {
  it("begins when the last item has ended, and not before", () => {
    const world = fired();
    world.to("12:00:02").runs(0).runs(1).settle();
    assert.deepEqual([world.configMaps.size, world.created], [0, []]);
    world.to("12:00:03").runs(2).settle();
    assert.deepEqual(world.created, [`${run}/reduce/1`]);
  });

  it("the results are written down before its pod is created, never in one plan", () => {
    const world = itemsDone();
    assert.deepEqual(
      world.step().actions.map((action) => `${action.tag} ${"resource" in action ? action.resource.plural : ""}`),
      ["create configmaps"],
    );
    assert.deepEqual(
      world.step().actions.map((action) => `${action.tag} ${"resource" in action ? action.resource.plural : ""}`),
      ["create pods"],
    );
  });

  it("the file holds one JSON line for each item, in their order", () => {
    const world = itemsDone().settle();
    assert.deepEqual(lines(world), [
      '{"item":0,"result":"result 0"}',
      '{"item":1,"result":"result 1"}',
      '{"item":2,"result":"result 2"}',
      "",
    ]);
  });

  it("the pod has the file by NUPTSE_RESULTS_FILE, from a ConfigMap that the job owns and the run labels", () => {
    const world = itemsDone().settle();
    const pod = world.pod(reduceItem);
    const [map] = [...world.configMaps.values()];
    const { env = [], volumeMounts } = pod.spec.containers[0] as (typeof pod.spec.containers)[0] & { readonly volumeMounts?: unknown };
    assert.equal(env.find((variable) => variable.name === "NUPTSE_RESULTS_FILE")?.value, "/var/run/nuptse/results.jsonl");
    assert.equal(
      env.find((variable) => variable.name === "SHARDING_ITEM"),
      undefined,
    );
    assert.deepEqual(volumeMounts, [{ name: "nuptse-results", mountPath: "/var/run/nuptse", readOnly: true }]);
    assert.deepEqual(pod.spec["volumes"], [
      { name: "nuptse-results", configMap: { name: map?.metadata.name, items: [{ key: "results.jsonl", path: "results.jsonl" }] } },
    ]);
    assert.equal(map?.metadata.labels?.["nuptse.dev/run"], run);
    assert.equal(map?.metadata.ownerReferences?.[0]?.uid, world.job.metadata.uid);
    assert.equal(pod.spec.containers[0]?.image, "registry.example/merge:1");
  });

  it("its pod is labelled as item reduce, and its name fits in 63 characters", () => {
    const world = JobWorld.accepted({ spec: reduced, name: "a-name-as-long-as-fifty-two-letters-can-possibly-be" });
    world.to("12:00:00").forgetLog();
    for (const item of [0, 1, 2]) world.runs(item);
    world.settle();
    const { name, labels } = world.pod(reduceItem).metadata;
    assert.equal(labels?.["nuptse.dev/item"], "reduce");
    assert.equal(name, "a-name-as-long-a-0a1b2c3d-20261121t120000z-reduce-1");
    assert.ok(name.length - "20261121t120000z".length + "20261121t120000z-r01234567".length + 2 <= 63);
  });

  it("the run has succeeded only when it has; what it writes is the result of the run", () => {
    const world = itemsDone().settle();
    assert.equal(world.history(), undefined);
    world.to("12:00:07").runs(reduceItem, 0, "n2", "sum 42").settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.reduce?.phase, "Succeeded");
    assert.equal(world.status.results?.reduce, "sum 42");
    assert.deepEqual(
      world.status.results?.items?.map((result) => result.value),
      ["result 0", "result 1", "result 2"],
    );
    assert.equal(world.history()?.succeeded, "0-2");
  });

  it("a run whose reduce fails has failed, and says so", () => {
    const world = itemsDone().settle();
    world.to("12:00:03").runs(reduceItem, 3).settle();
    assert.equal(world.history()?.phase, "Failed");
    assert.equal(world.history()?.reason, "ReduceFailed");
    assert.equal(world.history()?.message, "all items ended, and the reduce failed: Error, exit 3 after 1 attempt");
    assert.deepEqual(world.history()?.reduce, {
      phase: "Failed",
      attempts: 1,
      node: "n1",
      reason: "RetriesExhausted",
      exitCode: 3,
      message: "Error",
    });
    assert.ok(world.events.some((event) => event.startsWith("RunFailed:") && event.includes("nuptse.dev/item=reduce")));
  });

  const afterFailure: readonly {
    readonly name: string;
    readonly when?: "Succeeded" | "Completed";
    readonly wantPods: readonly string[];
  }[] = [
    { name: "when: Succeeded, which is the default, leaves it out when an item failed", wantPods: [] },
    { name: "when: Completed runs it also then, and tells it which item failed", when: "Completed", wantPods: [`${run}/reduce/1`] },
  ];
  for (const tc of afterFailure) {
    it(tc.name, () => {
      const world = fired({ ...reduced, reduce: { template: reduceTemplate, ...(tc.when !== undefined && { when: tc.when }) } });
      world.to("12:00:02").runs(0, 0, "n1", "fine").runs(1, 7, "n1", "oh").runs(2).settle();
      assert.deepEqual(world.created, tc.wantPods);
      if (tc.when === "Completed") {
        assert.deepEqual(lines(world), ['{"item":0,"result":"fine"}', '{"item":1,"failed":true}', '{"item":2,"result":""}', ""]);
        world.runs(reduceItem).settle();
      }
      assert.equal(world.history()?.phase, "Failed");
      assert.equal(world.history()?.reason, "ItemsFailed");
    });
  }

  it("when: Completed lets all items end: the first failure cancels none", () => {
    const world = fired({ ...reduced, reduce: { template: reduceTemplate, when: "Completed" } });
    world.to("12:00:02").start(0).start(2).runs(1, 7).settle();
    assert.equal(world.active()?.ending, undefined);
    world.exit(0).exit(2).settle();
    assert.deepEqual(world.created, [`${run}/reduce/1`]);
  });

  it("failures that completion.maxFailedItems allows keep it from nothing", () => {
    const world = fired({ ...reduced, completion: { maxFailedItems: 1 } });
    world.to("12:00:02").runs(0).runs(1, 7).runs(2).settle();
    assert.deepEqual(world.created, [`${run}/reduce/1`]);
    world.runs(reduceItem).settle();
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("it is failed over like an item, not counted in retry", () => {
    const world = itemsDone().settle();
    world.start(reduceItem, "n2").vanish(reduceItem).settle().to("12:00:30");
    assert.deepEqual(world.created, [`${run}/reduce/1`, `${run}/reduce/2`]);
    assert.ok(world.events.some((event) => event.includes("the reduce was lost on n2")));
    world.runs(reduceItem).settle();
    assert.equal(world.history()?.phase, "Succeeded");
    assert.equal(world.history()?.lost, 1);
  });

  it("it is retried by its own block, where it has one, else by the items'", () => {
    const own = { template: reduceTemplate, retry: { sameNode: 1, backoff: { initialSeconds: 1 } } };
    for (const [spec, want] of [
      [{ ...reduced, reduce: own }, 2],
      [{ ...reduced, retry: { sameNode: 2, backoff: { initialSeconds: 1 } } }, 3],
      [{ ...reduced, reduce: { ...own, retry: { sameNode: 0 } }, retry: { sameNode: 2 } }, 1],
    ] as const) {
      const world = itemsDone(spec).settle();
      let time = at("12:00:03");
      for (let tries = 0; tries < 5 && world.history() === undefined; tries++) {
        world.to(time).runs(reduceItem, 1).settle();
        time += 10_000;
        world.to(time);
      }
      assert.equal(world.history()?.reduce?.attempts, want);
    }
  });

  it("reduce.timeoutSeconds: the stop is recorded before its pod is deleted", () => {
    const world = itemsDone({ ...reduced, reduce: { template: reduceTemplate, timeoutSeconds: 60 } }).settle();
    world.to("12:00:03").start(reduceItem).to("12:01:03");
    assert.deepEqual(world.active()?.stops, [{ attempt: 1, reason: "ItemTimeout", at: "2026-11-21T12:01:03.000Z" }]);
    assert.ok(world.pod(reduceItem).metadata.deletionTimestamp !== undefined);
    assert.equal(world.pod(reduceItem).spec.activeDeadlineSeconds, 660);
    world.exit(reduceItem, 143).settle();
    assert.equal(world.history()?.reason, "ReduceFailed");
  });

  it("runTimeoutSeconds ends it with the run", () => {
    const world = itemsDone({ ...reduced, runTimeoutSeconds: 60 }).settle();
    world.to("12:00:03").start(reduceItem).to("12:01:00");
    assert.equal(world.active()?.ending?.reason, "RunTimeout");
    world.exit(reduceItem, 143).settle();
    assert.deepEqual([world.history()?.phase, world.history()?.reason], ["Failed", "RunTimeout"]);
  });

  it("a run that is replaced before its reduce began has not succeeded, though all its items have", () => {
    const world = fired({ ...reduced, concurrencyPolicy: "Replace", schedule: { crons: ["* * * * *"] } });
    world.refuse = (action) => (action.resource.plural === "configmaps" ? quota : undefined);
    world.to("12:00:02").runs(0).runs(1).runs(2).to("12:01:00");
    assert.deepEqual([world.history()?.run, world.history()?.phase, world.history()?.reason], [run, "Cancelled", "Replaced"]);
  });

  it("a refusal by quota of its file or of its pod is waited for", () => {
    for (const plural of ["configmaps", "pods"]) {
      const world = itemsDone();
      world.refuse = (action) => (action.resource.plural === plural ? quota : undefined);
      world.settle();
      assert.equal(world.active()?.reason, "QuotaExceeded", plural);
      world.refuse = () => undefined;
      world.to("12:00:30");
      assert.deepEqual(world.created, [`${run}/reduce/1`], plural);
    }
  });

  it("somebody else's ConfigMap of that name: the run says NameTaken and fails", () => {
    const world = itemsDone();
    world.refuse = (action) => (action.resource.plural === "configmaps" ? { kind: "nameTaken" } : undefined);
    world.settle();
    assert.deepEqual([world.history()?.phase, world.history()?.reason], ["Failed", "NameTaken"]);
    assert.match(world.history()?.message ?? "", /^a ConfigMap named report-0a1b2c3d-.*-results exists/);
  });

  it("what the file tells of is never run again, though its pods are gone and nothing is recorded", () => {
    const world = itemsDone();
    world.step();
    for (const item of [0, 1, 2]) world.vanish(item);
    world.restart().settle();
    assert.deepEqual(world.created, [`${run}/reduce/1`]);
    world.runs(reduceItem).settle();
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("an edit meanwhile changes nothing: the run uses the reduce that it started with (decision 15)", () => {
    const world = fired();
    const { reduce: _gone, ...without } = world.job.spec;
    world.job = { ...world.job, spec: without };
    world.edit({ parameter: "other" });
    world.to("12:00:02").runs(0).runs(1).runs(2).settle();
    assert.deepEqual(world.created, [`${run}/reduce/1`]);
  });

  it("costs two writes besides its pod: the file, and its deletion with the run's pods", () => {
    const world = itemsDone({ ...reduced, podRetention: { succeeded: 0 } }).settle();
    world.to("12:00:03").runs(reduceItem).to("12:30:00");
    assert.deepEqual(world.writes, ["create results", "create reduce/1", "status", "deletecollection", "delete results"]);
    assert.equal(world.configMaps.size, 0);
  });

  it("its template is shown to the API server too, and a refusal names spec.reduce.template", () => {
    const world = new JobWorld({ spec: reduced });
    world.refuse = (action) =>
      action.resource.plural === "podtemplates" && JSON.stringify(action.object).includes("merge")
        ? { kind: "invalid", message: "template.spec.containers[0].image: Required value" }
        : undefined;
    world.settle();
    assert.equal(world.condition("Ready"), "False:TemplateRefused");
    const ready = world.status.conditions?.find((condition) => condition.type === "Ready");
    assert.equal(ready?.message, "spec.reduce.template: spec.reduce.template.spec.containers[0].image: Required value");
  });
});

describe("the results file of a large run", () => {
  const large: Partial<ElasticJobSpec> = { sharding: { total: 1200 }, results: { maxBytes: 100 }, reduce: { template: reduceTemplate } };

  function largeRun(): JobWorld {
    const world = fired(large);
    world.to("12:00:02");
    for (let item = 0; item < 500; item++) world.runs(item, 0, "n1", `r${item}`);
    return world.settle();
  }

  it("is appended to at each checkpoint, before the pods of its items may go", () => {
    const world = largeRun();
    assert.deepEqual(world.writes, ["status", "create results", "deletecollection"]);
    assert.equal(lines(world).length, 501);
    world.forgetLog();
    for (let item = 500; item < 1200; item++) world.runs(item, 0, "n1", `r${item}`);
    world.settle();
    // 700 more are a checkpoint of their own, and what is both recorded and written down goes.
    assert.deepEqual(world.writes, ["replace results", "status", "create reduce/1", "deletecollection", "deletecollection"]);
    assert.equal(lines(world).length, 1201);
    assert.equal(lines(world)[1199], '{"item":1199,"result":"r1199"}');
    world.runs(reduceItem).settle();
    assert.equal(world.history()?.phase, "Succeeded");
  });

  it("holds all results though status keeps 64 KiB of them, and status counts all that it left out", () => {
    const world = fired({ ...large, results: { maxBytes: 600 } });
    world.to("12:00:02");
    const text = "x".repeat(600);
    for (let item = 0; item < 500; item++) world.runs(item, 0, "n1", text);
    world.settle();
    for (let item = 500; item < 1200; item++) world.runs(item, 0, "n1", text);
    world.settle();
    assert.equal(lines(world).filter((line) => line.includes(text)).length, 1200);
    world.runs(reduceItem).settle();
    // 65,536 bytes hold 109 results of 600.
    assert.equal(world.status.results?.items?.length, 109);
    assert.equal(world.status.results?.omitted, 1091);
  });
});

describe("items x results.maxBytes above 900 KiB is refused where there is a reduce", () => {
  for (const [total, maxBytes, wrong] of [
    [900, 992, false],
    [900, 993, true],
    [10_000, 60, false],
    [10_000, 61, true],
  ] as const) {
    it(`${total} items of ${maxBytes} bytes and a line each are ${wrong ? "too much" : "right"}`, () => {
      const world = new JobWorld({ spec: { sharding: { total }, results: { maxBytes }, reduce: { template: plainTemplate } } });
      assert.deepEqual(
        world.observe().problems.map((problem) => problem.path),
        wrong ? ["spec.results.maxBytes"] : [],
      );
    });
  }

  it("a result that JSON writes longer than its share of the file is cut, and says so", () => {
    const world = fired({ sharding: { total: 900 }, results: { maxBytes: 992 }, reduce: { template: reduceTemplate } });
    for (let item = 0; item < 900; item++) world.runs(item, 0, "n1", item === 1 ? "\u0001".repeat(992) : "é".repeat(496));
    world.settle();
    const all = lines(world);
    assert.equal(JSON.parse(all[0] as string).result.length, 496);
    const cut = JSON.parse(all[1] as string);
    assert.equal(cut.cut, true);
    // 1,111 bytes are its share, six for each sign.
    assert.ok(Buffer.byteLength(all[1] as string) <= 1111 && cut.result.length > 170);
  });
});

const quota = { kind: "forbidden", message: "exceeded quota", quota: true, namespaceTerminating: false } as const;
