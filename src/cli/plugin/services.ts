import { Command } from "commander";
import { addClusterOptions, addFormat, type Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** The command `services`: what RunnerApps publish. */
export function servicesCommand(context: PluginContext): Command {
  const command = new Command("services")
    .summary("what RunnerApps publish behind the gateways")
    .description(
      "Lists the services of RunnerApps: where each is reached, how many of its instances take connections, and what became of it. READY counts " +
        "those that are ready and not about to end, of all that Kubernetes knows; DRAINING those that end and still serve.",
    )
    .argument("[app]", "a RunnerApp; absent = all of the namespace")
    .option("-A, --all-namespaces", "the services of all namespaces");
  addFormat(addClusterOptions(command), "json", "yaml", "wide");
  return command.action(
    async (app: string | undefined, flags: ClusterFlags & { readonly output?: Format; readonly allNamespaces?: boolean }) => {
      const { showServices } = await import("./show-services.ts");
      await showServices(context, app, flags);
    },
  );
}
