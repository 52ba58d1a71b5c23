import { Command } from "commander";
import type { ExplainService } from "./ask-leader.ts";
import { addClusterOptions, addExplainService, addFormat, type Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** What `services` is told besides an app. */
export interface ServicesFlags extends ClusterFlags {
  readonly output?: Format;
  readonly allNamespaces?: boolean;
  readonly explainService: ExplainService;
}

/** The command `services`: what RunnerApps publish. */
export function servicesCommand(context: PluginContext): Command {
  const command = new Command("services")
    .summary("what RunnerApps publish behind the gateways")
    .description(
      "Lists the services of RunnerApps: where each is reached, how many of its instances take connections, and what became of it. READY counts " +
        "those that are ready and not about to end, of all that Kubernetes knows; DRAINING those that end and still serve. HAPROXY is what the gateways " +
        "have, SESSIONS what is open in all of them (connections of TCP, requests of HTTP), and RATE what began in the last second.",
    )
    .argument("[app]", "a RunnerApp; absent = all of the namespace")
    .option("-A, --all-namespaces", "the services of all namespaces");
  addFormat(addExplainService(addClusterOptions(command)), "json", "yaml", "wide");
  return command.action(async (app: string | undefined, flags: ServicesFlags) => {
    const { showServices } = await import("./show-services.ts");
    await showServices(context, app, flags);
  });
}
