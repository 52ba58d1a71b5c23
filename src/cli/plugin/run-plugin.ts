import type { Command } from "commander";
import type { Output } from "../command-context.ts";
import { runProgram } from "../run-program.ts";
import { CommandFailure } from "./command-failure.ts";
import { failureLine } from "./failure-line.ts";

/**
 * Runs the plugin over the arguments that follow its name, and returns the exit code: 0; 1 with one line when the cluster did not do what
 * was asked; 2 with one line when what was typed cannot be used.
 * @param signal aborted when the user wants no more: what breaks then is no failure
 */
export async function runPlugin(program: Command, args: readonly string[], output: Output, signal: AbortSignal): Promise<number> {
  try {
    return await runProgram(program, args, output);
  } catch (error) {
    // 128 + SIGINT, as shells have it.
    if (signal.aborted) return 130;
    const line = failureLine(error);
    if (line !== "") output.note(`error: ${line}`);
    return error instanceof CommandFailure ? error.exitCode : 1;
  }
}
