import { isFields, sameJson } from "../json.ts";

/** Between JSON and what CEL computes with: whole numbers are integers there. */
export function toCel(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  if (isFields(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toCel(item)]));
  return value ?? null;
}

/** A value of CEL as JSON. Throws an Error for what JSON cannot say. */
export function fromCel(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number") return value;
  if (value instanceof Date) return value.toISOString().replace(/\.000Z$/, "Z");
  if (value instanceof PartialObject) return fromCel(value.fields);
  if (Array.isArray(value)) return value.map(fromCel);
  const entries = value instanceof Map ? [...value.entries()] : isFields(value) && isPlain(value) ? Object.entries(value) : undefined;
  if (entries === undefined) throw new Error("evaluated to a type that could not marshal to JSON");
  return Object.fromEntries(entries.filter(([, item]) => !isAbsent(item)).map(([key, item]) => [String(key), fromCel(present(item))]));
}

const isPlain = (value: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);

interface Optional {
  hasValue(): boolean;
  value(): unknown;
}

/** A field that was given with `?` is left out when there is no value for it. */
const isOptional = (value: unknown): value is Optional =>
  typeof value === "object" && value !== null && typeof (value as Partial<Optional>).hasValue === "function";
const isAbsent = (value: unknown): boolean => isOptional(value) && !value.hasValue();
const present = (value: unknown): unknown => (isOptional(value) ? value.value() : value);

/** Whether both have no value, or both the same. */
export function equalOptionals(left: Optional, right: Optional): boolean {
  if (!left.hasValue() || !right.hasValue()) return left.hasValue() === right.hasValue();
  return sameJson(fromCel(left.value()), fromCel(right.value()));
}

/** `JSONPatch{...}` */
export class JsonPatchOperation {
  readonly fields: unknown;

  constructor(fields: unknown) {
    this.fields = fields;
  }
}

/** `Object{...}` or a part of it, as `Object.spec{...}`; `path` is "spec". */
export class PartialObject {
  readonly path: string;
  readonly fields: unknown;

  constructor(path: string, fields: unknown) {
    this.path = path;
    this.fields = fields;
  }
}

/** Throws an Error where the name of a part is not that of the field it stands in: `Object.spec{selector: Object.spec.wrong{}}`. */
export function checkPartNames(value: unknown, path?: string): void {
  if (Array.isArray(value)) {
    for (const item of value) checkPartNames(item, path);
    return;
  }
  if (!(value instanceof PartialObject)) return;
  if (path !== undefined && value.path !== path)
    throw new Error(
      `type mismatch: unexpected type name ${JSON.stringify(`Object.${value.path}`)}, expected ${JSON.stringify(`Object.${path}`)}, which matches field name path from root Object type`,
    );
  const entries = value.fields instanceof Map ? [...value.fields.entries()] : Object.entries(value.fields as object);
  for (const [key, item] of entries) checkPartNames(present(item), value.path === "" ? String(key) : `${value.path}.${String(key)}`);
}
