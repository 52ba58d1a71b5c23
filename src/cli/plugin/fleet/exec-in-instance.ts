import { defaultContainer } from "../../../api/default-container.ts";
import { IntervalSet } from "../../../base/interval-set.ts";
import { CommandFailure } from "../command-failure.ts";
import type { PluginContext } from "../plugin-context.ts";
import { withCluster } from "../with-cluster.ts";
import { readApp } from "./app-name.ts";
import { type ChosenPod, chosenInstances } from "./chosen-instances.ts";
import type { ExecFlags } from "./exec.ts";

/** Runs a command in an instance, by kubectl, which knows terminals. Rejects with the command's exit code when it is not 0. */
export async function execInInstance(context: PluginContext, name: string, words: readonly string[], flags: ExecFlags): Promise<void> {
  const pod = await withCluster(context, flags, async (cluster) => {
    const app = await readApp(cluster, name);
    const numbers = flags.instance === undefined ? undefined : new IntervalSet([flags.instance]);
    const chosen = await chosenInstances(cluster, app, numbers);
    const isServing = ({ facts }: ChosenPod) => facts.readySince !== undefined;
    const found = chosen.find(isServing) ?? chosen.find(({ pod: { status } }) => status?.phase === "Running");
    if (found === undefined)
      throw new CommandFailure(`${app.metadata.name} has no instance that runs: kubectl nuptse why ra/${app.metadata.name}`);
    return found.pod;
  });
  const { name: podName, namespace = "default" } = pod.metadata;
  const onTerminal = context.terminal !== undefined;
  const args = [
    "exec",
    podName,
    `--namespace=${namespace}`,
    `--container=${flags.container ?? defaultContainer(pod)}`,
    ...(flags.context === undefined ? [] : [`--context=${flags.context}`]),
    ...(flags.kubeconfig === undefined ? [] : [`--kubeconfig=${flags.kubeconfig}`]),
    ...(onTerminal || flags.stdin === true ? ["--stdin"] : []),
    ...(onTerminal ? ["--tty"] : []),
    "--",
    ...(words.length === 0 ? ["sh"] : words),
  ];
  const exitCode = await context.handOver("kubectl", args);
  if (exitCode === undefined) throw new CommandFailure("kubectl is not in PATH, and exec needs it");
  // What went wrong was said by the command, or by kubectl.
  if (exitCode !== 0) throw new CommandFailure("", { exitCode });
}
