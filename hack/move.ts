// npm run move: the peak day. In a small cluster in this process one fleet shrinks and another grows on the same machines, by one command, and nothing is
// missing at any moment; then back. Ends with exit code 0 when that is so.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSystemClock } from "../src/base/clock.ts";
import { startPlayground } from "../src/simulator/harness/playground.ts";
import { createScreen } from "./demo/screen.ts";
import { runMove, seconds } from "./move/run-move.ts";

const directory = mkdtempSync(join(tmpdir(), "nuptse-move-"));
const screen = createScreen(process.stdout, process.env);
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort());
process.stdout.on("error", () => stop.abort());

let code = 1;
try {
  code = (await move()) ? 0 : 1;
} catch (error) {
  screen.block([]);
  if (stop.signal.aborted) code = 130;
  else console.error(`the move failed: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exit(code);

async function move(): Promise<boolean> {
  const { line, paint, block } = screen;
  line("starting a cluster of 4 machines with 8 cores each in this process, with the operator in it ...");
  const clock = createSystemClock();
  const playground = await startPlayground({
    kubelet: "stages",
    nodes: 4,
    dataDir: directory,
    random: { next: () => Math.random() },
    clock,
  });
  try {
    const began = clock.now();
    const result = await runMove({
      client: playground.client,
      clock,
      root: join(import.meta.dirname, ".."),
      signal: stop.signal,
      say: (text) => line(`${paint("dim", seconds(clock.now() - began).padStart(7))}  ${text}`),
      show: (lines) => block(lines.length === 0 ? [] : ["", ...lines, "", "  S search, R recommend; small letters: coming or going"]),
    });
    const isRight = result.missing === 0 && result.failed === 0 && result.sameMachines;
    line();
    line(
      isRight
        ? paint(
            "good",
            `Moved in ${seconds(result.peakMs)}, and back in ${seconds(result.backMs)}: no instance was missing, and none failed.`,
          )
        : paint("bad", `Something is wrong: ${JSON.stringify(result)}`),
    );
    return isRight;
  } finally {
    block([]);
    await playground.close();
  }
}
