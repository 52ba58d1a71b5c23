import type { Pod } from "../../../api/core.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { controllerOf } from "../../../api/meta.ts";
import { labels } from "../../../api/names.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { getOrMake } from "../../../base/map.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../../kube/transport.ts";
import { resourceOf } from "../../world/faulty-transport.ts";
import { type FleetTerms, inServiceGate, readySince, termsOf } from "./terms.ts";

/** A plan is carried out at once; what came in between may have been seen by it, or not. */
const inFlightMs = 300;

/** Told of what a process is about to do, before it meets its faults. */
export interface ActWatch {
  deleting(knowledge: Knowledge, pod: Pod): void;
  /** A pod that serves is taken out of service. */
  closing(knowledge: Knowledge, pod: Pod): void;
  creating(knowledge: Knowledge, pod: Pod): void;
}

interface Version<T> {
  readonly value: T;
  readonly resourceVersion: number;
  readonly from: number;
  /** Until when it was the newest one. */
  until: number;
}

interface Listing {
  readonly objects: Map<string, KubeObject>;
}

/**
 * What one process of the operator has been told of fleets, read off the wire between it and its faults: the answers to its lists, watches and
 * writes. What it does is judged by that, since nobody can act on more than he knows; whether its own caches keep it right is part of what is judged.
 */
export class Knowledge {
  readonly name: string;
  readonly #now: () => number;
  readonly #pods = new Map<string, Version<Pod>[]>();
  readonly #apps = new Map<string, Version<FleetTerms>[]>();
  /** UIDs of what is gone: it never comes back, whatever an old list says. */
  readonly #gone = new Set<string>();
  /** Pods whose deletion was asked for, and since when; those of failed requests may be asked for again. */
  readonly asked = new Map<string, number>();
  readonly #deleted = new Set<string>();
  /** Names of pods that it is about to take out of service. */
  readonly #closing = new Set<string>();
  /** Pods that were sent and are not told of yet, by name. */
  readonly #sent = new Map<string, Pod>();
  readonly #listings = new Map<string, Listing>();

  constructor(name: string, now: () => number) {
    this.name = name;
    this.#now = now;
  }

  /** What it was told lately of how the fleet is to be, the newest last; empty = nothing. */
  termsOf(appUid: string): readonly FleetTerms[] {
    return this.#recent(this.#apps.get(appUid) ?? []);
  }

  /** Since when it knows what it knows of the app now. */
  toldAt(appUid: string): number {
    return this.#apps.get(appUid)?.at(-1)?.from ?? Number.POSITIVE_INFINITY;
  }

  /** Pods of an app that it knows and has not asked to be deleted, each as it was told of it now and a moment ago, the newest last. */
  podsOf(appUid: string): readonly (readonly Pod[])[] {
    const known = [...this.#pods].flatMap(([uid, versions]) => (this.#deleted.has(uid) ? [] : [this.#recent(versions)]));
    return known.filter((versions) => versions.some((pod) => controllerOf(pod.metadata)?.uid === appUid));
  }

  /** The same without those that it was told to be gone since. */
  presentPodsOf(appUid: string): readonly (readonly Pod[])[] {
    const isPresent = (pod: Pod) => this.#pods.get(pod.metadata.uid as string)?.at(-1)?.until === Number.POSITIVE_INFINITY;
    return this.podsOf(appUid).filter((versions) => versions.every(isPresent));
  }

  /** Pods of an app that it has sent and was not told of yet. */
  sentFor(appUid: string): readonly Pod[] {
    return [...this.#sent.values()].filter((pod) => controllerOf(pod.metadata)?.uid === appUid);
  }

  /** It is being taken out of service. */
  isClosing(pod: Pod): boolean {
    return this.#closing.has(nameOf(pod));
  }

  #recent<T>(versions: readonly Version<T>[]): readonly T[] {
    return versions.filter(({ until }) => until >= this.#now() - inFlightMs).map(({ value }) => value);
  }

  /** Lays itself around the transport of the process. */
  tap(inner: Transport, watch: ActWatch): Transport {
    return {
      request: async (request) => {
        this.#beginning(request, watch);
        try {
          const response = await inner.request(request);
          this.#answered(request, response);
          return response;
        } catch (error) {
          this.#failed(request);
          throw error;
        }
      },
      stream: async (request, signal) => {
        const stream = await inner.stream(request, signal);
        const resource = kindOf(request);
        if (resource === undefined || stream.status >= 300) return stream;
        return { ...stream, lines: this.#lines(stream.lines, resource) };
      },
    };
  }

  async *#lines(lines: AsyncIterable<unknown>, resource: FleetKind): AsyncGenerator<unknown> {
    for await (const line of lines) {
      const { type, object } = line as { readonly type: string; readonly object: KubeObject };
      if (type === "DELETED") this.#remove(resource, object);
      else if (type === "ADDED" || type === "MODIFIED") this.#see(resource, object);
      yield line;
    }
  }

  #beginning(request: TransportRequest, watch: ActWatch): void {
    if (resourceOf(request.path) !== "pods") return;
    const closed = closedPod(request);
    if (closed !== undefined) {
      const pod = this.#podOf(closed);
      if (pod === undefined || readySince(pod) === undefined) return;
      watch.closing(this, pod);
      this.#closing.add(closed);
      return;
    }
    if (request.method === "DELETE") {
      const uid = deletedUid(request);
      const pod = uid === undefined ? undefined : this.#pods.get(uid)?.at(-1)?.value;
      if (pod === undefined || uid === undefined) return;
      watch.deleting(this, pod);
      this.asked.set(uid, this.#now());
      this.#deleted.add(uid);
    } else if (request.method === "POST" && isFleetPod(request.body) && request.query?.["dryRun"] === undefined) {
      const pod = request.body as Pod;
      this.#sent.set(nameOf(pod), pod);
      watch.creating(this, pod);
    }
  }

  #podOf(name: string): Pod | undefined {
    const all = [...this.#pods.values()].flatMap((versions) => versions.at(-1) ?? []);
    return all.find(({ value, until }) => nameOf(value) === name && until === Number.POSITIVE_INFINITY)?.value;
  }

  #answered(request: TransportRequest, { status, body }: TransportResponse): void {
    if (status >= 400) {
      if (status === 404) this.#isAbsent(request.path);
      this.#failed(request);
      return;
    }
    const resource = resourceOf(request.path);
    this.#closing.delete(closedPod(request) ?? "");
    if (request.method === "DELETE") return;
    if (request.method === "GET" && request.path.endsWith(`/${resource}`)) {
      const kind = kindOf(request);
      if (kind !== undefined) this.#page(kind, request, body as ListBody);
      return;
    }
    const object = body as KubeObject;
    if (resource === "runnerapps") this.#see("runnerapps", object);
    else if (resource === "pods" && isFleetPod(object)) this.#see("pods", object);
  }

  /** Whoever looked for it past his caches knows that it is no more. */
  #isAbsent(path: string): void {
    const found = /\/namespaces\/([^/]+)\/pods\/([^/]+)$/.exec(path);
    const pod = found === null ? undefined : this.#podOf(`${found[1]}/${found[2]}`);
    if (pod !== undefined) this.#remove("pods", pod);
  }

  /** What became of it is not known to the process either. */
  #failed(request: TransportRequest): void {
    if (resourceOf(request.path) !== "pods") return;
    this.#closing.delete(closedPod(request) ?? "");
    if (request.method === "DELETE") this.#deleted.delete(deletedUid(request) ?? "");
    else if (request.method === "POST" && isFleetPod(request.body)) this.#sent.delete(nameOf(request.body as Pod));
  }

  #page(kind: FleetKind, request: TransportRequest, { items, metadata }: ListBody): void {
    const listing = request.query?.["continue"] === undefined ? { objects: new Map<string, KubeObject>() } : this.#listings.get(kind);
    if (listing === undefined) return;
    this.#listings.set(kind, listing);
    for (const item of items) listing.objects.set(item.metadata.uid as string, item);
    if (metadata.continue) return;
    const known: ReadonlyMap<string, readonly Version<unknown>[]> = kind === "pods" ? this.#pods : this.#apps;
    // What is newer than the list is no part of it.
    const isOlder = (versions: readonly Version<unknown>[]) => (versions.at(-1)?.resourceVersion ?? 0) <= Number(metadata.resourceVersion);
    for (const [uid, versions] of [...known]) if (!listing.objects.has(uid) && isOlder(versions)) this.#end(kind, uid);
    for (const object of listing.objects.values()) this.#see(kind, object);
  }

  #see(kind: FleetKind, object: KubeObject): void {
    const uid = object.metadata.uid as string;
    if (this.#gone.has(uid)) return;
    const version = Number(object.metadata.resourceVersion);
    if (kind === "pods") {
      this.#sent.delete(nameOf(object));
      this.#put(
        getOrMake(this.#pods, uid, () => []),
        object as Pod,
        version,
      );
    } else
      this.#put(
        getOrMake(this.#apps, uid, () => []),
        termsOf(object as RunnerApp),
        version,
      );
  }

  #put<T>(versions: Version<T>[], value: T, resourceVersion: number): void {
    const now = this.#now();
    const last = versions.at(-1);
    if (last !== undefined && last.resourceVersion >= resourceVersion) return;
    if (last !== undefined) last.until = now;
    versions.push({ value, resourceVersion, from: now, until: Number.POSITIVE_INFINITY });
    while ((versions[0]?.until ?? now) < now - inFlightMs) versions.shift();
  }

  #remove(kind: FleetKind, { metadata }: KubeObject): void {
    this.#gone.add(metadata.uid as string);
    this.#end(kind, metadata.uid as string);
  }

  /** It is remembered for a moment. */
  #end(kind: FleetKind, uid: string): void {
    const known: Map<string, Version<unknown>[]> = kind === "pods" ? this.#pods : this.#apps;
    const last = known.get(uid)?.at(-1);
    if (last !== undefined) last.until = Math.min(last.until, this.#now());
    for (const [each, versions] of known) if ((versions.at(-1)?.until ?? 0) < this.#now() - inFlightMs) known.delete(each);
  }
}

type FleetKind = "pods" | "runnerapps";

interface ListBody {
  readonly items: readonly KubeObject[];
  readonly metadata: { readonly continue?: string; readonly resourceVersion?: string };
}

/** Whether a list or a watch is one of those that fleets are known by. */
function kindOf({ path, query }: TransportRequest): FleetKind | undefined {
  const resource = resourceOf(path);
  if (resource === "runnerapps") return resource;
  return resource === "pods" && query?.["labelSelector"] === labels.app ? resource : undefined;
}

const isFleetPod = (body: unknown): boolean => (body as KubeObject | undefined)?.metadata.labels?.[labels.app] !== undefined;

const nameOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`;

/** The pod whose readiness gate a patch of its status closes. */
function closedPod({ method, path, body }: TransportRequest): string | undefined {
  const found = method === "PATCH" ? /\/namespaces\/([^/]+)\/pods\/([^/]+)\/status$/.exec(path) : null;
  if (found === null) return undefined;
  const { status } = body as { readonly status?: Pod["status"] };
  const isClosed = status?.conditions?.some((condition) => condition.type === inServiceGate && condition.status === "False");
  return isClosed === true ? `${found[1]}/${found[2]}` : undefined;
}

const deletedUid = ({ body }: TransportRequest): string | undefined =>
  (body as { readonly preconditions?: { readonly uid?: string } } | undefined)?.preconditions?.uid;
