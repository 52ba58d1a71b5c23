import { canonicalJson } from "../../../base/hash.ts";
import { type Fields, isFields, withField, withValueAt } from "../json.ts";
import { annotationsFit } from "../object-meta.ts";
import { difference, emptySet, type FieldSet } from "./field-set.ts";
import type { MergeType } from "./merge-type.ts";
import { compareValues, fieldSetOf, typeErrors } from "./typed-value.ts";

/**
 * The bridge from client-side to server-side apply, after apimachinery's lastappliedmanager.go and lastappliedupdater.go: the manager
 * "kubectl" may change what the annotation of `kubectl apply` says that kubectl set, whoever owns it, and the annotation follows what
 * it applies, so that people can go back to client-side apply.
 */
const annotation = "kubectl.kubernetes.io/last-applied-configuration";
const annotations = ["metadata", "annotations"];

/** The only manager for which the annotation counts. */
export const annotatingManager = "kubectl";

function annotationOf(object: Fields): string | undefined {
  const { metadata } = object;
  const map = isFields(metadata) && isFields(metadata.annotations) ? metadata.annotations : {};
  const value = map[annotation];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * What the annotation of a live object names and the object still holds as it was applied. Empty without annotation, and when that is
 * unreadable, of another version or not of the type.
 */
export function lastAppliedFields(type: MergeType, apiVersion: string, live: Fields): FieldSet {
  const text = annotationOf(live);
  if (text === undefined) return emptySet;
  let applied: unknown;
  try {
    applied = JSON.parse(text);
  } catch {
    return emptySet;
  }
  if (!isFields(applied) || applied.apiVersion !== apiVersion || typeErrors(type, applied).length > 0) return emptySet;
  const { modified, added, removed } = compareValues(type, applied, live);
  return [modified, added, removed].reduce(difference, fieldSetOf(type, applied));
}

/** The object, its annotation renewed to the configuration; one without the annotation stays as it is. */
export function withLastApplied(object: Fields, config: Fields): Fields {
  if (annotationOf(object) === undefined) return object;
  const { metadata } = object as { readonly metadata: Fields };
  const map = metadata.annotations as Readonly<Record<string, string>>;
  const renewed = { ...map, [annotation]: encoded(config) };
  // one that would be too large is left out: server-side apply needs none
  const next = annotationsFit(renewed) ? renewed : withField(map, annotation, undefined);
  return withValueAt(object, annotations, next) as Fields;
}

/** A configuration as Go writes it into the annotation: sorted keys, HTML's letters escaped, a line end. */
function encoded(config: Fields): string {
  const { metadata } = config;
  const bare =
    isFields(metadata) && isFields(metadata.annotations)
      ? withValueAt(config, annotations, withField(metadata.annotations, annotation, undefined))
      : config;
  const escaped = (letter: string): string => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${canonicalJson(bare).replaceAll(/[<>&\u2028\u2029]/g, escaped)}\n`;
}
