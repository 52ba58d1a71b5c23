import { spawn } from "node:child_process";
import { join } from "node:path";
import { differences, generateFiles } from "../generate/generated-files.ts";
import { manifestProblems } from "../manifests/plain-manifests.ts";
import { sourceRuleBreaches } from "./source-rules.ts";

/** One thing that must hold for the tree as it stands. */
export interface VerifyStep {
  readonly name: string;
  /** What a person runs or does to mend a failure. */
  readonly remedy: string;
  /** Resolves to what is wrong, empty when nothing is. */
  readonly check: (root: string) => Promise<string>;
}

export const verifySteps: readonly VerifyStep[] = [
  {
    name: "generated files are those of the CRDs",
    remedy: "npm run generate",
    check: async (root) => differences(root, await generateFiles(root)).join("\n"),
  },
  {
    name: "plain manifests are those of the chart",
    remedy: "npm run manifests (after npm run generate)",
    check: (root) => Promise.resolve(manifestProblems(root).join("\n")),
  },
  {
    name: "types",
    remedy: "npx tsc --noEmit shows the errors again",
    check: (root) => failureOf(root, "tsc", ["--noEmit", "--pretty", "false", "-p", "."]),
  },
  {
    name: "format and lint",
    remedy: "npx biome check --write mends what can be mended by itself",
    check: (root) =>
      failureOf(root, "biome", ["check", "--reporter=concise", "--max-diagnostics=100", "--diagnostic-level=error", "--colors=off"]),
  },
  {
    name: "no hidden clock or chance, no client in the simulator",
    remedy: "see the layers and the shape of a controller in docs/architecture.md",
    check: (root) => Promise.resolve(sourceRuleBreaches(root).join("\n")),
  },
];

/** How one step ended. */
export interface VerifyResult {
  readonly step: VerifyStep;
  readonly seconds: number;
  readonly wrong: string;
}

/** Runs all steps one after the other and hands each result to `report` as it comes. */
export async function verify(root: string, report: (result: VerifyResult) => void): Promise<readonly VerifyResult[]> {
  const results: VerifyResult[] = [];
  for (const step of verifySteps) {
    const start = performance.now();
    const wrong = await step.check(root).catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    const result = { step, seconds: (performance.now() - start) / 1000, wrong };
    results.push(result);
    report(result);
  }
  return results;
}

/** One line for a result, and for a failure what is wrong and what to do about it. */
export function verifyText(result: VerifyResult): string {
  const line = `${result.wrong === "" ? "ok  " : "FAIL"}  ${result.step.name} (${result.seconds.toFixed(1)} s)`;
  return result.wrong === "" ? line : `${line}\n${result.wrong.replaceAll(/^/gm, "      ")}\n      -> ${result.step.remedy}`;
}

/** Runs one of the project's tools; resolves to its output if it fails, else to nothing. */
function failureOf(root: string, tool: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, "node_modules/.bin", tool), args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve(code === 0 ? "" : Buffer.concat(output).toString("utf8").trim() || `${tool} ended with code ${code}`),
    );
  });
}
