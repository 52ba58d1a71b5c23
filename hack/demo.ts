// npm run demo: a small cluster in this process, with the operator in it. Real work by real processes on real files: the words of a folder
// are counted in 4 items, one of which fails once, and one is taken away from its node. Ends with the merged result, checked by a count of
// its own. On a terminal it then stays up for a look around; without one it ends, with exit code 0 when the result is right.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runDemo } from "./demo/run-demo.ts";
import { createScreen } from "./demo/screen.ts";

const directory = mkdtempSync(join(tmpdir(), "nuptse-demo-"));
const screen = createScreen(process.stdout, process.env);
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort());
process.stdout.on("error", () => stop.abort());

let code = 1;
try {
  const root = join(import.meta.dirname, "..");
  code = (await runDemo({ root, directory, screen, signal: stop.signal, stay: process.stdout.isTTY })) ? 0 : 1;
} catch (error) {
  screen.block([]);
  if (stop.signal.aborted) code = 130;
  else console.error(`the demo failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exit(code);
