import type { Output } from "./command-context.ts";

/** Writes to the process's own stdout and stderr. A reader that went away (a closed pipe) ends nothing. */
export function createProcessOutput(): Output {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  return {
    result: (line) => process.stdout.write(`${line}\n`),
    note: (line) => process.stderr.write(`${line}\n`),
  };
}
