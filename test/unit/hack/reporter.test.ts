import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunSummary, summaryVariable } from "../../support/run-summary.ts";

const root = join(import.meta.dirname, "../../..");
const fixture = "test/unit/hack/fixtures/outcomes.ts";

const unsuitable = { component: "a beach", hint: "this is the sea", suite: "outcomes on another machine" };

interface Run {
  readonly output: string;
  readonly summary: RunSummary;
}

describe("reporter", function () {
  this.timeout(60_000);

  it("tells what passed, failed and was skipped, and why", () => {
    const { output, summary } = runFixture({});
    assert.deepEqual(summary, {
      passed: 2,
      failed: ["outcomes fails"],
      skipped: [
        "outcomes skips itself",
        "outcomes without a component would fly",
        "outcomes without a component would land",
        "outcomes on another machine would lie in the sun",
      ],
      missing: [{ component: "a warp drive", hint: "install one", suite: "outcomes without a component" }, unsuitable],
    });
    assert.match(output, /^FAIL {2}test\/unit\/hack\/fixtures\/outcomes\.ts: 2 passed, 1 failed, 4 skipped \(/m);
    assert.match(output, /Expected values to be strictly equal/);
  });

  it("counts a missing component as a failure in CI, but not what the machine could never have", () => {
    const { output, summary } = runFixture({ CI: "true" });
    assert.deepEqual(summary, {
      passed: 2,
      failed: ["outcomes fails", 'outcomes without a component "before all" hook for "would fly"'],
      skipped: ["outcomes skips itself", "outcomes on another machine would lie in the sun"],
      missing: [unsuitable],
    });
    assert.match(output, /a warp drive cannot be had on this machine: install one/);
  });
});

function runFixture(environment: Readonly<Record<string, string>>): Run {
  const scratch = mkdtempSync(join(tmpdir(), "nuptse-reporter-"));
  const summaryPath = join(scratch, "summary.json");
  const { CI: _, ...inherited } = process.env;
  try {
    const run = spawnSync(
      process.execPath,
      [join(root, "node_modules/mocha/bin/mocha.js"), "--reporter", join(root, "test/reporter.ts"), fixture],
      { cwd: root, encoding: "utf8", env: { ...inherited, ...environment, [summaryVariable]: summaryPath } },
    );
    return { output: run.stdout, summary: JSON.parse(readFileSync(summaryPath, "utf8")) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
