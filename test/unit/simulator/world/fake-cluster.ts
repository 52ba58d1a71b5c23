import type { KubeObject, Status } from "../../../../src/api/meta.ts";
import type { Resource } from "../../../../src/api/resource.ts";
import type { Clock } from "../../../../src/base/clock.ts";
import { formatSeconds } from "../../../../src/base/time.ts";
import type { KubeClient, WatchEvent } from "../../../../src/kube/client.ts";

// biome-ignore lint/suspicious/noExplicitAny: the tests look deep into objects whose shape is what they assert
export type Loose = any;

/** An error as the client library throws it, as far as the world looks at it. */
export class FakeError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * The little of an API server that the world's parts need: versions, conflicts, bindings, the status subresource, the rules of pod
 * deletion, watches. Everything that happens is written down in `log`.
 */
export class FakeCluster implements KubeClient {
  readonly log: string[] = [];
  readonly #clock: Clock;
  readonly #objects = new Map<string, Loose>();
  readonly #watchers = new Map<string, Set<(event: WatchEvent<KubeObject>) => void>>();
  #version = 100;
  #uid = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  object(plural: string, name: string, namespace = ""): Loose {
    return this.#objects.get(`${plural}/${namespace}/${name}`);
  }

  all(plural: string): Loose[] {
    return [...this.#objects].filter(([key]) => key.startsWith(`${plural}/`)).map(([, object]) => object);
  }

  async get<T extends KubeObject>(resource: Resource, ref: { namespace?: string; name: string }): Promise<T> {
    return this.#find(resource.plural, ref) as T;
  }

  async list<T extends KubeObject>(resource: Resource): Promise<Loose> {
    const items: T[] = this.all(resource.plural);
    return { metadata: { resourceVersion: String(this.#version) }, items };
  }

  async create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    const [plural = "", name, subresource] = resource.plural.split("/");
    const { namespace = "" } = object.metadata;
    if (subresource === "binding") {
      const pod = this.#find(plural, { namespace, name: name ?? "" });
      if (pod["spec"].nodeName) throw new FakeError(409, "already bound");
      const conditions = [{ type: "PodScheduled", status: "True", lastTransitionTime: formatSeconds(this.#clock.now()) }];
      const target = (object as Loose)["target"].name;
      this.#store(plural, { ...pod, spec: { ...pod["spec"], nodeName: target }, status: { ...pod["status"], conditions } });
      return object;
    }
    const key = `${plural}/${namespace}/${object.metadata.name}`;
    if (this.#objects.has(key)) throw new FakeError(409, `${key} already exists`);
    const stored: Loose = {
      ...object,
      metadata: { ...object.metadata, uid: `uid-${++this.#uid}`, creationTimestamp: formatSeconds(this.#clock.now()) },
      ...(plural === "pods" ? { status: { phase: "Pending" } } : {}),
    };
    return this.#store(plural, stored) as T;
  }

  replace(): never {
    throw new Error("not needed");
  }

  deleteCollection(): never {
    throw new Error("not needed");
  }

  async patch<T extends KubeObject>(
    resource: Resource,
    ref: { namespace?: string; name: string },
    patch: Loose,
    options: { subresource?: string } = {},
  ): Promise<T> {
    const held = this.#find(resource.plural, ref);
    const { body } = patch;
    const wanted = body.metadata?.resourceVersion;
    if (wanted !== undefined && wanted !== held["metadata"].resourceVersion) throw new FakeError(409, "the object has been modified");
    const part = options.subresource === "status" ? { status: body.status } : { ...body, status: undefined };
    return this.#store(resource.plural, merge(held, part)) as T;
  }

  async delete(resource: Resource, ref: { namespace?: string; name: string }, options: Loose = {}): Promise<KubeObject | Status> {
    const held = this.#find(resource.plural, ref);
    if (options.uid !== undefined && options.uid !== held["metadata"].uid) throw new FakeError(409, "uid");
    const over = ["Succeeded", "Failed"].includes(held["status"]?.phase);
    const grace = over ? 0 : (options.gracePeriodSeconds ?? held["spec"]?.terminationGracePeriodSeconds ?? 30);
    if (resource.plural === "pods" && held["spec"].nodeName && grace > 0) {
      const deletionTimestamp = formatSeconds(this.#clock.now() + grace * 1_000);
      return this.#store("pods", merge(held, { metadata: { deletionTimestamp, deletionGracePeriodSeconds: grace } })) as KubeObject;
    }
    const { namespace = "", name } = held["metadata"];
    this.#objects.delete(`${resource.plural}/${namespace}/${name}`);
    const last = { ...held, metadata: { ...held["metadata"], resourceVersion: String(++this.#version) } };
    this.#emit(resource.plural, { type: "DELETED", object: last as KubeObject });
    return last as KubeObject;
  }

  async watch<T extends KubeObject>(resource: Resource, _options: unknown, signal: AbortSignal): Promise<AsyncIterable<WatchEvent<T>>> {
    const queue: WatchEvent<KubeObject>[] = [];
    let wake = () => {};
    const watcher = (event: WatchEvent<KubeObject>) => {
      queue.push(event);
      wake();
    };
    const watchers = this.#watchers.get(resource.plural) ?? new Set();
    this.#watchers.set(resource.plural, watchers.add(watcher));
    signal.addEventListener("abort", () => wake());
    return (async function* () {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event !== undefined) yield event as WatchEvent<T>;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    })();
  }

  #find(plural: string, ref: { namespace?: string; name: string }): Loose {
    const object = this.#objects.get(`${plural}/${ref.namespace ?? ""}/${ref.name}`);
    if (object === undefined) throw new FakeError(404, `${plural} ${ref.name} not found`);
    return object;
  }

  #store(plural: string, object: Loose): Loose {
    const key = `${plural}/${object["metadata"].namespace ?? ""}/${object["metadata"].name}`;
    const type = this.#objects.has(key) ? "MODIFIED" : "ADDED";
    const stored = { ...object, metadata: { ...object["metadata"], resourceVersion: String(++this.#version) } };
    this.#objects.set(key, stored);
    this.#emit(plural, { type, object: stored as unknown as KubeObject });
    return stored;
  }

  #emit(plural: string, event: WatchEvent<KubeObject>): void {
    if (plural === "pods") this.log.push(describePod(event));
    for (const watcher of this.#watchers.get(plural) ?? []) watcher(event);
  }
}

/** "MODIFIED Running ready main:running": what a table of a pod's life shows. */
function describePod(event: WatchEvent<KubeObject>): string {
  const pod: Loose = event.object;
  const condition = (type: string) => pod["status"]?.conditions?.find((each: Loose) => each["type"] === type);
  const ready = condition("Ready");
  const containers = [...(pod["status"]?.initContainerStatuses ?? []), ...(pod["status"]?.containerStatuses ?? [])].map((status: Loose) => {
    const { waiting, running, terminated } = status["state"];
    const state = running ? "running" : waiting ? waiting.reason : `${terminated.reason}(${terminated.exitCode})`;
    return `${status["name"]}:${state}${status["restartCount"] > 0 ? `x${status["restartCount"]}` : ""}`;
  });
  return [
    event.type,
    pod["status"]?.phase,
    ...(pod["metadata"].deletionTimestamp ? ["deleting"] : []),
    ...(condition("DisruptionTarget") ? [`disrupted:${condition("DisruptionTarget").reason}`] : []),
    ...(condition("PodReadyToStartContainers")?.status === "True" ? ["sandbox"] : []),
    ...(ready === undefined ? [] : [ready.status === "True" ? "ready" : `unready:${ready.reason ?? ""}`]),
    ...containers,
    ...(pod["status"]?.reason ? [pod["status"].reason] : []),
  ].join(" ");
}

function merge(target: Loose, patch: Loose): Loose {
  if (patch === undefined) return target;
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Loose = { ...(typeof target === "object" && !Array.isArray(target) ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = merge(result[key], value);
  }
  return result;
}
