/** Where people are told, as the operator's configuration says it. Whatever is secret stands in a file and is read at each delivery. */
export interface Receiver {
  readonly name: string;
  readonly format: "JSON" | "Slack";
  /** Exactly one of the two. */
  readonly url?: string;
  readonly urlFile?: string;
  /** A key of which a signature is made. */
  readonly signingKeyFile?: string;
  readonly bearerTokenFile?: string;
  readonly timeoutMs: number;
  readonly perMinute: number;
}

/** Receivers, and the hosts that they may be at. */
export interface Receivers {
  readonly receivers: readonly Receiver[];
  /** Names, or "*.example.com" for all below one. */
  readonly allowedHosts: readonly string[];
}

/** The configuration is wrong; the message begins with the path of the field and says what would be right. */
export class ReceiverError extends Error {
  override readonly name = "ReceiverError";
}

const fields: ReadonlySet<string> = new Set([
  "name",
  "format",
  "url",
  "urlFile",
  "signingKeyFile",
  "bearerTokenFile",
  "timeoutSeconds",
  "perMinute",
]);

/**
 * Reads the configuration as YAML gave it.
 * @throws ReceiverError for anything that is not as it must be, unknown fields included.
 */
export function parseReceivers(value: unknown): Receivers {
  const root = objectAt("the configuration", value);
  for (const key of Object.keys(root))
    if (key !== "receivers" && key !== "allowedHosts")
      throw new ReceiverError(`${key}: is not known; there are receivers and allowedHosts`);
  const allowedHosts = listAt("allowedHosts", root["allowedHosts"]).map((host, index) => {
    if (typeof host !== "string" || !/^(\*\.)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(host))
      throw new ReceiverError(`allowedHosts[${index}]: must be a host such as alerts.example.com, or *.example.com for all below it`);
    return host;
  });
  const receivers = listAt("receivers", root["receivers"]).map((entry, index) => receiverAt(`receivers[${index}]`, entry, allowedHosts));
  receivers.forEach(({ name }, index) => {
    if (receivers.findIndex((other) => other.name === name) < index)
      throw new ReceiverError(`receivers[${index}].name: "${name}" is taken`);
  });
  return { receivers, allowedHosts };
}

/** Whether a receiver may be at an address; undefined when it may, else why not. Says nothing of the address but its host: the rest may be secret. */
export function addressProblem(text: string, allowedHosts: readonly string[]): string | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:") || url.username !== "" || url.password !== "")
    return "must be an address that begins with https:// or http:// and holds no password";
  const allowed = allowedHosts.some((host) => url.hostname === host || (host.startsWith("*.") && url.hostname.endsWith(host.slice(1))));
  return allowed ? undefined : `its host ${url.hostname} is not among allowedHosts`;
}

function receiverAt(path: string, value: unknown, allowedHosts: readonly string[]): Receiver {
  const entry = objectAt(path, value);
  for (const key of Object.keys(entry))
    if (!fields.has(key)) throw new ReceiverError(`${path}.${key}: is not known; there are ${[...fields].join(", ")}`);
  const name = textAt(`${path}.name`, entry["name"]);
  if (name === undefined || !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw new ReceiverError(`${path}.name: must consist of lower case letters, digits and '-', at most 63`);
  const format = entry["format"] ?? "JSON";
  if (format !== "JSON" && format !== "Slack") throw new ReceiverError(`${path}.format: must be JSON or Slack`);
  const url = textAt(`${path}.url`, entry["url"]);
  const urlFile = textAt(`${path}.urlFile`, entry["urlFile"]);
  if ((url === undefined) === (urlFile === undefined)) throw new ReceiverError(`${path}: must have exactly one of url and urlFile`);
  const problem = url === undefined ? undefined : addressProblem(url, allowedHosts);
  if (problem !== undefined) throw new ReceiverError(`${path}.url: ${problem}`);
  const signingKeyFile = textAt(`${path}.signingKeyFile`, entry["signingKeyFile"]);
  const bearerTokenFile = textAt(`${path}.bearerTokenFile`, entry["bearerTokenFile"]);
  return {
    name,
    format,
    ...(url !== undefined && { url }),
    ...(urlFile !== undefined && { urlFile }),
    ...(signingKeyFile !== undefined && { signingKeyFile }),
    ...(bearerTokenFile !== undefined && { bearerTokenFile }),
    timeoutMs: 1000 * numberAt(`${path}.timeoutSeconds`, entry["timeoutSeconds"], 10, 1, 60),
    perMinute: numberAt(`${path}.perMinute`, entry["perMinute"], 60, 1, 6000),
  };
}

function objectAt(path: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new ReceiverError(`${path}: must be a mapping of fields`);
  return value as Readonly<Record<string, unknown>>;
}

function listAt(path: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new ReceiverError(`${path}: must be a list`);
  return value;
}

function textAt(path: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "") throw new ReceiverError(`${path}: must be a text`);
  return value;
}

function numberAt(path: string, value: unknown, absent: number, least: number, most: number): number {
  if (value === undefined) return absent;
  if (typeof value !== "number" || !(value >= least && value <= most))
    throw new ReceiverError(`${path}: must be a number from ${least} to ${most}`);
  return value;
}
