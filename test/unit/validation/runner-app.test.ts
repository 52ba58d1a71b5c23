import assert from "node:assert/strict";
import type { RunnerAppSpec } from "../../../src/api/runner-app.gen.ts";
import { runnerAppProblems } from "../../../src/validation/runner-app.ts";

const now = Date.UTC(2026, 10, 21, 12);
const template = (image = "web:1", labels = {}) => ({ metadata: { labels }, spec: { containers: [{ name: "main", image }] } });

const rows: readonly { readonly name: string; readonly spec: RunnerAppSpec; readonly want: readonly string[] }[] = [
  { name: "a right one", spec: { template: template() }, want: [] },
  {
    name: "an image that no registry could have",
    spec: { template: template("Web:1") },
    want: ["spec.template.spec.containers[0].image"],
  },
  {
    name: "a selector that does not select the template",
    spec: { template: template("web:1", { app: "web" }), selector: { matchLabels: { app: "other" } } },
    want: ["spec.template.metadata.labels"],
  },
  {
    name: "a selector that does",
    spec: { template: template("web:1", { app: "web" }), selector: { matchLabels: { app: "web" } } },
    want: [],
  },
  { name: "a restart within 24 h", spec: { template: template(), restartedAt: "2026-11-22T12:00:00Z" }, want: [] },
  { name: "a restart further ahead", spec: { template: template(), restartedAt: "2026-11-22T12:00:01Z" }, want: ["spec.restartedAt"] },
  {
    name: "an alternative for a container that is not in the template",
    spec: { template: template(), resourceOptions: [{}, { containers: [{ name: "mian", resources: {} }] }] },
    want: ["spec.resourceOptions[1].containers[0].name"],
  },
];

describe("what the schema cannot say about a RunnerApp", () => {
  for (const { name, spec, want } of rows)
    it(name, () =>
      assert.deepEqual(
        runnerAppProblems(spec, now).map(({ path }) => path),
        want,
      ),
    );
});
