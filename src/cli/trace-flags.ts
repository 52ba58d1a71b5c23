import { type Command, InvalidArgumentError } from "commander";
import { readTarget, type TraceTarget } from "../trace/target.ts";
import { integer } from "./flag-values.ts";

/** How long rows of the event trace are kept. */
export interface TraceRetentionOptions {
  readonly traceRetentionDays: number;
  readonly traceMaxRows: number;
}

/** Where the operator keeps the event trace. */
export interface TraceOptions extends TraceRetentionOptions {
  readonly trace: TraceTarget;
  readonly traceTokenFile?: string;
  readonly traceCaFile?: string;
  readonly tracePasswordFile?: string;
}

/** Adds --trace and what belongs to it. */
export function addTraceOptions(command: Command): Command {
  command
    .option(
      "--trace <store>",
      "where the event trace is kept: none, sqlite:<path>, http(s)://<host>:<port> of nuptse trace, or postgres://<user>@<host>/<database>",
      traceTarget,
      { kind: "none" } as const,
    )
    .option("--trace-token-file <file>", "the bearer token for nuptse trace (default: that of the pod's ServiceAccount, if there is one)")
    .option(
      "--trace-ca-file <file>",
      "the authorities of the certificate of nuptse trace, PEM; read at each new connection (default: those of Node)",
    )
    .option("--trace-password-file <file>", "the password for PostgreSQL (default: the one in the URL, or $PGPASSWORD)");
  command.options.find((option) => option.attributeName() === "trace")?.default({ kind: "none" }, "none");
  return addTraceRetentionOptions(command);
}

/** Adds --trace-retention-days and --trace-max-rows. */
export function addTraceRetentionOptions(command: Command): Command {
  return command
    .option("--trace-retention-days <days>", "rows of the event trace that are older are removed", integer(1, 3650), 30)
    .option(
      "--trace-max-rows <count>",
      "rows kept of each of the two tables of the event trace, the newest",
      integer(1000, 1_000_000_000),
      10_000_000,
    );
}

/** The same as stores take it. */
export function retentionOf({ traceRetentionDays, traceMaxRows }: TraceRetentionOptions) {
  return { maxAgeMs: traceRetentionDays * 86_400_000, maxRows: traceMaxRows };
}

/** Reads the value of --trace for commander. */
export function traceTarget(text: string): TraceTarget {
  try {
    return readTarget(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
