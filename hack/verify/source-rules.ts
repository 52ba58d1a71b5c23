import { globSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join, posix } from "node:path";

/** Time and chance are parameters everywhere but here, which is what makes the simulator possible. */
const clockFiles = new Set(["src/base/clock.ts", "src/main.ts"]);
const hiddenClock = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bsetTimeout\(|\bsetInterval\(/;

/** The simulator serves the client's interfaces, but must not run the client: the one layer rule that the linter cannot express. */
const kubeTypesOnly = /^src\/simulator\/(apiserver|world)\//;

/** Breaches of the rules that the linter cannot express, in all of `src` below `root`: `path:line: what is wrong`. */
export function sourceRuleBreaches(root: string): readonly string[] {
  return globSync("src/**/*.ts", { cwd: root })
    .map((path) => path.replaceAll("\\", "/"))
    .sort()
    .flatMap((path) => breachesIn(path, readFileSync(join(root, path), "utf8")));
}

/** Breaches in one file, whose `path` within the project decides which rules apply. */
export function breachesIn(path: string, source: string): readonly string[] {
  return [...(clockFiles.has(path) ? [] : clockBreaches(path, source)), ...(kubeTypesOnly.test(path) ? kubeBreaches(path, source) : [])];
}

function clockBreaches(path: string, source: string): readonly string[] {
  return source.split("\n").flatMap((line, index) => {
    const call = hiddenClock.exec(line)?.[0];
    return call === undefined
      ? []
      : [`${path}:${index + 1}: ${call}${call.endsWith(")") ? "" : ")"}: take a Clock or Random as a parameter`];
  });
}

function kubeBreaches(path: string, source: string): readonly string[] {
  // Stripping leaves exactly the imports that run, at their old positions.
  return stripTypeScriptTypes(source)
    .split("\n")
    .flatMap((line, index) => {
      const imported = /(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+)"/.exec(line)?.[1];
      const isKube = imported !== undefined && posix.join(posix.dirname(path), imported).startsWith("src/kube/");
      return isKube ? [`${path}:${index + 1}: the simulator may import only types of kube: use "import type"`] : [];
    });
}
