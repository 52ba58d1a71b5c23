import { isFields } from "../json.ts";
import type { Structural } from "./structural.ts";

const objectFields = new Set(["apiVersion", "kind", "metadata"]);

/**
 * The value as a CRD wants it stored: unknown fields dropped (their paths are added to `unknown`), nulls dropped where they are not
 * allowed, defaults filled in. What needs no change is shared with the given value. Lists keep their nulls: validation tells of them.
 */
export function shapeValue(schema: Structural, value: unknown, unknown: string[], path = "", root = false): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    let copy: unknown[] | undefined;
    value.forEach((item: unknown, at) => {
      const shaped = shapeValue(items, item, unknown, `${path}[${at}]`);
      if (shaped === item) return;
      copy ??= [...value];
      copy[at] = shaped;
    });
    return copy ?? value;
  }
  if (!isFields(value)) return value;
  let copy: Record<string, unknown> | undefined;
  for (const name in value) {
    const item = value[name];
    if ((root || schema.embedded) && objectFields.has(name)) continue;
    const child = schema.properties.get(name) ?? schema.additional;
    const at = path === "" ? name : `${path}.${name}`;
    let shaped: unknown;
    if (child === undefined) {
      if (schema.preserveUnknown) continue;
      unknown.push(at);
      shaped = undefined;
    } else if (item === null && !child.nullable && schema.properties.has(name)) shaped = undefined;
    else shaped = shapeValue(child, item, unknown, at);
    if (shaped === item) continue;
    copy ??= { ...value };
    if (shaped === undefined) delete copy[name];
    else copy[name] = shaped;
  }
  for (const [name, child] of schema.properties) {
    if (child.default === undefined || (copy ?? value)[name] !== undefined) continue;
    copy ??= { ...value };
    copy[name] = shapeValue(child, child.default, [], name);
  }
  return copy ?? value;
}

/** The fields of a default that its schema does not have: a CRD with such a default is refused. */
export function unknownInDefault(schema: Structural): readonly string[] {
  const unknown: string[] = [];
  if (schema.default !== undefined) shapeValue(schema, schema.default, unknown, "default");
  return unknown;
}
