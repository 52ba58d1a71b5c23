import assert from "node:assert/strict";
import { parseJsonPath } from "../../../../../src/simulator/apiserver/http/table/json-path.ts";

const job = {
  metadata: { name: "etl", labels: { "app.kubernetes.io/name": "etl", app: "x" } },
  spec: { suspend: false, total: 4, crons: ["0 * * * *", "30 * * * *"], zone: null },
  status: {
    conditions: [
      { type: "Ready", status: "True", count: 3 },
      { type: "Late", status: "False", count: 0 },
    ],
  },
};

describe("JSONPath of printer columns", () => {
  const cases: readonly { readonly name: string; readonly path: string; readonly want: readonly unknown[] }[] = [
    { name: "a field of a field", path: ".spec.total", want: [4] },
    { name: "a leading dollar", path: "$.spec.total", want: [4] },
    { name: "a value that is false", path: ".spec.suspend", want: [false] },
    { name: "a value that is null", path: ".spec.zone", want: [null] },
    { name: "a field that is missing", path: ".spec.nope.deeper", want: [] },
    { name: "a field with escaped dots", path: ".metadata.labels.app\\.kubernetes\\.io/name", want: ["etl"] },
    { name: "a field in quotes", path: ".metadata.labels['app.kubernetes.io/name']", want: ["etl"] },
    { name: "an element", path: ".spec.crons[1]", want: ["30 * * * *"] },
    { name: "an element from the end", path: ".spec.crons[-1]", want: ["30 * * * *"] },
    { name: "a slice", path: ".spec.crons[0:1]", want: ["0 * * * *"] },
    { name: "all elements", path: ".spec.crons[*]", want: ["0 * * * *", "30 * * * *"] },
    { name: "a filter with double quotes", path: '.status.conditions[?(@.type=="Ready")].status', want: ["True"] },
    { name: "a filter with single quotes and blanks", path: ".status.conditions[?( @.type == 'Late' )].status", want: ["False"] },
    { name: "a filter that nothing passes", path: '.status.conditions[?(@.type=="Nope")].status', want: [] },
    { name: "a filter by number", path: ".status.conditions[?(@.count>=3)].type", want: ["Ready"] },
    { name: "a filter by inequality", path: '.status.conditions[?(@.type!="Ready")].type', want: ["Late"] },
    { name: "a filter by existence", path: ".status.conditions[?(@.count)].type", want: ["Ready", "Late"] },
    { name: "recursive descent", path: "..type", want: ["Ready", "Late"] },
    { name: "a list as it is", path: ".spec.crons", want: [["0 * * * *", "30 * * * *"]] },
  ];
  for (const tc of cases) it(tc.name, () => assert.deepEqual(parseJsonPath(tc.path).evaluate(job), tc.want));

  const failing: readonly { readonly name: string; readonly path: string }[] = [
    { name: "an index beyond the end", path: ".spec.crons[7]" },
    { name: "a filter on what is no list", path: '.spec[?(@.x=="y")]' },
    { name: "a comparison of text and number", path: ".status.conditions[?(@.type==3)]" },
  ];
  for (const tc of failing) it(`fails on ${tc.name}`, () => assert.throws(() => parseJsonPath(tc.path).evaluate(job)));

  for (const path of [".spec.crons[", "spec", ".spec.crons[?(@.a=~x)]", ".spec.crons[abc]", ".spec .x"]) {
    it(`does not read "${path}"`, () => assert.throws(() => parseJsonPath(path), SyntaxError));
  }
});
