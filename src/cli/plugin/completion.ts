import { Argument, Command } from "commander";
import type { PluginContext } from "./plugin-context.ts";

/** The command that shells ask for completions; kubectl asks by `kubectl_complete-nuptse`, which is this. */
export const completeCommandName = "__complete";

/** The command `completion`: a script for a shell. */
export function completionCommand(context: PluginContext): Command {
  return new Command("completion")
    .summary("a script that completes commands in a shell")
    .description(
      "Prints a script that makes a shell complete kubectl-nuptse. For `kubectl nuptse <TAB>`, kubectl's own completion asks a program " +
        "kubectl_complete-nuptse in PATH: it comes with this package, and the script says how to make one by hand.",
    )
    .addArgument(new Argument("<shell>", "which one").choices(["bash", "zsh", "fish"]))
    .action(async (shell: "bash" | "zsh" | "fish") => {
      const { completionScript } = await import("./completion-script.ts");
      context.output.result(completionScript(shell));
    });
}

/** What `kubectl_complete-nuptse` and the scripts run: prints candidates for the last word, then a line with a directive, as cobra does. */
export function createCompleteCommand(context: PluginContext, program: Command): Command {
  return new Command(completeCommandName)
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: readonly string[]) => {
      const { complete } = await import("./complete.ts");
      for (const line of await complete(context, program, words)) context.output.result(line);
    });
}
