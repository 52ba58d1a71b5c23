import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { elasticJobs } from "../../src/api/resource.ts";
import { type Playground, startPlayground } from "../../src/simulator/harness/playground.ts";
import type { TraceReader } from "../../src/trace/store.ts";
import { eventually } from "./support/eventually.ts";
import { elasticJob } from "./support/jobs.ts";
import { timeLimits } from "./support/time-limits.ts";

const plugin = join(import.meta.dirname, "../../src/cli/kubectl-plugin.ts");

/** Neither a cluster nor anything else is needed. */
describe("the event trace of the playground", function () {
  this.timeout(timeLimits.test);
  const dataDir = mkdtempSync(join(tmpdir(), "nuptse-trace-playground-"));
  let playground: Playground;

  before(async () => {
    playground = await startPlayground({ kubelet: "stages", random: { next: () => Math.random() }, dataDir });
  });
  after(async () => {
    await playground?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it("is SQLite in its data folder, and kubectl nuptse history tells from it of runs that status no longer knows", async () => {
    const spec = { schedule: { crons: ["@every 1s"] }, history: { succeeded: 1, failed: 1 }, podRetention: { succeeded: 0 } };
    await playground.client.create(elasticJobs, elasticJob("default", "often", spec));
    const trace = playground.trace as TraceReader;
    await eventually("three runs in the trace", timeLimits.run, async () => (await trace.runs({ job: "often" })).rows.length >= 3);
    await playground.client.patch(
      elasticJobs,
      { namespace: "default", name: "often" },
      { type: "merge", body: { spec: { suspend: true } } },
    );
    await eventually("its last run to end", timeLimits.run, async () => {
      const job = await playground.client.get<ReturnType<typeof elasticJob>>(elasticJobs, { namespace: "default", name: "often" });
      return job.status?.active === undefined && job.status?.conditions?.some(({ reason }) => reason === "Suspended");
    });
    const rowsOf = async () => (await trace.runs({ namespace: "default", job: "often" })).rows.map(({ run }) => run);
    // Rows follow their record by a moment.
    await eventually("the trace to be still", timeLimits.run, async () => {
      const before = (await rowsOf()).length;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return (await rowsOf()).length === before;
    });
    const { NUPTSE_TRACE: _, ...environment } = process.env;
    const history = async (...args: string[]) => {
      const all = [
        "--disable-warning=ExperimentalWarning",
        plugin,
        "history",
        "often",
        "--kubeconfig",
        playground.kubeconfigPath,
        "-o",
        "name",
      ];
      const { stdout } = await promisify(execFile)(process.execPath, [...all, ...args], { env: environment });
      return stdout.trim().split("\n");
    };
    const known = await history();
    const all = await history("--trace", `sqlite:${join(dataDir, "trace.db")}`);
    assert.deepEqual(all, (await rowsOf()).sort().reverse());
    assert.ok(all.length >= 3 && known.length < all.length, `status knows ${known.length} of ${all.length}`);
    await assert.rejects(history("--trace", "sqlite:/nowhere/trace.db"), /there is no event trace \/nowhere\/trace\.db/);
  });
});
