import { Writable } from "node:stream";
import { inspect, styleText } from "node:util";
import { createLogger as createWinston, format, transports } from "winston";
import type { LogFields, Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";

export type LogLevel = "error" | "warn" | "info" | "debug";

export interface LoggingOptions {
  readonly level: LogLevel;
  /** `json` for machines, one object a line; `pretty` for people. */
  readonly format: "json" | "pretty";
  /** Colours in pretty lines; see {@link wantsColour}. */
  readonly colour: boolean;
  readonly stream: NodeJS.WritableStream;
  readonly clock: Clock;
}

/** Whether a stream is to be written to in colours: a terminal whose user has not set NO_COLOR. */
export function wantsColour(stream: { readonly isTTY?: boolean }, environment: Readonly<Record<string, string | undefined>>): boolean {
  return stream.isTTY === true && (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb";
}

/** A logger on winston. Values under names that speak of secrets, and bearer tokens within texts, are never written. */
export function createLogger(options: LoggingOptions): Logger {
  // Lines go through a stream of our own: winston would end the one it is given together with itself, and listen to its errors.
  const out = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      options.stream.write(chunk);
      done();
    },
  });
  const winston = createWinston({
    level: options.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: options.format === "json" ? format.json({ deterministic: false }) : format.printf((line) => prettyLine(line, options.colour)),
    transports: [new transports.Stream({ stream: out, eol: "\n" })],
  });
  const withDebug = options.level === "debug";

  const loggerWith = (inherited: LogFields): Logger => {
    const write = (level: LogLevel, message: string, fields?: LogFields) => {
      if (!winston.isLevelEnabled(level)) return;
      // Our own words win: a field must not overwrite the line's time, level or message.
      const line = {
        ...printable({ ...inherited, ...fields }, withDebug),
        time: new Date(options.clock.now()).toISOString(),
        level,
        message,
      };
      winston.log(line);
    };
    return {
      debug: (message, fields) => write("debug", message, fields),
      info: (message, fields) => write("info", message, fields),
      warn: (message, fields) => write("warn", message, fields),
      error: (message, fields) => write("error", message, fields),
      child: (fields) => loggerWith({ ...inherited, ...fields }),
    };
  };
  return loggerWith({});
}

const hidden = "[hidden]";
const secretName = /authorization|cookie|credential|passw|private.?key|secret|token/i;
const bearer = /\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi;
const deepest = 4;

function printable(fields: LogFields, withStack: boolean): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) result[name] = secretName.test(name) ? hidden : plain(value, withStack, 0);
  }
  return result;
}

function plain(value: unknown, withStack: boolean, depth: number): unknown {
  if (typeof value === "string") return value.replace(bearer, `$1 ${hidden}`);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return errorText(value, withStack).replace(bearer, `$1 ${hidden}`);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= deepest) return "...";
  if (Array.isArray(value)) return value.map((element) => plain(element, withStack, depth + 1));
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) result[name] = secretName.test(name) ? hidden : plain(field, withStack, depth + 1);
  return result;
}

/** The message with those of its causes; with the stack only where somebody debugs. */
function errorText(error: Error, withStack: boolean): string {
  const own = withStack && error.stack !== undefined ? error.stack : error.message || error.name;
  return error.cause instanceof Error ? `${own}: ${errorText(error.cause, withStack)}` : own;
}

const colours = { error: "red", warn: "yellow", info: "green", debug: "gray" } as const;

/** "14:05:09 info  leading identity=op-1" */
function prettyLine(line: Readonly<Record<string, unknown>>, colour: boolean): string {
  const { time, level, message, ...fields } = line;
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const word = paint(colours[level as LogLevel], String(level).padEnd(5));
  const rest = Object.entries(fields).map(([name, value]) => ` ${paint("gray", `${name}=`)}${prettyValue(value)}`);
  return `${paint("gray", String(time).slice(11, 19))} ${word} ${String(message)}${rest.join("")}`;
}

function prettyValue(value: unknown): string {
  if (typeof value === "string") return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: deepest });
}
