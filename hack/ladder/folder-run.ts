import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunSummary, summaryVariable } from "../../test/support/run-summary.ts";
import { patienceVariable } from "../../test/support/patience.ts";
import { programVariable } from "../../test/support/program.ts";
import { bundleCommands } from "../bundle/bundle-command.ts";
import { machinePace } from "./machine-pace.ts";
import type { TestFolder } from "./selection.ts";

/** How long a run may live on after its last test before it counts as hung: something it started was not stopped. */
const lingerMs = 10_000;
/** A test that takes longer hangs, where it does not say otherwise itself. */
const testTimeoutMs = 20_000;

/** Files of a folder that spends its time waiting are run side by side, each in a process of its own, so many at once. */
const filesAtOnce = 2;

/**
 * Runs mocha over one folder, with its output on ours: in one process, or where the folder mostly waits, file by file. A run that breaks
 * off, or does not end after its tests, is a failure named after the folder, or the file.
 */
export async function runFolder(root: string, folder: TestFolder, mochaArguments: readonly string[]): Promise<RunSummary> {
  if (!folder.startsProgram) return runFiles(root, folder, mochaArguments);
  const bundle = mkdtempSync(join(tmpdir(), "nuptse-bundle-"));
  try {
    await bundleCommands(root, bundle);
    return await runFiles(root, folder, mochaArguments, { [programVariable]: join(bundle, "nuptse.js") });
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
}

type Environment = Readonly<Record<string, string>>;

async function runFiles(
  root: string,
  folder: TestFolder,
  mochaArguments: readonly string[],
  environment: Environment = {},
): Promise<RunSummary> {
  if (!folder.mostlyWaits) return runOnce(root, folder, mochaArguments, environment);
  const left = [...folder.files];
  const summaries: RunSummary[] = [];
  const worker = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      summaries.push(await runOnce(root, { ...folder, files: [file] }, mochaArguments, environment));
    }
  };
  await Promise.all(Array.from({ length: filesAtOnce }, worker));
  return {
    passed: summaries.reduce((sum, summary) => sum + summary.passed, 0),
    failed: summaries.flatMap((summary) => summary.failed),
    skipped: summaries.flatMap((summary) => summary.skipped),
    missing: summaries.flatMap((summary) => summary.missing),
  };
}

async function runOnce(root: string, folder: TestFolder, mochaArguments: readonly string[], environment: Environment): Promise<RunSummary> {
  const scratch = mkdtempSync(join(tmpdir(), "nuptse-test-"));
  const summaryPath = join(scratch, "summary.json");
  try {
    const ended = await runMocha(root, folder, mochaArguments, summaryPath, environment);
    const summary: RunSummary = existsSync(summaryPath)
      ? JSON.parse(readFileSync(summaryPath, "utf8"))
      : { passed: 0, failed: [], skipped: [], missing: [] };
    const unexplained = ended !== undefined && (summary.failed.length === 0 || !existsSync(summaryPath));
    return unexplained ? { ...summary, failed: [...summary.failed, `${whatRan(folder)}: ${ended}`] } : summary;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const whatRan = ({ name, files: [file, ...others] }: TestFolder): string =>
  file === undefined || others.length > 0 ? `test/${name}` : file;

/** Resolves to what was wrong with the end of the process, if anything was. */
function runMocha(
  root: string,
  folder: TestFolder,
  mochaArguments: readonly string[],
  summaryPath: string,
  environment: Environment,
): Promise<string | undefined> {
  const pace = machinePace();
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        join(root, "node_modules/mocha/bin/mocha.js"),
        "--reporter",
        join(root, "test/reporter.ts"),
        ...(mochaArguments.includes("--timeout") ? [] : ["--timeout", String(testTimeoutMs * pace)]),
        ...mochaArguments,
        ...folder.files,
      ],
      {
        cwd: root,
        stdio: ["ignore", "inherit", "inherit"],
        env: { ...process.env, ...environment, [summaryVariable]: summaryPath, [patienceVariable]: String(pace) },
      },
    );
    let lingersSince: number | undefined;
    let hung = false;
    const watch = setInterval(() => {
      if (!existsSync(summaryPath)) return;
      lingersSince ??= performance.now();
      if (performance.now() - lingersSince < lingerMs * pace) return;
      hung = true;
      child.kill("SIGKILL");
    }, 250);
    child.on("error", (error) => {
      clearInterval(watch);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearInterval(watch);
      if (hung) resolve(`the process did not end within ${(lingerMs * pace) / 1000} s of its last test: something was not stopped`);
      else resolve(code === 0 ? undefined : `the run ended with ${signal ?? `code ${code}`}`);
    });
  });
}
