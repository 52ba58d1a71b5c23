import type { Notes } from "./conversion.ts";

/** The longest name of an ElasticJob or a RunnerApp. */
const longest = 52;

/**
 * A name that an ElasticJob or a RunnerApp may have, as near to the wanted one as can be: lower case, digits and '-', at most 52 characters. A change is noted
 * under the path. `fallback` is for names of which nothing is left, such as Chinese ones.
 */
export function objectName(wanted: string, fallback: string, path: string, notes: Notes, what = "job"): string {
  const made = shaped(wanted.replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2"));
  const name = made === "" ? shaped(fallback) : made;
  if (name !== wanted) {
    notes.add(
      path,
      `The ${what} is called "${name}" here: names have lower case letters, digits and '-', and at most ${longest} characters.`,
    );
  }
  return name;
}

function shaped(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, longest)
    .replaceAll(/^-+|-+$/g, "");
}
