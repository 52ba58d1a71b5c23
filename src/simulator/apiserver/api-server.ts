import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { CustomResourceDefinition, CustomResourceVersion } from "../../api/core.ts";
import { customResourceDefinitions, namespaces, type Resource } from "../../api/resource.ts";
import { allOf, userOf } from "./admission/attributes.ts";
import { PolicyAdmission } from "./admission/policies.ts";
import { webhookClient } from "./admission/webhook-client.ts";
import { ServiceAccountAdmission } from "./admission/service-account-admission.ts";
import { WebhookTurns } from "./admission/webhook-turns.ts";
import { WebhookAdmission } from "./admission/webhooks.ts";
import { AccountTokens } from "./authorization/account-tokens.ts";
import { type Access, type Decision, RbacAuthorizer, type User } from "./authorization/rbac.ts";
import { answerReview, reviewResources } from "./authorization/reviews.ts";
import { userOfToken } from "./authorization/tokens.ts";
import { type Change, Collection, keyOf } from "./collection.ts";
import { type Controllers, startControllers } from "./controllers/controllers.ts";
import { EventExpiry } from "./controllers/event-expiry.ts";
import { customType } from "./crd/custom-kind.ts";
import { definitionType } from "./crd/definition-kind.ts";
import { type DeleteEnvironment, deletedBody, deleteObject, deleteOptionsOf, isGone } from "./deletion.ts";
import { type StoredObject, withMetadata } from "./json.ts";
import { evictPod } from "./kinds/eviction.ts";
import { builtinType } from "./kinds/builtin-kind.ts";
import { builtinKinds } from "./kinds/core-kinds.ts";
import { randomSuffix, randomUid } from "./made-up-names.ts";
import { admitByQuota } from "./quota.ts";
import { type ApiReply, failureReply, pageNotFound, reply, writeReply } from "./reply.ts";
import { listObjects, listOf, readObject, selectObjects, selectorOf, watchRequestOf } from "./reads.ts";
import { type ApiRequest, durationMs, parsePath, requestTimeoutMs, type RequestTarget } from "./request-path.ts";
import type { ResourceType } from "./resource-type.ts";
import { patchScale, readScale, replaceScale } from "./scale.ts";
import { type ServedResource, servedResource } from "./served-resource.ts";
import type { ApiServerOptions } from "./server-options.ts";
import { restoredRevisions, type ServerState } from "./server-state.ts";
import { ApiFailure, failureStatus, forbidden, methodNotAllowed, notFound, resourceUnknown, unknownError } from "./status.ts";
import { bindPod } from "./kinds/binding.ts";
import { Watches, type WatchHandle, type WatchInfo, type WatchInterceptor } from "./watches.ts";
import { createObject, managerOf, patchObject, replaceObject, type WriteEnvironment, type WriteTarget } from "./writes.ts";

/** A committed change, for ledgers, controllers and worlds. */
export interface Commit {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** The kind at its first address (events: core/v1). */
  readonly resource: Resource;
  /** As stored; of a DELETED the last state with the version of the deletion. */
  readonly object: StoredObject;
  readonly previous?: StoredObject;
  readonly revision: number;
  /** Who did it. */
  readonly userAgent: string;
  readonly user: string;
  /** The field manager, or what stands for it. */
  readonly manager: string;
}

/** A server with the namespaces that every cluster has. Throws RangeError for a state with kinds that it does not serve. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  return new ApiServer(options);
}

const firstRevision = 1_000;
/** What etcd takes at once by default. */
const mostObjectBytes = 1.5 * 1024 * 1024;

/**
 * An in-memory Kubernetes API server on one thread and one clock: what a request does is done when `handle` returns. It is meant to
 * answer as a real kube-apiserver does; test/conformance compares the two.
 */
export class ApiServer {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: ApiServerOptions;
  readonly #watches: Watches;
  readonly #types = new Map<string, ResourceType>();
  /** The addresses of one stored kind. */
  readonly #addresses = new Map<Collection, ResourceType[]>();
  readonly #customCollections = new Map<string, Collection>();
  readonly #listeners = new Set<(commit: Commit) => void>();
  readonly #writes: WriteEnvironment & DeleteEnvironment;
  readonly #authorizer: RbacAuthorizer;
  readonly #expiry: EventExpiry;
  readonly #tokens: AccountTokens;
  readonly #webhooks: WebhookAdmission;
  readonly #turns: WebhookTurns;
  #controllers: Controllers | undefined;
  /** Asked for at every request over HTTP; undefined when the kinds have changed. */
  #resources: readonly ServedResource[] | undefined;
  #revision = firstRevision;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random;
    // before any collection: what is older than its beginning is forgotten
    if (options.state !== undefined) this.#revision = options.state.revision + restoredRevisions;
    this.#watches = new Watches(options.clock, options.random, () => this.#revision);
    this.#authorizer = new RbacAuthorizer((group, version, plural) => this.typeOf(group, version, plural));
    const newUid = options.uid ?? (() => randomUid(this.#random));
    const judged = {
      authorizer: this.#authorizer,
      typeOf: (group: string, version: string, plural: string) => this.typeOf(group, version, plural),
      types: () => this.types(),
    };
    this.#turns = new WebhookTurns(webhookClient(this, options.localService ?? (() => undefined)));
    this.#tokens = new AccountTokens(this, () => this.#clock.now(), options.tokenKey);
    this.#webhooks = new WebhookAdmission(judged, () => this.#turns.session, newUid);
    const suffix = (): string => this.#turns.session?.draw("suffix", () => randomSuffix(this.#random)) ?? randomSuffix(this.#random);
    const accounts = options.serviceAccounts === true ? [new ServiceAccountAdmission(judged.typeOf, suffix)] : [];
    this.#writes = {
      admission: allOf([...accounts, new PolicyAdmission(judged), this.#webhooks]),
      managesFields: options.managedFields !== false,
      now: () => this.#turns.session?.now ?? this.#clock.now(),
      newUid: () => this.#turns.session?.draw("uid", newUid) ?? newUid(),
      nameSuffix: suffix,
      admitCreate: (type, object, dryRun) => this.#admitCreate(type, object, dryRun),
      admitNamespace: (type, namespace, name) => this.#admitNamespace(type, namespace, name),
      commit: (type, change, object, previous, request) => this.#commit(type, change, object, previous, request),
    };
    this.#serveBuiltins();
    this.#expiry = new EventExpiry(this, this.#clock);
    this.onCommit((commit) => this.#expiry.observe(commit));
    if (options.controllers !== false) this.#controllers = startControllers(this, this.#clock, options.controllerDelayMs ?? 20);
    if (options.state !== undefined) {
      this.#restore(options.state);
      return;
    }
    for (const name of ["default", "kube-node-lease", "kube-public", "kube-system"]) {
      this.handle({ method: "POST", path: "/api/v1/namespaces", userAgent: "kube-apiserver/embedded", body: { metadata: { name } } });
    }
  }

  /** Ends what it would do later by itself, so that a process can end. Nothing may be asked of it after that. */
  close(): void {
    this.#expiry.close();
    this.#controllers?.close();
  }

  /** The version of the last change. */
  get revision(): number {
    return this.#revision;
  }

  /** All that is stored now. Costs no more than a list of references. */
  state(): ServerState {
    const entries = [...this.#addresses].flatMap(([collection, [type]]) => {
      if (type === undefined) return [];
      const { group, plural } = type.resource;
      return Array.from(collection.all(), (object) => ({ group, plural, object }));
    });
    return { revision: this.#revision, entries };
  }

  /** All served kinds at all their addresses, built-in ones first. */
  types(): readonly ResourceType[] {
    return [...this.#types.values()];
  }

  /** Whose token it is: a service account's, or one that a Secret makes known. */
  authenticate(token: string): User | undefined {
    const secrets = this.#types.get("/v1/secrets");
    return this.#tokens.userOf(token) ?? (secrets === undefined ? undefined : userOfToken(secrets, token));
  }

  /** Whether the user may, by the roles and bindings that are stored now. `handle` itself does not ask: its callers are trusted. */
  authorize(user: User, access: Access): Decision {
    return this.#authorizer.authorize(user, access);
  }

  /** What discovery says of all served kinds. */
  resources(): readonly ServedResource[] {
    this.#resources ??= [...this.types().map(servedResource), ...reviewResources];
    return this.#resources;
  }

  /** The kind at an address. */
  typeOf(group: string, version: string, plural: string): ResourceType | undefined {
    return this.#types.get(`${group}/${version}/${plural}`);
  }

  /** Calls the listener after every change, in order, before the request that made it is answered. Returns how to stop. */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Puts a world between the server and the readers of watches that are opened from now on. */
  interceptWatches(interceptor: WatchInterceptor | undefined): void {
    this.#watches.intercept(interceptor);
  }

  /** The watches that are open now. */
  openWatches(): readonly WatchInfo[] {
    return this.#watches.list();
  }

  /** Forgets the past, as a restart of a real server does: watches from older versions and continued lists end with 410. */
  compact(): void {
    for (const collection of this.#addresses.keys()) collection.forget(this.#revision);
  }

  /** Answers a request that is no watch, and whose maker cannot wait: where a webhook must be asked it fails. Never throws for what a client can do wrong. */
  handle(request: ApiRequest): ApiReply {
    try {
      return this.#route(request);
    } catch (error) {
      return failureReply(error);
    }
  }

  /** Answers a request that is no watch: at once, unless a webhook must be asked. Never throws or rejects for what a client can do wrong. */
  respond(request: ApiRequest): ApiReply | Promise<ApiReply> {
    if (!this.#webhooks.active || request.method === "GET") return this.handle(request);
    return this.#turns.respond(() => this.#route(request), this.#clock.now());
  }

  /** Opens a watch; a refusal is a reply. Its events begin when it is subscribed to. */
  watch(request: ApiRequest): WatchHandle | ApiReply {
    try {
      const target = parsePath(request.path);
      const type = target === undefined ? undefined : this.typeOf(target.group, target.version, target.plural);
      if (target === undefined || type === undefined) return this.#unknown(target);
      if (target.subresource !== undefined) throw methodNotAllowed();
      return this.#watches.open(watchRequestOf(type, target.namespace, target.name, request, this.#revision));
    } catch (error) {
      return failureReply(error);
    }
  }

  #route(request: ApiRequest): ApiReply {
    const target = parsePath(request.path);
    const type = target === undefined ? undefined : this.typeOf(target.group, target.version, target.plural);
    if (target === undefined || type === undefined) return this.#review(target, request) ?? this.#unknown(target);
    if (!type.resource.namespaced && target.namespace !== undefined) {
      if (type.custom) return pageNotFound;
      throw resourceUnknown();
    }
    if (target.name === undefined) return this.#collectionRequest(type, target, request);
    if (type.resource.namespaced && target.namespace === undefined) throw resourceUnknown();
    const subresource = target.subresource ?? "";
    if (subresource !== "" && !type.subresources.has(subresource)) throw resourceUnknown();
    // logs are the business of whoever runs containers: the HTTPS front asks the kubelet
    if (subresource === "log") throw methodNotAllowed();
    if (subresource === "scale") return this.#scaleRequest(type, target, request);
    if (subresource === "token") {
      if (request.method !== "POST") throw methodNotAllowed();
      const account = type.collection.get(keyOf(target.namespace, target.name));
      if (account === undefined) throw notFound(type.resource, target.name);
      return reply(201, this.#tokens.create(account, request.body));
    }
    if (subresource === "binding") {
      if (request.method !== "POST") throw methodNotAllowed();
      return reply(201, bindPod(this.#writes, type, target.namespace, target.name, request));
    }
    if (subresource === "eviction") {
      if (request.method !== "POST") throw methodNotAllowed();
      const budgets = this.#types.get("policy/v1/poddisruptionbudgets") as ResourceType;
      return reply(201, evictPod(this.#writes, { pods: type, budgets }, target.namespace as string, target.name, request));
    }
    const address = { type, subresource, name: target.name, ...(target.namespace === undefined ? {} : { namespace: target.namespace }) };
    switch (request.method) {
      case "GET":
        return reply(200, readObject(type, target.namespace, target.name, request.query, this.#revision));
      case "PUT":
        return writeReply(replaceObject(this.#writes, address, request));
      case "PATCH":
        return writeReply(patchObject(this.#writes, address, request));
      case "DELETE": {
        if (subresource !== "") throw methodNotAllowed();
        const deleted = deleteObject(this.#writes, type, target.namespace, target.name, deleteOptionsOf(request), request);
        return reply(200, deletedBody(type, deleted));
      }
      default:
        throw methodNotAllowed();
    }
  }

  #collectionRequest(type: ResourceType, target: RequestTarget, request: ApiRequest): ApiReply {
    const { namespace } = target;
    switch (request.method) {
      case "GET":
        return reply(200, listObjects(type, namespace, request.query, this.#revision));
      case "POST": {
        if (type.resource.namespaced && namespace === undefined) throw methodNotAllowed();
        const address: WriteTarget = { type, subresource: "", ...(namespace === undefined ? {} : { namespace }) };
        return writeReply(createObject(this.#writes, address, request));
      }
      case "DELETE":
        if (type.resource.namespaced && namespace === undefined) throw methodNotAllowed();
        return this.#deleteCollection(type, namespace, request);
      default:
        throw methodNotAllowed();
    }
  }

  /** Deletes what matches now, one after the other, as long as the request may take. */
  #deleteCollection(type: ResourceType, namespace: string | undefined, request: ApiRequest): ApiReply {
    const query = request.query ?? {};
    const options = deleteOptionsOf(request);
    const selected = selectObjects(type, namespace, selectorOf(type, query));
    const limit = query.limit === undefined || Number(query.limit) <= 0 ? selected.length : Number(query.limit);
    const cost = this.#options.deleteCostMs ?? 0;
    const patience = query.timeout === undefined ? requestTimeoutMs : durationMs(query.timeout);
    const within = cost > 0 ? Math.floor(patience / cost) : Number.POSITIVE_INFINITY;
    const page = selected.slice(0, limit);
    const deleted: StoredObject[] = [];
    for (const object of page.slice(0, within)) {
      try {
        // a list does not say which of its objects a precondition was meant for, so each is held against it
        deleteObject(this.#writes, type, object.metadata.namespace, object.metadata.name, options, request);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
      deleted.push(object);
    }
    if (page.length > within) {
      throw new ApiFailure(failureStatus(504, "Timeout", "Timeout: request did not complete within the allotted timeout", {}));
    }
    return reply(200, listOf(type, deleted, { resourceVersion: String(this.#revision) }));
  }

  #scaleRequest(type: ResourceType, target: RequestTarget, request: ApiRequest): ApiReply {
    const address = { type, name: target.name ?? "", ...(target.namespace === undefined ? {} : { namespace: target.namespace }) };
    switch (request.method) {
      case "GET":
        return reply(200, readScale(address));
      case "PUT":
        return reply(200, replaceScale(this.#writes, address, request));
      case "PATCH":
        return reply(200, patchScale(this.#writes, address, request));
      default:
        throw methodNotAllowed();
    }
  }

  /** The answer to a question about users; undefined when it is none. */
  #review(target: RequestTarget | undefined, request: ApiRequest): ApiReply | undefined {
    const resource = reviewResources.find(
      ({ group, version, plural }) => group === target?.group && version === target.version && plural === target.plural,
    );
    if (target === undefined || resource === undefined) return undefined;
    if (request.method !== "POST" || target.name !== undefined) throw methodNotAllowed();
    return reply(201, answerReview(resource, request.body, target.namespace, userOf(request), this.#authorizer));
  }

  #unknown(target: RequestTarget | undefined): ApiReply {
    const known =
      target !== undefined &&
      this.types().some((type) => type.resource.group === target.group && type.resource.version === target.version && !type.custom);
    if (known) throw resourceUnknown();
    return pageNotFound;
  }

  #admitNamespace(type: ResourceType, namespace: string | undefined, name: string): void {
    if (namespace === undefined || !type.resource.namespaced) return;
    const found = this.#types.get("/v1/namespaces")?.collection.get(namespace);
    if (found === undefined) throw notFound(namespaces, namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const message = `namespace ${namespace} is being terminated`;
    throw forbidden(type.resource, name, `unable to create new content in namespace ${namespace} because it is being terminated`, [
      { reason: "NamespaceTerminating", message, field: "metadata.namespace" },
    ]);
  }

  #admitCreate(type: ResourceType, object: StoredObject, dryRun: boolean): void {
    const quotaType = this.#types.get("/v1/resourcequotas");
    if (quotaType === undefined || quotaType.collection.size === 0 || object.metadata.namespace === undefined) return;
    const quotas = quotaType.collection.list({ namespace: object.metadata.namespace }) ?? [];
    for (const { quota, next } of admitByQuota(type.resource, object, quotas)) {
      if (!dryRun) this.#commit(quotaType, "MODIFIED", next, quota, { method: "PUT", path: "", userAgent: "kube-apiserver/embedded" });
    }
  }

  #commit(
    type: ResourceType,
    change: Commit["type"],
    object: StoredObject,
    previous: StoredObject | undefined,
    request: ApiRequest,
  ): StoredObject {
    // measured only where it may matter: what never was on a wire is made by parts of this process
    if ((request.bodyBytes ?? 0) > mostObjectBytes && JSON.stringify(object).length > mostObjectBytes)
      throw unknownError("etcdserver: request is too large");
    const revision = ++this.#revision;
    const stored = withMetadata(object, { resourceVersion: String(revision) });
    const key = keyOf(stored.metadata.namespace, stored.metadata.name);
    const recorded: Change = { type: change, key, object: stored, revision, ...(previous === undefined ? {} : { previous }) };
    type.collection.record(recorded);
    const addresses = this.#addresses.get(type.collection) ?? [];
    if (type.resource === customResourceDefinitions) this.#serveDefinition(change, stored as unknown as CustomResourceDefinition);
    const commit: Commit = {
      type: change,
      resource: addresses[0]?.resource ?? type.resource,
      object: stored,
      ...(previous === undefined ? {} : { previous }),
      revision,
      userAgent: request.userAgent ?? "",
      user: request.user ?? "",
      manager: managerOf(request),
    };
    for (const address of addresses) this.#watches.publish(address, recorded);
    for (const listener of this.#listeners) listener(commit);
    return stored;
  }

  /** Takes up what was stored, as if all of it had just been seen for the first time: controllers look at everything. */
  #restore({ entries }: ServerState): void {
    for (const { group, plural, object } of entries) {
      const type = this.types().find(({ resource }) => resource.group === group && resource.plural === plural);
      if (type === undefined) throw new RangeError(`there is no kind ${group === "" ? plural : `${plural}.${group}`} here`);
      const { namespace, name, resourceVersion } = object.metadata;
      type.collection.restore(keyOf(namespace, name), object);
      if (type.resource === customResourceDefinitions) this.#serveDefinition("ADDED", object as unknown as CustomResourceDefinition);
      const revision = Number(resourceVersion);
      const commit: Commit = { type: "ADDED", resource: type.resource, object, revision, userAgent: "", user: "", manager: "" };
      for (const listener of this.#listeners) listener(commit);
    }
  }

  #serveBuiltins(): void {
    const collections = new Map<string, Collection>();
    for (const kind of builtinKinds) {
      // events are one store with two addresses
      const store = kind.resource.plural === "events" ? "events" : `${kind.resource.group}/${kind.resource.plural}`;
      const collection = collections.get(store) ?? this.#newCollection();
      collections.set(store, collection);
      this.#serve(builtinType(kind, collection));
    }
    this.#serve(definitionType(this.#newCollection(), () => this.#clock.now()));
  }

  #newCollection(): Collection {
    return new Collection(this.#options.historyLength ?? 4_096, this.#revision);
  }

  #serve(type: ResourceType): void {
    const { group, version, plural } = type.resource;
    this.#types.set(`${group}/${version}/${plural}`, type);
    this.#resources = undefined;
    const addresses = this.#addresses.get(type.collection) ?? [];
    this.#addresses.set(type.collection, [...addresses, type]);
  }

  #withdraw(type: ResourceType): void {
    const { group, version, plural } = type.resource;
    this.#types.delete(`${group}/${version}/${plural}`);
    this.#resources = undefined;
    const left = (this.#addresses.get(type.collection) ?? []).filter((other) => other !== type);
    if (left.length > 0) this.#addresses.set(type.collection, left);
    else this.#addresses.delete(type.collection);
    this.#watches.closeAll(type);
  }

  /** Serves, changes or withdraws the kinds of a CRD. */
  #serveDefinition(change: Commit["type"], definition: CustomResourceDefinition): void {
    const { group, names } = definition.spec;
    const before = this.types().filter((type) => type.custom && type.resource.group === group && type.resource.plural === names.plural);
    if (change === "DELETED") {
      for (const type of before) {
        for (const object of [...type.collection.all()]) {
          this.#commit(type, "DELETED", object, object, { method: "DELETE", path: "", userAgent: "kube-apiserver/embedded" });
        }
        this.#withdraw(type);
      }
      this.#customCollections.delete(definition.metadata.name);
      return;
    }
    const collection = this.#customCollections.get(definition.metadata.name) ?? this.#newCollection();
    this.#customCollections.set(definition.metadata.name, collection);
    const served = definition.spec.versions.filter((version: CustomResourceVersion) => version.served);
    const unchanged = before.find((type) => (type.definition?.spec as unknown) === (definition.spec as unknown));
    if (unchanged !== undefined) return;
    for (const type of before) this.#withdraw(type);
    for (const version of served) this.#serve(customType(definition, version, collection));
  }
}
