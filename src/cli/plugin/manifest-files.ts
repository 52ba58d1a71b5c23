import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import { CommandFailure } from "./command-failure.ts";

/** One document of a file. */
export interface Manifest {
  /** The file, and of several documents which one: "jobs.yaml#2". */
  readonly source: string;
  readonly document: unknown;
}

/** Why a file could not be read, in one line. */
export interface UnreadableFile {
  readonly source: string;
  readonly problem: string;
}

/** Reads all documents of files, folders and stdin ("-"), lists of kind List taken apart. Rejects with CommandFailure for a file that is not there. */
export async function readManifests(
  names: readonly string[],
  readInput: () => Promise<string>,
): Promise<readonly (Manifest | UnreadableFile)[]> {
  const found: (Manifest | UnreadableFile)[] = [];
  for (const name of names) {
    if (name === "-") found.push(...documentsOf("stdin", await readInput()));
    else for (const file of await filesOf(name)) found.push(...documentsOf(file, await readFile(file, "utf8")));
  }
  return found;
}

async function filesOf(name: string): Promise<readonly string[]> {
  const information = await stat(name).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(error.code === "ENOENT" ? `there is no file ${name}` : `cannot read ${name}: ${error.message}`, {
      cause: error,
    });
  });
  if (!information.isDirectory()) return [name];
  const files = (await readdir(name)).filter((file) => /\.(ya?ml|json)$/.test(file)).sort();
  if (files.length === 0) throw new CommandFailure(`the folder ${name} has no *.yaml, *.yml or *.json`);
  return files.map((file) => join(name, file));
}

function documentsOf(file: string, text: string): readonly (Manifest | UnreadableFile)[] {
  let documents: unknown[];
  try {
    documents = loadAll(text).filter((document) => document !== null && document !== undefined);
  } catch (error) {
    return [{ source: file, problem: `is not YAML: ${(error instanceof Error ? error.message : String(error)).split("\n")[0]}` }];
  }
  if (documents.length === 0) return [{ source: file, problem: "holds nothing" }];
  const manifests = documents.flatMap((document) => {
    const { kind, items } = document as { readonly kind?: unknown; readonly items?: unknown };
    return kind === "List" && Array.isArray(items) ? items : [document];
  });
  return manifests.map((document, index) => ({ source: manifests.length === 1 ? file : `${file}#${index + 1}`, document }));
}
