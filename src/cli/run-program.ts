import { type Command, CommanderError } from "commander";
import { type Output, UsageError } from "./command-context.ts";

/**
 * Runs a program over the arguments that follow its name, and returns the exit code: 0, or 2 with one line when what was typed cannot be
 * used. Other errors are thrown.
 */
export async function runProgram(program: Command, args: readonly string[], output: Output): Promise<number> {
  prepare(program, output);
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      output.note(`error: ${error.message}`);
      return 2;
    }
    // Commander has written its line already. It ends help and --version by an error too, with the code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}

/** Commander's settings are inherited only by commands made through their parent, and these are made apart. */
function prepare(command: Command, output: Output): void {
  const lines = (text: string) => text.replace(/\n$/, "");
  command.exitOverride().configureOutput({
    writeOut: (text) => output.result(lines(text)),
    writeErr: (text) => output.note(lines(text)),
    // "(Did you mean ...?)" stands on a line of its own.
    outputError: (text, write) => write(`${text.trim().replaceAll(/\s*\n\s*/g, " ")}\n`),
  });
  for (const child of command.commands) prepare(child, output);
}
