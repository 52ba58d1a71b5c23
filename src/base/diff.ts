import { canonicalJson } from "./hash.ts";

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject => value !== null && typeof value === "object" && !Array.isArray(value);

/**
 * The JSON merge patch (RFC 7386) that turns `from` into `to`; undefined when they are equal. Lists are taken whole, and null stands for
 * a field that goes.
 */
export function mergePatch(from: JsonObject, to: JsonObject): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const before = from[key];
    const after = to[key];
    if (after === undefined) {
      if (before !== undefined) patch[key] = null;
    } else if (isObject(before) && isObject(after)) {
      const inner = mergePatch(before, after);
      if (inner !== undefined) patch[key] = inner;
    } else if (canonicalJson(before) !== canonicalJson(after)) patch[key] = after;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}
