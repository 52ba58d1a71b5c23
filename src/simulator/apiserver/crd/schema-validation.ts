import type { JsonSchema } from "../../../api/core.ts";
import { type Fields, isFields, sameJson } from "../json.ts";
import {
  duplicateValue,
  type FieldError,
  invalidValue,
  requiredValue,
  tooLong,
  tooMany,
  typeInvalid,
  unsupportedValue,
} from "../status.ts";
import { listElement } from "../apply/typed-value.ts";
import type { Structural } from "./structural.ts";

/**
 * Validation of a value by the keywords of its schema, in the words of kube-openapi. On an update, what did not change since the
 * stored object is forgiven (ratcheting): list elements correspond by their keys, elements of other lists do not correspond.
 */
export function schemaErrors(schema: Structural, value: unknown, old: unknown, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  checkValue(schema, value, old, path, errors);
  return errors;
}

const typeNames = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
};

function fitsType(schema: Structural, value: unknown): boolean {
  const name = typeNames(value);
  if (value === null) return schema.nullable;
  if (schema.intOrString) return name === "integer" || name === "string";
  if (schema.type === "" || schema.type === name) return true;
  return schema.type === "number" && name === "integer";
}

const inBody = (path: string): string => `${path} in body`;

function checkValue(schema: Structural, value: unknown, old: unknown, path: string, errors: FieldError[]): void {
  if (old !== undefined && sameJson(value, old)) return;
  if (!fitsType(schema, value)) {
    const wanted = schema.intOrString ? "integer,string" : schema.type;
    const found = typeNames(value);
    if (schema.type === "integer" && found === "number") {
      errors.push({
        field: "<nil>",
        reason: "FieldValueInvalid",
        detail: `Invalid value: "": Checked value must be of type integer (default format) in ${path}`,
      });
    }
    errors.push(typeInvalid(path, found, `${inBody(path)} must be of type ${wanted}: ${JSON.stringify(found)}`));
    return;
  }
  if (value === null) return;
  checkKeywords(schema.keywords, value, path, errors);
  if (Array.isArray(value)) checkList(schema, value, old, path, errors);
  else if (isFields(value)) checkObject(schema, value, isFields(old) ? old : undefined, path, errors);
}

function checkObject(schema: Structural, value: Fields, old: Fields | undefined, path: string, errors: FieldError[]): void {
  for (const name of schema.required) {
    if (value[name] === undefined) errors.push(requiredValue(path === "" ? name : `${path}.${name}`));
  }
  for (const name in value) {
    const child = schema.properties.get(name) ?? schema.additional;
    if (child !== undefined) checkValue(child, value[name], old?.[name], path === "" ? name : `${path}.${name}`, errors);
  }
}

function checkList(schema: Structural, value: readonly unknown[], old: unknown, path: string, errors: FieldError[]): void {
  const { items } = schema;
  if (items === undefined) return;
  const before = correlatedItems(schema, old);
  value.forEach((item, at) => {
    checkValue(items, item, before(item), `${path}[${at}]`, errors);
  });
}

/** How an element of a list corresponds to one of the old list. */
export function correlatedItems(schema: Structural, old: unknown): (item: unknown) => unknown {
  if (schema.listType !== "map" || !Array.isArray(old)) return () => undefined;
  const byKey = new Map<string, unknown>();
  for (const item of old) byKey.set(keyOfItem(schema, item), item);
  return (item) => byKey.get(keyOfItem(schema, item));
}

function keyOfItem(schema: Structural, item: unknown): string {
  try {
    return listElement({ atomic: false, keys: schema.listKeys, keyDefaults: {}, element: {} }, item);
  } catch {
    return "";
  }
}

/** The keywords that judge a value by itself. */
function checkKeywords(schema: JsonSchema, value: unknown, path: string, errors: FieldError[]): void {
  if (schema.enum !== undefined && !schema.enum.some((allowed) => sameJson(allowed, value))) {
    errors.push(
      unsupportedValue(
        path,
        value,
        schema.enum.map((allowed) => (typeof allowed === "string" ? allowed : JSON.stringify(allowed))),
      ),
    );
  }
  if (typeof value === "string") checkString(schema, value, path, errors);
  else if (typeof value === "number") checkNumber(schema, value, path, errors);
  else if (Array.isArray(value)) checkCount(schema, value.length, "Items", path, errors);
  else if (isFields(value)) checkCount(schema, Object.keys(value).length, "Properties", path, errors);
  checkCombinations(schema, value, path, errors);
}

const number = (schema: JsonSchema, keyword: string): number | undefined => {
  const found = schema[keyword];
  return typeof found === "number" ? found : undefined;
};

/** Length as Go counts it: code points. */
const lengthOf = (text: string): number => {
  let length = 0;
  for (const _ of text) length++;
  return length;
};

function checkString(schema: JsonSchema, value: string, path: string, errors: FieldError[]): void {
  const maximum = number(schema, "maxLength");
  const minimum = number(schema, "minLength");
  if (maximum !== undefined && lengthOf(value) > maximum) errors.push(tooLong(path, maximum));
  if (minimum !== undefined && lengthOf(value) < minimum)
    errors.push(invalidValue(path, value, `${inBody(path)} should be at least ${minimum} chars long`));
  const { pattern, format } = schema;
  if (typeof pattern === "string" && !new RegExp(pattern, "u").test(value))
    errors.push(invalidValue(path, value, `${inBody(path)} should match '${pattern}'`));
  if (typeof format === "string" && formats[format]?.(value) === false) {
    errors.push(typeInvalid(path, value, `${inBody(path)} must be of type ${format}: ${JSON.stringify(value)}`));
  }
}

const dateTime = /^\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

const formats: Readonly<Record<string, (value: string) => boolean>> = {
  "date-time": (value) => dateTime.test(value) && !Number.isNaN(Date.parse(value.toUpperCase())),
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)),
  duration: (value) => /^([-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w))+$/.test(value),
  byte: (value) => /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value),
  uuid: (value) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value),
  ipv4: (value) => /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(value),
};

function checkNumber(schema: JsonSchema, value: number, path: string, errors: FieldError[]): void {
  const maximum = number(schema, "maximum");
  const minimum = number(schema, "minimum");
  const step = number(schema, "multipleOf");
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    errors.push(
      invalidValue(path, value, `${inBody(path)} should be less than ${schema.exclusiveMaximum === true ? "" : "or equal to "}${maximum}`),
    );
  }
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    errors.push(
      invalidValue(
        path,
        value,
        `${inBody(path)} should be greater than ${schema.exclusiveMinimum === true ? "" : "or equal to "}${minimum}`,
      ),
    );
  }
  if (step !== undefined && value % step !== 0) errors.push(invalidValue(path, value, `${inBody(path)} should be a multiple of ${step}`));
}

function checkCount(schema: JsonSchema, count: number, what: "Items" | "Properties", path: string, errors: FieldError[]): void {
  const maximum = number(schema, `max${what}`);
  const minimum = number(schema, `min${what}`);
  if (maximum !== undefined && count > maximum) errors.push(tooMany(path, count, maximum));
  if (minimum !== undefined && count < minimum)
    errors.push(invalidValue(path, count, `${inBody(path)} should have at least ${minimum} ${what.toLowerCase()}`));
}

const list = (value: unknown): readonly JsonSchema[] => (Array.isArray(value) ? (value as readonly JsonSchema[]) : []);

/** allOf, anyOf, oneOf, not: value validations only, as structural schemas have them. */
function checkCombinations(schema: JsonSchema, value: unknown, path: string, errors: FieldError[]): void {
  const all = list(schema.allOf);
  const any = list(schema.anyOf);
  const one = list(schema.oneOf);
  for (const part of all) errors.push(...partErrors(part, value, path));
  if (any.length > 0 && any.every((part) => partErrors(part, value, path).length > 0)) {
    errors.push(invalidValue(path, value, `${inBody(path)} must validate at least one schema (anyOf)`));
  }
  if (one.length > 0) {
    const fitting = one.filter((part) => partErrors(part, value, path).length === 0).length;
    if (fitting !== 1)
      errors.push(
        invalidValue(
          path,
          value,
          `${inBody(path)} must validate one and only one schema (oneOf). ${fitting === 0 ? "Found none valid" : `Found ${fitting} valid alternatives`}`,
        ),
      );
  }
  if (isFields(schema.not) && partErrors(schema.not as JsonSchema, value, path).length === 0) {
    errors.push(invalidValue(path, value, `${inBody(path)} must not validate the schema (not)`));
  }
}

function partErrors(part: JsonSchema, value: unknown, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (typeof part.type === "string" && typeNames(value) !== part.type && !(part.type === "number" && typeof value === "number")) {
    return [typeInvalid(path, typeNames(value), `${inBody(path)} must be of type ${part.type}: "${typeNames(value)}"`)];
  }
  checkKeywords(part, value, path, errors);
  if (isFields(value)) {
    for (const name of part.required ?? [])
      if (value[name] === undefined) errors.push(requiredValue(path === "" ? name : `${path}.${name}`));
    for (const [name, child] of Object.entries(part.properties ?? {})) {
      if (value[name] !== undefined) errors.push(...partErrors(child, value[name], path === "" ? name : `${path}.${name}`));
    }
  }
  if (Array.isArray(value) && part.items !== undefined) {
    const { items } = part;
    value.forEach((item, at) => {
      errors.push(...partErrors(items, item, `${path}[${at}]`));
    });
  }
  return errors;
}

/** Elements that a keyed list or a set holds twice. */
export function listErrors(schema: Structural, value: unknown, path = ""): readonly FieldError[] {
  const errors: FieldError[] = [];
  const walk = (current: Structural, item: unknown, at: string): void => {
    if (Array.isArray(item)) {
      const { items } = current;
      if (current.listType !== "atomic") duplicates(current, item, at, errors);
      if (items !== undefined) for (const [index, one] of item.entries()) walk(items, one, `${at}[${index}]`);
    } else if (isFields(item)) {
      for (const name in item) {
        const child = current.properties.get(name) ?? current.additional;
        if (child !== undefined) walk(child, item[name], at === "" ? name : `${at}.${name}`);
      }
    }
  };
  walk(schema, value, path);
  return errors;
}

function duplicates(schema: Structural, items: readonly unknown[], path: string, errors: FieldError[]): void {
  const seen = new Set<string>();
  const reported = new Set<string>();
  items.forEach((item, at) => {
    let shown: unknown = item;
    if (schema.listType === "map") {
      if (!isFields(item)) return;
      shown = Object.fromEntries([...schema.listKeys].sort().flatMap((key) => (item[key] === undefined ? [] : [[key, item[key]]])));
    }
    const key = JSON.stringify(shown);
    if (seen.has(key) && !reported.has(key)) {
      errors.push(duplicateValue(`${path}[${at}]`, shown));
      reported.add(key);
    }
    seen.add(key);
  });
}
