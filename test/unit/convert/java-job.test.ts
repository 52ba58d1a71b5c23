import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../src/api/elastic-job.gen.ts";
import { ConvertError } from "../../../src/convert/conversion.ts";
import { convertText } from "../../../src/convert/sources.ts";
import { elasticJobProblems } from "../../../src/validation/elastic-job.ts";

const image = "registry.example/jobs:1";
const options = { timeZone: "Etc/UTC", image, now: Date.parse("2026-03-20T00:00:00Z") };

/** What ElasticJob 3 writes into its registry, and its export with it. */
const exported = `jobName: dailyReport
cron: 0 15 2 * * ?
timeZone: GMT+8:00
shardingTotalCount: 3
shardingItemParameters: 0=Beijing, 1=Shanghai,2=Guangzhou
jobParameter: full
monitorExecution: true
failover: true
misfire: true
maxTimeDiffSeconds: -1
reconcileIntervalMinutes: 10
jobShardingStrategyType: AVG_ALLOCATION
jobExecutorThreadPoolSizeProviderType: CPU
jobErrorHandlerType: LOG
jobListenerTypes: []
jobExtraConfigurations: []
description: A report a day
props:
  script.command.line: /opt/jobs/report.sh --mode 'a b'
disabled: false
overwrite: false
label: reports
staticSharding: false
`;
const template = (container: object) => ({ spec: { containers: [{ name: "job", image, ...container }] } });
const script = template({ command: ["/opt/jobs/report.sh", "--mode", "a b"] });

const cases: readonly { name: string; text: string; want: ElasticJobSpec; notes?: readonly string[] }[] = [
  {
    name: "3.x: a script job, as its registry holds it",
    text: exported,
    want: {
      schedule: { crons: ["0 15 2 * * ?"], timeZone: "GMT+8:00" },
      misfire: { onDowntime: "Skip", onOverlap: "FireOnce" },
      sharding: { total: 3, parameters: ["Beijing", "Shanghai", "Guangzhou"] },
      completion: { failFast: false },
      parameter: "full",
      appendShardingContext: true,
      template: script,
    },
    notes: ["jobName", "jobName"],
  },
  {
    name: "2.x Lite: JSON with its class, disabled, without failover and misfire",
    text: JSON.stringify({
      jobName: "clean",
      jobClass: "org.example.Clean",
      jobType: "SIMPLE",
      cron: "0 0 3 * * ?",
      shardingTotalCount: 1,
      shardingItemParameters: "",
      jobParameter: "",
      failover: false,
      misfire: false,
      description: "",
      jobProperties: { job_exception_handler: "org.example.Handler" },
      monitorExecution: false,
      maxTimeDiffSeconds: 5,
      monitorPort: -1,
      jobShardingStrategyClass: "",
      disabled: true,
    }),
    want: {
      suspend: true,
      schedule: { crons: ["0 0 3 * * ?"] },
      misfire: { onDowntime: "Skip", onOverlap: "Skip" },
      failover: { limit: 0 },
      template: template({}),
    },
    notes: ["jobClass", "timeZone", "monitorExecution", "maxTimeDiffSeconds"],
  },
  {
    name: "2.x Cloud: a transient script with its shares",
    text: JSON.stringify({
      jobName: "foo-job",
      appName: "foo-app",
      jobType: "SCRIPT",
      jobExecutionType: "TRANSIENT",
      cron: "0/5 * * * * ?",
      shardingTotalCount: 5,
      cpuCount: 0.1,
      memoryMB: 64.5,
      failover: true,
      misfire: true,
      scriptCommandLine: "sh job.sh",
      bootstrapScript: "bin/start.sh",
    }),
    want: {
      schedule: { crons: ["0/5 * * * * ?"] },
      misfire: { onDowntime: "Skip", onOverlap: "FireOnce" },
      sharding: { total: 5 },
      completion: { failFast: false },
      appendShardingContext: true,
      template: template({
        command: ["sh", "job.sh"],
        resources: { requests: { cpu: "0.1", memory: "65Mi" } },
      }),
    },
    notes: ["timeZone", "bootstrapScript"],
  },
  {
    name: "2.x Cloud: a daemon has no equal and waits for somebody",
    text: JSON.stringify({
      jobName: "d",
      jobType: "SCRIPT",
      jobExecutionType: "DAEMON",
      cron: "0 * * * * ?",
      timeZone: "Asia/Tokyo",
      shardingTotalCount: 1,
      failover: true,
      scriptCommandLine: "d.sh",
    }),
    want: {
      suspend: true,
      schedule: { crons: ["0 * * * * ?"], timeZone: "Asia/Tokyo" },
      misfire: { onDowntime: "Skip", onOverlap: "FireOnce" },
      appendShardingContext: true,
      template: template({ command: ["d.sh"] }),
    },
    notes: ["jobExecutionType"],
  },
  {
    name: "an HTTP job becomes the request that it was",
    text: `jobName: call
shardingTotalCount: 1
failover: true
cron: ''
props:
  http.uri: https://shop.example/run?a=$(x)
  http.method: post
  http.data: source=jobs
  http.content.type: application/json
  http.read.timeout.milliseconds: '9500'
`,
    want: {
      misfire: { onDowntime: "Skip", onOverlap: "FireOnce" },
      template: template({
        command: [
          ...["curl", "--fail", "--silent", "--show-error", "--request", "POST", "--connect-timeout", "3", "--max-time", "9.5"],
          ...["--header", "shardingContext: $(SHARDING_CONTEXT)", "--header", "Content-Type: application/json"],
          ...["--data", "source=jobs", "https://shop.example/run?a=$$(x)"],
        ],
      }),
    },
    notes: ["props.http.uri"],
  },
  {
    name: "where clocks change, Quartz' own rule is kept",
    text: `jobName: ny\nshardingTotalCount: 1\nfailover: true\ncron: 0 30 2 * * ?\ntimeZone: America/New_York\nprops: {script.command.line: a}`,
    want: {
      schedule: { crons: ["0 30 2 * * ?"], timeZone: "America/New_York", dst: "Quartz" },
      misfire: { onDowntime: "Skip", onOverlap: "FireOnce" },
      appendShardingContext: true,
      template: template({ command: ["a"] }),
    },
    notes: ["cron"],
  },
  {
    name: "what only tells of the old machinery is said",
    text: `jobName: x
shardingTotalCount: 2
shardingItemParameters: 1=b
failover: true
cron: 0 0 0 ? * 2
timeZone: UTC
jobErrorHandlerType: EMAIL
jobShardingStrategyType: ODEVITY
jobListenerTypes: [audit]
staticSharding: true
props: {script.command.line: a}
`,
    want: {
      schedule: { crons: ["0 0 0 ? * 2"], timeZone: "UTC" },
      misfire: { onDowntime: "Skip", onOverlap: "FireOnce" },
      sharding: { total: 2, parameters: ["", "b"] },
      completion: { failFast: false },
      appendShardingContext: true,
      template: template({ command: ["a"] }),
    },
    notes: ["shardingItemParameters", "jobShardingStrategyType", "jobErrorHandlerType", "jobListenerTypes", "staticSharding"],
  },
  {
    name: "a cron of five fields, which Quartz refuses, leaves the job without a schedule",
    text: `jobName: x\nshardingTotalCount: 1\nfailover: true\ncron: 0 2 * * *\nprops: {script.command.line: a}`,
    want: {
      misfire: { onDowntime: "Skip", onOverlap: "FireOnce" },
      appendShardingContext: true,
      template: template({ command: ["a"] }),
    },
    notes: ["cron"],
  },
];

describe("convert/java-job", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const { conversions } = convertText(tc.text, "test", undefined, options);
      assert.equal(conversions.length, 1);
      assert.deepEqual(conversions[0]?.manifest.spec, tc.want);
      assert.deepEqual(elasticJobProblems(tc.want), []);
      assert.deepEqual(
        conversions[0]?.notes.map(({ path }) => path),
        tc.notes ?? [],
      );
    });
  }

  it("Spring Boot: the jobs of application.yaml, by their names", () => {
    const text = `spring: {profiles: {active: dev}}
elasticjob:
  regCenter: {serverLists: localhost:2181}
  jobs:
    simpleJob: {elasticJobClass: org.example.Simple, cron: 0/5 * * * * ?, shardingTotalCount: 3, shardingItemParameters: "0=A,1=B,2=C"}
    scriptJob: {elasticJobType: SCRIPT, cron: 0/10 * * * * ?, shardingTotalCount: 3, props: {script.command.line: echo SCRIPT Job}}
`;
    const { conversions } = convertText(text, "application.yaml", undefined, options);
    assert.deepEqual(
      conversions.map(({ manifest }) => [manifest.metadata.name, manifest.spec.suspend, manifest.spec.template]),
      [
        ["simple-job", true, template({})],
        ["script-job", undefined, template({ command: ["echo", "SCRIPT", "Job"] })],
      ],
    );
  });

  it("the name and what it was are kept", () => {
    const [conversion] = convertText(exported, "test", undefined, { ...options, namespace: "reports" }).conversions;
    assert.equal(conversion?.source, "ElasticJob dailyReport");
    assert.deepEqual(conversion?.manifest.metadata, {
      name: "daily-report",
      namespace: "reports",
      annotations: { "kubernetes.io/description": "A report a day" },
    });
  });

  const refused = [
    { name: "no image", change: {}, options: { ...options, image: undefined }, want: /--image is needed/ },
    { name: "no items", change: { shardingTotalCount: 0 }, options, want: /shardingTotalCount: is 0; a run has 1 to 10000 items/ },
    {
      name: "parameters of another form",
      change: { shardingItemParameters: "a" },
      options,
      want: /shardingItemParameters: "a" is not .* 0=a,1=b/,
    },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name}`, () => {
      const text = JSON.stringify({ jobName: "x", shardingTotalCount: 1, ...tc.change });
      assert.throws(
        () => convertText(text, "test", undefined, tc.options),
        (error) => error instanceof ConvertError && tc.want.test(error.message),
      );
    });
  }
});
