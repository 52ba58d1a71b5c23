// mocha's reporter: a line for each file, failures in full at the end, and a summary as JSON for hack/test.ts.
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import Mocha from "mocha";
import { type RunSummary, summaryVariable } from "./support/run-summary.ts";
import { missingComponents } from "./support/skip.ts";

interface FileCount {
  readonly file: string;
  readonly start: number;
  passed: number;
  failed: number;
  skipped: number;
}

export default class Reporter {
  readonly #failures: Mocha.Test[] = [];
  readonly #skipped: string[] = [];
  #passed = 0;
  #current: FileCount | undefined;

  constructor(runner: Mocha.Runner) {
    // In this order they come from mocha: a suite begins, its tests end one way or the other, the run ends.
    runner.on("suite", (suite) => this.#enter(suite.file));
    runner.on("pass", () => {
      this.#passed += 1;
      if (this.#current !== undefined) this.#current.passed += 1;
    });
    runner.on("pending", (test) => {
      this.#skipped.push(test.fullTitle());
      if (this.#current !== undefined) this.#current.skipped += 1;
    });
    runner.on("fail", (test, error) => {
      // a hook has no error of its own, which the list of failures reads
      test.err = error;
      this.#failures.push(test);
      if (this.#current !== undefined) this.#current.failed += 1;
    });
    runner.on("end", () => this.#end());
  }

  #enter(file: string | undefined): void {
    if (file === undefined || file === this.#current?.file) return;
    this.#printFile();
    this.#current = { file, start: performance.now(), passed: 0, failed: 0, skipped: 0 };
  }

  #printFile(): void {
    const count = this.#current;
    if (count === undefined) return;
    const parts = [
      `${count.passed} passed`,
      ...(count.failed > 0 ? [`${count.failed} failed`] : []),
      ...(count.skipped > 0 ? [`${count.skipped} skipped`] : []),
    ];
    const seconds = ((performance.now() - count.start) / 1000).toFixed(1);
    const verdict = count.failed > 0 ? "FAIL" : count.passed === 0 ? "skip" : "ok  ";
    console.log(`${verdict}  ${relative(process.cwd(), count.file)}: ${parts.join(", ")} (${seconds} s)`);
    this.#current = undefined;
  }

  #end(): void {
    this.#printFile();
    if (this.#failures.length > 0) Mocha.reporters.Base.list(this.#failures);
    const summary: RunSummary = {
      passed: this.#passed,
      failed: this.#failures.map((test) => test.fullTitle()),
      skipped: this.#skipped,
      missing: missingComponents(),
    };
    const path = process.env[summaryVariable];
    if (path === undefined) console.log(`${summary.passed} passed, ${summary.failed.length} failed, ${summary.skipped.length} skipped`);
    else writeFileSync(path, JSON.stringify(summary));
  }
}
