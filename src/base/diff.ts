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
    } else if (!equalJson(before, after)) patch[key] = after;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** Whether two values are the same JSON: an absent field and the order of fields are no difference. Without making a text of either. */
export function equalJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return (left ?? null) === (right ?? null);
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((value, index) => equalJson(value, right[index]));
  }
  let fields = 0;
  for (const key in left) {
    const value = (left as JsonObject)[key];
    if (value === undefined) continue;
    if ((right as JsonObject)[key] === undefined || !equalJson(value, (right as JsonObject)[key])) return false;
    fields++;
  }
  for (const key in right) if ((right as JsonObject)[key] !== undefined) fields--;
  return fields === 0;
}
