// Runs one of the named loads of test/bench, or lists them. npm run bench [-- <name> [arguments]]
import { globSync } from "node:fs";
import { basename, join } from "node:path";
import type { Bench } from "../test/bench/bench.ts";
import { resultText } from "./bench/result-text.ts";

const folder = join(import.meta.dirname, "../test/bench");
const names = globSync("*.bench.ts", { cwd: folder })
  .map((file) => basename(file, ".bench.ts"))
  .sort();
const [name, ...args] = process.argv.slice(2);

if (name === undefined) {
  console.log(["usage: npm run bench -- <name> [arguments]", "", ...names.map((each) => `  ${each}`)].join("\n"));
} else if (!names.includes(name)) {
  console.error(`there is no bench "${name}"; there are: ${names.join(", ") || "none"}`);
  process.exitCode = 2;
} else {
  const module: { readonly default: Bench } = await import(join(folder, `${name}.bench.ts`));
  console.log(resultText(await module.default(args)));
}
