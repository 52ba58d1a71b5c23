import { Command } from "commander";
import { cronCommand } from "./cron.ts";
import { evacuateCommand, restartCommand, setImageCommand } from "./plugin/fleet/acts.ts";
import { appCommand } from "./plugin/fleet/app.ts";
import { execCommand } from "./plugin/fleet/exec.ts";
import { nodeCommand } from "./plugin/fleet/node.ts";
import { renderCommand } from "./plugin/fleet/render.ts";
import { rolloutCommand } from "./plugin/fleet/rollout.ts";
import { completionCommand, createCompleteCommand } from "./plugin/completion.ts";
import { historyCommand } from "./plugin/history.ts";
import { logsCommand } from "./plugin/logs.ts";
import { nextCommand } from "./plugin/next.ts";
import type { PluginContext } from "./plugin/plugin-context.ts";
import { queueCommand } from "./plugin/queue.ts";
import { requestCommands } from "./plugin/requests.ts";
import { executorsCommand } from "./plugin/executors.ts";
import { servicesCommand } from "./plugin/services.ts";
import { statusCommand } from "./plugin/status.ts";
import { validateCommand } from "./plugin/validate.ts";
import { whyCommand } from "./plugin/why.ts";
import { versionCommand } from "./version.ts";

/** The program `kubectl nuptse`; give it to runPlugin. What a command does is imported when it runs. */
export function createPluginProgram(context: PluginContext): Command {
  const requests = requestCommands(context);
  const isOfBoth = (command: Command) => ["suspend", "resume"].includes(command.name());
  const groups: Readonly<Record<string, readonly Command[]>> = {
    "Jobs and fleets:": [
      whyCommand(context),
      logsCommand(context),
      nodeCommand(context),
      queueCommand(context),
      ...requests.filter(isOfBoth),
    ],
    "Jobs:": [statusCommand(context), historyCommand(context), nextCommand(context), ...requests.filter((command) => !isOfBoth(command))],
    "Fleets:": [
      appCommand(context),
      servicesCommand(context),
      executorsCommand(context),
      rolloutCommand(context),
      restartCommand(context),
      setImageCommand(context),
      evacuateCommand(context),
      execCommand(context),
      renderCommand(context),
    ],
    "Without a cluster:": [validateCommand(context), cronCommand(context), completionCommand(context), versionCommand(context)],
  };
  const program = new Command("kubectl nuptse")
    .description("What nuptse adds to kubectl.")
    .version(context.version, "-V, --version", "print the version");
  for (const [group, commands] of Object.entries(groups)) for (const command of commands) program.addCommand(command.helpGroup(group));
  return program.addCommand(createCompleteCommand(context, program), { hidden: true });
}
