import type { CustomResourceDefinition, JsonSchema, PodTemplateSpec } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { SpecProblem } from "../../api/problem.ts";
import { customResourceDefinitions, elasticJobs, namespaces, podTemplates, type Resource, runnerApps } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { TenantQueue } from "../../api/tenant-queue.gen.ts";
import type { Clock } from "../../base/clock.ts";
import { getOrMake } from "../../base/map.ts";
import type { Random } from "../../base/random.ts";
import { ApiError } from "../../kube/errors.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import { createApiServer } from "../../simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../simulator/apiserver/in-process-transport.ts";
import { readCrds } from "../../simulator/harness/crds.ts";
import { elasticJobProblems } from "../../validation/elastic-job.ts";
import { runnerAppProblems } from "../../validation/runner-app.ts";
import { tenantQueueProblems } from "../../validation/tenant-queue.ts";
import { scheduleOfJob } from "./schedule-of-job.ts";
import { suggestionFor } from "./suggestion.ts";

/** What admission says to one object. */
export interface Verdict {
  /** "ElasticJob shop/nightly". */
  readonly name: string;
  /** One line each, with the field's path where it is about a field. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** The object with its defaults; absent where admission refuses it. */
  readonly admitted?: KubeObject;
}

/** Admission without a cluster: an API server in this process that knows our kinds. */
export interface OfflineAdmission {
  /**
   * Undefined: the document is of a kind that is not ours.
   * @param beside documents that are to be there as well, the document itself perhaps among them: TenantQueues are judged as a tree
   */
  check(document: unknown, beside?: readonly unknown[]): Promise<Verdict | undefined>;
}

export interface OfflineAdmissionParts {
  readonly clock: Clock;
  readonly random: Random;
  /** Kinds beside those that clusters know. */
  readonly definitions?: readonly CustomResourceDefinition[];
}

/** Starts it; takes some 0.1 s, so only a command that checks something imports this. */
export async function createOfflineAdmission(parts: OfflineAdmissionParts): Promise<OfflineAdmission> {
  const client = createKubeClient(inProcessTransport(createApiServer(parts), { userAgent: "kubectl-nuptse" }));
  const kinds = new Map<string, Resource>();
  const schemas = new Map<string, JsonSchema>();
  for (const definition of [...readCrds(), ...(parts.definitions ?? [])]) {
    await client.create<CustomResourceDefinition>(customResourceDefinitions, definition);
    const { group, names, versions, scope } = definition.spec;
    const schema = versions[0]?.schema?.openAPIV3Schema;
    if (schema !== undefined) schemas.set(names.kind, schema);
    for (const { name: version } of versions)
      kinds.set(`${group}/${version} ${names.kind}`, {
        group,
        version,
        plural: names.plural,
        kind: names.kind,
        namespaced: scope === "Namespaced",
      });
  }
  const admittedQueues = new Map<unknown, Promise<TenantQueue | undefined>>();
  const known = new Set(["default"]);
  await client.create(namespaces, { metadata: { name: "default" } }).catch(() => undefined);

  return {
    async check(document, beside = []) {
      if (typeof document !== "object" || document === null) return { name: "a document", problems: ["is not an object"], warnings: [] };
      const { apiVersion = "", kind = "", metadata } = document as Partial<KubeObject>;
      const resource = kinds.get(`${apiVersion} ${kind}`);
      const problem = resource === undefined ? kindProblem(apiVersion, kind, [...kinds.keys()]) : undefined;
      if (problem !== undefined)
        return { name: `${kind || "an object"} ${metadata?.name ?? ""}`.trim(), problems: [problem], warnings: [] };
      if (resource === undefined) return undefined;
      const namespace = resource.namespaced ? (metadata?.namespace ?? "default") : undefined;
      if (namespace !== undefined && !known.has(namespace))
        await client.create(namespaces, { metadata: { name: namespace } }).catch(() => undefined);
      if (namespace !== undefined) known.add(namespace);
      const name = `${kind} ${metadata?.namespace === undefined ? "" : `${namespace}/`}${metadata?.name ?? metadata?.generateName ?? ""}`;
      const object = (namespace === undefined ? document : { ...document, metadata: { ...metadata, namespace } }) as KubeObject;
      try {
        const admitted = await client.create(resource, object, { dryRun: true, fieldValidation: "Strict" });
        if (kind === "TenantQueue")
          return { name, problems: await queueProblems(resource, admitted as TenantQueue, beside), warnings: [], admitted };
        if (kind !== elasticJobs.kind && kind !== runnerApps.kind) return { name, problems: [], warnings: [], admitted };
        const work = admitted as ElasticJob | RunnerApp;
        const problems = specProblems(work).map((each) => `${each.path}: ${each.message}`);
        const template = problems.length > 0 ? [] : await templateProblems(work, namespace ?? "default");
        const schedule = kind === elasticJobs.kind ? scheduleOfJob(work as ElasticJob) : undefined;
        const warnings = schedule?.warnings.map((warning) => `spec.schedule.${warning}`) ?? [];
        return { name, problems: [...problems, ...template], warnings, admitted };
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return { name, problems: problemsOf(error).map((each) => withSuggestion(each, schemas.get(kind))), warnings: [] };
      }
    },
  };

  /** Parents that are not among the documents are not missed: they may be in the cluster. */
  async function queueProblems(resource: Resource, queue: TenantQueue, beside: readonly unknown[]): Promise<readonly string[]> {
    const queues = new Map<string, TenantQueue>();
    for (const document of beside) {
      const { kind, apiVersion } = (document ?? {}) as Partial<TenantQueue>;
      if (kind !== queue.kind || apiVersion !== queue.apiVersion) continue;
      const other = await getOrMake(admittedQueues, document, () => admitQueue(resource, document as TenantQueue));
      if (other !== undefined) queues.set(other.metadata.name, other);
    }
    return tenantQueueProblems(queue, { queues, complete: false }).map((each) => `${each.path}: ${each.message}`);
  }

  /** Undefined: the schema refuses it, and says so when it is its turn. */
  async function admitQueue(resource: Resource, queue: TenantQueue): Promise<TenantQueue | undefined> {
    try {
      return await client.create(resource, queue, { dryRun: true });
    } catch (error) {
      if (error instanceof ApiError) return undefined;
      throw error;
    }
  }

  function specProblems(work: ElasticJob | RunnerApp): readonly SpecProblem[] {
    return work.kind === runnerApps.kind
      ? runnerAppProblems((work as RunnerApp).spec, parts.clock.now())
      : elasticJobProblems((work as ElasticJob).spec);
  }

  async function templateProblems(work: ElasticJob | RunnerApp, namespace: string): Promise<readonly string[]> {
    const template = work.spec.template as PodTemplateSpec;
    // As the operator renders it.
    const spec = { ...template.spec, restartPolicy: work.kind === runnerApps.kind ? "Always" : "Never" };
    try {
      await client.create(podTemplates, { metadata: { name: "checked", namespace }, template: { ...template, spec } } as KubeObject, {
        dryRun: true,
        fieldValidation: "Strict",
      });
      return [];
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return problemsOf(error).map((problem) => problem.replaceAll(/\btemplate\.(spec|metadata)\b/g, "spec.template.$1"));
    }
  }
}

/** Why a document that is meant for us is none of our kinds; undefined when it is meant for somebody else. */
function kindProblem(apiVersion: string, kind: string, known: readonly string[]): string | undefined {
  if (kind === "" || apiVersion === "") return "has no apiVersion or no kind";
  if (!apiVersion.startsWith("nuptse.dev/")) return undefined;
  return `there is no kind ${kind} in ${apiVersion}; there are ${known.map((each) => each.split(" ").reverse().join(" of ")).join(", ")}`;
}

/** A line for each cause of a refusal, else its message. */
function problemsOf(error: ApiError): readonly string[] {
  const causes = error.causes.filter((cause) => cause.message !== undefined && cause.field !== "<nil>");
  if (causes.length > 0) return causes.map((cause) => `${cause.field ?? ""}${cause.field ? ": " : ""}${cause.message}`);
  const text = error.statusObject?.message ?? error.message;
  // 'ElasticJob in version "v1alpha1" cannot be handled as a ElasticJob: strict decoding error: unknown field "spec.a", unknown field "spec.b"'
  const unknown = /^.*strict decoding error: (.*)$/s.exec(text)?.[1];
  return unknown === undefined ? [text] : unknown.split(", ");
}

/** Adds to 'unknown field "spec.suspended"' the field beside it that was perhaps meant. */
function withSuggestion(problem: string, schema: JsonSchema | undefined): string {
  const path = /^unknown field "([^"]+)"$/
    .exec(problem)?.[1]
    ?.replaceAll(/\[\d+\]/g, ".[]")
    .split(".");
  const wrong = path?.pop();
  if (path === undefined || wrong === undefined) return problem;
  let parent = schema;
  for (const step of path) parent = step === "[]" ? parent?.items : parent?.properties?.[step];
  const near = suggestionFor(wrong, Object.keys(parent?.properties ?? {}));
  return near === undefined ? problem : `${problem}; did you mean ${near}?`;
}
