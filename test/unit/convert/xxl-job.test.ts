import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../src/api/elastic-job.gen.ts";
import { ConvertError } from "../../../src/convert/conversion.ts";
import { convertText } from "../../../src/convert/sources.ts";
import { elasticJobProblems } from "../../../src/validation/elastic-job.ts";

const image = "registry.example/jobs:1";
const options = { timeZone: "Asia/Shanghai", image, now: Date.parse("2026-03-20T00:00:00Z") };
const template = (container: object) => ({ spec: { containers: [{ name: "job", image, ...container }] } });
const args = ["$(JOB_PARAMETER)", "$(SHARDING_ITEM)", "$(SHARDING_TOTAL_COUNT)"];

/** A row of the table; what a case does not name is as a new job has it. */
const row = (change: object) => ({
  id: 7,
  job_group: 1,
  job_desc: "a job",
  author: "XXL",
  alarm_email: "",
  schedule_type: "CRON",
  schedule_conf: "0 0 0 * * ? *",
  misfire_strategy: "DO_NOTHING",
  executor_route_strategy: "FIRST",
  executor_handler: "",
  executor_param: "",
  executor_block_strategy: "DISCARD_LATER",
  executor_timeout: 0,
  executor_fail_retry_count: 0,
  glue_type: "GLUE_SHELL",
  glue_source: "echo $1 of $3; echo $$ $(date)",
  child_jobid: "",
  trigger_status: 1,
  trigger_last_time: 0,
  trigger_next_time: 0,
  ...change,
});
const shell = template({ command: ["bash", "-c", "echo $1 of $3; echo $$$ $$(date)", "glue"], args });
const schedule = { crons: ["0 0 0 * * ? *"], timeZone: "Asia/Shanghai" };

const cases: readonly { name: string; row: object; want: ElasticJobSpec; notes: readonly string[] }[] = [
  {
    name: "a shell script and its three arguments",
    row: row({}),
    want: { schedule, misfire: { onDowntime: "Skip" }, template: shell },
    notes: ["glue_type"],
  },
  {
    name: "a bean of an executor waits, suspended, for its program",
    row: row({
      glue_type: "BEAN",
      glue_source: "",
      executor_handler: "demoJobHandler",
      executor_param: "all",
      executor_block_strategy: "SERIAL_EXECUTION",
    }),
    want: {
      suspend: true,
      schedule,
      concurrencyPolicy: "Enqueue",
      misfire: { onDowntime: "Skip" },
      parameter: "all",
      template: template({}),
    },
    notes: ["executor_handler", "executor_block_strategy"],
  },
  {
    name: "a fixed rate, stopped, that fires once after downtime and covers the run before",
    row: row({
      schedule_type: "FIX_RATE",
      schedule_conf: "30",
      misfire_strategy: "FIRE_ONCE_NOW",
      executor_block_strategy: "COVER_EARLY",
      trigger_status: 0,
    }),
    want: {
      suspend: true,
      schedule: { crons: ["@every 30s"] },
      concurrencyPolicy: "Replace",
      misfire: { onDowntime: "FireOnce" },
      template: shell,
    },
    notes: ["glue_type"],
  },
  {
    name: "time limit and retries, which follow its scan of 10 s",
    row: row({ executor_timeout: 120, executor_fail_retry_count: 3, schedule_type: "NONE", schedule_conf: "" }),
    want: {
      misfire: { onDowntime: "Skip" },
      retry: { sameNode: 3, backoff: { factor: 1 } },
      itemTimeoutSeconds: 120,
      template: shell,
    },
    notes: ["glue_type"],
  },
  {
    name: "broadcast, children and mail are said to have no equal",
    row: row({ executor_route_strategy: "SHARDING_BROADCAST", child_jobid: "8,9", alarm_email: "ops@shop.example" }),
    want: { schedule, misfire: { onDowntime: "Skip" }, template: shell },
    notes: ["glue_type", "executor_route_strategy", "alarm_email", "child_jobid", "child_jobid"],
  },
  {
    name: "Groovy runs inside of an executor and has no equal",
    row: row({ glue_type: "GLUE_GROOVY", glue_source: "class A {}" }),
    want: { suspend: true, schedule, misfire: { onDowntime: "Skip" }, template: template({}) },
    notes: ["glue_source"],
  },
  {
    name: "version 2.2 and before has job_cron",
    row: {
      id: 1,
      job_cron: "0 30 1 * * ?",
      job_desc: "",
      executor_handler: "h",
      executor_block_strategy: "DISCARD_LATER",
      glue_type: "GLUE_PYTHON",
      glue_source: "print(1)",
    },
    want: {
      schedule: { crons: ["0 30 1 * * ?"], timeZone: "Asia/Shanghai" },
      misfire: { onDowntime: "Skip" },
      template: template({ command: ["python3", "-c", "print(1)", "glue"], args }),
    },
    notes: ["glue_type"],
  },
];

describe("convert/xxl-job", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const { conversions } = convertText(JSON.stringify([tc.row]), "test", undefined, options);
      assert.deepEqual(conversions[0]?.manifest.spec, tc.want);
      assert.deepEqual(elasticJobProblems(tc.want), []);
      assert.deepEqual(
        conversions[0]?.notes.map(({ path }) => path),
        tc.notes,
      );
    });
  }

  describe("beans that stay with their executors", () => {
    const bean = (change: object) => row({ glue_type: "BEAN", glue_source: "", executor_handler: "importer", ...change });
    const resident = { timeZone: "Asia/Shanghai", runner: "importers", now: options.now };
    const convert = (change: object) => convertText(JSON.stringify([bean(change)]), "test", undefined, resident).conversions[0];

    for (const [route, want] of Object.entries({
      FIRST: "First",
      LAST: "First",
      ROUND: "RoundRobin",
      RANDOM: "LeastLoaded",
      CONSISTENT_HASH: "Rendezvous",
      LEAST_FREQUENTLY_USED: "LeastLoaded",
      LEAST_RECENTLY_USED: "LeastLoaded",
      FAILOVER: "First",
      BUSYOVER: "First",
      SHARDING_BROADCAST: "Broadcast",
      SOMETHING_NEW: "First",
    })) {
      it(`${route} is ${want}${want === "First" && route !== "FIRST" ? ", or as near as it gets" : ""}`, () => {
        const conversion = convert({ executor_route_strategy: route });
        const spec = {
          schedule,
          misfire: { onDowntime: "Skip" },
          runnerRef: { name: "importers", handler: "importer" },
          sharding: { strategy: want },
        };
        assert.deepEqual(conversion?.manifest.spec, spec);
        assert.deepEqual(elasticJobProblems(conversion?.manifest.spec as ElasticJobSpec), []);
        const wantNotes = route === "LAST" || route === "SOMETHING_NEW" ? ["executor_route_strategy"] : [];
        assert.deepEqual(
          conversion?.notes.map(({ path }) => path),
          wantNotes,
        );
      });
    }

    it("one that was stopped stays so", () => assert.equal(convert({ trigger_status: 0 })?.manifest.spec.suspend, true));

    it("one without a handler is refused, with the column", () => {
      assert.throws(() => convert({ executor_handler: "" }), /executor_handler.*is missing/);
    });

    it("scripts still want an image", () => {
      assert.throws(() => convert({ glue_type: "GLUE_SHELL", glue_source: "echo" }), /--image is needed/);
    });

    it("without an image and without a runner both are named", () => {
      const neither = { ...resident, runner: undefined };
      assert.throws(() => convertText(JSON.stringify([bean({})]), "test", undefined, neither), /--image is needed.*--runner/);
    });
  });

  const csv =
    "id,job_desc,schedule_type,schedule_conf,executor_handler,executor_param,glue_type,glue_source,trigger_status\n" +
    '1,"测试任务1",CRON,"0 0 0 * * ? *",demoJobHandler,,BEAN,NULL,0\n' +
    '2,"two, lines",FIX_RATE,60,,"say ""hi""",GLUE_SHELL,"echo a\necho b",1\n';

  it("a table in CSV: quoted cells, commas, line ends, NULL", () => {
    const { conversions } = convertText(csv, "jobs.csv", undefined, options);
    assert.deepEqual(
      conversions.map(({ source, manifest }) => [source, manifest.metadata.name, manifest.spec.parameter, manifest.spec.schedule?.crons]),
      [
        ["XXL-JOB 1 (测试任务1)", "demo-job-handler-1", undefined, ["0 0 0 * * ? *"]],
        ["XXL-JOB 2 (two, lines)", "xxl-job-2", 'say "hi"', ["@every 60s"]],
      ],
    );
    assert.deepEqual(conversions[1]?.manifest.spec.template, template({ command: ["bash", "-c", "echo a\necho b", "glue"], args }));
  });

  it("a child runs after its one parent; one with a schedule, with two parents or elsewhere does not, and that is said", () => {
    const none = { schedule_type: "NONE", schedule_conf: "", trigger_status: 0 };
    const rows = [
      row({ id: 1, child_jobid: "2,3,4" }),
      row({ id: 2, ...none, child_jobid: "5" }),
      row({ id: 3, trigger_status: 0 }),
      row({ id: 4, ...none }),
      row({ id: 6, child_jobid: "4" }),
    ];
    const { conversions } = convertText(JSON.stringify(rows), "test", undefined, options);
    assert.deepEqual(
      conversions.map(({ manifest }) => [manifest.metadata.name, manifest.spec.after, manifest.spec.suspend]),
      [
        ["xxl-job-1", undefined, undefined],
        ["xxl-job-2", [{ job: "xxl-job-1" }], undefined],
        ["xxl-job-3", undefined, true],
        ["xxl-job-4", undefined, undefined],
        ["xxl-job-6", undefined, undefined],
      ],
    );
    const told = (index: number) =>
      conversions[index]?.notes.filter(({ path }) => path === "child_jobid").map(({ text }) => text.slice(0, 60));
    assert.deepEqual(told(0), [
      "Job 3 is not started after this one: it has a schedule of its own, and would be started by both. See spec.after.".slice(0, 60),
      "Job 4 is not started after this one: it has several parents, and any of them would start it. See spec.after.".slice(0, 60),
    ]);
    assert.deepEqual(told(1), ["Job 5 is not started after this one: it is not in this table"]);
  });

  it("the console's JSON has the rows one level down, in other letters", () => {
    const text = JSON.stringify({
      recordsTotal: 1,
      data: [
        { id: 3, jobDesc: "c", scheduleType: "CRON", scheduleConf: "0 0 1 * * ?", executorHandler: "h", glueType: "BEAN", childJobId: "4" },
      ],
    });
    const [conversion] = convertText(text, "page.json", undefined, options).conversions;
    assert.equal(conversion?.manifest.metadata.name, "h-3");
    assert.deepEqual(
      conversion?.notes.map(({ path }) => path),
      ["executor_handler", "executor_block_strategy", "child_jobid"],
    );
  });

  const refused = [
    { name: "a row with too few cells", text: `${csv}3,x\n`, want: /^line 5: has 2 cells, and the first line names 9$/ },
    { name: "a quote without an end", text: `${csv}"3\n`, want: /^line 5: a quoted cell has no end$/ },
    { name: "a row without an id", text: '[{"executor_handler":"h"}]', want: /^test\[0\]: id: is missing/ },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name}, and says where`, () => {
      assert.throws(
        () => convertText(tc.text, "test", undefined, options),
        (error) => error instanceof ConvertError && tc.want.test(error.message),
      );
    });
  }
});
