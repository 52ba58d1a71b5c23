import { dump } from "js-yaml";
import { equalJson } from "../../../base/diff.ts";

/** What stands behind a line that is not in the original. Still YAML: it is a comment. */
export const mark = "  # nuptse";

type Fields = Readonly<Record<string, unknown>>;

/**
 * An object as YAML in which every line that the original does not have is marked. Entries of lists belong together by their name, and where they
 * have none by what they hold.
 */
export function markedYaml(value: Fields, original: Fields): readonly string[] {
  return Object.entries(value).flatMap(([key, child]) => (child === undefined ? [] : field(key, child, original[key])));
}

function field(key: string, child: unknown, known: unknown): readonly string[] {
  if (known === undefined) return marked(plain({ [key]: child }));
  if (equalJson(child, known)) return plain({ [key]: child });
  if (isFields(child) && isFields(known)) return [`${key}:`, ...indented(markedYaml(child, known))];
  if (Array.isArray(child) && Array.isArray(known)) return [`${key}:`, ...indented(child.flatMap((entry) => listEntry(entry, known)))];
  return marked(plain({ [key]: child }));
}

function listEntry(entry: unknown, known: readonly unknown[]): readonly string[] {
  if (known.some((each) => equalJson(each, entry))) return plain([entry]);
  const name = isFields(entry) ? entry["name"] : undefined;
  const same = name === undefined ? undefined : known.find((each) => isFields(each) && each["name"] === name);
  if (same === undefined) return marked(plain([entry]));
  const [first = "", ...rest] = markedYaml(entry as Fields, same as Fields);
  return [`- ${first}`, ...indented(rest)];
}

function plain(value: unknown): readonly string[] {
  // A plain copy: js-yaml refuses what is undefined.
  return dump(JSON.parse(JSON.stringify(value)), { lineWidth: -1, noRefs: true })
    .trimEnd()
    .split("\n");
}

/** Lines of a text of several lines cannot carry a comment: then its first line alone does. */
function marked(lines: readonly string[]): readonly string[] {
  const hasText = lines.some((line) => /[|>][-+0-9]*$/.test(line));
  return lines.map((line, index) => (hasText && index > 0 ? line : `${line}${mark}`));
}

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => (line === "" ? line : `  ${line}`));

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
