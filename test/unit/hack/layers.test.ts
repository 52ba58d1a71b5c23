import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "../../..");

interface LayerCase {
  readonly from: string;
  readonly imports: string;
  readonly wantRefused: boolean;
}

const kinds = ["elasticjob", "podgate", "runnerapp", "tenantqueue"];

/** One import per row, as it stands in a file of the folder `from`. */
const cases: readonly LayerCase[] = [
  ...refused("src/base", "winston", "@kubernetes/client-node", "../api/meta.ts", "../kube/client.ts", "../runtime/loop.ts", "../main.ts"),
  ...allowed("src/base", "./heap.ts", "node:crypto", "node:fs/promises"),
  ...refused("src/api", "../cron/parse.ts", "../kube/client.ts", "../validation/cron.ts", "../elasticjob/rules/plan.ts"),
  ...allowed("src/api", "../base/clock.ts", "./meta.ts"),
  ...refused("src/cron", "croner", "../quota/tree.ts", "../kube/client.ts", "../haproxy/model.ts", "../validation/cron.ts"),
  ...allowed("src/cron", "../api/meta.ts", "../base/clock.ts"),
  ...refused("src/quota", "winston", "../cron/parse.ts", "../kube/client.ts", "../tenantqueue/observe.ts"),
  ...allowed("src/quota", "../api/meta.ts", "../base/heap.ts"),
  ...refused("src/haproxy", "../cron/parse.ts", "../quota/tree.ts", "../kube/client.ts", "../gateway/agent.ts"),
  ...allowed("src/haproxy", "../api/meta.ts", "../base/heap.ts", "node:net"),
  ...refused("src/haproxy/rules", "../runtime-socket.ts", "../../kube/client.ts", "node:net", "node:fs", "winston"),
  ...allowed("src/haproxy/rules", "./diff.ts", "../../api/problem.ts", "../../base/hash.ts", "node:crypto"),
  ...refused(
    "src/gateway/rules",
    "../agent.ts",
    "../../haproxy/runtime-socket.ts",
    "../../kube/client.ts",
    "../../cron/parse.ts",
    "node:net",
  ),
  ...allowed("src/gateway/rules", "./instances.ts", "../../haproxy/rules/diff.ts", "../../api/meta.ts", "../../base/hash.ts"),
  ...refused("src/validation", "winston", "../kube/client.ts", "../runtime/loop.ts", "../elasticjob/rules/plan.ts", "../webhook/server.ts"),
  ...allowed("src/validation", "../cron/parse.ts", "../quota/tree.ts", "../api/meta.ts", "../base/heap.ts"),
  ...refused("src/kube", "../runtime/loop.ts", "../cron/parse.ts", "../elasticjob/observe.ts", "../simulator/apiserver/store.ts"),
  ...allowed("src/kube", "undici", "../api/meta.ts", "../base/clock.ts"),
  ...refused(
    "src/runtime",
    "../elasticjob/observe.ts",
    "../validation/cron.ts",
    "../trace/store.ts",
    "../cli/run.ts",
    "../../hack/test.ts",
  ),
  ...allowed("src/runtime", "winston", "../kube/client.ts", "../api/meta.ts", "../base/clock.ts"),
  ...kinds.flatMap((kind) => [
    ...kinds.filter((other) => other !== kind).flatMap((other) => refused(`src/${kind}`, `../${other}/observe.ts`)),
    ...refused(
      `src/${kind}`,
      "../executor/exchange.ts",
      "../webhook/server.ts",
      "../trace/store.ts",
      "../console/routes.ts",
      "../cli/run.ts",
      "../main.ts",
    ),
    ...refused(`src/${kind}`, "../simulator/harness/world.ts", "../haproxy/model.ts", "../gateway/agent.ts", "../../test/support/skip.ts"),
    ...allowed(`src/${kind}`, "./rules/plan.ts", "../runtime/loop.ts", "../kube/client.ts", "../cron/parse.ts", "../quota/tree.ts"),
    ...allowed(`src/${kind}`, "../validation/cron.ts", "../api/meta.ts", "../base/clock.ts"),
    ...refused(`src/${kind}/rules`, "../observe.ts", "../dispatch/protocol.ts", "../../kube/client.ts", "../../runtime/loop.ts", "winston"),
    ...refused(`src/${kind}/rules`, "../../validation/cron.ts", "node:fs", "node:timers", "../../haproxy/model.ts"),
    ...allowed(`src/${kind}/rules`, "./plan.ts", "../../cron/parse.ts", "../../quota/tree.ts", "../../api/meta.ts", "../../base/heap.ts"),
    ...allowed(`src/${kind}/rules`, "node:crypto"),
    ...refused(`src/${kind}/rules/plan`, "../../observe.ts", "../../../kube/client.ts", "winston"),
    ...allowed(`src/${kind}/rules/plan`, "./step.ts", "../pods.ts", "../status/text.ts", "../../../cron/parse.ts", "../../../api/meta.ts"),
  ]),
  ...refused("src/elasticjob/dispatch", "../../runnerapp/observe.ts", "../../console/routes.ts"),
  ...allowed("src/elasticjob/dispatch", "../observe.ts", "../../runtime/loop.ts"),
  ...refused("src/webhook", "../elasticjob/observe.ts", "../console/routes.ts", "../cli/run.ts", "../gateway/agent.ts"),
  ...allowed("src/webhook", "../validation/cron.ts", "../runtime/loop.ts", "../kube/client.ts", "../api/meta.ts"),
  ...refused("src/gateway", "../elasticjob/observe.ts", "../validation/cron.ts", "../cli/run.ts", "../trace/store.ts"),
  ...refused(
    "src/notify",
    "../executor/exchange.ts",
    "../elasticjob/controller.ts",
    "../kube/client.ts",
    "../operator/operator.ts",
    "../trace/store.ts",
  ),
  ...allowed("src/notify", "undici", "../runtime/metrics.ts", "../api/notification.ts", "../base/clock.ts"),
  ...refused("src/executor", "../elasticjob/controller.ts", "../kube/client.ts", "../notify/outbox.ts", "../operator/operator.ts"),
  ...refused("src/executor/xxl", "../../elasticjob/rules/plan.ts", "../../notify/outbox.ts"),
  ...allowed("src/executor", "undici", "../runtime/listening.ts", "../api/executor.ts", "../base/clock.ts"),
  ...allowed("src/executor/xxl", "../exchange.ts", "../../api/executor.ts", "../../runtime/listening.ts"),
  ...refused("src/runtime", "../notify/outbox.ts", "../executor/exchange.ts"),
  ...allowed("src/gateway", "../haproxy/model.ts", "../runtime/loop.ts", "../kube/client.ts"),
  ...refused("src/trace", "../elasticjob/observe.ts", "../gateway/agent.ts", "../console/routes.ts"),
  ...allowed("src/trace", "../runtime/loop.ts", "../api/meta.ts"),
  ...refused("src/console", "../cli/run.ts", "../simulator/harness/world.ts", "../haproxy/model.ts", "../main.ts"),
  ...allowed(
    "src/console",
    "../elasticjob/rules/plan.ts",
    "../trace/store.ts",
    "../cron/parse.ts",
    "../quota/tree.ts",
    "../kube/client.ts",
  ),
  ...refused(
    "src/simulator/apiserver",
    "../world/kubelet.ts",
    "../harness/world.ts",
    "../../runtime/loop.ts",
    "../../elasticjob/observe.ts",
  ),
  ...allowed("src/simulator/apiserver", "../../api/meta.ts", "../../base/heap.ts", "../../kube/client.ts"),
  ...refused("src/simulator/world", "../harness/world.ts", "../../runtime/loop.ts", "../../cron/parse.ts", "../../validation/cron.ts"),
  ...allowed("src/simulator/world", "../apiserver/store.ts", "../../api/meta.ts", "../../base/heap.ts", "../../kube/client.ts"),
  ...refused("src/simulator/harness", "../../cli/run.ts", "../../console/routes.ts", "../../main.ts", "../../haproxy/model.ts"),
  ...allowed(
    "src/simulator/harness",
    "../world/kubelet.ts",
    "../apiserver/store.ts",
    "../../elasticjob/reconciler.ts",
    "../../runtime/loop.ts",
  ),
  ...refused("src/cli", "../main.ts", "../haproxy/model.ts", "../../hack/test.ts"),
  ...allowed("src/cli", "../simulator/harness/world.ts", "../console/routes.ts", "../validation/cron.ts", "../cron/parse.ts", "commander"),
];

describe("layers of src", function () {
  this.timeout(60_000);
  let refusals: ReadonlySet<string>;
  before(() => {
    refusals = lintedFiles();
  });

  for (const [row, tc] of cases.entries()) {
    it(`${tc.from} ${tc.wantRefused ? "may not" : "may"} import ${tc.imports}`, () => {
      assert.equal(refusals.has(fileOf(row, tc)), tc.wantRefused);
    });
  }

  it("every folder of src has a rule", () => {
    const overrides = JSON.parse(readFileSync(join(root, "biome.json"), "utf8")).overrides as readonly { readonly includes: string[] }[];
    const ruled = new Set(overrides.flatMap((override) => override.includes));
    const folders = ["src", "src/simulator"].flatMap((parent) =>
      existsSync(join(root, parent))
        ? readdirSync(join(root, parent), { withFileTypes: true })
            .filter((entry) => entry.isDirectory())
            .map((entry) => `${parent}/${entry.name}`)
        : [],
    );
    const without = folders.filter((folder) => folder !== "src/simulator" && !ruled.has(`${folder}/**`));
    assert.deepEqual(without, []);
  });
});

function refused(from: string, ...imports: readonly string[]): readonly LayerCase[] {
  return imports.map((path) => ({ from, imports: path, wantRefused: true }));
}

function allowed(from: string, ...imports: readonly string[]): readonly LayerCase[] {
  return imports.map((path) => ({ from, imports: path, wantRefused: false }));
}

function fileOf(row: number, tc: LayerCase): string {
  return `${tc.from}/row-${row}.ts`;
}

/** Writes a file for each row into a folder laid out like the project, and returns those in which the project's lint refuses the import. */
function lintedFiles(): ReadonlySet<string> {
  const folder = mkdtempSync(join(tmpdir(), "nuptse-layers-"));
  try {
    copyFileSync(join(root, "biome.json"), join(folder, "biome.json"));
    for (const [row, tc] of cases.entries()) {
      const file = join(folder, fileOf(row, tc));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `import * as other from "${tc.imports}";\nexport const names = Object.keys(other);\n`);
    }
    const biome = join(root, "node_modules/.bin/biome");
    const run = spawnSync(biome, ["lint", "--max-diagnostics=none", "--reporter=json", "."], {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    const report = JSON.parse(run.stdout) as { readonly diagnostics: readonly Diagnostic[] };
    return new Set(
      report.diagnostics
        .filter((diagnostic) => diagnostic.category === "lint/style/noRestrictedImports")
        .map((diagnostic) => diagnostic.location.path.replace(`${folder}/`, "")),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Diagnostic {
  readonly category: string;
  readonly location: { readonly path: string };
}
