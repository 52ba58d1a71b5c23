// What a published service may be called. The words of the schema, of the webhook, of conditions and of the gateway stand on these functions. What they
// let through holds no character that means anything to HAProxy's parser.

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** pchar of RFC 3986 and slashes, without the quote, and without the semicolon, which separates commands on HAProxy's socket. */
const path = /^\/(?:[A-Za-z0-9._~!$&()*+,=:@/-]|%[0-9A-Fa-f]{2})*$/;
const longestPath = 1024;
const longestHost = 253;

/** Paths of a host that go to a service. */
export interface ServicePath {
  /** PathPrefix goes by whole elements: /v1 has /v1 and /v1/x, not /v10. */
  readonly type: "Exact" | "PathPrefix";
  readonly value: string;
}

export const isDnsLabel = (text: string): boolean => label.test(text);

export const isHostname = (text: string): boolean => text.length <= longestHost && text.split(".").every(isDnsLabel) && !isIpAddress(text);
export const hostnameRule = (text: string): string =>
  `must be a host name in lower case without wildcards, such as pig.example, and is ${quoted(text)}`;

export const isPath = (text: string): boolean => text.length <= longestPath && path.test(text);
export const pathRule = (text: string): string =>
  `must begin with / and hold at most ${longestPath} of the characters of a URL's path, others written as %20, and is ${quoted(text)}`;

/** What begins the paths of problems of one published service. */
export const servicePath = (name: string): string => `spec.services[${JSON.stringify(clip(name))}]`;

const clip = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}...` : text);
const quoted = (text: string): string => JSON.stringify(clip(text));

/** IPv4, or IPv6 without a zone. */
export function isIpAddress(text: string): boolean {
  if (/^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(text)) return true;
  return /^[0-9a-fA-F:.]{2,45}$/.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`);
}

/** One spelling for each address, which is also how HAProxy prints it. */
export function canonicalAddress(text: string): string {
  return text.includes(":") && isIpAddress(text) ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : text;
}

const wholeHost: readonly ServicePath[] = [{ type: "PathPrefix", value: "/" }];

/** A service without paths has all of its hosts. */
export const pathsOrAll = (paths: readonly ServicePath[]): readonly ServicePath[] => (paths.length === 0 ? wholeHost : paths);

/** Under what a host's requests come to a service: no two services may have one of them. Hosts with and without TLS are two. */
export function routesOf(host: string, paths: readonly ServicePath[], isTls: boolean): readonly string[] {
  const scheme = isTls ? "https" : "http";
  return pathsOrAll(paths).map(({ type, value }) => `${scheme} ${type} ${routeKey(host, type, value)}`);
}

/** Prefixes end with a slash, as do the paths that are looked up, so that /v1 is not the beginning of /v10. */
export function routeKey(host: string, type: ServicePath["type"], value: string): string {
  return type === "Exact" ? `${host}${value}` : `${host}${value.endsWith("/") ? value : `${value}/`}`;
}
