import type { KubeObject, ObjectMeta } from "../../api/meta.ts";

/** A JSON object that nobody changes. */
export interface Fields {
  readonly [field: string]: unknown;
}

/** An object of the API as the server holds it: shared with every reader and watcher, hence never changed. */
export interface StoredObject extends KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** Whether a value is a JSON object (not a list, not null). */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as JSON.parse(JSON.stringify(value)) would give it, without the text in between. */
export function cloneJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : cloneJson(item)));
  if (typeof value !== "object" || value === null) return typeof value === "number" && !Number.isFinite(value) ? null : value;
  if (value instanceof Date) return value.toJSON();
  const copy: Record<string, unknown> = {};
  for (const key in value) {
    const item = (value as Fields)[key];
    if (item !== undefined && typeof item !== "function") copy[key] = cloneJson(item);
  }
  return copy;
}

/** Deep equality of JSON values; shared parts cost nothing. */
export function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    for (let at = 0; at < left.length; at++) if (!sameJson(left[at], right[at])) return false;
    return true;
  }
  if (Array.isArray(right)) return false;
  let count = 0;
  for (const key in left) {
    const item = (left as Fields)[key];
    if (item === undefined) continue;
    count++;
    if (!sameJson(item, (right as Fields)[key])) return false;
  }
  for (const key in right) if ((right as Fields)[key] !== undefined) count--;
  return count === 0;
}

/** A copy of `object` with one field set, or taken away when the value is undefined. */
export function withField<T extends object>(object: T, field: string, value: unknown): T {
  if ((object as Fields)[field] === value) return object;
  const copy: Record<string, unknown> = { ...(object as Fields) };
  if (value === undefined) delete copy[field];
  else copy[field] = value;
  return copy as T;
}

/** A copy of `object` with changed metadata; fields that are undefined in `changes` are taken away. */
export function withMetadata<T extends { readonly metadata: ObjectMeta }>(
  object: T,
  changes: { readonly [K in keyof ObjectMeta]?: ObjectMeta[K] | undefined },
): T {
  const metadata: Record<string, unknown> = { ...object.metadata };
  for (const key in changes) {
    const value = (changes as Fields)[key];
    if (value === undefined) delete metadata[key];
    else metadata[key] = value;
  }
  return { ...object, metadata: metadata as unknown as ObjectMeta };
}

/** The value at a path of field names, or undefined. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (!isFields(current)) return undefined;
    current = current[name];
  }
  return current;
}

/** A copy of `value` in which the field at `path` is `leaf` (taken away when undefined); missing parents are made. */
export function withValueAt(value: unknown, path: readonly string[], leaf: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return leaf;
  const fields = isFields(value) ? value : {};
  return withField(fields, name, withValueAt(fields[name], rest, leaf));
}

/** Wall time in milliseconds as Kubernetes writes instants in metadata: RFC 3339, whole seconds, UTC. */
export function timestamp(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** Wall time in milliseconds as a MicroTime. */
export function microTimestamp(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 23)}000Z`;
}
