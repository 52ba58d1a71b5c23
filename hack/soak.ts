// The simulation with its full number of seeds, which takes longer than npm test allows. npm run soak [-- <seeds> [mocha arguments]]
import { join } from "node:path";
import { runFolder } from "./ladder/folder-run.ts";
import { type RungResult, reportText, succeeded } from "./ladder/report.ts";
import { select } from "./ladder/selection.ts";

const root = join(import.meta.dirname, "..");
const [seeds = "500", ...mochaArguments] = process.argv.slice(2);

if (!/^[1-9]\d*$/.test(seeds)) {
  console.error(`usage: npm run soak [-- <seeds> [mocha arguments]]; "${seeds}" is not a number of seeds`);
  process.exit(2);
}
// The simulation's tests read the count here; without it they run the short one.
process.env.NUPTSE_SIMULATION_SEEDS = seeds;
const rungs: RungResult[] = [];
for (const folder of select(root, ["simulation"]).folders) {
  const start = performance.now();
  const summary = await runFolder(root, folder, ["--timeout", "0", ...mochaArguments]);
  rungs.push({ name: folder.name, seconds: (performance.now() - start) / 1000, summary });
}
console.log(reportText(rungs));
process.exitCode = succeeded(rungs) ? 0 : 1;
