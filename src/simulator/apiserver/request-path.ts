import type { TransportRequest } from "../../kube/transport.ts";

/** A request as the server sees it: a transport's, and who sent it. Its body belongs to the server: nobody changes it afterwards. */
export interface ApiRequest extends TransportRequest {
  readonly userAgent?: string;
  readonly user?: string;
  /** The groups of the user; absent = one of the server's own parts, who may do everything. */
  readonly groups?: readonly string[];
  /** How long its body was on the wire; absent where it never was on one. */
  readonly bodyBytes?: number;
}

/** What a path under /api or /apis names. */
export interface RequestTarget {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Absent: cluster-scoped, or all namespaces. */
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** Takes a path apart as a real API server does; undefined when it names no resource. */
export function parsePath(path: string): RequestTarget | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  let at: number;
  let group = "";
  let version: string | undefined;
  if (parts[0] === "api") {
    version = parts[1];
    at = 2;
  } else if (parts[0] === "apis") {
    group = parts[1] ?? "";
    version = parts[2];
    at = 3;
  } else return undefined;
  if (version === undefined || parts.length <= at) return undefined;
  const rest = parts.slice(at).map(decode);
  // /namespaces/x and /namespaces/x/status are the Namespace itself; anything longer lies in it
  if (rest[0] === "namespaces" && rest.length > 2 && !(group === "" && (rest[2] === "status" || rest[2] === "finalize"))) {
    return target(group, version, rest.slice(2), rest[1]);
  }
  return target(group, version, rest, undefined);
}

function target(group: string, version: string, rest: readonly string[], namespace: string | undefined): RequestTarget | undefined {
  const [plural, name, subresource, ...more] = rest;
  if (plural === undefined || more.length > 0) return undefined;
  return {
    group,
    version,
    plural,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A query parameter that is a truth value; absent and "false" are false. */
export function flag(query: Readonly<Record<string, string>> | undefined, name: string): boolean {
  const value = query?.[name];
  return value !== undefined && value !== "false" && value !== "0" && value !== "";
}

/** How long a request may take that does not say. */
export const requestTimeoutMs = 60_000;

/** "1s", "500ms", "1m": durations as Go writes them. */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (match === null) return requestTimeoutMs;
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] as "ms" | "s" | "m" | "h"];
  return Number(match[1]) * unit;
}
