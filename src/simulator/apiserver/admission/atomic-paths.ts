import type { MergeType } from "../apply/merge-type.ts";
import { isFields } from "../json.ts";

/** Where a configuration names something that is replaced as a whole, so that fields it does not name would be lost (".spec.args"). */
export function atomicPaths(type: MergeType, value: unknown, path = ""): readonly string[] {
  if (isFields(value) && type.map !== undefined) {
    const { map } = type;
    const own = map.atomic ? [path] : [];
    const below = Object.entries(value).flatMap(([key, item]) => {
      const child = map.fields.get(key);
      return child === undefined ? [] : atomicPaths(child, item, `${path}.${key}`);
    });
    return [...own, ...below];
  }
  if (Array.isArray(value) && type.list !== undefined) {
    const { list } = type;
    const own = list.atomic ? [path] : [];
    return [...own, ...value.flatMap((item, at) => atomicPaths(list.element, item, `${path}[${at}]`))];
  }
  return [];
}
