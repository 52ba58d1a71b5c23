import type { Container, EnvVar, Pod, PodSpec, PodTemplateSpec } from "../../api/core.ts";
import { defaultContainer } from "../../api/default-container.ts";
import type { PoolFields } from "../../api/admission.ts";
import type { ElasticJob, ElasticJobSpec } from "../../api/elastic-job.gen.ts";
import { ownedBy } from "../../api/meta.ts";
import { annotations, itemLabel, itemsPerChunk, labels, reduceItem } from "../../api/names.ts";
import { inPool, withoutOurs } from "../../api/pod-fields.ts";
import { excludedNodes, type NodeRule, withPlacement, withPreferences } from "../../api/node-rule.ts";
import { type GivenOptions, optionValues, optionVariable, withOptions } from "../../api/option-value.ts";
import { formatSeconds } from "../../base/time.ts";
import type { RunAnnotation } from "./attempt.ts";
import { parameterOf } from "./parameters.ts";
import { mountResults, resultsFilePath } from "./results-volume.ts";
import { podName } from "./run-id.ts";

/** What of a spec a ControllerRevision holds: all that pins a run (decision 15). */
export type RevisionData = Pick<
  ElasticJobSpec,
  | "template"
  | "runnerRef"
  | "sharding"
  | "parameter"
  | "options"
  | "results"
  | "reduce"
  | "itemTimeoutSeconds"
  | "startTimeoutSeconds"
  | "safeToEvict"
  | "appendShardingContext"
> & {
  /** The contents of the ConfigMap that sharding.parametersFrom names, a line an item. */
  readonly parameterLines?: string;
};

const never = Number.POSITIVE_INFINITY;

/** Kubernetes' own default for a container's termination message. */
const defaultMessagePath = "/dev/termination-log";

export interface PodOrder {
  readonly job: ElasticJob;
  readonly revision: RevisionData;
  readonly run: string;
  readonly fireTime: number;
  /** The date of the fire time in the job's zone, "2026-11-21". */
  readonly localDate: string;
  readonly item: number;
  readonly attempt: number;
  readonly history: RunAnnotation;
  /** Values of options that are not the defaults. */
  readonly options?: GivenOptions;
  /** The fire time on the clocks of the job's zone, as milliseconds of a clock that reads the same in UTC; absent = the fire time. */
  readonly localTime?: number;
  /** Those that hold now; absent = none. */
  readonly nodeRules?: readonly NodeRule[];
  /** The queue whose share it takes, what it needs to run on the queue's nodes, and how long it may last; absent = it is of none. */
  readonly queue?: { readonly name: string; readonly pool?: PoolFields; readonly lastsSeconds?: number };
}

/** The pod of one attempt. A function of its order alone, so that a second leader renders the same. */
export function renderPod(ordered: PodOrder): Pod {
  const options = optionValues(ordered.revision.options ?? [], ordered.options ?? {}, ordered.localTime ?? ordered.fireTime);
  const order = options.size === 0 ? ordered : withOptionsIn(ordered, options);
  const { job, revision, item, attempt } = order;
  const uid = job.metadata.uid as string;
  const reduces = item === reduceItem;
  const template = (
    reduces ? mountResults(revision.reduce?.template as PodTemplateSpec, { name: job.metadata.name, uid }, order.run) : revision.template
  ) as PodTemplateSpec;
  const variables = environment(order);
  const last = revision.appendShardingContext === true && !reduces ? defaultContainer(template) : undefined;
  const containers = template.spec.containers.map((container) => ({
    ...container,
    ...(container.name === last && { args: [...(container.args ?? []), verbatim(shardingContext(order))] }),
    // Ours come first, so that a user's variables may refer to them.
    env: [
      ...variables,
      ...[...options].map(([name, value]) => ({ name: optionVariable(name), value: verbatim(value) })),
      { name: "NUPTSE_RESULT_FILE", value: container.terminationMessagePath ?? defaultMessagePath },
      ...(container.env ?? []),
    ],
  }));
  const timeout = reduces ? revision.reduce?.timeoutSeconds : revision.itemTimeoutSeconds;
  const deadline = Math.min(
    timeout === undefined ? never : timeout + (revision.startTimeoutSeconds ?? 600),
    order.queue?.lastsSeconds ?? never,
  );
  const rules = order.nodeRules ?? [];
  const leave = [...new Set([...order.history.nodes, ...excludedNodes(rules)])];
  const affinity = withPreferences(withPlacement(template.spec.affinity, leave, order.history.pinned), rules);
  const spec: PodSpec = {
    ...template.spec,
    restartPolicy: "Never",
    containers,
    ...(deadline < never && { activeDeadlineSeconds: deadline }),
    ...(affinity !== undefined && { affinity }),
    ...inPool(template.spec, order.queue?.pool),
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: podName({ name: job.metadata.name, uid }, order.run, item, attempt),
      namespace: job.metadata.namespace as string,
      labels: {
        ...withoutOurs(template.metadata?.labels),
        [labels.job]: job.metadata.name,
        [labels.jobUid]: uid,
        [labels.run]: order.run,
        [labels.item]: itemLabel(item),
        [labels.chunk]: reduces ? itemLabel(item) : String(Math.floor(item / itemsPerChunk)),
        [labels.attempt]: String(attempt),
        ...(order.queue !== undefined && { [labels.queue]: order.queue.name }),
      },
      annotations: {
        ...withoutOurs(template.metadata?.annotations),
        ...disruption(revision.safeToEvict),
        [annotations.run]: JSON.stringify(order.history),
      },
      ownerReferences: ownedBy(job),
    },
    spec,
  };
}

/** The order with every reference to an option replaced by its value. */
function withOptionsIn(order: PodOrder, options: ReadonlyMap<string, string>): PodOrder {
  const { parameter } = order.revision;
  const template = order.revision.template as PodTemplateSpec;
  // What is written there is expanded by Kubernetes once more.
  const replaced = (text: string) => withOptions(text, options, verbatim);
  const within = (container: Container): Container => ({
    ...container,
    ...(container.command !== undefined && { command: container.command.map(replaced) }),
    ...(container.args !== undefined && { args: container.args.map(replaced) }),
    ...(container.env !== undefined && {
      env: container.env.map((variable) => (variable.value === undefined ? variable : { ...variable, value: replaced(variable.value) })),
    }),
  });
  const { containers, initContainers } = template.spec;
  const spec = {
    ...template.spec,
    containers: containers.map(within),
    ...(initContainers && { initContainers: initContainers.map(within) }),
  };
  const revision = {
    ...order.revision,
    template: { ...template, spec },
    ...(parameter !== undefined && { parameter: withOptions(parameter, options) }),
  };
  return { ...order, revision };
}

/** What node autoscalers read (decision 51). */
function disruption(safeToEvict: boolean | undefined): Record<string, string> {
  if (safeToEvict === undefined) return {};
  return { [annotations.safeToEvict]: String(safeToEvict), ...(!safeToEvict && { [annotations.doNotDisrupt]: "true" }) };
}

/** Kubernetes expands $(NAME) and takes $$ for $; a text of the user's is data, not a reference. */
const verbatim = (text: string): string => text.replaceAll("$", () => "$$");

/** ElasticJob's JSON, as its script jobs and its Java interface know it. */
function shardingContext({ job, revision, run, item, attempt }: PodOrder): string {
  return JSON.stringify({
    jobName: job.metadata.name,
    taskId: `${job.metadata.name}@-@${item}@-@${run}@-@${attempt}`,
    shardingTotalCount: revision.sharding?.total ?? 1,
    jobParameter: revision.parameter ?? "",
    shardingItem: item,
    shardingParameter: parameterOf(revision, item),
  });
}

/** What a program learns about its work (elasticjob.md section 3); JOB_COMPLETION_INDEX lets images made for Indexed Jobs run unchanged. */
function environment(order: PodOrder): readonly EnvVar[] {
  const { job, revision, item } = order;
  const total = revision.sharding?.total ?? 1;
  const shardingParameter = parameterOf(revision, item);
  const jobParameter = revision.parameter ?? "";
  const ofItem = {
    SHARDING_ITEM: String(item),
    SHARDING_PARAMETER: shardingParameter,
    JOB_COMPLETION_INDEX: String(item),
    SHARDING_CONTEXT: shardingContext(order),
  };
  const values: Record<string, string> = {
    NUPTSE_JOB: job.metadata.name,
    NUPTSE_NAMESPACE: job.metadata.namespace ?? "",
    NUPTSE_RUN: order.run,
    NUPTSE_FIRE_TIME: formatSeconds(order.fireTime),
    NUPTSE_LOCAL_DATE: order.localDate,
    NUPTSE_ATTEMPT: String(order.attempt),
    SHARDING_TOTAL_COUNT: String(total),
    JOB_PARAMETER: jobParameter,
    ...(item === reduceItem ? { NUPTSE_RESULTS_FILE: resultsFilePath } : ofItem),
  };
  return Object.entries(values).map(([name, value]) => ({ name, value: verbatim(value) }));
}
