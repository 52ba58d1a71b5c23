/** One step of a JSON Patch (RFC 6902). */
export interface JsonPatchOperation {
  readonly op: "add" | "remove" | "replace" | "test" | "move" | "copy";
  /** A JSON Pointer; see {@link pointer}. */
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** The JSON Pointer (RFC 6901) of a path of keys and indexes. */
export function pointer(...path: readonly (string | number)[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
