import type { Pod } from "../../api/core.ts";
import { labels, queueGate } from "../../api/names.ts";
import type { WaitingWork } from "../../api/queue-explanation.ts";
import { pods } from "../../api/resource.ts";
import { utc } from "../../cron/zone.ts";
import { NotFound } from "../../kube/errors.ts";
import { askLeader, type ExplainService } from "./ask-leader.ts";
import type { Format } from "./cluster-options.ts";
import { CommandFailure } from "./command-failure.ts";
import { appOfPod, explainPodOfApp, print } from "./fleet/show-why-app.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { waitingLines } from "./waiting-text.ts";
import { withCluster } from "./with-cluster.ts";
import { withNames } from "./work-names.ts";

/** Why a pod of a queue does not begin, as far as its queue is the reason. */
export interface PodExplanation {
  readonly pod: string;
  readonly namespace: string;
  readonly queue?: string;
  /** `Gated`: its queue has not admitted it; `Admitted`: it has; `None`: it is of no queue. */
  readonly state: "Gated" | "Admitted" | "None";
  /** The phase of the pod. */
  readonly phase: string;
  /** What the scheduler says of it, where it finds no node. */
  readonly unschedulable?: string;
  /** What of its workload waits, as the operator tells it. */
  readonly workloads: readonly WaitingWork[];
}

/** The name in "pod/web-1", as kubectl prints and takes it; undefined when it names no pod. */
export function podNameOf(text: string): string | undefined {
  return /^(?:po|pods?)\/(.+)$/.exec(text)?.[1];
}

/** Prints why a pod that somebody else made waits for its queue; of the pod of a fleet's instance, why it serves or not. */
export async function showWhyOfPod(
  context: PluginContext,
  name: string,
  flags: ClusterFlags & { readonly output?: Format; readonly explainService: ExplainService },
): Promise<void> {
  const { clock, output, style } = context;
  const { explanation, problem, instance } = await withCluster(context, flags, async (cluster) => {
    const { client, namespace } = cluster;
    const pod = await client.get<Pod>(pods, { namespace, name }).catch((error: unknown) => {
      if (!(error instanceof NotFound) || error.isUnknownKind) throw error;
      throw new CommandFailure(`there is no pod "${name}" in namespace "${namespace}"`, { cause: error });
    });
    const read = explainPod(pod);
    const app = appOfPod(pod);
    if (app !== undefined) return { explanation: read, instance: await explainPodOfApp(cluster, app, name, () => clock.now()) };
    if (read.state !== "Gated") return { explanation: read };
    const query = { kind: pods.kind, namespace, name, uid: pod.metadata.uid ?? "" };
    const word = await askLeader(cluster, flags.explainService, "why", query);
    return word.kind === "silent"
      ? { explanation: read, problem: word.problem }
      : { explanation: { ...read, workloads: await withNames(cluster, word.answer.workloads) } };
  });
  if (instance !== undefined) return await print(context, instance, flags);
  if (problem !== undefined) output.note(`the operator cannot be asked for its place in the queue: ${problem}`);
  if (flags.output === "json" || flags.output === "yaml") await printValue(output, flags.output, explanation);
  else for (const line of podText(explanation, style.bold, clock.now())) output.result(line);
}

/** What the pod itself tells. */
export function explainPod({ metadata, spec, status }: Pod): PodExplanation {
  const queue = metadata.labels?.[labels.queue];
  const gated = (spec.schedulingGates ?? []).some((gate) => gate.name === queueGate);
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  const homeless = scheduled?.status === "False" && scheduled.reason === "Unschedulable";
  return {
    pod: metadata.name,
    namespace: metadata.namespace ?? "default",
    ...(queue !== undefined && { queue }),
    state: queue === undefined ? "None" : gated ? "Gated" : "Admitted",
    phase: status?.phase ?? "Pending",
    ...(homeless && { unschedulable: scheduled.message ?? "no node fits" }),
    workloads: [],
  };
}

/** An explanation for people. */
export function podText(explanation: PodExplanation, bold: (text: string) => string, now: number): readonly string[] {
  const { pod, namespace, queue = "", state, phase, unschedulable, workloads } = explanation;
  const about = `Pod ${pod} in ${namespace}`;
  const nodes = unschedulable === undefined ? [] : [`- ${bold("Unschedulable")}: ${unschedulable}`];
  if (state === "None") return [`${about} is ${bold(phase)}. It has no label ${labels.queue}, so no queue keeps it back.`, ...nodes];
  if (state === "Admitted") return [`${about} is ${bold(phase)}. The TenantQueue ${queue} has admitted it.`, ...nodes];
  const lines = [`${about} ${bold("waits for its queue")}, the TenantQueue ${queue}.`];
  for (const work of workloads) {
    if (work.message !== undefined) lines.push(`- ${bold(work.reason ?? "Queue")}: ${work.message}`);
    for (const [word, said] of waitingLines(work, utc, now)) lines.push(`    ${word.padEnd(7)} ${said}`);
  }
  if (workloads.length === 0)
    lines.push(`    to do   kubectl describe pod ${pod} -n ${namespace}: its events tell why; and kubectl nuptse queue ${queue}`);
  return lines;
}
