import type { Clock } from "../base/clock.ts";

/** Where commands write: one call a line, without the line's end. */
export interface Output {
  /** What was asked for: stdout. */
  result(line: string): void;
  /** Warnings and errors: stderr. */
  note(line: string): void;
}

/** What every command is given. */
export interface CommandContext {
  readonly clock: Clock;
  readonly output: Output;
  /** Of the package, "0.1.0". */
  readonly version: string;
}

/** What was typed cannot be used. The message is one line that names the part and says what would be right; the exit code is 2. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message.trim().replaceAll(/\s*\n\s*/g, " "), options);
    this.name = "UsageError";
  }
}
