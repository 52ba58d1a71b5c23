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
import { statusCommand } from "./plugin/status.ts";
import { validateCommand } from "./plugin/validate.ts";
import { whyCommand } from "./plugin/why.ts";
import { versionCommand } from "./version.ts";

/** The program `kubectl nuptse`; give it to runPlugin. What a command does is imported when it runs. */
export function createPluginProgram(context: PluginContext): Command {
  const program = new Command("kubectl nuptse")
    .description("What nuptse adds to kubectl.")
    .version(context.version, "-V, --version", "print the version")
    .addCommand(statusCommand(context))
    .addCommand(historyCommand(context))
    .addCommand(logsCommand(context))
    .addCommand(whyCommand(context))
    .addCommand(appCommand(context))
    .addCommand(rolloutCommand(context))
    .addCommand(restartCommand(context))
    .addCommand(setImageCommand(context))
    .addCommand(evacuateCommand(context))
    .addCommand(nodeCommand(context))
    .addCommand(execCommand(context))
    .addCommand(renderCommand(context))
    .addCommand(nextCommand(context))
    .addCommand(queueCommand(context))
    .addCommand(validateCommand(context))
    .addCommand(cronCommand(context))
    .addCommand(completionCommand(context))
    .addCommand(versionCommand(context));
  for (const command of requestCommands(context)) program.addCommand(command);
  return program.addCommand(createCompleteCommand(context, program), { hidden: true });
}
