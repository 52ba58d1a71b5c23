import { Command } from "commander";
import type { CommandContext } from "./command-context.ts";
import { convertCommand } from "./convert.ts";
import { cronCommand } from "./cron.ts";
import { type GatewayOptions, gatewayCommand } from "./gateway.ts";
import { type OperatorOptions, operatorCommand } from "./operator.ts";
import { type PlaygroundOptions, type PlaygroundUserOptions, playgroundCommand } from "./playground.ts";
import { simulateCommand } from "./simulate.ts";
import { type TraceServerOptions, traceCommand } from "./trace.ts";
import { type UninstallOptions, uninstallCommand } from "./uninstall.ts";
import { versionCommand } from "./version.ts";

/** The long-running commands, wired by main.ts; each resolves when its work is over. */
export interface Services {
  runOperator(options: OperatorOptions): Promise<void>;
  runPlayground(options: PlaygroundOptions): Promise<void>;
  addPlaygroundUser(options: PlaygroundUserOptions): Promise<void>;
  runTrace(options: TraceServerOptions): Promise<void>;
  runGateway(options: GatewayOptions): Promise<void>;
  runUninstall(options: UninstallOptions): Promise<void>;
}

/** The program `nuptse`; give it to runProgram. */
export function createProgram(context: CommandContext, services: Services): Command {
  return new Command("nuptse")
    .description("Sharded jobs on Kubernetes: exact schedules, retry, failover.")
    .version(context.version, "-V, --version", "print the version")
    .addCommand(operatorCommand((options) => services.runOperator(options)))
    .addCommand(
      playgroundCommand(
        (options) => services.runPlayground(options),
        (options) => services.addPlaygroundUser(options),
      ),
    )
    .addCommand(traceCommand((options) => services.runTrace(options)))
    .addCommand(gatewayCommand((options) => services.runGateway(options)))
    .addCommand(uninstallCommand((options) => services.runUninstall(options)))
    .addCommand(cronCommand(context))
    .addCommand(convertCommand(context))
    .addCommand(simulateCommand(context))
    .addCommand(versionCommand(context));
}
