import { CORE_SCHEMA, loadAll, mergeTag, Schema, YAMLException } from "js-yaml";
import { type AppConversion, type Conversion, ConvertError, type ConvertOptions } from "./conversion.ts";
import { convertCronJob } from "./cron-job.ts";
import { csvRows } from "./csv.ts";
import { convertDeployment } from "./deployment.ts";
import { Fields } from "./fields.ts";
import { convertJavaJob } from "./java-job.ts";
import { linkChildren } from "./xxl-children.ts";
import { convertXxlJob } from "./xxl-job.ts";

/** What is converted. */
export type SourceKind = "CronJob" | "Deployment" | "ElasticJob" | "XxlJob";

/** What became of one input. */
export interface Converted {
  readonly conversions: readonly Conversion[];
  readonly apps: readonly AppConversion[];
  /** Documents that were passed over, as sentences. */
  readonly skipped: readonly string[];
}

/** YAML as kubectl reads it: plain values, and merge keys. */
const schema = new Schema([...CORE_SCHEMA.tags, mergeTag]);

/**
 * Converts what a file holds: YAML (several documents, lists), JSON, or CSV. Which scheduler it comes from is told by its fields, or by `kind`.
 * Throws ConvertError when it cannot be read, when there is nothing to convert in it, or when a field is wrong.
 */
export function convertText(text: string, file: string, kind: SourceKind | undefined, options: ConvertOptions): Converted {
  const conversions: Conversion[] = [];
  const apps: AppConversion[] = [];
  const skipped: string[] = [];
  const table = isTable(text);
  const documents = table ? csvRows(text) : readDocuments(text, file);
  for (const [index, document] of documents.entries()) {
    const where = table ? `${file} row ${index + 1}` : documents.length === 1 ? file : `${file} document ${index + 1}`;
    take(document, where, table ? "XxlJob" : kind);
  }
  if (conversions.length + apps.length === 0) {
    throw new ConvertError(
      file,
      `holds no CronJob, no Deployment, no job of ElasticJob for Java and no table of XXL-JOB${skipped.length === 0 ? "" : `; ${skipped.join("; ")}`}`,
    );
  }
  return { conversions: linkChildren(conversions), apps, skipped };

  function take(document: unknown, where: string, asked: SourceKind | undefined): void {
    if (document === null || document === undefined) return;
    if (Array.isArray(document)) {
      for (const [index, entry] of document.entries()) take(entry, `${where}[${index}]`, asked);
      return;
    }
    const fields = new Fields(document, "");
    const path = new Fields(document, where);
    const found = kindOf(fields);
    if (found === "List") for (const [index, item] of fields.list("items").entries()) take(item, `${where} item ${index + 1}`, asked);
    else if (found === "SpringBoot") {
      for (const [name, job] of Object.entries(springJobs(fields).value)) {
        conversions.push(convertJavaJob(new Fields({ jobName: name, ...new Fields(job, `${where} ${name}`).value }, ""), options));
      }
    } else if (found === "Wrapped") take(fields.value["data"] ?? fields.value["rows"] ?? fields.value["RECORDS"], where, asked);
    else if (found === "Other" && asked === undefined) skipped.push(`${where} is a ${fields.text("kind") ?? "document of another kind"}`);
    else {
      const converted = convertOne(asked ?? (found as SourceKind), path, options);
      if (converted.kind === "app") apps.push(converted.app);
      else conversions.push(converted.job);
    }
  }
}

type ConvertedOne = { readonly kind: "app"; readonly app: AppConversion } | { readonly kind: "job"; readonly job: Conversion };

function convertOne(kind: SourceKind, document: Fields, options: ConvertOptions): ConvertedOne {
  // Paths in notes begin at the object; an error says in which file and document that is.
  const inside = new Fields(document.value, "");
  try {
    if (kind === "Deployment") return { kind: "app", app: convertDeployment(inside, options) };
    if (kind === "CronJob") return { kind: "job", job: convertCronJob(inside, options) };
    return { kind: "job", job: kind === "ElasticJob" ? convertJavaJob(inside, options) : convertXxlJob(withColumns(inside), options) };
  } catch (error) {
    throw error instanceof ConvertError ? new ConvertError(document.path, error.message) : error;
  }
}

function kindOf(fields: Fields): SourceKind | "List" | "SpringBoot" | "Wrapped" | "Other" {
  const { value } = fields;
  const kind = value["kind"];
  if (kind === "CronJob" || kind === "Deployment") return kind;
  if (typeof kind === "string" && kind.endsWith("List") && Array.isArray(value["items"])) return "List";
  if (kind !== undefined) return "Other";
  if ("jobName" in value && "shardingTotalCount" in value) return "ElasticJob";
  if (["executor_handler", "executorHandler", "glue_type", "glueType"].some((name) => name in value)) return "XxlJob";
  if (Object.keys(springJobs(fields).value).length > 0) return "SpringBoot";
  // Answers of XXL-JOB's console, and exports of database tools, hold the rows one level down.
  return ["data", "rows", "RECORDS"].some((name) => Array.isArray(value[name])) ? "Wrapped" : "Other";
}

/** `elasticjob.jobs` of Spring Boot's application.yaml. */
function springJobs(fields: Fields): Fields {
  const root = fields.value["elasticjob"];
  const jobs = typeof root === "object" && root !== null ? (root as Readonly<Record<string, unknown>>)["jobs"] : undefined;
  return new Fields(typeof jobs === "object" && jobs !== null && !Array.isArray(jobs) ? jobs : {}, "elasticjob.jobs");
}

/** The console's JSON calls the columns `executorHandler` and `childJobId`. */
function withColumns(fields: Fields): Fields {
  const column = (name: string) =>
    name === "childJobId" ? "child_jobid" : name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return new Fields(Object.fromEntries(Object.entries(fields.value).map(([name, value]) => [column(name), value])), fields.path);
}

/** Whether the first line names columns of XXL-JOB's table. */
function isTable(text: string): boolean {
  const [first = ""] = text.replace(/^\uFEFF/, "").split(/\r?\n/, 1);
  return /^["\w][^:{[]*[,;\t]/.test(first) && /executor_handler|glue_type/.test(first);
}

function readDocuments(text: string, file: string): readonly unknown[] {
  try {
    // JSON is YAML, but for tabs.
    return /^\s*[[{]/.test(text) ? [JSON.parse(text)] : (loadAll(text, { schema }) as unknown[]);
  } catch (error) {
    if (error instanceof YAMLException) {
      const hint = text.includes("{{") ? "; it holds {{ }}: render the chart first (helm template)" : "";
      throw new ConvertError(file, `is not YAML: ${error.message.split("\n")[0]}${hint}`);
    }
    if (error instanceof SyntaxError) throw new ConvertError(file, `is not JSON: ${error.message}`);
    throw error;
  }
}
