import { type Command, Option } from "commander";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** How the process says what it does. */
export interface LoggingOptions {
  readonly logLevel: LogLevel;
  /** Absent: pretty on a terminal, else json. */
  readonly logFormat?: "json" | "pretty";
}

/** Adds --log-level and --log-format. */
export function addLoggingOptions(command: Command, defaultLevel: LogLevel): Command {
  return command
    .addOption(
      new Option("--log-level <level>", "the least important lines that are written")
        .choices(["debug", "info", "warn", "error"])
        .default(defaultLevel),
    )
    .addOption(
      new Option("--log-format <format>", "how lines are written (default: pretty on a terminal, else json)").choices(["json", "pretty"]),
    );
}
