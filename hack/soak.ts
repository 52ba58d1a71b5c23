// The simulation beyond what npm test has time for. npm run soak -- <arguments>
//   [seeds]          the invariants in so many counting seeds; 500 when absent
//   --seed <number>  plays one seed again and tells what was wrong with it
//   --mutants        every rule broken on purpose, and after how many seeds that is caught
//   --queues [seeds] | --queues --seed <number> | --queues --mutants
//   --fleets [seeds] | --fleets --seed <number> | --fleets --mutants
//   --resident [seeds] | --resident --seed <number> | --resident --mutants
//                    the same for queues, for fleets, and for resident jobs
//   --queues --crashes | --fleets --crashes
//                    a crash before and after every single write of a scenario of queues, or of fleets
//   --million        a million runs of 10,000 jobs on virtual time, each judged by the world's ledger
import { join } from "node:path";
import { tell } from "../test/bench/support/progress.ts";
import { playLoad } from "../test/bench/support/simulated-load.ts";
import { Coverage, failureText } from "../test/simulation/support/coverage.ts";
import { playTask } from "../test/simulation/support/seed-task.ts";
import { runFolder } from "./ladder/folder-run.ts";
import { reportText, succeeded } from "./ladder/report.ts";

const root = join(import.meta.dirname, "..");
const words = process.argv.slice(2);
const subjects = {
  jobs: { seeds: "elasticjob", task: "seed", mutants: "mutants", crashes: undefined, word: "" },
  "--queues": { seeds: "queue-faults", task: "queues", mutants: "queue-mutants", crashes: "queue-crash", word: "--queues " },
  "--fleets": { seeds: "fleets", task: "fleets", mutants: "fleet-mutants", crashes: "fleet-crash", word: "--fleets " },
  "--resident": { seeds: "residents", task: "residents", mutants: "resident-mutants", crashes: undefined, word: "--resident " },
} as const;
const [first] = words;
const named = first === "--queues" || first === "--fleets" || first === "--resident" ? first : undefined;
const subject = subjects[named ?? "jobs"];
const [what = "500", seed, ...rest] = named === undefined ? words : words.slice(1);

if (what === "--seed" && seed !== undefined && /^\d+$/.test(seed) && rest.length === 0) await replay(Number(seed));
else if (what === "--mutants" && seed === undefined) {
  process.env.NUPTSE_SIMULATION_MUTANTS = "all";
  await run(subject.mutants);
} else if (what === "--crashes" && seed === undefined && subject.crashes !== undefined) {
  process.env.NUPTSE_SIMULATION_CRASHES = "all";
  await run(subject.crashes);
} else if (what === "--million" && seed === undefined && named === undefined) await million();
else if (/^[1-9]\d*$/.test(what) && seed === undefined) {
  // The test reads the count here; without it it runs the short one.
  process.env.NUPTSE_SIMULATION_SEEDS = what;
  await run(subject.seeds);
} else {
  console.error(
    "usage: npm run soak [-- [--queues | --fleets | --resident] [<seeds> | --seed <number> | --mutants] | (--queues | --fleets) --crashes | --million]",
  );
  process.exitCode = 2;
}

async function replay(number: number): Promise<void> {
  const result = await playTask({ kind: subject.task, seed: number });
  const coverage = new Coverage();
  coverage.add(result);
  console.log(coverage.toString());
  if (result.missing.length > 0) console.log(`    classes of faults that never struck: ${result.missing.join(", ")}`);
  console.log(result.problems.length === 0 ? "every invariant holds" : failureText(result, subject.word));
  process.exitCode = result.problems.length === 0 ? 0 : 1;
}

async function million(): Promise<void> {
  const { problems, problemCount, ...figures } = await playLoad({ jobs: 10_000, perHour: 4, runs: 1_000_000 }, tell);
  console.log(figures);
  console.log(problemCount === 0 ? "every run happened exactly once" : [`${problemCount} problems`, ...problems].join("\n    "));
  process.exitCode = problemCount === 0 ? 0 : 1;
}

async function run(file: string): Promise<void> {
  const start = performance.now();
  const folder = {
    name: "simulation",
    files: [`test/simulation/${file}.test.ts`],
    needsControlPlane: false,
    mostlyWaits: false,
    startsProgram: false,
  };
  const summary = await runFolder(root, folder, ["--timeout", "0"]);
  const rungs = [{ name: folder.name, seconds: (performance.now() - start) / 1000, summary }];
  console.log(reportText(rungs));
  if (!succeeded(rungs)) process.exitCode = 1;
}
