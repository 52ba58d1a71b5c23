import { InvalidArgumentError } from "commander";
import type { PortRange } from "../api/gateway-ports.ts";

// Parsers of flag values for commander. Each throws InvalidArgumentError with words that say what would be right; commander puts the
// flag's name and the value in front of them.

/** A whole number within bounds, both inclusive. */
export function integer(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`Write a whole number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

/** A number of seconds within bounds, parts of a second allowed; the result is in milliseconds. */
export function secondsAsMilliseconds(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+(?:\.\d+)?$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`Write a number of seconds from ${minimum} to ${maximum}, without a unit.`);
    }
    return Math.round(value * 1000);
  };
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "90s", "30m", "2h", "3d" in milliseconds; undefined when it is of another form. */
export function spanOf(text: string): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (unitMs[match[2] as string] as number);
}

/** The same as the value of a flag. */
export function span(text: string): number {
  const value = spanOf(text);
  if (value === undefined) throw new InvalidArgumentError("Write a time such as 90s, 30m or 2h.");
  return value;
}

/** An address to listen on. */
export interface BindAddress {
  /** Without brackets; "0.0.0.0" where only a port was given as ":8080". */
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
}

/** "127.0.0.1:8080", "[::1]:8080", or ":8080" for all interfaces. */
export function bindAddress(text: string): BindAddress {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new InvalidArgumentError("Write an address and a port such as 127.0.0.1:8080, or :8080 for all interfaces.");
  }
  const host = (match[1] ?? "").replace(/^\[|\]$/g, "");
  return { host: host === "" ? "0.0.0.0" : host, port };
}

/** The three durations of the leader lease. */
export interface LeaseDurations {
  /** A standby takes a lease that was not renewed for so long. */
  readonly durationMs: number;
  /** A leader that could not renew for so long ends. */
  readonly renewDeadlineMs: number;
  /** Between two tries. */
  readonly retryMs: number;
}

/** "15/10/2": duration, renew deadline and retry period in seconds, each shorter than the one before. */
export function leaseDurations(text: string): LeaseDurations {
  const parts = text.split("/");
  const [duration = 0, deadline = 0, retry = 0] = parts.map(Number);
  const wellFormed = parts.length === 3 && parts.every((part) => /^\d+(?:\.\d+)?$/.test(part));
  if (!wellFormed || duration > 3600 || !Number.isInteger(duration) || !(duration > deadline && deadline > retry && retry > 0)) {
    throw new InvalidArgumentError(
      "Write duration/renew deadline/retry period in seconds such as 15/10/2: whole seconds first, each longer than the next, at most 3600.",
    );
  }
  return { durationMs: duration * 1000, renewDeadlineMs: deadline * 1000, retryMs: retry * 1000 };
}

const labelForm = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const podForm = new RegExp(`^${labelForm}(\\.${labelForm})*$`);

/** The name of a pod. */
export function podName(text: string): string {
  if (!podForm.test(text) || text.length > 253) throw new InvalidArgumentError("Write the name of a pod, without its namespace.");
  return text;
}

/** "nuptse-system/nuptse-explain": a Service. */
export function serviceReference(text: string): { readonly namespace: string; readonly name: string } {
  const match = new RegExp(`^(${labelForm})/(${labelForm})$`).exec(text);
  const [, namespace = "", , name = ""] = match ?? [];
  if (match === null || namespace.length > 63 || name.length > 63)
    throw new InvalidArgumentError("Write the namespace and the name of a Service such as nuptse-system/nuptse-explain.");
  return { namespace, name };
}

/** "21000-23999": ports, both ends inclusive. */
export function portRange(text: string): PortRange {
  const [, first = 0, last = 0] = (/^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (first < 1024 || last > 65_535 || first > last)
    throw new InvalidArgumentError("Write two ports from 1024 to 65535 such as 21000-23999.");
  return { first, last };
}
