import type { Output } from "../command-context.ts";

/** Prints a value as JSON or YAML, for programs. */
export async function printValue(output: Output, format: "json" | "yaml", value: unknown): Promise<void> {
  if (format === "json") {
    output.result(JSON.stringify(value, undefined, 2));
    return;
  }
  const { dump } = await import("js-yaml");
  output.result(dump(JSON.parse(JSON.stringify(value)), { lineWidth: -1, noRefs: true }).trimEnd());
}
