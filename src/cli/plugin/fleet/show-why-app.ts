import { controllerOf } from "../../../api/meta.ts";
import type { Pod } from "../../../api/core.ts";
import type { WaitingWork } from "../../../api/queue-explanation.ts";
import { runnerApps } from "../../../api/resource.ts";
import { askLeader, type ExplainService } from "../ask-leader.ts";
import type { Format } from "../cluster-options.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster, ClusterFlags, PluginContext } from "../plugin-context.ts";
import { printValue } from "../print.ts";
import { withCluster } from "../with-cluster.ts";
import { withNames } from "../work-names.ts";
import { explainFleet, explainInstance, fleetExplanationText } from "./explain-fleet.ts";
import type { FleetExplanation } from "./fleet-cause.ts";
import { type FleetPicture, readFleet } from "./fleet-picture.ts";

type Flags = ClusterFlags & { readonly output?: Format; readonly explainService: ExplainService };

/** Prints why a fleet serves as it should, or not. */
export async function showWhyOfApp(context: PluginContext, name: string, flags: Flags): Promise<void> {
  const { clock, output } = context;
  const { explanation, problem } = await withCluster(context, flags, async (cluster) => {
    const picture = await readFleet(cluster, name, () => clock.now());
    const told = await askAbout(cluster, picture, flags.explainService);
    return { explanation: explainFleet(picture, told.waiting), problem: told.problem };
  });
  if (problem !== undefined) output.note(`the operator cannot be asked for its place in the queue: ${problem}`);
  await print(context, explanation, flags);
}

/** The name of the RunnerApp that controls a pod; undefined when none does. */
export function appOfPod({ metadata }: Pod): string | undefined {
  const owner = controllerOf(metadata);
  return owner?.kind === runnerApps.kind ? owner.name : undefined;
}

/** Prints why the pod of an instance serves, or not. */
export async function explainPodOfApp(cluster: Cluster, app: string, pod: string, now: () => number): Promise<FleetExplanation> {
  const picture = await readFleet(cluster, app, now);
  if (!picture.pods.some(({ metadata }) => metadata.name === pod)) throw new CommandFailure(`the pod ${pod} has just been deleted`);
  return explainInstance(picture, pod);
}

export async function print(
  { clock, output, style }: PluginContext,
  explanation: FleetExplanation,
  flags: Pick<Flags, "output">,
): Promise<void> {
  if (flags.output === "json" || flags.output === "yaml") await printValue(output, flags.output, explanation);
  else for (const line of fleetExplanationText(explanation, style, clock.now())) output.result(line);
}

/** What the leader knows of a fleet that is of a queue; nothing when it is of none, or has what it wants. */
async function askAbout(
  cluster: Cluster,
  { app }: FleetPicture,
  service: ExplainService,
): Promise<{ readonly waiting?: WaitingWork; readonly problem?: string }> {
  const { name, namespace = "default", uid } = app.metadata;
  if (app.status?.admitted === undefined && app.spec.queue?.name === undefined) return {};
  if (uid === undefined) return {};
  const word = await askLeader(cluster, service, "why", { kind: runnerApps.kind, namespace, name, uid });
  if (word.kind === "silent") return { problem: word.problem };
  const [waiting] = await withNames(cluster, word.answer.workloads);
  return waiting === undefined ? {} : { waiting };
}
