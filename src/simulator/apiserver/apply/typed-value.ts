import { type Fields, isFields, sameJson } from "../json.ts";
import {
  childrenOf,
  emptySet,
  type FieldSet,
  FieldSetBuilder,
  fieldElement,
  isEmptySet,
  isMember,
  keyElement,
  valueElement,
} from "./field-set.ts";
import { type MergeList, type MergeMap, type MergeType, type ScalarKind, untyped } from "./merge-type.ts";

/**
 * The four walks over values with a merge type, after structured-merge-diff v6 (typed/compare.go, merge.go, tofieldset.go, remove.go):
 * what changed between two objects, what a configuration lays over an object, which paths an object holds, and an object without some
 * of its paths. Absent is `undefined`, null is a value.
 */

/** A value that does not fit its type, where the walk needs it to (a list element without its key). */
export class TypedValueError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TypedValueError";
  }
}

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Shape =
  | { readonly as: "map"; readonly type: MergeMap }
  | { readonly as: "list"; readonly type: MergeList }
  | { readonly as: "scalar" };

/** What a value is, of the things that its type may be; a null takes whatever the type offers first. */
function shapeOf(type: MergeType, value: unknown): Shape {
  if (Array.isArray(value) && type.list !== undefined) return { as: "list", type: type.list };
  if (isFields(value) && type.map !== undefined) return { as: "map", type: type.map };
  if (value !== null && typeof value !== "object" && type.scalar) return { as: "scalar" };
  if (type.map !== undefined) return { as: "map", type: type.map };
  if (type.scalar || type.list === undefined) return { as: "scalar" };
  return { as: "list", type: type.list };
}

const fieldType = (map: MergeMap, name: string): MergeType => map.fields.get(name) ?? map.element ?? untyped;

/** The path element of a list element. Throws TypedValueError when it has none. */
export function listElement(list: MergeList, item: unknown): string {
  if (list.keys.length === 0) {
    if (typeof item === "object") throw new TypedValueError("associative list without keys has an element that's not a scalar");
    return valueElement(item);
  }
  if (!isFields(item)) throw new TypedValueError("associative list with keys may not have non-map elements");
  const keys: Record<string, unknown> = {};
  let found = false;
  for (const name of list.keys) {
    const value = item[name] ?? list.keyDefaults[name];
    if (value === undefined) continue;
    keys[name] = value;
    found = true;
  }
  if (!found) {
    const names = list.keys.map((name) => JSON.stringify(name)).join(" ");
    throw new TypedValueError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(keys);
}

/** What differs between two versions of a value; equal parts that are shared are not walked. */
export function compareValues(type: MergeType, before: unknown, after: unknown): Comparison {
  const added = new FieldSetBuilder();
  const modified = new FieldSetBuilder();
  const removed = new FieldSetBuilder();
  const path: string[] = [];

  const leaf = (left: unknown, right: unknown): void => {
    if (left === undefined) added.add(path);
    else if (right === undefined) removed.add(path);
    else if (!sameJson(left, right)) modified.add(path);
  };

  const descend = (element: string, child: MergeType, left: unknown, right: unknown): void => {
    path.push(element);
    walk(child, left, right);
    path.pop();
  };

  const walkShape = (shape: Shape, left: unknown, right: unknown): boolean => {
    if (shape.as === "scalar") {
      leaf(left, right);
      return true;
    }
    if (shape.as === "map") {
      const lhs = isFields(left) ? left : undefined;
      const rhs = isFields(right) ? right : undefined;
      if (shape.type.atomic || ((lhs === undefined || isEmptySet(lhs as FieldSet)) && (rhs === undefined || isEmptySet(rhs as FieldSet)))) {
        leaf(left, right);
        return true;
      }
      for (const name in lhs) {
        const value = lhs[name];
        if (value === undefined || value === rhs?.[name]) continue;
        descend(fieldElement(name), fieldType(shape.type, name), value, rhs?.[name]);
      }
      for (const name in rhs) {
        if (rhs[name] === undefined || lhs?.[name] !== undefined) continue;
        descend(fieldElement(name), fieldType(shape.type, name), undefined, rhs[name]);
      }
      return false;
    }
    const lhs = Array.isArray(left) ? (left as readonly unknown[]) : [];
    const rhs = Array.isArray(right) ? (right as readonly unknown[]) : [];
    if (shape.type.atomic || (lhs.length === 0 && rhs.length === 0)) {
      leaf(left, right);
      return true;
    }
    walkList(shape.type, lhs, rhs);
    return false;
  };

  const walkList = (list: MergeList, lhs: readonly unknown[], rhs: readonly unknown[]): void => {
    const lefts = groupByElement(list, lhs);
    const rights = groupByElement(list, rhs);
    for (const element of new Set([...lefts.keys(), ...rights.keys()])) {
      const left = lefts.get(element) ?? [];
      const right = rights.get(element) ?? [];
      if (left.length <= 1 && right.length <= 1) {
        if (left[0] !== right[0]) descend(element, list.element, left[0], right[0]);
        continue;
      }
      // duplicates count as one atomic element
      path.push(element);
      if (left.length > 1 && right.length > 1) {
        if (!sameJson(left, right)) modified.add(path);
      } else if (left.length > 1) {
        if (right.length > 0) walk(list.element, undefined, right[0]);
        removed.add(path);
      } else {
        if (left.length > 0) walk(list.element, left[0], undefined);
        added.add(path);
      }
      path.pop();
    }
  };

  const walk = (current: MergeType, left: unknown, right: unknown): void => {
    const leftShape = shapeOf(current, left);
    const rightShape = shapeOf(current, right);
    let inLeaf: boolean;
    if (right === undefined) inLeaf = walkShape(leftShape, left, right);
    else if (left === undefined || left === null || right === null || leftShape.as === rightShape.as) {
      inLeaf = walkShape(left === null || left === undefined ? rightShape : right === null ? leftShape : rightShape, left, right);
    } else {
      walkShape(leftShape, left, undefined);
      inLeaf = walkShape(rightShape, undefined, right);
      if (!inLeaf) modified.add(path);
      return;
    }
    if (inLeaf) return;
    if (left === undefined) added.add(path);
    else if (right === undefined) removed.add(path);
  };

  walk(type, before, after);
  return { added: added.build(), modified: modified.build(), removed: removed.build() };
}

function groupByElement(list: MergeList, items: readonly unknown[]): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const item of items) {
    let element: string;
    try {
      element = listElement(list, item);
    } catch {
      continue;
    }
    const group = groups.get(element);
    if (group === undefined) groups.set(element, [item]);
    else group.push(item);
  }
  return groups;
}

/**
 * The configuration laid over the live value: maps field by field, keyed lists element by element (live elements keep their place, the
 * order of shared ones is the configuration's, new ones follow), all else replaced.
 * Throws TypedValueError when the configuration has an element twice or without its keys.
 */
export function mergeValues(type: MergeType, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  const shape = shapeOf(type, config);
  if (shape.as === "map" && !shape.type.atomic && isFields(config)) {
    const lhs = isFields(live) ? live : undefined;
    if (isEmptySet(config as FieldSet) && (lhs === undefined || isEmptySet(lhs as FieldSet))) return config;
    const result: Record<string, unknown> = { ...lhs };
    for (const name in config) result[name] = mergeValues(fieldType(shape.type, name), lhs?.[name], config[name]);
    return result;
  }
  if (shape.as === "list" && !shape.type.atomic && Array.isArray(config)) {
    const lhs = Array.isArray(live) ? (live as readonly unknown[]) : [];
    if (config.length === 0 && lhs.length === 0) return config;
    return mergeLists(shape.type, lhs, config);
  }
  return config;
}

function mergeLists(list: MergeList, live: readonly unknown[], config: readonly unknown[]): readonly unknown[] {
  const wanted = new Map<string, unknown>();
  for (const item of config) {
    const element = listElement(list, item);
    if (wanted.has(element)) throw new TypedValueError(`duplicate entries for key ${printKey(element)}`);
    wanted.set(element, item);
  }
  const present = new Map<string, unknown>();
  for (const item of live) {
    const element = listElement(list, item);
    present.set(element, present.has(element) ? null : item);
  }
  const liveElements = live.map((item) => listElement(list, item));
  const configElements = [...wanted.keys()];
  const shared = configElements.filter((element) => present.has(element));
  const result: unknown[] = [];
  const merged = new Set<string>();
  const take = (element: string): void => {
    merged.add(element);
    result.push(mergeValues(list.element, present.get(element) ?? undefined, wanted.get(element)));
  };
  let nextShared = shared.shift();
  let l = 0;
  let r = 0;
  while (l < liveElements.length || r < configElements.length) {
    const left = liveElements[l];
    const right = configElements[r];
    if (left !== undefined && right !== undefined) {
      if (left === right) {
        take(left);
        l++;
        r++;
        nextShared = shared.shift();
        continue;
      }
      if (wanted.has(left) && nextShared !== undefined && nextShared !== left) {
        l++;
        continue;
      }
    }
    if (left !== undefined) {
      if (!wanted.has(left)) {
        result.push(live[l]);
        l++;
        continue;
      }
      if (merged.has(left)) l++;
    }
    if (right !== undefined) {
      take(right);
      r++;
      if (nextShared === right) nextShared = shared.shift();
    }
  }
  return result;
}

const printKey = (element: string): string =>
  element.startsWith("k:")
    ? `[${Object.entries(JSON.parse(element.slice(2)) as Fields)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(",")}]`
    : `[=${element.slice(2)}]`;

/** All paths that the value holds. */
export function fieldSetOf(type: MergeType, value: unknown): FieldSet {
  const set = new FieldSetBuilder();
  const path: string[] = [];
  const walk = (current: MergeType, item: unknown): void => {
    const shape = shapeOf(current, item);
    if (shape.as === "scalar" || shape.type.atomic) {
      set.add(path);
      return;
    }
    if (shape.as === "map") {
      if (!isFields(item)) return;
      for (const name in item) {
        const child = item[name];
        if (child === undefined) continue;
        path.push(fieldElement(name));
        walk(fieldType(shape.type, name), child);
        if (child === null || (isFields(child) && isEmptySet(child as FieldSet)) || !shape.type.fields.has(name)) set.add(path);
        path.pop();
      }
      return;
    }
    if (!Array.isArray(item)) return;
    for (const [element, items] of groupByElement(shape.type, item)) {
      path.push(element);
      if (items.length === 1) walk(shape.type.element, items[0]);
      set.add(path);
      path.pop();
    }
  };
  walk(type, value);
  return set.build();
}

/** The value without what is in the set; what becomes empty by that goes too. */
export function withoutFields(type: MergeType, value: unknown, set: FieldSet): unknown {
  const shape = shapeOf(type, value);
  if (shape.as === "scalar") return value;
  if (shape.type.atomic) return undefined;
  if (shape.as === "map") {
    if (!isFields(value) || isEmptySet(value as FieldSet)) return undefined;
    const result: Record<string, unknown> = {};
    for (const name in value) {
      const node = set[fieldElement(name)];
      if (node !== undefined && isMember(node)) continue;
      result[name] = node === undefined ? value[name] : (withoutFields(fieldType(shape.type, name), value[name], node) ?? null);
    }
    return isEmptySet(result as FieldSet) ? undefined : result;
  }
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const result: unknown[] = [];
  for (const item of value) {
    const node = set[listElement(shape.type, item)];
    if (node !== undefined && isMember(node)) continue;
    result.push(node === undefined ? item : (withoutFields(shape.type.element, item, node) ?? null));
  }
  return result.length === 0 ? undefined : result;
}

/** The set with every named field (of a structure, not of a free map) on the way to a member made a member too. */
export function withNamedFields(type: MergeType | undefined, set: FieldSet): FieldSet {
  const result: Record<string, FieldSet> = {};
  for (const [element, node] of childrenOf(set)) {
    let child: MergeType | undefined;
    let named = false;
    if (element.startsWith("f:")) {
      const name = element.slice(2);
      child = type?.map?.fields.get(name);
      named = child !== undefined;
      child ??= type?.map?.element;
    } else if (element.startsWith("k:")) child = type?.list?.element;
    const below: Record<string, FieldSet> = { ...withNamedFields(child, node) };
    const member = isMember(node) || named;
    if (isEmptySet(below)) {
      if (member) result[element] = emptySet;
    } else result[element] = member ? { ".": emptySet, ...below } : below;
  }
  return result;
}

/**
 * What keeps a configuration from being applied: fields that the type does not name, values of another kind, list elements twice or
 * without their keys. Each as "<path>: <what>".
 */
export function typeErrors(type: MergeType, value: unknown): readonly string[] {
  const errors: string[] = [];
  const walk = (current: MergeType, item: unknown, path: string): void => {
    if (item === null || item === undefined) return;
    const shape = shapeOf(current, item);
    if (shape.as === "scalar") {
      if (!fitsScalar(current.scalar ?? "untyped", item)) errors.push(`${path}: expected ${current.scalar}, got ${printGo(item)}`);
      return;
    }
    if (shape.as === "map") {
      if (!isFields(item)) {
        errors.push(`${path}: expected map, got ${printGo(item)}`);
        return;
      }
      for (const name in item) {
        const child = shape.type.fields.get(name) ?? shape.type.element;
        if (child === undefined) errors.push(`${path}.${name}: field not declared in schema`);
        else walk(child, item[name], `${path}.${name}`);
      }
      return;
    }
    if (!Array.isArray(item)) {
      errors.push(`${path}: expected list, got ${printGo(item)}`);
      return;
    }
    const seen = new Set<string>();
    item.forEach((child: unknown, at) => {
      if (shape.type.atomic) {
        walk(shape.type.element, child, `${path}[${at}]`);
        return;
      }
      let element: string;
      try {
        element = listElement(shape.type, child);
      } catch (error) {
        errors.push(`${path}: element ${at}: ${(error as Error).message}`);
        return;
      }
      if (seen.has(element)) errors.push(`${path}: duplicate entries for key ${printKey(element)}`);
      seen.add(element);
      walk(shape.type.element, child, path + printKey(element));
    });
  };
  walk(type, value, "");
  return errors;
}

function fitsScalar(kind: ScalarKind, value: unknown): boolean {
  if (kind === "untyped") return typeof value !== "object";
  return typeof value === (kind === "numeric" ? "number" : kind);
}

const printGo = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : `&{${String(value)}}`);
