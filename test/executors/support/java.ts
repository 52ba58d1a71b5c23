import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { promisify } from "node:util";
import { needProgram } from "./executor-process.ts";

const run = promisify(execFile);

/** Makes sure that a JDK is there; throws MissingComponent where it is not. */
export const needJdk = (): Promise<void> => needProgram("javac", "-version", "put java and javac of a JDK, 17 or newer, on the PATH");

/** Compiles all sources of a folder. */
export async function compile(folder: string, into: string, classPath: readonly string[] = []): Promise<void> {
  const sources = globSync(`${folder}/*.java`).sort();
  await run("javac", [
    "-encoding",
    "UTF-8",
    "-proc:none",
    "-d",
    into,
    ...(classPath.length > 0 ? ["-cp", classPath.join(":")] : []),
    ...sources,
  ]);
}
