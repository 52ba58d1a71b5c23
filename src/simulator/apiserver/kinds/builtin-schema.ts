import { isEmptySet } from "../apply/field-set.ts";
import { type MergeType, type ScalarKind, untyped } from "../apply/merge-type.ts";
import { type Fields, isFields, timestamp } from "../json.ts";
import { parseQuantity, printQuantity } from "../quantity.ts";
import type { Decoded } from "../resource-type.ts";
import { badRequest } from "../status.ts";
import { builtinTypeLines } from "./builtin-types.gen.ts";

/**
 * The types of the built-in kinds: what fields they have (so that unknown ones are told of and dropped as typed decoding does), what
 * values these take, and how they merge. A type's text: `s` string, `n` number, `b` boolean, `u` any scalar, `q` quantity, `t` time,
 * `m` time with microseconds, `i` integer or string, `*` anything, `@T` the structure T, `!@T` the same merged as a whole, `[!]x` a list
 * of x that is replaced, `[]x` a set, `[k1,k2]x` a list keyed by k1 and k2, `{}x` a map of x, `{!}x` a map that is replaced; `=v` at the
 * end: what the field counts as when it is a key and absent.
 */
type Spec =
  | { readonly as: "scalar"; readonly letter: string; readonly merge: MergeType }
  | { readonly as: "struct"; readonly name: string; readonly fields: Map<string, Spec>; readonly merge: MergeType }
  | { readonly as: "list"; readonly element: Spec; readonly merge: MergeType }
  | { readonly as: "map"; readonly element: Spec; readonly merge: MergeType }
  | { readonly as: "any"; readonly merge: MergeType };

const lines = new Map(
  builtinTypeLines
    .trim()
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf(" ")), line] as const),
);
const structs = new Map<string, Spec>();
const keyDefaults = new Map<string, Record<string, string>>();

const scalarKinds: Readonly<Record<string, ScalarKind>> = { s: "string", n: "numeric", b: "boolean", t: "untyped", m: "untyped" };

function struct(name: string): Spec {
  const known = structs.get(name);
  if (known !== undefined) return known;
  const line = lines.get(name);
  if (line === undefined) throw new Error(`there is no built-in type ${name}`);
  const fields = new Map<string, Spec>();
  const mergeFields = new Map<string, MergeType>();
  const words = line.split(" ").slice(1);
  const merge: MergeType = { map: { atomic: words.includes("!:atomic"), fields: mergeFields } };
  const spec: Spec = { as: "struct", name, fields, merge };
  const defaults: Record<string, string> = {};
  // entered before its fields are read: types refer to themselves
  structs.set(name, spec);
  keyDefaults.set(name, defaults);
  for (const word of words) {
    const colon = word.indexOf(":");
    const field = word.slice(0, colon);
    if (field === "!") continue;
    const equals = word.indexOf("=");
    if (equals >= 0) defaults[field] = word.slice(equals + 1);
    const child = parseSpec(equals >= 0 ? word.slice(colon + 1, equals) : word.slice(colon + 1));
    fields.set(field, child);
    mergeFields.set(field, child.merge);
  }
  return spec;
}

function parseSpec(text: string): Spec {
  if (text.startsWith("@")) return struct(text.slice(1));
  if (text.startsWith("!@")) {
    const inner = struct(text.slice(2)) as Spec & { readonly as: "struct" };
    return { ...inner, merge: { map: { atomic: true, fields: inner.merge.map?.fields ?? new Map() } } };
  }
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    const keys = text.slice(1, end);
    const element = parseSpec(text.slice(end + 1));
    const defaults = element.as === "struct" ? (keyDefaults.get(element.name) ?? {}) : {};
    const list = {
      atomic: keys === "!",
      keys: keys === "!" || keys === "" ? [] : keys.split(","),
      keyDefaults: defaults,
      element: element.merge,
    };
    return { as: "list", element, merge: { list } };
  }
  if (text.startsWith("{")) {
    const end = text.indexOf("}");
    const element = parseSpec(text.slice(end + 1));
    return { as: "map", element, merge: { map: { atomic: text.slice(1, end) === "!", fields: new Map(), element: element.merge } } };
  }
  if (text === "*") return { as: "any", merge: untyped };
  return { as: "scalar", letter: text, merge: { scalar: scalarKinds[text] ?? "untyped" } };
}

/** The merge type of a built-in type, by its name in the generated table, as "core.v1.Pod". */
export function builtinMergeType(name: string): MergeType {
  return struct(name).merge;
}

/** The merge type of the metadata of all objects. */
export const metadataMergeType = (): MergeType => builtinMergeType("meta.v1.ObjectMeta");

/** The names of the fields of a built-in structure. */
export function builtinFields(name: string): ReadonlySet<string> {
  const spec = struct(name);
  return new Set(spec.as === "struct" ? spec.fields.keys() : []);
}

/** The structure at a field of a built-in structure, in a list or a map or by itself; undefined where there is none. */
export function builtinFieldType(name: string, field: string): string | undefined {
  if (!lines.has(name)) return undefined;
  const spec = struct(name);
  let found = spec.as === "struct" ? spec.fields.get(field) : undefined;
  while (found !== undefined && (found.as === "list" || found.as === "map")) found = found.element;
  return found?.as === "struct" ? found.name : undefined;
}

interface DecodeState {
  readonly unknown: string[];
  readonly kind: string;
  readonly version: string;
}

/** Reads a value as a built-in type, as typed decoding does: unknown fields are told and dropped, nulls and empty values vanish. Throws ApiFailure 400. */
export function decodeBuiltin(typeName: string, value: Fields, kind: string, version: string): Decoded {
  const state: DecodeState = { unknown: [], kind, version };
  const object = decodeStruct(struct(typeName) as Spec & { readonly as: "struct" }, value, "", state);
  return { object, unknownFields: state.unknown };
}

const metadataState = (unknown: string[]): DecodeState => ({ unknown, kind: "", version: "" });

/** Reads only metadata, for kinds that have a schema of their own for the rest. */
export function decodeMetadata(
  metadata: Fields,
  kind: string,
  version: string,
): { readonly metadata: Fields; readonly unknownFields: readonly string[] } {
  const state = { ...metadataState([]), kind, version };
  const read = decodeStruct(struct("meta.v1.ObjectMeta") as Spec & { readonly as: "struct" }, metadata, "metadata", state);
  return { metadata: read, unknownFields: state.unknown };
}

function decodeStruct(spec: Spec & { readonly as: "struct" }, value: Fields, path: string, state: DecodeState): Fields {
  let copy: Record<string, unknown> | undefined;
  for (const name in value) {
    const item = value[name];
    const field = spec.fields.get(name);
    const at = path === "" ? name : `${path}.${name}`;
    let read: unknown;
    if (field === undefined) {
      state.unknown.push(at);
      read = undefined;
    } else read = decodeField(field, item, at, spec.name, state);
    if (read === item) continue;
    copy ??= { ...value };
    if (read === undefined) delete copy[name];
    else copy[name] = read;
  }
  return copy ?? value;
}

/** Texts that are written even when empty, most of them since they are pointers in Go. */
const keptWhenEmpty = new Set([
  "coordination.v1.LeaseSpec holderIdentity",
  "core.v1.PersistentVolumeClaimSpec storageClassName",
  // no pointer, but written whatever it is
  "meta.v1.Condition message",
]);

/** A field of a structure; undefined when Go would not write it out again. */
function decodeField(spec: Spec, value: unknown, path: string, owner: string, state: DecodeState): unknown {
  if (value === undefined) return undefined;
  if (value === null) return owner === "core.v1.PodCondition" && spec.as === "scalar" && spec.letter === "t" ? null : undefined;
  if (value === "" && spec.as === "scalar" && spec.letter === "s")
    return keptWhenEmpty.has(`${owner} ${path.slice(path.lastIndexOf(".") + 1)}`) ? value : undefined;
  if (Array.isArray(value) && value.length === 0 && spec.as === "list") return undefined;
  if (spec.as === "map" && isFields(value) && isEmptySet(value as never)) return undefined;
  return decodeValue(spec, value, path, owner, state);
}

function decodeValue(spec: Spec, value: unknown, path: string, owner: string, state: DecodeState): unknown {
  switch (spec.as) {
    case "any":
      return value;
    case "struct":
      if (!isFields(value)) return mismatch(value, path, owner, spec.name, state);
      return decodeStruct(spec, value, path, state);
    case "list": {
      if (!Array.isArray(value))
        return mismatch(value, path, owner, `[]${spec.element.as === "struct" ? spec.element.name : "string"}`, state);
      let copy: unknown[] | undefined;
      value.forEach((item: unknown, at) => {
        const read = item === null ? {} : decodeValue(spec.element, item, `${path}[${at}]`, owner, state);
        if (read === item) return;
        copy ??= [...value];
        copy[at] = read;
      });
      return copy ?? value;
    }
    case "map": {
      if (!isFields(value)) return mismatch(value, path, owner, "map[string]string", state);
      let copy: Record<string, unknown> | undefined;
      for (const name in value) {
        const item = value[name];
        const read = item === null ? "" : decodeValue(spec.element, item, `${path}.${name}`, owner, state);
        if (read === item) continue;
        copy ??= { ...value };
        copy[name] = read;
      }
      return copy ?? value;
    }
    case "scalar":
      return decodeScalar(spec.letter, value, path, owner, state);
  }
}

const goTypes: Readonly<Record<string, string>> = { s: "string", n: "int32", b: "bool" };
const quantitySentence = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const microTimePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})(Z|[+-]\d\d:\d\d)$/;

function decodeScalar(letter: string, value: unknown, path: string, owner: string, state: DecodeState): unknown {
  switch (letter) {
    case "s":
      return typeof value === "string" ? value : mismatch(value, path, owner, "string", state);
    case "n":
      return typeof value === "number" ? value : mismatch(value, path, owner, "int32", state);
    case "b":
      return typeof value === "boolean" ? value : mismatch(value, path, owner, "bool", state);
    case "q": {
      if (typeof value !== "string" && typeof value !== "number") return unreadable(state, "unmarshalling quantity");
      const quantity = parseQuantity(String(value));
      return quantity === undefined ? unreadable(state, quantitySentence) : printQuantity(quantity);
    }
    case "t": {
      if (typeof value !== "string" || !timePattern.test(value) || Number.isNaN(Date.parse(value))) {
        return unreadable(
          state,
          `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(value)} as "2006"`,
        );
      }
      return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value) ? value : timestamp(Math.floor(Date.parse(value) / 1_000) * 1_000);
    }
    case "m":
      return typeof value === "string" ? microTime(value, state) : mismatch(value, path, owner, "string", state);
    case "i":
      return typeof value === "string" || typeof value === "number"
        ? value
        : unreadable(state, `json: cannot unmarshal ${jsonKind(value)} into Go value of type intstr.IntOrString`);
    default:
      return typeof value === "object" ? mismatch(value, path, owner, goTypes[letter] ?? "string", state) : value;
  }
}

/** MicroTime takes exactly six digits of a second. */
function microTime(value: string, state: DecodeState): string {
  if (microTimePattern.test(value)) return value;
  const rest = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(.*)$/.exec(value)?.[1] ?? value;
  return unreadable(
    state,
    `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05.000000Z07:00": cannot parse ${JSON.stringify(rest)} as ".000000"`,
  );
}

function unreadable(state: DecodeState, why: string): never {
  throw badRequest(`${state.kind} in version "${state.version}" cannot be handled as a ${state.kind}: ${why}`);
}

const jsonKind = (value: unknown): string =>
  Array.isArray(value) ? "array" : isFields(value) ? "object" : typeof value === "boolean" ? "bool" : typeof value;

function mismatch(value: unknown, path: string, owner: string, wanted: string, state: DecodeState): never {
  const structName = owner.slice(owner.lastIndexOf(".") + 1);
  const field = path.replaceAll(/\[\d+\]/g, "");
  const parts = wanted.replace("[]", "").split(".");
  const type = parts.length > 1 ? `${wanted.startsWith("[]") ? "[]" : ""}${parts.slice(-2).join(".")}` : wanted;
  return unreadable(state, `json: cannot unmarshal ${jsonKind(value)} into Go struct field ${structName}.${field} of type ${type}`);
}
