import type { Node } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { TenantQueue } from "../../api/tenant-queue.gen.ts";
import type { Workload } from "../../api/workload.gen.ts";
import type { Clock } from "../../base/clock.ts";
import { readSimulationCrds } from "../../simulator/harness/crds.ts";
import type { NodeSpec } from "../../simulator/world/node-life.ts";
import { type Output, UsageError } from "../command-context.ts";
import { CommandFailure } from "../plugin/command-failure.ts";
import { readManifests } from "../plugin/manifest-files.ts";
import { createOfflineAdmission } from "../plugin/offline-admission.ts";
import { type Span, workloadProblems } from "./arrivals.ts";

/** What is simulated, as files tell it; every object is as a person would create it. */
export interface Scenario {
  /** Those that objects name without a document of their own are there too, without labels. */
  readonly namespaces: readonly { readonly name: string; readonly labels?: Readonly<Record<string, string>> }[];
  readonly nodes: readonly NodeSpec[];
  readonly configMaps: readonly KubeObject[];
  readonly queues: readonly TenantQueue[];
  readonly jobs: readonly ElasticJob[];
  readonly workloads: readonly Workload[];
}

export interface ScenarioParts {
  readonly clock: Clock;
  readonly output: Output;
  readonly span: Span;
  readonly readInput: () => Promise<string>;
}

/** A document of a kind that is simulated, with its defaults, and where it stands. */
interface Accepted {
  readonly source: string;
  readonly object: KubeObject;
}

const plainKinds = new Set(["v1 Namespace", "v1 Node", "v1 ConfigMap"]);

/** Reads manifests and checks each as admission would. Throws UsageError when any is refused, having told each problem with file, document and field. */
export async function readScenario(names: readonly string[], parts: ScenarioParts): Promise<Scenario> {
  const accepted = await acceptAll(names, parts);
  const ofKind = (kind: string) => accepted.filter(({ object }) => object.kind === kind).map(({ object }) => object);
  const [jobs, workloads] = [ofKind("ElasticJob"), ofKind("Workload")];
  const namespaces = new Map(ofKind("Namespace").map(({ metadata: { name, labels } }) => [name, { name, ...(labels && { labels }) }]));
  for (const { metadata } of [...jobs, ...workloads, ...ofKind("ConfigMap")]) {
    const name = metadata.namespace as string;
    if (!namespaces.has(name)) namespaces.set(name, { name });
  }
  const queues = ofKind("TenantQueue") as TenantQueue[];
  if (queues.length === 0)
    throw new UsageError("there is no TenantQueue in these files, so there is nothing to be shared; see docs/simulate.md");
  if (jobs.length + workloads.length === 0)
    throw new UsageError("there is no Workload and no ElasticJob in these files, so nothing would ever arrive; see docs/simulate.md");
  refuseClashes(jobs, workloads);
  return {
    namespaces: [...namespaces.values()],
    nodes: (ofKind("Node") as Node[]).map(nodeSpec),
    configMaps: ofKind("ConfigMap"),
    queues,
    jobs: jobs as unknown as ElasticJob[],
    workloads: workloads as unknown as Workload[],
  };
}

/** An arrival becomes a job of the workload's name and a number. */
function refuseClashes(jobs: readonly KubeObject[], workloads: readonly KubeObject[]): void {
  for (const { metadata: job } of jobs) {
    const clash = workloads.find(({ metadata: { name, namespace } }) => {
      const rest = job.namespace === namespace && job.name.startsWith(`${name}-`) ? job.name.slice(name.length + 1) : "";
      return /^\d+$/.test(rest);
    });
    if (clash !== undefined)
      throw new UsageError(
        `ElasticJob ${job.namespace}/${job.name} has the name of an arrival of Workload ${clash.metadata.name}; give one of them another name`,
      );
  }
}

async function acceptAll(names: readonly string[], { clock, output, span, readInput }: ScenarioParts): Promise<readonly Accepted[]> {
  const admission = await createOfflineAdmission({ clock, random: { next: () => 0.5 }, definitions: readSimulationCrds() });
  const manifests = await readFiles(names, readInput);
  const documents = manifests.flatMap((manifest) => ("problem" in manifest ? [] : [manifest.document]));
  const accepted: Accepted[] = [];
  const places = new Map<string, string>();
  let wrong = 0;
  let others = 0;
  const refuse = (line: string): void => {
    wrong++;
    output.note(line);
  };
  for (const manifest of manifests) {
    const { source } = manifest;
    if ("problem" in manifest) {
      refuse(`${source}: ${manifest.problem}`);
      continue;
    }
    const checked = await admission.check(asWritten(manifest.document), documents);
    const object = checked === undefined ? plainObject(manifest.document) : checked.admitted;
    if (checked === undefined && object === undefined) {
      others++;
      continue;
    }
    const name = checked?.name ?? `${object?.kind} ${object?.metadata.name}`;
    const beyond = object?.kind === "Workload" ? workloadProblems(object as unknown as Workload, span) : [];
    const problems = [...(checked?.problems ?? plainProblems(object)), ...beyond.map(({ path, message }) => `${path}: ${message}`)];
    const elsewhere = places.get(name);
    if (elsewhere !== undefined) problems.push(`stands in ${elsewhere} as well; each name may be there once`);
    places.set(name, source);
    for (const problem of problems) refuse(`${source}: ${name}: ${problem}`);
    if (object !== undefined) accepted.push({ source, object: bare(object) });
  }
  if (wrong > 0) throw new UsageError(`nothing was simulated: ${wrong === 1 ? "a problem" : `${wrong} problems`} in the manifests`);
  if (others > 0) output.note(`left out: ${others} of kinds that are not simulated`);
  return accepted;
}

async function readFiles(names: readonly string[], readInput: () => Promise<string>) {
  try {
    return await readManifests(names, readInput);
  } catch (error) {
    throw error instanceof CommandFailure ? new UsageError(error.message, { cause: error }) : error;
  }
}

/** A namespace, node or ConfigMap; undefined = something else, which is not simulated. */
function plainObject(document: unknown): KubeObject | undefined {
  const object = document as KubeObject;
  if (!plainKinds.has(`${object.apiVersion} ${object.kind}`) || object.metadata?.name === undefined) return undefined;
  if (object.kind !== "ConfigMap") return object;
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? "default" } };
}

function plainProblems(object: KubeObject | undefined): string[] {
  if (object?.kind !== "Node") return [];
  const { status } = object as Node;
  return (status?.allocatable ?? status?.capacity) === undefined
    ? ["status.allocatable: is missing; write what its pods may have in all, such as {cpu: 16, memory: 64Gi, pods: 110}"]
    : [];
}

/** What a cluster has written into an object is not what a person would send. */
function asWritten(document: unknown): unknown {
  const { status: _, metadata, ...rest } = (document ?? {}) as KubeObject & { readonly status?: unknown };
  if (typeof document !== "object" || document === null || typeof metadata !== "object" || metadata === null) return document;
  const {
    uid: _uid,
    resourceVersion: _version,
    generation: _generation,
    creationTimestamp: _created,
    managedFields: _fields,
    ...own
  } = metadata as typeof metadata & { readonly managedFields?: unknown };
  return { ...rest, metadata: own };
}

function bare(object: KubeObject): KubeObject {
  const { name, namespace, labels, annotations } = object.metadata;
  const metadata = { name, ...(namespace && { namespace }), ...(labels && { labels }), ...(annotations && { annotations }) };
  return { ...object, metadata };
}

function nodeSpec({ metadata, spec, status }: Node): NodeSpec {
  const capacity = Object.entries(status?.allocatable ?? status?.capacity ?? {}).map(([name, amount]) => [name, String(amount)]);
  return {
    name: metadata.name,
    capacity: Object.fromEntries(capacity),
    ...(metadata.labels !== undefined && { labels: metadata.labels }),
    ...(spec?.taints !== undefined && { taints: spec.taints }),
  };
}
