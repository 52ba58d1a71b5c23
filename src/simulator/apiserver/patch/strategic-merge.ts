import { type Fields, isFields, sameJson } from "../json.ts";
import { badRequest, unknownError } from "../status.ts";
import { patchKeyLines } from "./patch-keys.gen.ts";

/**
 * Strategic merge patches of built-in kinds (apimachinery's strategicpatch): lists merge by the key that the Go type names, directives
 * begin with "$". `apply`, `edit`, `set`, `cordon` and `rollout restart` send them.
 */

/** Which type stands at a field of a type; undefined where nothing is known. */
export type FieldTypes = (type: string, field: string) => string | undefined;

interface PatchMeta {
  readonly strategies: readonly string[];
  readonly key: string;
}

const metas = new Map(
  patchKeyLines
    .trim()
    .split("\n")
    .map((line) => {
      const [type = "", field = "", strategies = "", key = ""] = line.split(" ");
      return [`${type} ${field}`, { strategies: strategies.split(","), key }] as const;
    }),
);
const noMeta: PatchMeta = { strategies: [], key: "" };
const orderPrefix = "$setElementOrder/";
const removalPrefix = "$deleteFromPrimitiveList/";

/** The object after the patch; neither is changed. `type` is its name in the table of built-in types. Throws ApiFailure for a patch that does not fit. */
export function applyStrategicMerge(types: FieldTypes, type: string, object: unknown, patch: Fields): unknown {
  return new Merge(types).mapOf(type, isFields(object) ? object : {}, patch);
}

class Merge {
  readonly #types: FieldTypes;

  constructor(types: FieldTypes) {
    this.#types = types;
  }

  mapOf(type: string | undefined, original: Fields, patch: Fields): Fields {
    if (patch.$patch !== undefined) return directed(patch);
    const result: Record<string, unknown> = { ...original };
    const rest: Record<string, unknown> = { ...patch };
    retain(result, rest);
    this.#order(type, result, rest);
    for (const [key, value] of Object.entries(rest)) {
      if (key.startsWith(removalPrefix)) {
        removeFrom(result, key.slice(removalPrefix.length), value);
        continue;
      }
      const merged = value === null ? undefined : this.#valueOf(type, key, result[key], value);
      if (merged === undefined) delete result[key];
      else result[key] = merged;
    }
    return result;
  }

  #valueOf(type: string | undefined, key: string, original: unknown, value: unknown): unknown {
    const meta = metas.get(`${type} ${key}`) ?? noMeta;
    const below = type === undefined ? undefined : this.#types(type, key);
    if (isFields(original) && isFields(value)) return meta.strategies.includes("replace") ? value : this.mapOf(below, original, value);
    if (Array.isArray(original) && Array.isArray(value))
      return meta.strategies.includes("merge") ? this.#listOf(below, meta.key, original, value) : value;
    return withoutDirectives(withoutNulls(value));
  }

  #listOf(type: string | undefined, key: string, original: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
    if (original.length === 0 && patch.length === 0) return original;
    if (key === "") {
      const merged = [...new Set([...original, ...patch])];
      return inOrder(merged, patch, original, key);
    }
    const { kept, rest } = withoutDeleted(original, patch, key);
    const merged = [...kept];
    for (const item of rest) {
      const at = merged.findIndex((one) => isFields(one) && one[key] === keyOf(item, key));
      if (at < 0) merged.push(item);
      else merged[at] = this.mapOf(type, merged[at] as Fields, item);
    }
    return inOrder(merged, rest, kept, key);
  }

  /** Lists whose order the patch gives: they are merged here, and are no more in the rest of the patch. */
  #order(type: string | undefined, result: Record<string, unknown>, rest: Record<string, unknown>): void {
    for (const directive of Object.keys(rest)) {
      if (!directive.startsWith(orderPrefix)) continue;
      const order = rest[directive];
      delete rest[directive];
      const field = directive.slice(orderPrefix.length);
      const original = result[field];
      const patch = rest[field];
      if (!Array.isArray(order)) throw unknownError(`expected a []interface {}, but received a ${typeof order}`);
      if (original === undefined && patch === undefined) continue;
      const meta = metas.get(`${type} ${field}`) ?? noMeta;
      checkOrder(Array.isArray(patch) ? patch : [], order, meta.key);
      const merged = patch === undefined ? original : this.#valueOf(type, field, original, patch);
      if (!Array.isArray(merged)) throw unknownError(`expected a []interface {}, but received a ${typeof merged}`);
      result[field] = inOrder(merged, order, Array.isArray(original) ? original : [], meta.key);
      delete rest[field];
    }
  }
}

function directed(patch: Fields): Fields {
  const { $patch: directive, ...rest } = patch;
  if (directive === "replace") return rest;
  if (directive === "delete") return {};
  throw unknownError(`unknown patch type: ${String(directive)} in map: ${printMap(patch)}`);
}

/** `$retainKeys`: whatever is not named goes, so that a volume or a strategy has one source. */
function retain(result: Record<string, unknown>, rest: Record<string, unknown>): void {
  const kept = rest.$retainKeys;
  if (kept === undefined) return;
  delete rest.$retainKeys;
  if (!Array.isArray(kept)) throw badRequest("invalid patch format of retainKeys");
  for (const [key, value] of Object.entries(rest)) {
    if (value === null || key.startsWith(removalPrefix) || key.startsWith(orderPrefix)) continue;
    if (!kept.includes(key)) throw badRequest("invalid patch format of retainKeys");
  }
  for (const key of Object.keys(result)) if (!kept.includes(key)) delete result[key];
}

function removeFrom(result: Record<string, unknown>, field: string, values: unknown): void {
  const held = result[field];
  if (!Array.isArray(held) || !Array.isArray(values)) return;
  result[field] = held.filter((item: unknown) => !values.includes(item));
}

/** `$patch: delete` in elements, and `$patch: replace` as an element of its own. */
function withoutDeleted(
  original: readonly unknown[],
  patch: readonly unknown[],
  key: string,
): { readonly kept: readonly unknown[]; readonly rest: readonly Fields[] } {
  let kept = original;
  let replaces = false;
  const rest: Fields[] = [];
  for (const item of patch) {
    if (!isFields(item)) throw unknownError(`expected a map[string]interface {}, but received a ${typeof item}`);
    if (item.$patch === undefined) rest.push(item);
    else if (item.$patch === "replace") replaces = true;
    else if (item.$patch === "delete") {
      const gone = keyOf(item, key);
      kept = kept.filter((one) => !(isFields(one) && one[key] === gone));
    } else throw unknownError(`unknown patch type: ${String(item.$patch)} in map: ${printMap(item)}`);
  }
  for (const item of rest) keyOf(item, key);
  return replaces ? { kept: [], rest } : { kept, rest };
}

function keyOf(item: unknown, key: string): unknown {
  if (isFields(item) && item[key] !== undefined) return item[key];
  throw unknownError(`map: ${isFields(item) ? printMap(item) : String(item)} does not contain declared merge key: ${key}`);
}

const positionIn = (list: readonly unknown[], item: unknown, key: string): number =>
  list.findIndex((one) => (key === "" ? one === item : isFields(one) && isFields(item) && one[key] === item[key]));

/**
 * Elements that the order names stand as it says, others as they stood. Between the two, an element that stood before another stays
 * before it, and what is new comes first.
 */
function inOrder(merged: readonly unknown[], order: readonly unknown[], original: readonly unknown[], key: string): readonly unknown[] {
  const sorted = (items: readonly unknown[], by: readonly unknown[]): unknown[] =>
    items.toSorted((left, right) => positionIn(by, left, key) - positionIn(by, right, key));
  const named = sorted(
    merged.filter((item) => positionIn(order, item, key) >= 0),
    order,
  );
  const others = sorted(
    merged.filter((item) => positionIn(order, item, key) < 0),
    original,
  );
  const result: unknown[] = [];
  while (named.length > 0 && others.length > 0) {
    const left = positionIn(original, others[0], key);
    const right = positionIn(original, named[0], key);
    result.push(left >= 0 && right >= 0 && left < right ? others.shift() : named.shift());
  }
  return [...result, ...named, ...others];
}

/** The elements of a patch must stand in its order as they stand in the patch. */
function checkOrder(patch: readonly unknown[], order: readonly unknown[], key: string): void {
  if (order.length === 0) return;
  let from = 0;
  for (const item of patch) {
    if (isFields(item) && item.$patch !== undefined) continue;
    const at = order.slice(from).findIndex((one) => (key === "" ? sameJson(one, item) : keyOf(one, key) === keyOf(item, key)));
    if (at < 0)
      throw unknownError(`The order in patch list:\n${printList(patch)}\n doesn't match $setElementOrder list:\n${printList(order)}\n`);
    from += at + 1;
  }
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  );
}

/** What is new has nothing that directives could change: they go, and what they stand in with them. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isFields(value)) return value;
  if (value.$patch !== undefined) return undefined;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, withoutDirectives(item)] as const)
      .filter(([, item]) => item !== undefined),
  );
}

/** As Go prints maps and lists. */
function printMap(fields: Fields): string {
  const entries = Object.entries(fields).sort(([left], [right]) => (left < right ? -1 : 1));
  return `map[${entries.map(([key, value]) => `${key}:${print(value)}`).join(" ")}]`;
}
const printList = (list: readonly unknown[]): string => `[${list.map(print).join(" ")}]`;
const print = (value: unknown): string => (Array.isArray(value) ? printList(value) : isFields(value) ? printMap(value) : String(value));
