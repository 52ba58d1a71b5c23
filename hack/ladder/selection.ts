import { globSync } from "node:fs";

/** The folders of `test` in the order in which they run: what needs least and fails fastest comes first. */
const ladder = ["unit", "simulation", "conformance", "cli", "chart", "gateway", "executors", "console", "integration", "node"];

/** The folders whose tests talk to a real control plane. */
const onControlPlane = new Set(["conformance", "chart", "integration", "node"]);

/** The folders whose tests wait for real time to pass more than they compute. */
const waiting = new Set(["cli", "chart", "executors", "integration"]);

/** The folders whose tests start `nuptse` as a process. */
const startingProgram = new Set(["chart", "integration"]);

/** What one call of the test command runs. */
export interface Selection {
  /** Whether the tree itself is verified too: only when nothing is selected. */
  readonly verify: boolean;
  readonly folders: readonly TestFolder[];
  readonly mochaArguments: readonly string[];
}

export interface TestFolder {
  /** Path below `test`. */
  readonly name: string;
  readonly files: readonly string[];
  readonly needsControlPlane: boolean;
  readonly mostlyWaits: boolean;
  /** Whether its tests start `nuptse` as a process, which is then the bundle that users get. */
  readonly startsProgram: boolean;
}

/**
 * Reads `[folder...] [mocha arguments]`: folders are paths below `test`, such as `unit` or `unit/cron`; from the first argument that begins
 * with a dash on, all go to mocha. Throws with a sentence for people when a folder holds no tests.
 */
export function select(root: string, args: readonly string[]): Selection {
  const firstOption = args.findIndex((argument) => argument.startsWith("-"));
  const named = (firstOption === -1 ? args : args.slice(0, firstOption)).map((name) => name.replace(/^test\//, "").replace(/\/$/, ""));
  const folders = (named.length > 0 ? named : ladder).map((name) => ({
    name,
    files: globSync(`test/${name}/**/*.test.ts`, { cwd: root }).sort(),
    needsControlPlane: onControlPlane.has(name.split("/")[0] ?? ""),
    mostlyWaits: waiting.has(name.split("/")[0] ?? ""),
    startsProgram: startingProgram.has(name.split("/")[0] ?? ""),
  }));
  const empty = folders.find((folder) => folder.files.length === 0 && named.length > 0);
  if (empty !== undefined) throw new Error(`test/${empty.name} holds no tests (*.test.ts); folders are: ${ladder.join(", ")}`);
  return {
    verify: args.length === 0,
    folders: folders.filter((folder) => folder.files.length > 0),
    mochaArguments: firstOption === -1 ? [] : args.slice(firstOption),
  };
}
