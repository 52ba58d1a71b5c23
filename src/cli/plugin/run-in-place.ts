import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";

/**
 * Runs a program with the streams and the terminal of this process; resolves with its exit code, 128 and the number of the signal that ended it, or
 * undefined when there is no such program in PATH.
 */
export async function runInPlace(program: string, args: readonly string[]): Promise<number | undefined> {
  const child = spawn(program, args, { stdio: "inherit" });
  // Ctrl-C goes to the whole group of the terminal: what it means is the child's to say.
  const ignore = () => undefined;
  process.on("SIGINT", ignore);
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + constants.signals[signal as NodeJS.Signals];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  } finally {
    process.off("SIGINT", ignore);
  }
}
