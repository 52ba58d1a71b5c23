import assert from "node:assert/strict";
import { load } from "js-yaml";
import { customResourceDefinitions, elasticJobs, namespaces } from "../../../src/api/resource.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { formatSeconds } from "../../../src/base/time.ts";
import { type Conversion, ConvertError } from "../../../src/convert/conversion.ts";
import { convertText } from "../../../src/convert/sources.ts";
import { createSchedule } from "../../../src/cron/schedule.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import { readCrds } from "../../../src/simulator/harness/crds.ts";
import { elasticJobProblems } from "../../../src/validation/elastic-job.ts";
import { cronJobShapes } from "../../support/cron-job-shapes.ts";

const now = Date.parse("2026-03-20T00:00:00Z");

function convertOne(text: string): Conversion {
  const { conversions } = convertText(text, "test", undefined, { timeZone: "Etc/UTC", now });
  assert.equal(conversions.length, 1);
  return conversions[0] as Conversion;
}

describe("convert/cron-job", () => {
  const server = createApiServer({ clock: createSystemClock({ background: true }), random: createSeededRandom(1) });
  const client = createKubeClient(inProcessTransport(server, { userAgent: "test" }));
  before(async () => {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shapes" } });
  });

  for (const shape of cronJobShapes) {
    it(shape.name, () => {
      const { manifest, notes } = convertOne(shape.yaml);
      const { template, ...spec } = manifest.spec;
      assert.deepEqual(spec, shape.want);
      assert.deepEqual(template, shape.wantTemplate ?? podTemplateOf(shape.yaml));
      assert.deepEqual(
        notes.map(({ path }) => path),
        shape.notes ?? [],
      );
    });
  }

  for (const shape of cronJobShapes.filter(({ fires }) => fires.length > 0)) {
    it(`${shape.name}: the fire times are those of the CronJob`, () => {
      const { crons = [], timeZone } = convertOne(shape.yaml).manifest.spec.schedule ?? {};
      const schedule = createSchedule({ crons, timeZone, anchor: now });
      assert.deepEqual(schedule.between(now, now + 366 * 86_400_000, shape.fires.length).times.map(formatSeconds), shape.fires);
    });
  }

  for (const [index, shape] of cronJobShapes.entries()) {
    it(`${shape.name}: is accepted by the API server, without an unknown field`, async () => {
      const { manifest } = convertOne(shape.yaml);
      assert.deepEqual(elasticJobProblems(manifest.spec), []);
      const named = { ...manifest, metadata: { ...manifest.metadata, namespace: "shapes", name: `shape-${index}` } };
      const created = await client.create(elasticJobs, named, { fieldValidation: "Strict" });
      assert.equal(created.spec.concurrencyPolicy, manifest.spec.concurrencyPolicy);
    });
  }

  it("metadata: labels and annotations go along, but for what tools wrote for themselves", () => {
    const shape = cronJobShapes.find(({ name }) => name === "labels and annotations at every level");
    assert.deepEqual(convertOne(shape?.yaml ?? "").manifest.metadata, {
      name: "shape",
      labels: { app: "report", "app.kubernetes.io/managed-by": "Helm" },
      annotations: { team: "data" },
    });
  });

  it("a name with a dot gets one that is allowed, and says so", () => {
    const { manifest, notes } = convertOne((cronJobShapes[0]?.yaml ?? "").replace("{name: shape}", "{name: Backup.daily, namespace: ops}"));
    assert.deepEqual(manifest.metadata, { name: "backup-daily", namespace: "ops" });
    assert.deepEqual(
      notes.map(({ path }) => path),
      ["metadata.name"],
    );
  });

  const refused = [
    { name: "a CronJob without a name", yaml: "kind: CronJob\nspec: {}", want: /^test: metadata\.name: is missing/ },
    {
      name: "a policy that does not exist",
      yaml: "kind: CronJob\nmetadata: {name: a}\nspec: {schedule: '* * * * *', concurrencyPolicy: Wait}",
      want: /^test: spec\.concurrencyPolicy: is "Wait"; it is Allow, Forbid or Replace$/,
    },
    {
      name: "a number that is none",
      yaml: "kind: CronJob\nmetadata: {name: a}\nspec: {schedule: '* * * * *', jobTemplate: {spec: {completions: many}}}",
      want: /^test: spec\.jobTemplate\.spec\.completions: must be a whole number, not "many"$/,
    },
    {
      name: "a chart that is not rendered",
      yaml: "kind: CronJob\nmetadata: {name: {{ .Values.name }}}",
      want: /^test: is not YAML: .*helm template/,
    },
    { name: "nothing to convert", yaml: "kind: Service\nmetadata: {name: a}", want: /^test: holds no CronJob.*test is a Service$/ },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name}`, () => {
      assert.throws(
        () => convertOne(tc.yaml),
        (error) => error instanceof ConvertError && tc.want.test(error.message),
      );
    });
  }

  it("reads lists and several documents, and passes over what is not a CronJob", () => {
    const item = load(cronJobShapes[0]?.yaml ?? "");
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: [item, { kind: "Secret" }, item] });
    const { conversions, skipped } = convertText(`${list}`, "a.json", undefined, { timeZone: "Etc/UTC", now });
    assert.deepEqual([conversions.length, skipped], [2, ["a.json item 2 is a Secret"]]);
    const documents = `---\n${cronJobShapes[0]?.yaml}\n---\n---\nkind: ConfigMap\n---\n${cronJobShapes[1]?.yaml}\n`;
    const more = convertText(documents, "b.yaml", undefined, { timeZone: "Etc/UTC", now });
    assert.deepEqual([more.conversions.length, more.skipped], [2, ["b.yaml document 3 is a ConfigMap"]]);
  });

  it("--time-zone is the zone of schedules that name none", () => {
    const { conversions } = convertText(cronJobShapes[0]?.yaml ?? "", "test", undefined, { timeZone: "Asia/Tokyo", now });
    assert.equal(conversions[0]?.manifest.spec.schedule?.timeZone, "Asia/Tokyo");
  });
});

/** The Job's own template without restartPolicy and the API server's null. */
function podTemplateOf(yaml: string): unknown {
  const cronJob = load(yaml) as { spec: { jobTemplate: { spec: { template: { spec: Record<string, unknown> } } } } };
  const { restartPolicy: _, ...spec } = cronJob.spec.jobTemplate.spec.template.spec;
  return { spec };
}
