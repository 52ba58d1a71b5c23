import { apiVersionOf } from "../../api/resource.ts";
import {
  type ManagedWrite,
  applyConfiguration,
  entriesAfterUpdate,
  entriesForUpdate,
  entriesOf,
  withEntries,
  withoutEntries,
} from "./apply/managed-fields.ts";
import { type Admission, type AdmissionAttributes, optionsAsObject, userOf } from "./admission/attributes.ts";
import { keyOf } from "./collection.ts";
import { type Fields, isFields, type StoredObject, sameJson, timestamp, withField, withMetadata } from "./json.ts";
import { finalizerNameErrors, metadataErrors, metadataUpdateErrors } from "./object-meta.ts";
import { applyJsonPatch, JsonPatchError } from "./patch/json-patch.ts";
import { applyMergePatch } from "./patch/merge-patch.ts";
import { type ApiRequest, flag } from "./request-path.ts";
import { type ResourceType, shown } from "./resource-type.ts";
import {
  ApiFailure,
  alreadyExists,
  badRequest,
  conflict,
  type FieldError,
  invalid,
  invalidValue,
  modifiedMessage,
  notFound,
  requiredValue,
  uidMismatch,
  unknownError,
  unprocessablePatch,
  unsupportedMediaType,
  unsupportedValue,
} from "./status.ts";

/**
 * Create, replace, patch and apply: the path of every write, after the registry store and the handlers of k8s.io/apiserver. Read the
 * body, lay it over what is there, default, find out who owns what, take back what this way of writing may not change, validate,
 * admit, and commit when anything changed at all.
 */

/** What the pipeline needs of the server around it. */
export interface WriteEnvironment {
  /** Whether it is kept who owns which field; an apply always tells. */
  readonly managesFields: boolean;
  now(): number;
  newUid(): string;
  /** The random end of a generated name. */
  nameSuffix(): string;
  /** Policies, which change objects and refuse them. */
  readonly admission: Admission;
  /** Refuses by throwing ApiFailure; called with the finished object before it is stored. */
  admitCreate(type: ResourceType, object: StoredObject, dryRun: boolean): void;
  /** Refuses a creation in a namespace that is absent or going away, before anything else is looked at. */
  admitNamespace(type: ResourceType, namespace: string | undefined, name: string): void;
  /** Stores and publishes; returns the object with its version. Takes the stored form. */
  commit(
    type: ResourceType,
    change: "ADDED" | "MODIFIED" | "DELETED",
    object: StoredObject,
    previous: StoredObject | undefined,
    request: ApiRequest,
  ): StoredObject;
}

export interface WriteTarget {
  readonly type: ResourceType;
  readonly namespace?: string;
  readonly name?: string;
  /** "" for the object itself. */
  readonly subresource: string;
  /** Admission was asked already, about what was really written: a scale. */
  readonly admitted?: boolean;
}

export interface WriteReply {
  readonly code: number;
  readonly object: StoredObject;
  readonly warnings: readonly string[];
}

interface Options {
  readonly dryRun: boolean;
  readonly validation: "Ignore" | "Warn" | "Strict";
  readonly manager: string;
  readonly force: boolean;
}

/** The part of the user agent that stands for the writer when it names no field manager. */
export function managerOf(request: ApiRequest): string {
  return request.query?.fieldManager ?? (request.userAgent ?? "").split("/")[0] ?? "";
}

function optionsOf(request: ApiRequest, kind: "CreateOptions" | "UpdateOptions" | "PatchOptions"): Options {
  const query = request.query ?? {};
  const errors: FieldError[] = [];
  const dryRun = query.dryRun ?? "";
  if (dryRun !== "" && dryRun !== "All") errors.push(unsupportedValue("dryRun", [dryRun], ["All"]));
  const validation = query.fieldValidation ?? "Warn";
  if (validation !== "Ignore" && validation !== "Warn" && validation !== "Strict" && validation !== "") {
    errors.push(unsupportedValue("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"]));
  }
  const apply = request.contentType?.startsWith("application/apply-patch") === true;
  if (kind === "PatchOptions") {
    if (apply && (query.fieldManager ?? "") === "") errors.push(requiredValue("fieldManager", "is required for apply patch"));
    if (!apply && query.force !== undefined)
      errors.push({ field: "force", reason: "FieldValueForbidden", detail: "Forbidden: may not be specified for non-apply patch" });
  }
  if ((query.fieldManager ?? "").length > 128)
    errors.push({ field: "fieldManager", reason: "FieldValueTooLong", detail: "Too long: may not be more than 128 bytes" });
  if (errors.length > 0) throw invalid(kind, "meta.k8s.io", "", errors);
  return {
    dryRun: dryRun === "All",
    validation: (validation === "" ? "Warn" : validation) as Options["validation"],
    manager: managerOf(request) || "unknown",
    force: flag(query, "force"),
  };
}

function bodyOf(request: ApiRequest): Fields {
  if (!isFields(request.body)) throw badRequest("the request body is no JSON object");
  return request.body;
}

/** Checks apiVersion and kind of a body against the address; absent ones are filled in. */
function addressed(type: ResourceType, body: Fields): Fields {
  const apiVersion = apiVersionOf(type.resource);
  const { kind } = type.resource;
  if (body.apiVersion !== undefined && body.apiVersion !== "" && body.apiVersion !== apiVersion) {
    if (type.custom)
      throw badRequest(`the API version in the data (${String(body.apiVersion)}) does not match the expected API version (${apiVersion})`);
    const why = `no kind ${JSON.stringify(String(body.kind ?? kind))} is registered for version ${JSON.stringify(body.apiVersion)} in scheme "pkg/runtime/scheme.go:111"`;
    throw badRequest(`${kind} in version ${JSON.stringify(body.apiVersion)} cannot be handled as a ${kind}: ${why}`);
  }
  if (body.kind !== undefined && body.kind !== "" && body.kind !== kind) {
    const have = `${type.resource.group === "" ? "" : type.resource.group}/${type.resource.version}, Kind=`;
    throw badRequest(
      `${kind} in version "${type.resource.version}" cannot be handled as a ${kind}: converting (${have}${String(body.kind)}) to (${have}${kind}): unknown conversion`,
    );
  }
  return body.apiVersion === apiVersion && body.kind === kind ? body : { ...body, apiVersion, kind };
}

interface Prepared {
  readonly object: StoredObject;
  readonly warnings: readonly string[];
}

/** Reads a whole object and says what of it the kind does not know. */
function decoded(type: ResourceType, body: Fields, options: Options, patched?: Fields): Prepared {
  const withAddress = addressed(type, body);
  const metadata = withAddress.metadata;
  const { object, unknownFields } = type.decode(isFields(metadata) ? withAddress : { ...withAddress, metadata: {} });
  if (unknownFields.length > 0 && options.validation === "Strict") {
    const fields = `strict decoding error: ${unknownFields.map((field) => `unknown field ${JSON.stringify(field)}`).join(", ")}`;
    if (patched !== undefined) throw invalid("", "", "", [invalidValue("patch", JSON.stringify(patched), fields)]);
    const { kind, version } = type.resource;
    throw badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${fields}`);
  }
  const warnings = options.validation === "Ignore" ? [] : unknownFields.map((field) => `unknown field ${JSON.stringify(field)}`);
  return { object: object as StoredObject, warnings };
}

function managedWrite(env: WriteEnvironment, target: WriteTarget, options: Options): ManagedWrite {
  return {
    type: target.type.mergeType,
    apiVersion: apiVersionOf(target.type.resource),
    manager: options.manager,
    subresource: target.subresource,
    resetFields: target.type.strategy.resetFields(target.subresource),
    now: env.now(),
  };
}

/** The object with the entries that a write by this manager leaves; as it is where nobody keeps them. */
function ownedBy(
  env: WriteEnvironment,
  target: WriteTarget,
  options: Options,
  live: Fields,
  bare: StoredObject,
  entries: Parameters<typeof entriesAfterUpdate>[3],
): StoredObject {
  return env.managesFields ? withEntries(bare, entriesAfterUpdate(managedWrite(env, target, options), live, bare, entries)) : bare;
}

/** POST of an object to its collection. */
export function createObject(env: WriteEnvironment, target: WriteTarget, request: ApiRequest): WriteReply {
  const options = optionsOf(request, "CreateOptions");
  const { object, warnings } = decoded(target.type, bodyOf(request), options);
  if ((object.metadata.resourceVersion ?? "") !== "" && object.metadata.resourceVersion !== "0")
    throw unknownError("resourceVersion should not be set on objects to be created");
  const named = withNamespace(target, withName(env, object));
  const entries = entriesForUpdate(undefined, object.metadata.managedFields, "");
  const bare = withoutEntries(named);
  const owned = ownedBy(env, target, options, target.type.emptyObject, bare, entries);
  return { ...storeNew(env, target, owned, options, request, warnings), code: 201 };
}

function withName(env: WriteEnvironment, object: StoredObject): StoredObject {
  const { name, generateName } = object.metadata;
  if ((name ?? "") !== "" || generateName === undefined || generateName === "") return object;
  const longest = 63 - 5;
  return withMetadata(object, { name: generateName.slice(0, longest) + env.nameSuffix() });
}

/** Fills in the namespace of the address, or refuses another one. */
function withNamespace(target: WriteTarget, object: StoredObject): StoredObject {
  const wanted = target.namespace;
  const found = object.metadata.namespace;
  if (found === wanted) return object;
  if (found === undefined || found === "") return withMetadata(object, { namespace: wanted });
  if (wanted === undefined) throw badRequest("namespace specified on a non-namespaced object");
  throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

/** What admission is asked; undefined where nobody answers. */
function attributesOf(
  env: WriteEnvironment,
  target: WriteTarget,
  options: Options,
  request: ApiRequest,
  object: StoredObject,
  oldObject?: StoredObject,
): AdmissionAttributes | undefined {
  const { type, namespace, subresource } = target;
  if (!env.admission.active || target.admitted === true) return undefined;
  return {
    operation: oldObject === undefined ? "CREATE" : "UPDATE",
    type,
    subresource,
    // a namespace lies in itself, as policies see it
    ...(namespace === undefined ? {} : { namespace }),
    name: target.name ?? object.metadata.name ?? "",
    object,
    ...(oldObject === undefined ? {} : { oldObject }),
    dryRun: options.dryRun,
    user: userOf(request),
    // a patch is admitted as what it turns out to be
    options: optionsAsObject(oldObject === undefined ? "CreateOptions" : "UpdateOptions", request),
  };
}

/** The second half of every creation: POST, apply of an absent object, PUT where that creates. */
function storeNew(
  env: WriteEnvironment,
  target: WriteTarget,
  object: StoredObject,
  options: Options,
  request: ApiRequest,
  warnings: readonly string[],
): WriteReply {
  const { type } = target;
  const { strategy } = type;
  env.admitNamespace(type, target.namespace, object.metadata.name);
  const asked = attributesOf(env, target, options, request, object);
  const mutated = asked === undefined ? object : (env.admission.mutate(asked) as StoredObject);
  const complete = withMetadata(mutated, {
    uid: env.newUid(),
    creationTimestamp: timestamp(env.now()),
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
    resourceVersion: undefined,
    generation: undefined,
  });
  const prepared = strategy.prepareCreate(complete);
  const found = metadataErrors(prepared, type.resource.namespaced, strategy.nameErrors);
  const errors = [...found, ...(type.custom ? [] : finalizerNameErrors(prepared)), ...strategy.validateCreate(prepared, found)];
  if (errors.length > 0) throw invalidOf(type, prepared.metadata.name ?? "", errors);
  const more = strategy.warnings?.(prepared, undefined) ?? [];
  const said = asked === undefined ? [] : env.admission.validate({ ...asked, object: prepared });
  env.admitCreate(type, prepared, options.dryRun);
  const key = keyOf(prepared.metadata.namespace, prepared.metadata.name);
  if (type.collection.get(key) !== undefined) throw alreadyExists(type.resource, prepared.metadata.name);
  const stored = type.convert === undefined ? prepared : type.convert.toStored(prepared);
  const result = options.dryRun ? stored : env.commit(type, "ADDED", stored, undefined, request);
  return { code: 201, object: shown(type, result), warnings: [...warnings, ...more, ...said] };
}

function invalidOf(type: ResourceType, name: string, errors: readonly FieldError[]): ApiFailure {
  const { kind, group } = type.errorKind ?? type.resource;
  return invalid(kind, group, name, errors);
}

/** PUT of an object or of one of its subresources that have the same shape. */
export function replaceObject(env: WriteEnvironment, target: WriteTarget, request: ApiRequest): WriteReply {
  const options = optionsOf(request, "UpdateOptions");
  const { type } = target;
  const { object: read, warnings } = decoded(type, bodyOf(request), options);
  const name = target.name ?? "";
  checkName(read, name);
  const object = withNamespace(target, read);
  const stored = type.collection.get(keyOf(target.namespace, name));
  if (stored === undefined) {
    if (!type.strategy.createOnUpdate || target.subresource !== "") throw notFound(type.resource, name);
    const bare = withoutEntries(withMetadata(object, { name }));
    const owned = ownedBy(env, target, options, type.emptyObject, bare, []);
    return storeNew(env, target, owned, options, request, warnings);
  }
  const live = shown(type, stored);
  const uid = object.metadata.uid;
  if (uid !== undefined && uid !== "" && uid !== live.metadata.uid)
    throw conflict(type.resource, name, uidMismatch(uid, live.metadata.uid ?? ""));
  return storeChanged(env, target, live, stored, object, options, request, warnings);
}

function checkName(object: StoredObject, name: string): void {
  const found = object.metadata.name ?? "";
  if (found !== "" && found !== name) throw badRequest(`the name of the object (${found}) does not match the name on the URL (${name})`);
  if (found === "") throw badRequest(`the name of the object (based on URL) was undeterminable: name must be provided`);
}

const strategicMergeType = "application/strategic-merge-patch+json";

/** The kinds of patches that a kind takes, in the order in which a refusal names them. */
const patchTypesOf = (type: ResourceType): readonly string[] => [
  "application/json-patch+json",
  "application/merge-patch+json",
  ...(type.strategicMerge === undefined ? [] : [strategicMergeType]),
  "application/apply-patch+yaml",
];

/** PATCH of an object or of one of its subresources that have the same shape. */
export function patchObject(env: WriteEnvironment, target: WriteTarget, request: ApiRequest): WriteReply {
  const mediaType = (request.contentType ?? "").split(";")[0]?.trim() ?? "";
  const { type } = target;
  if (mediaType === "application/apply-patch+yaml" || mediaType === "application/apply-patch+json")
    return applyObject(env, target, request);
  if (!patchTypesOf(type).includes(mediaType)) throw unsupportedMediaType(patchTypesOf(type));
  const options = optionsOf(request, "PatchOptions");
  const name = target.name ?? "";
  const stored = type.collection.get(keyOf(target.namespace, name));
  if (stored === undefined) throw notFound(type.resource, name);
  const live = shown(type, stored);
  const patched = patchedBody(mediaType, live, request.body, type.strategicMerge);
  if (!isFields(patched)) throw badRequest("json: cannot unmarshal into Go value of type map[string]interface {}");
  const { object, warnings } = asPatchFailure(patched, () => decoded(type, patched, options, patched));
  checkName(object, name);
  return storeChanged(env, target, live, stored, withNamespace(target, object), options, request, warnings);
}

/** What a patch makes of an object; refused with 422 where it does not fit. */
export function patchedBody(mediaType: string, live: unknown, patch: unknown, strategicMerge?: ResourceType["strategicMerge"]): unknown {
  if (mediaType === "application/merge-patch+json" || mediaType === strategicMergeType) {
    if (!isFields(patch)) {
      const found = Array.isArray(patch) ? "array " : "";
      const why = `json: cannot unmarshal ${found}into Go value of type map[string]interface {}`;
      throw badRequest(
        mediaType === strategicMergeType
          ? why
          : "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}",
      );
    }
    return mediaType === strategicMergeType && strategicMerge !== undefined ? strategicMerge(live, patch) : applyMergePatch(live, patch);
  }
  if (!Array.isArray(patch))
    throw badRequest("error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp");
  try {
    return applyJsonPatch(live, patch);
  } catch (error) {
    if (error instanceof JsonPatchError) throw unprocessablePatch();
    throw error;
  }
}

/** What cannot be read after a patch is the patch's fault: 422 and not 400. */
function asPatchFailure<T>(patched: Fields, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.status.code !== 400) throw error;
    const why = (error.status.message ?? "").replace(/^.* cannot be handled as a [^:]*: /, "");
    throw invalid("", "", "", [invalidValue("patch", JSON.stringify(patched), why)]);
  }
}

/** Server-side apply. */
function applyObject(env: WriteEnvironment, target: WriteTarget, request: ApiRequest): WriteReply {
  const options = optionsOf(request, "PatchOptions");
  const { type } = target;
  const name = target.name ?? "";
  const config = bodyOf(request);
  const apiVersion = apiVersionOf(type.resource);
  if (config.apiVersion !== apiVersion) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${String(config.apiVersion ?? "")}, expected: ${apiVersion}`,
    );
  }
  const stored = type.collection.get(keyOf(target.namespace, name));
  if (stored === undefined && target.subresource !== "") throw notFound(type.resource, name);
  const live = stored === undefined ? undefined : shown(type, stored);
  const base = live === undefined ? type.emptyObject : withoutEntries(live);
  const stated = isFields(config.metadata) && typeof config.metadata.namespace === "string" ? config.metadata.namespace : "";
  const describe = `${stated}/${name}; ${type.resource.group}/${type.resource.version}, Kind=${type.resource.kind}`;
  const applied = applyConfiguration(managedWrite(env, target, options), base, config, entriesOf(live), options.force, describe);
  const { object: read, warnings } = decoded(type, applied.object, options);
  const object = withEntries(withNamespace(target, read), applied.entries);
  checkName(object, name);
  if (live !== undefined && stored !== undefined) {
    return storeChanged(env, target, live, stored, object, options, request, warnings, true);
  }
  if ((object.metadata.uid ?? "") !== "") {
    throw conflict(
      type.resource,
      name,
      `uid mismatch: the provided object specified uid ${object.metadata.uid}, and no existing object was found`,
    );
  }
  return storeNew(env, target, object, options, request, warnings);
}

/** The second half of every change of an object that exists. `owned`: the object carries its managed fields already. */
function storeChanged(
  env: WriteEnvironment,
  target: WriteTarget,
  live: StoredObject,
  stored: StoredObject,
  wanted: StoredObject,
  options: Options,
  request: ApiRequest,
  warnings: readonly string[],
  owned = false,
): WriteReply {
  const { type, subresource } = target;
  const { strategy } = type;
  const name = live.metadata.name;
  const version = wanted.metadata.resourceVersion ?? "";
  if (version === "" || version === "0") {
    if (!strategy.unconditionalUpdate) {
      throw invalid(type.resource.plural, type.resource.group, name, [
        invalidValue("metadata.resourceVersion", 0, "must be specified for an update"),
      ]);
    }
  } else if (version !== live.metadata.resourceVersion) throw conflict(type.resource, name, modifiedMessage);

  let next = wanted;
  if (!owned) {
    const entries = entriesForUpdate(live, wanted.metadata.managedFields, subresource);
    const bare = withoutEntries(wanted);
    next = ownedBy(env, target, options, withoutEntries(live), bare, entries);
  }
  const asked = attributesOf(env, target, options, request, next, live);
  if (asked !== undefined) next = env.admission.mutate(asked) as StoredObject;
  next = strategy.prepareUpdate(withMetadata(next, { generation: live.metadata.generation }), live, subresource);
  next = withMetadata(next, {
    uid: (next.metadata.uid ?? "") === "" ? live.metadata.uid : next.metadata.uid,
    creationTimestamp: live.metadata.creationTimestamp,
    deletionTimestamp: live.metadata.deletionTimestamp ?? next.metadata.deletionTimestamp,
    deletionGracePeriodSeconds: next.metadata.deletionGracePeriodSeconds ?? live.metadata.deletionGracePeriodSeconds,
    resourceVersion: live.metadata.resourceVersion,
  });
  const changes = metadataUpdateErrors(next, live);
  const found = [...metadataErrors(next, type.resource.namespaced, subresource === "" ? strategy.nameErrors : () => []), ...changes];
  // the generic checks and those of the kind both look at changes of metadata, and both tell
  const errors = [...found, ...changes, ...strategy.validateUpdate(next, live, subresource, found)];
  if (errors.length > 0) throw invalidOf(type, name, errors);
  const said = asked === undefined ? [] : env.admission.validate({ ...asked, object: next });
  const allWarnings = [...warnings, ...(strategy.warnings?.(next, live) ?? []), ...said];
  next = withSameTimes(next, live);
  if (sameJson(next, live)) return { code: 200, object: live, warnings: allWarnings };
  const free = (next.metadata.finalizers ?? []).length === 0 && (live.metadata.deletionGracePeriodSeconds ?? 0) === 0;
  const goes = live.metadata.deletionTimestamp !== undefined && free && strategy.holds?.(next) !== true;
  if (options.dryRun) return { code: 200, object: next, warnings: allWarnings };
  if (goes) {
    // what is stored is deleted as it is: watchers see it with the finalizers that the writer took off
    env.commit(type, "DELETED", stored, stored, request);
    return { code: 200, object: next, warnings: allWarnings };
  }
  const toStore = type.convert === undefined ? next : type.convert.toStored(next);
  const result = env.commit(type, "MODIFIED", toStore, stored, request);
  return { code: 200, object: shown(type, result), warnings: allWarnings };
}

/** Times of managed fields are no change by themselves. */
function withSameTimes(next: StoredObject, live: StoredObject): StoredObject {
  const now = next.metadata.managedFields;
  const was = live.metadata.managedFields;
  if (now === was || now === undefined || was === undefined || now.length !== was.length) return next;
  const same = now.every((entry, at) =>
    sameJson(withField(entry as Fields, "time", undefined), withField(was[at] as Fields, "time", undefined)),
  );
  return same ? withMetadata(next, { managedFields: was }) : next;
}
