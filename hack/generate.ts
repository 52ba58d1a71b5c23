// Writes what is made from the CRDs: types in src/api, reference pages in docs/reference, and the copies that the chart holds. npm run generate
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { differences, generateFiles, leftOver } from "./generate/generated-files.ts";

const root = join(import.meta.dirname, "..");
const files = await generateFiles(root);
for (const difference of differences(root, files)) console.log(difference);
for (const path of leftOver(root, files)) rmSync(join(root, path));
for (const [path, text] of files) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
console.log(`${files.size} files are up to date`);
