import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import { nuptse } from "./program-double.ts";

const hourly = `apiVersion: batch/v1
kind: CronJob
metadata: {name: hourly, namespace: prod, annotations: {kubectl.kubernetes.io/last-applied-configuration: x, team: a}, uid: u}
spec:
  schedule: "30 * * * *"
  startingDeadlineSeconds: 100
  jobTemplate: {spec: {ttlSecondsAfterFinished: 10, backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: c, image: "busybox:1.37"}]}}}}
status: {}
`;

describe("cli/convert", () => {
  let folder = "";
  const file = (name: string) => join(folder, name);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "nuptse-convert-"));
    writeFileSync(file("hourly.yaml"), `kind: Service\n---\n${hourly}`);
    writeFileSync(file("twice.yaml"), `${hourly}---\n${hourly}`);
    writeFileSync(file("java.yaml"), "jobName: j\ncron: 0 0 1 * * ?\nshardingTotalCount: 1\nprops: {script.command.line: run.sh}\n");
  });
  after(() => rmSync(folder, { recursive: true }));

  it("prints YAML with a comment for each thing that has no equal, and tells what it passed over", async () => {
    const { code, results, notes } = await nuptse(["convert", file("hourly.yaml")]);
    assert.deepEqual([code, notes], [0, [`passed over: ${file("hourly.yaml")} document 1 is a Service`]]);
    assert.equal(
      results.join("\n"),
      `# From CronJob prod/hourly
# spec.jobTemplate.spec.ttlSecondsAfterFinished: Pods stay 90 s after the end of their run in place of 10 s: 90 s to 7 days are possible.
apiVersion: nuptse.dev/v1alpha1
kind: ElasticJob
metadata:
  name: hourly
  namespace: prod
  annotations:
    team: a
spec:
  schedule:
    crons:
      - 30 * * * *
  misfire:
    startingDeadlineSeconds: 100
  concurrencyPolicy: Allow
  podRetention:
    succeeded: 0
    failed: 0
    minSeconds: 90
  template:
    spec:
      containers:
        - name: c
          image: busybox:1.37`,
    );
  });

  it("-o json prints one object, or a List of several, and the notes on stderr", async () => {
    const one = await nuptse(["convert", file("hourly.yaml"), "-o", "json"]);
    assert.equal(JSON.parse(one.results.join("\n")).kind, "ElasticJob");
    assert.match(one.notes[1] ?? "", /^CronJob prod\/hourly: spec\.jobTemplate\.spec\.ttlSecondsAfterFinished: /);
    const two = await nuptse(["convert", file("hourly.yaml"), file("java.yaml"), "--image", "registry.example/j:1", "-o", "json"]);
    const list = JSON.parse(two.results.join("\n"));
    assert.deepEqual([list.kind, list.items.length], ["List", 2]);
  });

  it("--cutover: the new job fires from then on; --old: the CronJob is suspended between its last and the next fire time", async () => {
    const now = await nuptse(["convert", file("hourly.yaml"), "--cutover", "2026-12-01T12:00:00Z"]);
    assert.equal(parsed(now.results).spec.schedule.startAt, "2026-12-01T12:00:00Z");
    const then = await nuptse(["convert", file("hourly.yaml"), "--cutover", "2026-12-01T12:00:00Z", "--old"]);
    assert.match(then.results.join("\n"), /^# Apply this after 2026-12-01T11:30:00Z and before 2026-12-01T12:30:00Z: /m);
    const { metadata, spec } = parsed(then.results);
    assert.deepEqual([spec.suspend, spec.startingDeadlineSeconds, spec.schedule], [true, 100, "30 * * * *"]);
    assert.deepEqual(metadata, { name: "hourly", namespace: "prod", annotations: { team: "a" } });
  });

  it("--rollback: the new job fires until then; the CronJob is resumed without catching up what the other one ran", async () => {
    const now = await nuptse(["convert", file("hourly.yaml"), "--rollback", "2026-12-01T12:00:00Z"]);
    assert.equal(parsed(now.results).spec.schedule.endAt, "2026-12-01T12:00:00Z");
    const then = await nuptse(["convert", file("hourly.yaml"), "--rollback", "2026-12-01T12:00:00Z", "--old"]);
    // A deadline of 60 s, so it is applied a minute after the last fire time of the other one.
    assert.match(then.results.join("\n"), /^# Apply this after 2026-12-01T11:31:00Z and before 2026-12-01T12:30:00Z: /m);
    assert.match(then.results.join("\n"), /write 100 again/);
    const { spec } = parsed(then.results);
    assert.deepEqual([spec.suspend, spec.startingDeadlineSeconds], [false, 60]);
  });

  const refused = [
    { name: "a file that is not there", args: ["none.yaml"], want: /^error: .*none\.yaml cannot be read/ },
    { name: "a job without an image", args: ["java.yaml"], want: /^error: .*java\.yaml: ElasticJob j: --image is needed/ },
    {
      name: "two jobs of one name",
      args: ["twice.yaml"],
      want: /^error: CronJob prod\/hourly and CronJob prod\/hourly would both be called "hourly"/,
    },
    { name: "a cut-over without a time", args: ["hourly.yaml", "--cutover", "soon"], want: /^error: --cutover: "soon" is not a time/ },
    { name: "--old alone", args: ["hourly.yaml", "--old"], want: /^error: --old wants --cutover or --rollback/ },
    {
      name: "--old where there was no CronJob",
      args: ["java.yaml", "--image", "registry.example/j:1", "--old", "--cutover", "2026-12-01T12:00:00Z"],
      want: /^error: --old: there is no CronJob/,
    },
    { name: "both directions", args: ["hourly.yaml", "--cutover", "2026-12-01", "--rollback", "2026-12-01"], want: /cannot be used with/ },
    { name: "an unknown zone", args: ["hourly.yaml", "--time-zone", "CST"], want: /^error: --time-zone: / },
    {
      name: "an unknown scheduler",
      args: ["hourly.yaml", "--from", "airflow"],
      want: /Allowed choices are cronjob, deployment, elasticjob, xxl-job/,
    },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name} with exit code 2 and one line`, async () => {
      const [name = "", ...flags] = tc.args;
      const { code, results, notes } = await nuptse(["convert", file(name), ...flags]);
      assert.deepEqual([code, results], [2, []]);
      assert.match(notes.at(-1) ?? "", tc.want);
    });
  }
});

// biome-ignore lint/suspicious/noExplicitAny: what was printed is looked at field by field
function parsed(results: readonly string[]): any {
  return loadAll(results.join("\n"))[0];
}
