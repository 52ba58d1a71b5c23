import assert from "node:assert/strict";
import type { ElasticJobStatus } from "../../../../src/api/elastic-job.gen.ts";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { makePod } from "../../../support/builders/attempt-pod.ts";
import { iso, jobUid, makeJob } from "../../../support/builders/elastic-job.ts";
import { kubectlNuptse, type Objects } from "./plugin-double.ts";

const status: ElasticJobStatus = {
  observedGeneration: 1,
  nextFireTime: iso("13:00:00"),
  lastSuccessTime: iso("11:00:20"),
  lastHandledFireTime: iso("11:00:00"),
  consecutiveFailures: 1,
  schedule: { hash: "h", since: iso("09:30:00") },
  conditions: [
    { type: "Ready", status: "True", reason: "Armed", message: "waits for its next fire time", lastTransitionTime: iso("09:30:01") },
    { type: "LastRunSucceeded", status: "False", reason: "Failed", message: "run x: items 1 failed", lastTransitionTime: iso("12:00:00") },
  ],
  results: {
    run: "20261121t110000z",
    items: [
      { item: 0, value: "12 rows" },
      { item: 2, value: "7 rows" },
    ],
  },
  history: [
    {
      run: "20261121t110000z",
      kind: "Schedule",
      phase: "Failed",
      reason: "ItemsFailed",
      message: "items 1 failed",
      fireTime: iso("11:00:00"),
      items: "0-2",
      total: 3,
      startedAt: iso("11:00:00.010"),
      endedAt: iso("11:00:20.010"),
      succeeded: "0,2",
      failed: "1",
      attempts: 4,
      lost: 1,
      failures: [{ item: 1, attempt: 2, reason: "RetriesExhausted", exitCode: 3, node: "n2", message: "Error: no such table" }],
    },
  ],
};

/** The run of 12:00 is at work and not in status yet: its pods tell of it. */
const objects: Objects = {
  "elasticjobs.nuptse.dev": [makeJob({ sharding: { total: 3 } }, { status })],
  pods: [
    makePod({ item: 0, node: "n1", scheduled: "12:00:01", exits: [0], message: "12 rows", phase: "Succeeded", history: { items: "0-2" } }),
    makePod({ item: 1, node: "n2", scheduled: "12:00:01", exits: [3], phase: "Failed", history: { items: "0-2" } }),
    makePod({ item: 1, attempt: 2, node: "n3", scheduled: "12:00:41", started: "12:00:42", history: { items: "0-2" } }),
    makePod({ item: 2, phase: "Pending", history: { items: "0-2" } }),
  ],
  events: [
    {
      metadata: { name: "report.1", namespace: "tenant" },
      reason: "RunFailed",
      message: "run 20261121t110000z failed:\n items 1 exit 3",
      lastTimestamp: iso("11:00:20"),
      involvedObject: { kind: "ElasticJob", name: "report", uid: jobUid },
    } as KubeObject,
  ],
};
const now = iso("12:01:00");

describe("cli/plugin status", () => {
  it("shows when it fires, its runs with their items, results, conditions and events", async () => {
    const { code, results } = await kubectlNuptse(["status", "report"], { objects, now });
    assert.equal(code, 0);
    assert.deepEqual(results, [
      "Job:             report",
      "Namespace:       tenant",
      "Schedule:        0 * * * * (Etc/UTC)",
      "Items:           3",
      "Concurrency:     Forbid",
      "Last success:    Sat 2026-11-21 11:00:20 +00:00 (1 h ago)",
      "Failed in a row: 1",
      "Next:            Sat 2026-11-21 13:00:00 +00:00 (in 59 min)",
      "                 Sat 2026-11-21 14:00:00 +00:00 (in 1 h 59 min)",
      "                 Sat 2026-11-21 15:00:00 +00:00 (in 2 h 59 min)",
      "",
      "Run 20261121t120000z  Running  1/3 ended",
      "  Fire time  Sat 2026-11-21 12:00:00 +00:00 (1 min ago)",
      "  Started    Sat 2026-11-21 12:00:00 +00:00 (1 min ago), for 1 min",
      "  ITEM   PHASE       ATTEMPT   NODE   TIME   EXIT   RESULT",
      "  0      Succeeded   1         n1     28 s   0      12 rows",
      "  1      Running     2         n3     18 s   -",
      "  2      Starting    1         -      -      -      NotScheduled",
      "",
      "Ended runs",
      "  20261121t110000z   Failed   2/3   items 1 failed",
      "",
      "Results of 20261121t110000z",
      "  0   12 rows",
      "  2   7 rows",
      "",
      "Conditions",
      "  Ready              True    Armed    Sat 2026-11-21 09:30:01 +00:00 (2 h 30 min ago)   waits for its next fire time",
      "  LastRunSucceeded   False   Failed   Sat 2026-11-21 12:00:00 +00:00 (1 min ago)        run x: items 1 failed",
      "",
      "Events",
      "  Sat 2026-11-21 11:00:20 +00:00 (1 h ago)   RunFailed   run 20261121t110000z failed: items 1 exit 3",
    ]);
  });

  it("shows the newest ended run when none is at work, with what its items left and how they failed", async () => {
    const { results } = await kubectlNuptse(["status", "report"], { objects: { ...objects, pods: [] }, now });
    assert.deepEqual(results.slice(results.indexOf("") + 1, results.indexOf("", results.indexOf("") + 1)), [
      "Run 20261121t110000z  Failed  3/3 ended",
      "  ItemsFailed: items 1 failed",
      "  Fire time  Sat 2026-11-21 11:00:00 +00:00 (1 h 1 min ago)",
      "  Started    Sat 2026-11-21 11:00:00 +00:00 (1 h 1 min ago), took 20 s",
      "  Failovers  1",
      "  ITEM   PHASE       ATTEMPT   NODE   TIME   EXIT   RESULT",
      "  0      Succeeded   -         -      -      -      12 rows",
      "  1      Failed      2         n2     -      3      RetriesExhausted: Error: no such table",
      "  2      Succeeded   -         -      -      -      7 rows",
    ]);
  });

  it("the reduce stands behind the items, and counts as none", async () => {
    const reduce = { phase: "Succeeded", attempts: 2, node: "n1", exitCode: 0 };
    const [run = { run: "" }] = status.history ?? [];
    const history = [{ ...run, phase: "Succeeded", succeeded: "0-2", failed: "", failures: [], reduce }];
    const results = { run: "20261121t110000z", items: [], reduce: "19 rows" };
    const job = makeJob({ sharding: { total: 3 } }, { status: { ...status, history, results } });
    const outcome = await kubectlNuptse(["status", "report"], { objects: { "elasticjobs.nuptse.dev": [job] }, now });
    assert.ok(outcome.results.includes("Run 20261121t110000z  Succeeded  3/3 ended"), outcome.results.join("\n"));
    assert.ok(outcome.results.includes("  reduce   Succeeded   2         n1     -      0      19 rows"), outcome.results.join("\n"));
  });

  it("of many items the failed ones come first, and the rest is counted", async () => {
    const history = [{ ...status.history?.[0], run: "20261121t110000z", items: "0-99", total: 100, succeeded: "0,2-99", failed: "1" }];
    const job = makeJob({ sharding: { total: 100 } }, { status: { ...status, history, results: { run: "other", items: [] } } });
    const given = { objects: { "elasticjobs.nuptse.dev": [job] }, now };
    const { results } = await kubectlNuptse(["status", "report"], given);
    const heads = results.findIndex((line) => line.includes("ITEM"));
    assert.match(results[heads + 1] ?? "", /^ {2}1 +Failed/);
    assert.equal(results[heads + 21], "  the other 80: 80 Succeeded; -o wide shows all");
    const wide = await kubectlNuptse(["status", "report", "-o", "wide"], given);
    assert.equal(wide.results.filter((line) => /^ {2}\d+ +(Succeeded|Failed)/.test(line)).length, 100);
  });

  it("says the same to programs", async () => {
    const { results } = await kubectlNuptse(["status", "report", "-o", "json"], { objects, now });
    const view = JSON.parse(results.join("\n")) as {
      readonly nextFireTimes: unknown;
      readonly runs: readonly { readonly items: unknown }[];
    };
    assert.deepEqual(view.nextFireTimes, [iso("13:00:00"), iso("14:00:00"), iso("15:00:00")]);
    assert.deepEqual(view.runs[0]?.items, [
      {
        item: 0,
        phase: "Succeeded",
        attempt: 1,
        pod: "report-0a1b2c3d-20261121t120000z-0-1",
        node: "n1",
        startedAt: iso("12:00:02.000"),
        endedAt: iso("12:00:30.000"),
        exitCode: 0,
        result: "12 rows",
      },
      {
        item: 1,
        phase: "Running",
        attempt: 2,
        pod: "report-0a1b2c3d-20261121t120000z-1-2",
        node: "n3",
        startedAt: iso("12:00:42.000"),
      },
      { item: 2, phase: "Starting", attempt: 1, pod: "report-0a1b2c3d-20261121t120000z-2-1", reason: "NotScheduled" },
    ]);
  });

  it("pods of a namesake that is gone are not shown", async () => {
    const [job] = objects["elasticjobs.nuptse.dev"] ?? [];
    const other = { ...job, metadata: { ...job?.metadata, name: "report", uid: "ffffffff-0000-4000-8000-000000000000" } };
    const { results } = await kubectlNuptse(["history", "report", "-o", "name"], {
      objects: { ...objects, "elasticjobs.nuptse.dev": [other] },
      now,
    });
    assert.deepEqual(results, ["20261121t110000z"]);
  });

  it("colours are for terminals, and stand in nobody's way", async () => {
    const { results } = await kubectlNuptse(["history", "report"], { objects, now, colours: true });
    assert.ok(results[2]?.includes("\u001b[31mFailed\u001b[39m"));
  });
});

describe("cli/plugin history", () => {
  it("lists runs, those at work first", async () => {
    const { code, results } = await kubectlNuptse(["history", "report"], { objects, now });
    assert.equal(code, 0);
    assert.deepEqual(results, [
      "RUN                KIND       PHASE     SUCCEEDED   FIRE-TIME              STARTED                TOOK    REASON",
      "20261121t120000z   Schedule   Running   1/3         2026-11-21T12:00:00Z   2026-11-21T12:00:00Z   1 min",
      "20261121t110000z   Schedule   Failed    2/3         2026-11-21T11:00:00Z   2026-11-21T11:00:00Z   20 s    ItemsFailed: items 1 failed",
    ]);
  });

  it("-o wide adds attempts and failovers", async () => {
    const { results } = await kubectlNuptse(["history", "report", "-o", "wide"], { objects, now });
    assert.match(results[0] ?? "", /ATTEMPTS +FAILOVERS +REASON$/);
    assert.match(results[2] ?? "", /20 s +4 +1 +ItemsFailed/);
  });

  it("a retry stands before the run whose fire time it has", async () => {
    const [run = { run: "" }] = status.history ?? [];
    const retry = { ...run, run: "20261121t110000z-r00000000", kind: "Retry", startedAt: iso("11:30:00"), phase: "Succeeded" };
    const job = makeJob({}, { status: { ...status, history: [run, retry] } });
    const { results } = await kubectlNuptse(["history", "report", "-o", "name"], { objects: { "elasticjobs.nuptse.dev": [job] } });
    assert.deepEqual(results, ["20261121t110000z-r00000000", "20261121t110000z"]);
  });

  it("a run that stands in both lists until its request knows of its end is shown once, ended", async () => {
    const [run = { run: "" }] = status.history ?? [];
    const job = makeJob({}, { status: { ...status, active: [{ ...run, phase: "Failed" }], history: [run] } });
    const { results } = await kubectlNuptse(["history", "report", "-o", "name"], { objects: { "elasticjobs.nuptse.dev": [job] } });
    assert.deepEqual(results, ["20261121t110000z"]);
  });

  it("a job that has not run yet says so", async () => {
    const { results } = await kubectlNuptse(["history", "report"], { objects: { "elasticjobs.nuptse.dev": [makeJob()] } });
    assert.deepEqual(results, ["report has not run yet, or spec.history keeps no runs."]);
  });
});

describe("cli/plugin next", () => {
  const job = (name: string, namespace: string, spec: Parameters<typeof makeJob>[0]) => makeJob(spec, { metadata: { name, namespace } });
  const jobs: Objects = {
    "elasticjobs.nuptse.dev": [
      job("hourly", "tenant", { schedule: { crons: ["0 * * * *"] } }),
      job("berlin", "tenant", { schedule: { crons: ["0 14 * * *"], timeZone: "Europe/Berlin" } }),
      job("asleep", "tenant", { suspend: true }),
      job("elsewhere", "shop", { schedule: { crons: ["30 12 * * *"] } }),
      job("wrong", "shop", { schedule: { crons: ["99 * * * *"] } }),
    ],
  };

  it("merges the fire times of all jobs of the namespace, those of one instant by name", async () => {
    const { code, results, notes } = await kubectlNuptse(["next", "--count", "3"], { objects: jobs });
    assert.deepEqual(results, [
      "FIRE-TIME              FROM-NOW        JOB",
      "2026-11-21T13:00:00Z   in 30 min       berlin",
      "2026-11-21T13:00:00Z   in 30 min       hourly",
      "2026-11-21T14:00:00Z   in 1 h 30 min   hourly",
    ]);
    assert.deepEqual([code, notes], [0, ["left out: 1 suspended"]]);
  });

  it("-A is about all namespaces; a wrong schedule is left out and told", async () => {
    const args = ["next", "-A", "--from", "2026-11-21T12:00:00Z", "--to", "2026-11-21T13:00:00Z", "-o", "wide"];
    const { results, notes } = await kubectlNuptse(args, { objects: jobs });
    assert.deepEqual(results, [
      "FIRE-TIME              FROM-NOW    NAMESPACE   JOB         LOCAL",
      "2026-11-21T12:30:00Z   now         shop        elsewhere   Sat 2026-11-21 12:30:00 +00:00 Etc/UTC",
      "2026-11-21T13:00:00Z   in 30 min   tenant      berlin      Sat 2026-11-21 14:00:00 +01:00 Europe/Berlin",
      "2026-11-21T13:00:00Z   in 30 min   tenant      hourly      Sat 2026-11-21 13:00:00 +00:00 Etc/UTC",
    ]);
    assert.deepEqual(notes, ["left out: 1 suspended, 1 with a wrong one"]);
  });

  it("times of one job are read in its zone", async () => {
    const { results } = await kubectlNuptse(["next", "berlin", "--from", "2026-07-01T00:00", "--to", "2026-07-02", "-o", "json"], {
      objects: jobs,
    });
    assert.deepEqual(JSON.parse(results.join("\n")), [{ fireTime: "2026-07-01T12:00:00Z", namespace: "tenant", job: "berlin" }]);
  });

  const refused = [
    {
      name: "an end before the beginning",
      args: ["--from", "2026-01-02", "--to", "2026-01-01"],
      want: "error: --to is not after --from: choose a later one",
    },
    {
      name: "one job in all namespaces",
      args: ["hourly", "-A"],
      want: "error: -A is about all jobs: leave out the job, or name its namespace with -n",
    },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name} with exit code 2`, async () => {
      const { code, notes } = await kubectlNuptse(["next", ...tc.args], { objects: jobs });
      assert.deepEqual([code, notes], [2, [tc.want]]);
    });
  }
});
