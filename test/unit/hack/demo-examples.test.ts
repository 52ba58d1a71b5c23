import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { load, loadAll } from "js-yaml";
import type { ElasticJob } from "../../../src/api/elastic-job.gen.ts";
import type { JobRequest } from "../../../src/api/job-request.gen.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { createSchedule } from "../../../src/cron/schedule.ts";

const root = join(import.meta.dirname, "../../..");

/** What of a schema the walk needs. */
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
}

interface Definition {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
}

const definition = load(readFileSync(join(root, "crds/elasticjob.yaml"), "utf8")) as Definition;
const schema = definition.spec.versions[0]?.schema.openAPIV3Schema ?? {};

/** Paths of what the schema does not know, does not allow, or misses. */
function faults(value: unknown, at: Schema, path: string): readonly string[] {
  if (at.enum !== undefined && !at.enum.includes(value)) return [`${path}: ${String(value)} is none of ${at.enum.join(", ")}`];
  if (Array.isArray(value)) return value.flatMap((entry, index) => faults(entry, at.items ?? {}, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  const missing = (at.required ?? []).filter((name) => !(name in value)).map((name) => `${path}.${name} is missing`);
  const wrong = Object.entries(value).flatMap(([name, entry]) => {
    const child = at.properties?.[name] ?? at.additionalProperties;
    if (child !== undefined) return faults(entry, child, `${path}.${name}`);
    return at["x-kubernetes-preserve-unknown-fields"] ? [] : [`${path}.${name} is not in the schema`];
  });
  return [...missing, ...wrong];
}

describe("examples", () => {
  const files = globSync("examples/*.yaml", { cwd: root }).sort();
  it("there are some", () => assert.ok(files.length >= 6));

  for (const file of files) {
    const objects = loadAll(readFileSync(join(root, file), "utf8")) as KubeObject[];
    const manifests = objects.filter(({ kind }) => kind === "ElasticJob") as ElasticJob[];
    it(`${file} holds only what the schema knows`, () => {
      for (const { metadata: _, ...rest } of manifests) assert.deepEqual(faults(rest, schema, ""), []);
    });
    it(`${file} is named after its job, or what the names of its jobs begin with, and has one parameter for each item`, () => {
      const name = basename(file, ".yaml");
      for (const { metadata, spec } of manifests) {
        assert.equal(metadata.name.slice(0, name.length + 1), manifests.length === 1 ? name : `${name}-`);
        const { total = 1, parameters } = spec.sharding ?? {};
        assert.ok(parameters === undefined || parameters.length === total);
      }
    });
    it(`${file} has something that makes each of its jobs run`, () => {
      const requested = new Set((objects.filter(({ kind }) => kind === "JobRequest") as JobRequest[]).map(({ spec }) => spec.jobName));
      for (const { metadata, spec } of manifests) assert.ok(spec.schedule ?? spec.after ?? requested.has(metadata.name), metadata.name);
    });
    for (const { metadata, spec } of manifests.filter((manifest) => manifest.spec.schedule !== undefined))
      it(`${metadata.name} of ${file} has a schedule that fires, without doubtful expressions`, () => {
        const { crons = [], timeZone, startAt, endAt } = spec.schedule ?? {};
        const anchor = Date.parse("2026-11-21T16:00:00Z");
        const window = {
          startAt: startAt === undefined ? undefined : Date.parse(startAt),
          endAt: endAt === undefined ? undefined : Date.parse(endAt),
        };
        const schedule = createSchedule({ crons, timeZone, ...window, anchor });
        assert.deepEqual(schedule.warnings, []);
        assert.notEqual(schedule.next(anchor), undefined);
      });
    it(`${file} says how to name it to a reader: it begins with a comment`, () => {
      assert.match(readFileSync(join(root, file), "utf8"), /^# /);
    });
  }
});
