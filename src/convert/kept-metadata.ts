import { labelPrefix } from "../api/names.ts";
import type { Fields } from "./fields.ts";

/** What tools wrote for themselves about the object does not go along. */
const bookkeeping =
  /^(?:kubectl\.kubernetes\.io\/|meta\.helm\.sh\/|argocd\.argoproj\.io\/(?:tracking-id|instance)|(?:cronjob|deployment|batch)\.kubernetes\.io\/)/;

/** The labels and annotations that people gave an object. */
export function keptMetadata(metadata: Fields): {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
} {
  return { ...kept(metadata, "labels"), ...kept(metadata, "annotations") };
}

function kept(metadata: Fields, field: "labels" | "annotations"): object {
  const entries = Object.entries(metadata.texts(field) ?? {}).filter(([key]) => !bookkeeping.test(key) && !key.startsWith(labelPrefix));
  return entries.length === 0 ? {} : { [field]: Object.fromEntries(entries) };
}
