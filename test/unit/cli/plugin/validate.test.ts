import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { kubectlNuptse } from "./plugin-double.ts";

const examples = join(import.meta.dirname, "../../../../examples");
const job = (spec: string, head = "metadata: {name: nightly}") => `
apiVersion: nuptse.dev/v1alpha1
kind: ElasticJob
${head}
spec:
${spec.replaceAll(/^/gm, "  ")}
`;
const app = (spec: string) => job(spec, "metadata: {name: web}").replace("ElasticJob", "RunnerApp");
const template = "template: {spec: {containers: [{name: main, image: busybox}]}}";

describe("cli/plugin validate", function () {
  this.timeout(20_000);

  it("every example is valid", async () => {
    const { code, results } = await kubectlNuptse(["validate", "-f", examples]);
    assert.equal(code, 0, results.join("\n"));
    assert.ok(results.length >= readdirSync(examples).length);
    assert.ok(results.every((line) => line.endsWith(" is valid")));
  });

  const queue = (name: string, spec: string) =>
    `apiVersion: nuptse.dev/v1alpha1\nkind: TenantQueue\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
  const corp = queue("corp", "{capacity: {resources: {cpu: 10}}}");

  it("TenantQueues are judged as the tree that they make, parents in the cluster are not missed", async () => {
    const input = [corp, queue("eng", "{parent: corp, guaranteed: {cpu: 60%}}"), queue("web", "{parent: far, guaranteed: {cpu: 1}}")].join(
      "---\n",
    );
    const { code, results } = await kubectlNuptse(["validate", "-f", "-"], { input });
    assert.equal(code, 0);
    assert.deepEqual(results, [
      "stdin#1: TenantQueue corp is valid",
      "stdin#2: TenantQueue eng is valid",
      "stdin#3: TenantQueue web is valid",
    ]);
  });

  it("what the schema of a TenantQueue cannot judge is told with its field", async () => {
    const over = [corp, queue("eng", "{parent: corp, guaranteed: {cpu: 60%}}"), queue("sci", "{parent: corp, guaranteed: {cpu: 5}}")].join(
      "---\n",
    );
    const { code, results } = await kubectlNuptse(["validate", "-q", "-f", "-"], { input: over });
    assert.equal(code, 1);
    assert.deepEqual(results, [
      "stdin#2: TenantQueue eng: spec.guaranteed.cpu: is 60% (6) where corp has a capacity of 10 and its other queues are guaranteed 5 of it; ask for 5 at most, lower theirs, or raise that of corp",
      "stdin#3: TenantQueue sci: spec.guaranteed.cpu: is 5 where corp has a capacity of 10 and its other queues are guaranteed 6 of it; ask for 4 at most, lower theirs, or raise that of corp",
    ]);
  });

  it("a TenantQueue that the schema refuses does not count beside the others", async () => {
    const input = [
      corp,
      queue("eng", "{parent: corp, guaranteed: {cpu: 150%}}"),
      queue("sci", "{parent: corp, guaranteed: {cpu: 50%}}"),
    ].join("---\n");
    const { results } = await kubectlNuptse(["validate", "-f", "-"], { input });
    assert.deepEqual(results, [
      "stdin#1: TenantQueue corp is valid",
      'stdin#2: TenantQueue eng: spec.guaranteed[cpu]: Invalid value: "150%": must be a quantity such as 500m, 64 or 128Gi, or a percentage from 0% to 100%',
      "stdin#3: TenantQueue sci is valid",
    ]);
  });

  const wrong = [
    {
      name: "a field that is not there",
      input: job(`suspended: true\n${template}`),
      want: [/^stdin: ElasticJob nightly: unknown field "spec\.suspended"; did you mean suspend\?$/],
    },
    {
      name: "a field of a list's entry that is not there",
      input: job(`after: [{job: x, fireTme: Latest}]\n${template}`),
      want: [/^stdin: ElasticJob nightly: unknown field "spec\.after\[0\]\.fireTme"; did you mean fireTime\?$/],
    },
    {
      name: "a value out of bounds",
      input: job(`sharding: {total: 0}\n${template}`),
      want: [/^stdin: ElasticJob nightly: spec\.sharding\.total: Invalid value: 0: .*greater than or equal to 1/],
    },
    {
      name: "a rule over several fields",
      input: job(`sharding: {total: 3, parameters: [a]}\n${template}`),
      want: [/^stdin: ElasticJob nightly: spec\.sharding: .*must hold one parameter for each item/],
    },
    {
      name: "an expression that the schema cannot judge",
      input: job(`schedule: {crons: ["0 25 * * *"]}\n${template}`),
      want: [/^stdin: ElasticJob nightly: spec\.schedule\.crons\[0\]: hour, character 3: /],
    },
    {
      name: "a typo in the template",
      input: job("template: {spec: {containers: [{name: main, image: busybox, comand: [a]}]}}"),
      want: [/^stdin: ElasticJob nightly: .*unknown field "spec\.template\.spec\.containers\[0\]\.comand"/],
    },
    {
      name: "an image reference that is none",
      input: job("template: {spec: {containers: [{name: main, image: Busy_Box}]}}"),
      want: [/^stdin: ElasticJob nightly: spec\.template\.spec\.containers\[0\]\.image: "Busy_Box" is no part of an image name/],
    },
    {
      name: "an app that restarts in a year",
      input: app(`restartedAt: "2099-01-01T00:00:00Z"\n${template}`),
      want: [/^stdin: RunnerApp web: spec\.restartedAt: is 2099-01-01T00:00:00Z; must be no more than 24 h ahead$/],
    },
    {
      name: "a typo in an app's template",
      input: app("template: {spec: {containers: [{name: main, image: busybox, comand: [a]}]}}"),
      want: [/^stdin: RunnerApp web: .*unknown field "spec\.template\.spec\.containers\[0\]\.comand"/],
    },
    { name: "a name that is too long", input: job(template, `metadata: {name: ${"n".repeat(60)}}`), want: [/52/] },
    {
      name: "a kind that is not there",
      input: "{apiVersion: nuptse.dev/v1alpha1, kind: ElasticJbo, metadata: {name: x}}",
      want: [/there is no kind ElasticJbo/],
    },
    { name: "what is not YAML", input: "a: [1", want: [/^stdin: is not YAML: /] },
    { name: "a document without a kind", input: "a: 1", want: [/^stdin: an object: has no apiVersion or no kind$/] },
  ];
  for (const tc of wrong) {
    it(`refuses ${tc.name}`, async () => {
      const { code, results, notes } = await kubectlNuptse(["validate", "-f", "-"], { input: tc.input });
      assert.deepEqual([code, results.length, notes], [1, tc.want.length, []], results.join("\n"));
      for (const [index, want] of tc.want.entries()) assert.match(results[index] ?? "", want);
    });
  }

  it("takes lists apart, says which document it was, and leaves other kinds out", async () => {
    const input = `${job(template)}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---${job(`suspend: 3\n${template}`)}`;
    const { code, results, notes } = await kubectlNuptse(["validate", "-f", "-"], { input });
    assert.equal(code, 1);
    assert.equal(results[0], "stdin#1: ElasticJob nightly is valid");
    assert.match(results[1] ?? "", /^stdin#3: ElasticJob nightly: spec\.suspend: Invalid value: "integer"/);
    assert.deepEqual(notes, ["left out: 1 of other kinds"]);
  });

  it("warns of what is legal but doubtful", async () => {
    const { code, notes } = await kubectlNuptse(["validate", "-q", "-f", "-"], {
      input: job(`schedule: {crons: ["0 0 2 ? * 1"]}\n${template}`),
    });
    assert.equal(code, 0);
    assert.match(notes.join("\n"), /warning: spec\.schedule\.crons\[0\]: /);
  });

  const missing = [
    { name: "a file that is not there", args: ["-f", "nowhere.yaml"], want: "error: there is no file nowhere.yaml" },
    { name: "nothing of ours", args: ["-f", "-"], want: "error: nothing was checked: no document is of a kind of nuptse.dev" },
  ];
  for (const tc of missing) {
    it(`${tc.name} is a failure`, async () => {
      const { code, notes } = await kubectlNuptse(["validate", ...tc.args], {
        input: "{apiVersion: v1, kind: Secret, metadata: {name: s}}",
      });
      assert.deepEqual([code, notes.at(-1)], [1, tc.want]);
    });
  }
});
