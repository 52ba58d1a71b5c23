import { copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const sources = ["README.md", "LICENSE", "docs/**/*.md", "src/**/*.ts", "crds/*.yaml", "examples/*.yaml"];

/** What was copied. */
export interface TextFolder {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
}

/** Copies the project's texts below a directory, as something real to count. */
export function copyTexts(root: string, target: string): TextFolder {
  let bytes = 0;
  const files = globSync(sources, { cwd: root });
  for (const file of files) {
    const copy = join(target, file);
    mkdirSync(dirname(copy), { recursive: true });
    const content = readFileSync(join(root, file));
    bytes += content.length;
    // The program reads all files as one stream, in which the last word of one must not run into the first of the next.
    if (content.at(-1) === 0x0a) copyFileSync(join(root, file), copy);
    else writeFileSync(copy, `${content}\n`);
  }
  return { path: target, files: files.length, bytes };
}
