import assert from "node:assert/strict";
import { namespaces } from "../../../../src/api/resource.ts";
import { makeJob } from "../../../support/builders/elastic-job.ts";
import { runnerApp } from "../../../support/builders/runner-app.ts";
import { kubectlNuptse } from "./plugin-double.ts";

const objects = {
  "elasticjobs.nuptse.dev": [
    makeJob({}, { metadata: { name: "nightly" }, status: { history: [{ run: "20261121t110000z", phase: "Failed" }] } }),
    makeJob({}, { metadata: { name: "hello" } }),
    makeJob({}, { metadata: { name: "far", namespace: "shop" } }),
  ],
  "runnerapps.nuptse.dev": [runnerApp()],
  [namespaces.plural]: [{ metadata: { name: "tenant" } }, { metadata: { name: "shop" } }],
};

describe("cli/plugin completion", () => {
  const cases = [
    { name: "commands", words: ["st"], want: ["status\ta job with its runs, items and results", ":4"] },
    { name: "jobs of the namespace", words: ["status", ""], want: ["nightly", "hello", ":4"] },
    { name: "jobs that begin so", words: ["why", "ni"], want: ["nightly", ":4"] },
    { name: "fleets behind jobs, where both may be meant", words: ["suspend", ""], want: ["nightly", "hello", "ra/web", ":4"] },
    { name: "fleets among all that a word may mean", words: ["why", "ra/"], want: ["ra/web", ":4"] },
    { name: "jobs of the namespace that was typed", words: ["status", "-n", "shop", ""], want: ["far", ":4"] },
    { name: "the same with =", words: ["status", "--namespace=shop", ""], want: ["far", ":4"] },
    { name: "namespaces", words: ["status", "-n", "s"], want: ["shop", ":4"] },
    { name: "formats", words: ["history", "nightly", "-o", ""], want: ["json", "yaml", "wide", "name", ":4"] },
    { name: "options", words: ["logs", "nightly", "--fol"], want: ["--follow\tgo on until the run ends; of a fleet, for ever", ":4"] },
    { name: "runs of the job", words: ["logs", "nightly", "--run", ""], want: ["20261121t110000z\tFailed", ":4"] },
    { name: "files", words: ["validate", "-f", ""], want: [":0"] },
    { name: "commands of a group", words: ["cron", "n"], want: ["next\tthe coming fire times of an expression", ":4"] },
    { name: "shells", words: ["completion", "z"], want: ["zsh", ":4"] },
    { name: "nothing after the last argument", words: ["status", "nightly", ""], want: [":4"] },
    { name: "nothing that is hidden", words: ["_"], want: [":4"] },
  ];
  for (const tc of cases) {
    it(`proposes ${tc.name}`, async () => {
      const { code, results } = await kubectlNuptse(["__complete", ...tc.words], { objects });
      assert.deepEqual([code, results], [0, tc.want]);
    });
  }

  const usages: Readonly<Record<string, string>> = {
    logs: "<job|ra/app>",
    why: "<job|ra/app|pod/name>",
    suspend: "<job|ra/app>",
    resume: "<job|ra/app>",
    status: "<job>",
    run: "<job>",
  };
  for (const [command, about] of Object.entries(usages)) {
    it(`${command} --help says what it is about: ${about}`, async () => {
      const { code, results } = await kubectlNuptse([command, "--help"]);
      assert.deepEqual([code, results.join("\n").split("\n")[0]], [0, `Usage: kubectl nuptse ${command} [options] ${about}`]);
    });
  }

  it("a cluster that fails proposes nothing, and says nothing", async () => {
    const failures = { "list elasticjobs.nuptse.dev": new Error("down") };
    const { code, results, notes } = await kubectlNuptse(["__complete", "status", ""], { failures });
    assert.deepEqual([code, results, notes], [0, [":4"], []]);
  });

  for (const shell of ["bash", "zsh", "fish"]) {
    it(`prints a script for ${shell}, which asks the plugin`, async () => {
      const { code, results } = await kubectlNuptse(["completion", shell]);
      assert.equal(code, 0);
      assert.match(results.join("\n"), /kubectl-nuptse __complete/);
    });
  }
});
