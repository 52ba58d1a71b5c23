import { dump } from "js-yaml";
import type { Note } from "./conversion.ts";

/** An object with what is to be said about it. */
export interface AnnotatedDocument {
  readonly source: string;
  readonly manifest: object;
  readonly notes: readonly Note[];
}

/** YAML documents, each under comments that say where it comes from and what has no equal. */
export function yamlText(documents: readonly AnnotatedDocument[]): string {
  return documents
    .map(({ source, manifest, notes }) => {
      const comments = [`From ${source}`, ...notes.map(noteText)].map((line) => `# ${oneLine(line)}\n`).join("");
      return `${comments}${dump(manifest, { lineWidth: -1, noRefs: true })}`;
    })
    .join("---\n");
}

/** One object, or a List of several. JSON has no comments: the notes have to be told otherwise. */
export function jsonText(documents: readonly AnnotatedDocument[]): string {
  const items = documents.map(({ manifest }) => manifest);
  return JSON.stringify(items.length === 1 ? items[0] : { apiVersion: "v1", kind: "List", items }, undefined, 2);
}

/** A note in one line. */
export function noteText({ path, text }: Note): string {
  return oneLine(path === "" ? text : `${path}: ${text}`);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, " ");
}
