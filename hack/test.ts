// The whole ladder of tests: verify, then the folders of test/, each in a process of its own.
// npm test [-- [folder...] [mocha arguments]], for example: npm test -- unit -g "cron"
import { join } from "node:path";
import { ensureBinaries } from "./control-plane/binaries.ts";
import { runFolder } from "./ladder/folder-run.ts";
import { nodeBinaries } from "./node/node.ts";
import { requireSuitableMachine } from "./node/suitability.ts";
import { type RungResult, reportText, succeeded } from "./ladder/report.ts";
import { type Selection, select } from "./ladder/selection.ts";
import { verify, verifyText } from "./verify/steps.ts";

const root = join(import.meta.dirname, "..");
const rungs: RungResult[] = [];

try {
  const selection = select(root, process.argv.slice(2));
  buildControlPlane(selection);
  if (selection.verify) rungs.push(await verifyRung());
  for (const folder of selection.folders) {
    console.log(`\n${folder.name}`);
    const start = performance.now();
    const summary = await runFolder(root, folder, selection.mochaArguments);
    rungs.push({ name: folder.name, seconds: (performance.now() - start) / 1000, summary });
  }
  if (rungs.every((rung) => rung.summary.passed + rung.summary.failed.length === 0)) console.log("\nno test ran");
  console.log(reportText(rungs));
  process.exitCode = succeeded(rungs) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

async function verifyRung(): Promise<RungResult> {
  console.log("verify");
  const start = performance.now();
  const results = await verify(root, (result) => console.log(verifyText(result)));
  const failed = results.filter((result) => result.wrong !== "").map((result) => result.step.name);
  const summary = { passed: results.length - failed.length, failed, skipped: [], missing: [] };
  return { name: "verify", seconds: (performance.now() - start) / 1000, summary };
}

/** Builds the control plane beside the first rungs, where it is not cached yet; the tests that need it wait for the same build. */
function buildControlPlane(selection: Selection): void {
  if (process.env.KUBEBUILDER_ASSETS || !selection.folders.some((folder) => folder.needsControlPlane)) return;
  const plane = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"] as const;
  const hasNode = selection.folders.some((folder) => folder.name === "node");
  const build = async () => {
    await ensureBinaries(plane);
    if (!hasNode) return;
    await requireSuitableMachine();
    await ensureBinaries([...nodeBinaries, "helm"]);
  };
  // What is missing is told by the tests that need it.
  build().catch(() => undefined);
}
