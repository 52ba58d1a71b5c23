import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, resolve } from "node:path";
import { load } from "js-yaml";
import { type ClusterAccess, type ClusterTls, CredentialsError } from "./cluster-access.ts";

/** A kubeconfig: several files merged as kubectl does it, and all paths in it made absolute. */
export interface Kubeconfig {
  /** The files, for messages. */
  readonly source: string;
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, Entry>;
  readonly clusters: ReadonlyMap<string, Entry>;
  readonly users: ReadonlyMap<string, Entry>;
}

type Entry = Readonly<Record<string, unknown>>;

/** A way to a cluster that a kubeconfig describes. */
export interface KubeconfigAccess extends ClusterAccess {
  readonly context: string;
  /** The user has `exec` or `auth-provider`: the headers are not complete without asking it. */
  readonly needsPlugin: boolean;
}

/** Reads files in the order of precedence; those that are absent are left out as long as there is one. Throws CredentialsError. */
export async function readKubeconfig(paths: readonly string[]): Promise<Kubeconfig> {
  const contexts = new Map<string, Entry>();
  const clusters = new Map<string, Entry>();
  const users = new Map<string, Entry>();
  const found: string[] = [];
  let currentContext: string | undefined;
  for (const path of paths) {
    const text = await readText(path, paths.length > 1);
    if (text === undefined) continue;
    found.push(path);
    const document = parse(text, path);
    addEntries(contexts, document, "contexts", "context", path);
    addEntries(clusters, document, "clusters", "cluster", path);
    addEntries(users, document, "users", "user", path);
    currentContext ||= textOf(document["current-context"]);
  }
  if (found.length === 0) throw missing(paths.join(", "));
  return { source: found.join(", "), currentContext, contexts, clusters, users };
}

/** Looks up a context, its cluster and its user, and reads the certificates and the token they name. Throws CredentialsError. */
export async function resolveAccess(kubeconfig: Kubeconfig, contextName?: string): Promise<KubeconfigAccess> {
  const { source } = kubeconfig;
  const name = contextName ?? kubeconfig.currentContext;
  const known = [...kubeconfig.contexts.keys()].join(", ") || "none";
  if (name === undefined) throw new CredentialsError(`${source} has no current-context: name one with --context (there are: ${known})`);
  const context = kubeconfig.contexts.get(name);
  if (context === undefined) throw new CredentialsError(`${source} has no context "${name}": name one of ${known} with --context`);
  const cluster = lookUp(kubeconfig.clusters, textOf(context["cluster"]), `context "${name}" names the cluster`, source);
  const user = context["user"] ? lookUp(kubeconfig.users, textOf(context["user"]), `context "${name}" names the user`, source) : {};
  const namespace = textOf(context["namespace"]);
  return {
    context: name,
    ...(namespace !== undefined && { namespace }),
    server: serverOf(cluster, source),
    tls: await tlsOf(cluster, user, source),
    headers: await headersOf(user, source),
    needsPlugin: user["exec"] !== undefined || user["auth-provider"] !== undefined,
  };
}

/** Where kubectl looks when nothing else is said. */
export function defaultKubeconfigPath(environment: Readonly<Record<string, string | undefined>>): string {
  return resolve(environment["HOME"] || homedir(), ".kube", "config");
}

async function readText(path: string, mayBeAbsent: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw new CredentialsError(`cannot read the kubeconfig ${path}: ${message}`, { cause: error });
    if (mayBeAbsent) return undefined;
    throw missing(path);
  }
}

function missing(path: string): CredentialsError {
  return new CredentialsError(`there is no kubeconfig ${path}: name one with --kubeconfig or KUBECONFIG, or run inside of a cluster`);
}

function parse(text: string, path: string): Entry {
  let document: unknown;
  try {
    document = load(text);
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new CredentialsError(`the kubeconfig ${path} is not YAML: ${reason}; repair it or name another one with --kubeconfig`, {
      cause: error,
    });
  }
  if (!isEntry(document)) throw malformed(path, "it is not a mapping with clusters, users and contexts");
  return document;
}

function malformed(path: string, what: string): CredentialsError {
  return new CredentialsError(`the kubeconfig ${path} is malformed: ${what}; repair it or name another one with --kubeconfig`);
}

/** What comes first stays: kubectl's rule for several files. */
function addEntries(into: Map<string, Entry>, document: Entry, list: string, key: string, path: string): void {
  const entries = document[list] ?? [];
  if (!Array.isArray(entries)) throw malformed(path, `"${list}" is not a list`);
  for (const entry of entries as readonly unknown[]) {
    if (!isEntry(entry) || typeof entry["name"] !== "string") throw malformed(path, `an entry of "${list}" has no name`);
    const value = entry[key] ?? {};
    if (!isEntry(value)) throw malformed(path, `"${key}" of "${entry["name"]}" is not a mapping`);
    if (!into.has(entry["name"])) into.set(entry["name"], withAbsolutePaths(value, dirname(resolve(path))));
  }
}

const pathFields = ["certificate-authority", "client-certificate", "client-key", "tokenFile"];

function withAbsolutePaths(entry: Entry, folder: string): Entry {
  const changed: Record<string, unknown> = { ...entry };
  for (const field of pathFields) {
    const value = textOf(entry[field]);
    if (value) changed[field] = resolve(folder, value);
  }
  const plugin = entry["exec"];
  // a command with a slash is a path from the kubeconfig's folder, one without is looked for in PATH
  if (isEntry(plugin) && textOf(plugin["command"])?.includes("/")) {
    changed["exec"] = { ...plugin, command: resolve(folder, String(plugin["command"])) };
  }
  return changed;
}

function lookUp(entries: ReadonlyMap<string, Entry>, name: string | undefined, what: string, source: string): Entry {
  const entry = name === undefined ? undefined : entries.get(name);
  if (entry === undefined) throw malformed(source, `${what} "${name ?? ""}", which it does not hold`);
  return entry;
}

function serverOf(cluster: Entry, source: string): string {
  const server = textOf(cluster["server"]) ?? "";
  if (!/^https?:\/\/[^/]/.test(server) || !URL.canParse(server)) throw malformed(source, `"${server}" is not the URL of a server`);
  if (cluster["proxy-url"]) throw new CredentialsError(`${source}: proxy-url is not supported; name a server that can be reached directly`);
  return server.replace(/\/+$/, "");
}

async function tlsOf(cluster: Entry, user: Entry, source: string): Promise<ClusterTls> {
  const ca = await dataOrFile(cluster, "certificate-authority", source);
  const cert = await dataOrFile(user, "client-certificate", source);
  const key = await dataOrFile(user, "client-key", source);
  if ((cert === undefined) !== (key === undefined))
    throw malformed(source, "a client certificate needs a client key, and the other way round");
  const servername = textOf(cluster["tls-server-name"]);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(servername === undefined ? {} : { servername }),
    ...(cluster["insecure-skip-tls-verify"] === true ? { rejectUnauthorized: false } : {}),
  };
}

async function headersOf(user: Entry, source: string): Promise<Readonly<Record<string, string>>> {
  for (const field of ["as-groups", "as-uid", "as-user-extra"]) {
    // leaving it out would make us somebody else than the user meant
    if (user[field] !== undefined) throw new CredentialsError(`${source}: ${field} is not supported; name a user without it`);
  }
  const impersonated = textOf(user["as"]);
  const impersonation = impersonated === undefined ? {} : { "impersonate-user": impersonated };
  const file = textOf(user["tokenFile"]);
  const token = file === undefined ? textOf(user["token"]) : await fileOf(file, source);
  if (token !== undefined) return { ...impersonation, authorization: `Bearer ${token.trim()}` };
  const name = textOf(user["username"]);
  if (name === undefined) return impersonation;
  const pair = Buffer.from(`${name}:${textOf(user["password"]) ?? ""}`).toString("base64");
  return { ...impersonation, authorization: `Basic ${pair}` };
}

async function dataOrFile(entry: Entry, field: string, source: string): Promise<string | undefined> {
  const data = textOf(entry[`${field}-data`]);
  if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
  const file = textOf(entry[field]);
  return file === undefined ? undefined : fileOf(file, source);
}

async function fileOf(path: string, source: string): Promise<string> {
  return readFile(path, "utf8").catch((error: Error) => {
    throw new CredentialsError(`cannot read ${path}, which the kubeconfig ${source} names: ${error.message}`, { cause: error });
  });
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text that is not empty: kubeconfigs hold "" for what is not set. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
