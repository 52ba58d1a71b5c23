import type { KubeList, KubeObject } from "../../../../src/api/meta.ts";
import { type Resource, resourceName } from "../../../../src/api/resource.ts";
import { type Clock, sleepWith } from "../../../../src/base/clock.ts";
import type { Cluster } from "../../../../src/cli/plugin/plugin-context.ts";
import { runPlugin } from "../../../../src/cli/plugin/run-plugin.ts";
import { createStyle } from "../../../../src/cli/plugin/style.ts";
import { createPluginProgram } from "../../../../src/cli/plugin-program.ts";
import type { KubeClient, Patch } from "../../../../src/kube/client.ts";
import { errorFromResponse } from "../../../../src/kube/errors.ts";

/** What a run of the plugin did. */
export interface Outcome {
  readonly code: number;
  readonly results: readonly string[];
  readonly notes: readonly string[];
  /** What it created, patched and deleted, with the object: "create jobrequests.nuptse.dev"; and programs that it ran. */
  readonly writes: readonly { readonly verb: string; readonly resource: string; readonly object: unknown }[];
}

/** What stands in a cluster, by the kind's name, such as "pods" or "elasticjobs.nuptse.dev". */
export type Objects = Readonly<Record<string, readonly KubeObject[]>>;

export interface Given {
  readonly objects?: Objects;
  /** Instead of answering: by "get pods", "list events" and the like. */
  readonly failures?: Readonly<Record<string, Error>>;
  /** RFC 3339. */
  readonly now?: string;
  readonly input?: string;
  /** What stands behind the service proxy of nuptse-system/nuptse-explain; absent = there is no such Service. */
  readonly leader?: (path: string, query: Readonly<Record<string, string>>) => { readonly status: number; readonly body: unknown };
  readonly namespace?: string;
  readonly colours?: boolean;
  /** The exit code of a program that is run in our place; absent = there is no such program. */
  readonly handedOver?: number;
}

const after: Clock["after"] = () => ({ cancel() {} });

/** Runs `kubectl nuptse <args>` on a picture of a cluster, with a clock that stands still. */
export async function kubectlNuptse(args: readonly string[], given: Given = {}): Promise<Outcome> {
  const results: string[] = [];
  const notes: string[] = [];
  const writes: { verb: string; resource: string; object: unknown }[] = [];
  const output = { result: (line: string) => void results.push(line), note: (line: string) => void notes.push(line) };
  const now = Date.parse(given.now ?? "2026-11-21T12:30:00Z");
  const clock: Clock = { now: () => now, monotonic: () => 0, after, sleep: sleepWith(after) };
  const signal = new AbortController().signal;
  const program = createPluginProgram({
    clock,
    output,
    version: "1.2.3",
    environment: {},
    style: createStyle(given.colours ?? false),
    signal,
    openCluster: (flags) => Promise.resolve(pictureOf(given, writes, flags.namespace)),
    handOver: (program, words) => {
      writes.push({ verb: "run", resource: program, object: words });
      return Promise.resolve(given.handedOver);
    },
    readInput: () => Promise.resolve(given.input ?? ""),
  });
  const code = await runPlugin(program, args, output, signal);
  return { code, results, notes, writes };
}

function pictureOf(given: Given, writes: { verb: string; resource: string; object: unknown }[], namespace: string | undefined): Cluster {
  const fail = (verb: string, resource: Resource) => {
    const failure = given.failures?.[`${verb} ${resourceName(resource)}`];
    if (failure !== undefined) throw failure;
  };
  const all = (resource: Resource): readonly KubeObject[] => given.objects?.[resourceName(resource)] ?? [];
  const refuse = () => Promise.reject(new Error("the plugin does not do that"));
  const client: KubeClient = {
    async get<T extends KubeObject>(resource: Resource, ref: { readonly namespace?: string; readonly name: string }): Promise<T> {
      fail("get", resource);
      const found = all(resource).find(({ metadata }) => metadata.name === ref.name && metadata.namespace === ref.namespace);
      if (found === undefined) throw notFound(resource, ref.name);
      return found as T;
    },
    async list<T extends KubeObject>(
      resource: Resource,
      options: { readonly namespace?: string; readonly labelSelector?: string; readonly fieldSelector?: string } = {},
    ): Promise<KubeList<T>> {
      fail("list", resource);
      const items = all(resource).filter(
        (object) =>
          (options.namespace === undefined || object.metadata.namespace === options.namespace) &&
          matches(options.labelSelector, (key) => object.metadata.labels?.[key]) &&
          matches(options.fieldSelector, (path) => valueAt(object, path)),
      );
      return { metadata: {}, items: items as unknown as readonly T[] };
    },
    async create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
      fail("create", resource);
      // The API server answers this question and stores nothing.
      if (resource.kind === "SelfSubjectReview") return { ...object, status: { userInfo: { username: "ann" } } };
      writes.push({ verb: "create", resource: resourceName(resource), object });
      const { name, generateName = "" } = object.metadata;
      return {
        ...object,
        metadata: { ...object.metadata, name: name ?? `${generateName}x7k2p`, uid: "5d9c0000-1111-4222-8333-444455556666" },
      };
    },
    replace: refuse,
    async patch<T extends KubeObject>(
      resource: Resource,
      ref: { readonly namespace?: string; readonly name: string },
      patch: Patch,
    ): Promise<T> {
      fail("patch", resource);
      writes.push({ verb: "patch", resource: resourceName(resource), object: { ...ref, ...patch } });
      return client.get<T>(resource, ref);
    },
    async delete(resource, ref) {
      fail("delete", resource);
      writes.push({ verb: "delete", resource: resourceName(resource), object: ref.name });
      return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" };
    },
    deleteCollection: refuse,
    watch: refuse,
  };
  const request: Cluster["transport"]["request"] = ({ path, query = {} }) => {
    const [, rest] = /^\/api\/v1\/namespaces\/nuptse-system\/services\/nuptse-explain\/proxy(\/.*)$/.exec(path) ?? [];
    if (rest === undefined) return refuse();
    const missing = { kind: "Status", apiVersion: "v1", status: "Failure", code: 404, reason: "NotFound", message: "not found" };
    return Promise.resolve({ headers: {}, ...(given.leader?.(rest, query) ?? { status: 404, body: missing }) });
  };
  const serverNow = () => Date.parse(given.now ?? "2026-11-21T12:30:00Z");
  return { client, serverNow, transport: { request, stream: refuse }, namespace: namespace ?? given.namespace ?? "tenant", close() {} };
}

function matches(selector: string | undefined, read: (key: string) => unknown): boolean {
  return (selector ?? "").split(",").every((part) => {
    const [key = "", value] = part.split("=");
    return key === "" || (value === undefined ? read(key) !== undefined : read(key) === value);
  });
}

function valueAt(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}

/** The answer to a request for an object that is not there. */
export function notFound(resource: Resource, name: string): Error {
  const message = `${resourceName(resource)} "${name}" not found`;
  return refusal(404, "NotFound", message, `get ${resourceName(resource)} tenant/${name}`, { name });
}

/** A refusal of the API server. */
export function refusal(code: number, reason: string, message: string, request = "get elasticjobs.nuptse.dev", details?: object): Error {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code, reason, message, ...(details && { details }) };
  return errorFromResponse(request, { status: code, headers: {}, body: status });
}
