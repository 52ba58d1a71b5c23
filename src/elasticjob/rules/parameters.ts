import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import { conditionReasons } from "../../api/reasons.ts";
import { canonicalJson } from "../../base/hash.ts";
import type { ConfigMapText } from "./config-map-text.ts";
import type { RevisionData } from "./pod.ts";
import type { ReadSpec } from "./read-spec.ts";

/** Where the items' parameters come from a ConfigMap: whether new runs may begin with them. */
export type ParametersStep =
  /** Not read yet: nothing new begins, and nothing is decided by that. */
  | { readonly kind: "loading" }
  | { readonly kind: "refused"; readonly reason: string; readonly message: string }
  /** A line for each item. */
  | { readonly kind: "usable"; readonly text: string };

/** A ControllerRevision holds the text beside the template, and must fit into what the API server stores of one object. */
const mostBytes = 512 * 1024;
/** As long as an entry of sharding.parameters may be. */
const longestLine = 1024;

/** Judges what the cache knows; undefined when the job has no parametersFrom. */
export function readParameters(job: ElasticJob, source: ConfigMapText): ParametersStep | undefined {
  const { parametersFrom, total = 1 } = job.spec.sharding ?? {};
  if (parametersFrom === undefined) return undefined;
  const { configMap, key } = parametersFrom;
  const path = "spec.sharding.parametersFrom";
  const missing = (message: string): ParametersStep => ({
    kind: "refused",
    reason: conditionReasons.parametersMissing,
    message: `${path}: ${message}`,
  });
  switch (source.kind) {
    case "loading":
      return source;
    case "missing":
      return missing(`there is no ConfigMap ${configMap} in this namespace; create it with the key ${key}, a line for each item`);
    case "unreadable":
      return missing(`the operator may not read the ConfigMap ${configMap}: ${source.message}`);
    case "present": {
      if (source.text === undefined)
        return missing(`the ConfigMap ${configMap} has no key ${key}; it must have one, with a line for each item`);
      const problem = textProblem(source.text, total);
      if (problem === undefined) return { kind: "usable", text: source.text };
      return {
        kind: "refused",
        reason: conditionReasons.invalidSpec,
        message: `${path}: the key ${key} of the ConfigMap ${configMap} ${problem}`,
      };
    }
  }
}

function textProblem(text: string, total: number): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > mostBytes) return `has ${bytes} bytes; it must have no more than ${mostBytes}`;
  const lines = linesOf(text);
  if (lines.length !== total) return `has ${lines.length} lines; it must have one for each item, so sharding.total = ${total}`;
  const long = lines.findIndex((line) => line.length > longestLine);
  return long < 0 ? undefined : `is wrong in line ${long + 1}: it must have no more than ${longestLine} characters`;
}

/** The end of a line may be written as in Windows; what ends the last line begins no other one. */
function linesOf(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** What is read of a spec, with the parameters that its runs are to be pinned to. */
export function withParameters(read: ReadSpec, parameters: ParametersStep | undefined): ReadSpec {
  if (parameters === undefined) return read;
  if (parameters.kind !== "usable") return { ...read, parameters };
  const data: RevisionData = { ...read.pinned.data, parameterLines: parameters.text };
  return { ...read, parameters, pinned: { data, canonical: canonicalJson(data) } };
}

let lastText: string | undefined;
let lastLines: readonly string[] = [];

/** The parameter of an item of a run, as its revision holds it; "" where it has none. The pods of a run come together, so the last text is kept split. */
export function parameterOf(revision: RevisionData, item: number): string {
  const text = revision.parameterLines;
  if (text === undefined) return revision.sharding?.parameters?.[item] ?? "";
  if (text !== lastText) {
    lastText = text;
    lastLines = linesOf(text);
  }
  return lastLines[item] ?? "";
}
