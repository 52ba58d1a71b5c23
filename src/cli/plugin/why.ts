import { Command } from "commander";
import type { ExplainService } from "./ask-leader.ts";
import { addClusterOptions, addExplainService, addFormat, type Format } from "./cluster-options.ts";
import { appRefOf } from "./fleet/app-ref.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** The command `why`: why a job is not running, or a fleet does not serve as it should. */
export function whyCommand(context: PluginContext): Command {
  const command = new Command("why")
    .summary("why a job is not running, or a fleet does not serve")
    .description(
      "Says why a job is not running: what it waits for, since when, what can be done about it, and when it fires next. Of a run that waits for " +
        "its queue, and of a pod with the label nuptse.dev/queue, the operator is asked for its place, who comes first, what it lacks and who has that. " +
        "Of a RunnerApp (ra/NAME), or of the pod of one of its instances, it says what ails it and what can be done.",
    )
    .argument("<job|ra/app|pod/name>", "the ElasticJob: NAME, or ej/NAME; the RunnerApp: ra/NAME; or the pod: pod/NAME");
  addFormat(addExplainService(addClusterOptions(command)), "json", "yaml");
  return command.action(
    async (job: string, flags: ClusterFlags & { readonly output?: Format; readonly explainService: ExplainService }) => {
      const app = appRefOf(job);
      if (app !== undefined) return await (await import("./fleet/show-why-app.ts")).showWhyOfApp(context, app, flags);
      const { podNameOf, showWhyOfPod } = await import("./show-why-pod.ts");
      const pod = podNameOf(job);
      if (pod !== undefined) return await showWhyOfPod(context, pod, flags);
      const { showWhy } = await import("./show-why.ts");
      await showWhy(context, job, flags);
    },
  );
}
