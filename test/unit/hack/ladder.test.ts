import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type RungResult, reportText, succeeded } from "../../../hack/ladder/report.ts";
import { select } from "../../../hack/ladder/selection.ts";

const unit = {
  name: "unit",
  files: ["test/unit/a.test.ts", "test/unit/cron/b.test.ts"],
  needsControlPlane: false,
  mostlyWaits: false,
  startsProgram: false,
};
const integration = {
  name: "integration",
  files: ["test/integration/c.test.ts"],
  needsControlPlane: true,
  mostlyWaits: true,
  startsProgram: true,
};
const cron = { name: "unit/cron", files: ["test/unit/cron/b.test.ts"], needsControlPlane: false, mostlyWaits: false, startsProgram: false };

const selections = [
  {
    name: "nothing selected runs verify and all folders with tests",
    args: [],
    want: { verify: true, folders: [unit, integration], mochaArguments: [] },
  },
  { name: "a folder by name", args: ["unit"], want: { verify: false, folders: [unit], mochaArguments: [] } },
  { name: "a folder by path", args: ["test/unit/cron/"], want: { verify: false, folders: [cron], mochaArguments: [] } },
  {
    name: "arguments of mocha after the folders",
    args: ["integration", "unit", "-g", "unit of time"],
    want: { verify: false, folders: [integration, unit], mochaArguments: ["-g", "unit of time"] },
  },
  {
    name: "arguments of mocha alone",
    args: ["--bail"],
    want: { verify: false, folders: [unit, integration], mochaArguments: ["--bail"] },
  },
];

describe("selection of tests", () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "nuptse-selection-"));
    for (const file of [...unit.files, ...integration.files, "test/cli/support.ts"]) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), "");
    }
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  for (const tc of selections) {
    it(tc.name, () => assert.deepEqual(select(root, tc.args), tc.want));
  }

  it("a named folder without tests is an error", () => {
    assert.throws(() => select(root, ["cli"]), /test\/cli holds no tests/);
  });
});

const passing: RungResult = { name: "unit", seconds: 1.25, summary: { passed: 3, failed: [], skipped: [], missing: [] } };
const without = { component: "etcd", hint: "install Go" };

const reports: readonly {
  readonly name: string;
  readonly rungs: readonly RungResult[];
  readonly want: string;
  readonly wantOk: boolean;
}[] = [
  {
    name: "all passed",
    rungs: [passing],
    want: "\nunit         3 passed, 0 failed, 0 skipped in 1.3 s\n\n3 passed, 0 failed, 0 skipped",
    wantOk: true,
  },
  {
    name: "failures are named after their rung",
    rungs: [passing, { name: "cli", seconds: 2, summary: { passed: 1, failed: ["help prints"], skipped: [], missing: [] } }],
    want: [
      "",
      "unit         3 passed, 0 failed, 0 skipped in 1.3 s",
      "cli          1 passed, 1 failed, 0 skipped in 2.0 s",
      "",
      "Failed:",
      "  cli: help prints",
      "",
      "4 passed, 1 failed, 0 skipped",
    ].join("\n"),
    wantOk: false,
  },
  {
    name: "skips are counted by missing component, others are named",
    rungs: [
      passing,
      {
        name: "integration",
        seconds: 0,
        summary: {
          passed: 0,
          failed: [],
          skipped: ["operator starts", "operator stops", "lease moves", "odd one"],
          missing: [
            { ...without, suite: "operator" },
            { ...without, suite: "lease" },
          ],
        },
      },
    ],
    want: [
      "",
      "unit         3 passed, 0 failed, 0 skipped in 1.3 s",
      "integration  0 passed, 0 failed, 4 skipped in 0.0 s",
      "",
      "Skipped:",
      "  3 tests without etcd: install Go",
      "  odd one",
      "",
      "3 passed, 0 failed, 4 skipped",
    ].join("\n"),
    wantOk: true,
  },
  { name: "nothing ran", rungs: [], want: "\n\n0 passed, 0 failed, 0 skipped", wantOk: false },
];

describe("report of the ladder", () => {
  for (const tc of reports) {
    it(tc.name, () => {
      assert.equal(reportText(tc.rungs), tc.want);
      assert.equal(succeeded(tc.rungs), tc.wantOk);
    });
  }
});
