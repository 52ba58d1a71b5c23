import { isFields } from "../json.ts";

/** The target after a JSON merge patch (RFC 7396). What the patch leaves alone is shared with the target. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const base = isFields(target) ? target : {};
  const result: Record<string, unknown> = { ...base };
  for (const name in patch) {
    const value = patch[name];
    if (value === undefined) continue;
    if (value === null) delete result[name];
    else result[name] = applyMergePatch(base[name], value);
  }
  return result;
}
