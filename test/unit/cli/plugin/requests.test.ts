import assert from "node:assert/strict";
import type { JobRequest, JobRequestSpec, JobRequestStatus } from "../../../../src/api/job-request.gen.ts";
import type { ElasticJobSpec, ElasticJobStatus } from "../../../../src/api/elastic-job.gen.ts";
import { iso, makeJob } from "../../../support/builders/elastic-job.ts";
import { kubectlNuptse, refusal } from "./plugin-double.ts";

const status: ElasticJobStatus = {
  observedGeneration: 1,
  active: [{ run: "20261121t120000z", phase: "Running", items: "0-2", total: 3 }],
  history: [
    { run: "20261121t110000z", phase: "Failed", fireTime: iso("11:00:00"), items: "0-2", total: 3, succeeded: "0-1", failed: "2" },
    { run: "20261121t100000z", phase: "Succeeded", fireTime: iso("10:00:00"), items: "0-2", total: 3, succeeded: "0-2" },
  ],
};
const berlin = { schedule: { crons: ["0 * * * *"], timeZone: "Europe/Berlin" } };
const options: NonNullable<ElasticJobSpec["options"]> = [
  { name: "day", type: "Date", default: "-1d" },
  { name: "dry_run", type: "Bool" },
];
const objects = { "elasticjobs.nuptse.dev": [makeJob({ ...berlin, options, sharding: { total: 3 } }, { status })] };

describe("cli/plugin requests", () => {
  const cases: readonly { readonly name: string; readonly args: readonly string[]; readonly want: Partial<JobRequestSpec> }[] = [
    { name: "run asks for a run of everything", args: ["run", "report"], want: { run: {} } },
    {
      name: "run with a parameter and some items",
      args: ["run", "ej/report", "--parameter", "2026-11", "--items", "0,2"],
      want: { run: { parameter: "2026-11", items: "0,2" } },
    },
    {
      name: "run with options of the job",
      args: ["run", "report", "--option", "day=-2d", "--option", "dry_run=true"],
      want: { run: { options: { day: "-2d", dry_run: "true" } } },
    },
    {
      name: "backfill reads times in the zone of the job; the end is left out",
      args: ["backfill", "report", "--from", "2026-11-01", "--to", "2026-11-02T00:00:00Z", "--parallelism", "4", "--order", "newest-first"],
      want: { backfill: { from: "2026-10-31T23:00:00Z", to: "2026-11-02T00:00:00Z", parallelism: 4, order: "NewestFirst" } },
    },
    { name: "cancel without a run means the only one", args: ["cancel", "report"], want: { cancel: { run: "20261121t120000z" } } },
    { name: "cancel with a run means that", args: ["cancel", "report", "x"], want: { cancel: { run: "x" } } },
    { name: "retry without a run means the newest ended one", args: ["retry", "report"], want: { retry: { run: "20261121t110000z" } } },
    {
      name: "mark-succeeded names the run and perhaps items",
      args: ["mark-succeeded", "report", "20261121t110000z", "--items", "2"],
      want: { markSucceeded: { run: "20261121t110000z", items: "2" } },
    },
    { name: "suspend without an end", args: ["suspend", "report"], want: { suspend: {} } },
    {
      name: "suspend for a time from now, with a reason",
      args: ["suspend", "report", "--until", "90m", "--reason", "maintenance"],
      want: { suspend: { until: iso("14:00:00"), reason: "maintenance" } },
    },
    {
      name: "suspend until a local time of the job",
      args: ["suspend", "report", "--until", "2026-11-22T06:00"],
      want: { suspend: { until: "2026-11-22T05:00:00Z" } },
    },
  ];
  for (const tc of cases) {
    it(tc.name, async () => {
      const { code, results, writes } = await kubectlNuptse(tc.args, { objects });
      const what = tc.args[0];
      assert.deepEqual([code, results], [0, [`jobrequest.nuptse.dev/report-${what}-x7k2p created`]]);
      const sent = writes.find((write) => write.resource === "jobrequests.nuptse.dev")?.object as JobRequest;
      assert.deepEqual(sent.spec, { jobName: "report", requestedBy: "ann", ...tc.want });
      assert.equal(sent.metadata.namespace, "tenant");
    });
  }

  it("a backfill says how many fire times it is about", async () => {
    const { notes } = await kubectlNuptse(["backfill", "report", "--from", "2026-11-01", "--to", "2026-11-02"], { objects });
    assert.deepEqual(notes, ["24 fire times from 2026-10-31T23:00:00Z to 2026-11-01T22:00:00Z"]);
  });

  it("-o name and -o json are for programs", async () => {
    assert.deepEqual((await kubectlNuptse(["run", "report", "-o", "name"], { objects })).results, [
      "jobrequest.nuptse.dev/report-run-x7k2p",
    ]);
    const { results } = await kubectlNuptse(["run", "report", "-o", "json"], { objects });
    assert.equal((JSON.parse(results.join("\n")) as JobRequest).spec.jobName, "report");
  });

  it("a cluster that does not say who asks is no hindrance", async () => {
    const failures = { "create selfsubjectreviews.authentication.k8s.io": refusal(403, "Forbidden", "no") };
    const { code, writes } = await kubectlNuptse(["run", "report"], { objects, failures });
    assert.deepEqual([code, (writes[0]?.object as JobRequest | undefined)?.spec], [0, { jobName: "report", run: {} }]);
  });

  const refused = [
    {
      name: "an option that the job does not have",
      args: ["run", "report", "--option", "dai=1"],
      code: 2,
      want: /^error: --option: dai: is no option of the job; it has day, dry_run$/,
    },
    {
      name: "an option of the wrong type",
      args: ["run", "report", "--option", "dry_run=maybe"],
      code: 2,
      want: /^error: --option: dry_run: "maybe" is neither "true" nor "false"$/,
    },
    {
      name: "an option without a value",
      args: ["run", "report", "--option", "day"],
      code: 2,
      want: /Write a name and a value such as day=2026-11-21/,
    },
    {
      name: "an option twice",
      args: ["run", "report", "--option", "day=-1d", "--option", "day=-2d"],
      code: 2,
      want: /The option day is given twice/,
    },
    {
      name: "an item that is not there",
      args: ["run", "report", "--items", "3"],
      code: 2,
      want: /--items: there is no item 3; report has the items 0 to 2$/,
    },
    {
      name: "a backfill backwards",
      args: ["backfill", "report", "--from", "2026-11-02", "--to", "2026-11-01"],
      code: 2,
      want: /--to is not after --from/,
    },
    {
      name: "a backfill without its end",
      args: ["backfill", "report", "--from", "2026-11-02"],
      code: 2,
      want: /required option '--to <time>' not specified/,
    },
    {
      name: "a backfill of the future",
      args: ["backfill", "report", "--from", "2026-11-21", "--to", "2026-11-22"],
      code: 1,
      want: /about the past, and 2026-11-21T22:00:00Z is still to come/,
    },
    {
      name: "a backfill of too much",
      args: ["backfill", "report", "--from", "2024-01-01", "--to", "2026-01-01"],
      code: 1,
      want: /more than 10000 fire times/,
    },
    {
      name: "a backfill of nothing",
      args: ["backfill", "report", "--from", "2026-11-01T00:01", "--to", "2026-11-01T00:02"],
      code: 1,
      want: /has no fire time from/,
    },
    {
      name: "more runs at once than may be",
      args: ["backfill", "report", "--from", "a", "--to", "b", "--parallelism", "21"],
      code: 2,
      want: /from 1 to 20/,
    },
    {
      name: "a suspension that has passed",
      args: ["suspend", "report", "--until", "2026-11-21T00:00:00Z"],
      code: 2,
      want: /has passed; choose a later time/,
    },
    { name: "waiting for a suspension", args: ["suspend", "report", "--wait"], code: 2, want: /has no end to wait for/ },
    { name: "mark-succeeded without a run", args: ["mark-succeeded", "report"], code: 2, want: /missing required argument 'run'/ },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name} before anything is asked for`, async () => {
      const { code, notes, writes } = await kubectlNuptse(tc.args, { objects });
      assert.deepEqual([code, notes.length, writes], [tc.code, 1, []]);
      assert.match(notes[0] ?? "", tc.want);
    });
  }

  it("cancel of one of several wants its name, retry of a success too", async () => {
    const twice = {
      ...status,
      active: [...(status.active ?? []), { run: "20261121t120100z", phase: "Running" }],
      history: [status.history?.[1] as object],
    };
    const given = { objects: { "elasticjobs.nuptse.dev": [makeJob({}, { status: twice as ElasticJobStatus })] } };
    assert.deepEqual((await kubectlNuptse(["cancel", "report"], given)).notes, [
      "error: report has several runs, name one: 20261121t120100z, 20261121t120000z",
    ]);
    assert.match(
      (await kubectlNuptse(["retry", "report"], given)).notes[0] ?? "",
      /the newest run 20261121t100000z has succeeded: name the one to retry/,
    );
  });
});

describe("cli/plugin resume", () => {
  const request = (name: string, spec: Partial<JobRequestSpec>, phase: NonNullable<JobRequestStatus["phase"]>): JobRequest => ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "JobRequest",
    metadata: { name, namespace: "tenant", uid: name, creationTimestamp: iso("12:00:00") },
    spec: { jobName: "report", requestedBy: "ann", ...spec },
    status: { phase, startedAt: iso("12:00:01") },
  });
  const requests = [
    request("a", { suspend: { until: iso("14:00:00"), reason: "maintenance" } }, "Running"),
    request("b", { suspend: {} }, "Failed"),
    request("c", { run: {} }, "Running"),
    request("d", { suspend: {}, jobName: "other" }, "Running"),
  ];

  it("deletes the live suspensions of the job, and nothing else", async () => {
    const { code, results, writes } = await kubectlNuptse(["resume", "report"], {
      objects: { ...objects, "jobrequests.nuptse.dev": requests },
    });
    assert.deepEqual([code, results], [0, ["jobrequest.nuptse.dev/a deleted"]]);
    assert.deepEqual(writes, [{ verb: "delete", resource: "jobrequests.nuptse.dev", object: "a" }]);
  });

  it("leaves spec.suspend to its owner, and says so", async () => {
    const given = { objects: { "elasticjobs.nuptse.dev": [makeJob({ suspend: true })], "jobrequests.nuptse.dev": requests } };
    const { code, results, notes } = await kubectlNuptse(["resume", "report"], given);
    assert.deepEqual([code, results], [1, ["jobrequest.nuptse.dev/a deleted"]]);
    assert.match(
      notes[0] ?? "",
      /^error: report stays suspended by spec\.suspend, which belongs to whoever keeps the job: set it to false there/,
    );
  });

  it("of a job that is not suspended there is nothing to resume", async () => {
    const { code, results, notes } = await kubectlNuptse(["resume", "report"], { objects });
    assert.deepEqual([code, results, notes], [0, [], ["report is not suspended"]]);
  });

  it("a suspension that was refused, or whose time is over, suspends nothing", async () => {
    const over = request("f", { suspend: { until: iso("12:29:59") } }, "Running");
    const given = { ...objects, "elasticjobs.nuptse.dev": [makeJob(berlin)], "jobrequests.nuptse.dev": [requests[1] as JobRequest, over] };
    const { results } = await kubectlNuptse(["why", "report", "-o", "json"], { objects: given });
    const { causes } = JSON.parse(results.join("\n")) as { readonly causes: readonly { readonly cause: string }[] };
    assert.ok(
      causes.every(({ cause }) => cause !== "Suspended"),
      results.join("\n"),
    );
  });

  it("why knows a request that has not begun, and since when", async () => {
    const { status: _none, ...unseen } = request("e", { run: {} }, "Pending");
    const given = { ...objects, "elasticjobs.nuptse.dev": [makeJob(berlin)], "jobrequests.nuptse.dev": [unseen] };
    assert.deepEqual((await kubectlNuptse(["why", "report"], { objects: given })).results.slice(1, 4), [
      "- Request: the request e has not begun: the operator has not seen it",
      "    since   Sat 2026-11-21 13:00:00 +01:00 (30 min ago)",
      "    to do   is the operator running? kubectl get lease -A shows who holds nuptse-operator",
    ]);
  });

  it("why and next know a suspension that was asked for: until when, by whom, why", async () => {
    const given = { objects: { ...objects, "jobrequests.nuptse.dev": requests } };
    assert.deepEqual(
      (
        await kubectlNuptse(["why", "report"], { objects: { ...given.objects, "elasticjobs.nuptse.dev": [makeJob(berlin)] } })
      ).results.slice(1, 4),
      [
        "- Suspended: it is suspended by the request a until 2026-11-21T14:00:00Z, by ann: maintenance",
        "    since   Sat 2026-11-21 13:00:01 +01:00 (29 min 59 s ago)",
        "    to do   kubectl nuptse resume report",
      ],
    );
    const { results } = await kubectlNuptse(["next", "--count", "1", "-o", "json"], given);
    assert.deepEqual(JSON.parse(results.join("\n")), [{ fireTime: iso("14:00:00"), namespace: "tenant", job: "report" }]);
  });
});
