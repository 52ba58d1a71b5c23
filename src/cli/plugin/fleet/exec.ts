import { Command } from "commander";
import { integer } from "../../flag-values.ts";
import { addClusterOptions } from "../cluster-options.ts";
import type { ClusterFlags, PluginContext } from "../plugin-context.ts";
import { appArgument } from "./rollout.ts";

/** What `exec` was told. */
export interface ExecFlags extends ClusterFlags {
  readonly instance?: number;
  readonly container?: string;
  readonly stdin?: boolean;
}

/** The command `exec`: a command in an instance. */
export function execCommand(context: PluginContext): Command {
  const command = new Command("exec")
    .summary("run a command in an instance of a fleet")
    .description(
      "Chooses an instance, the first that serves or the one of -i, and runs `kubectl exec` in it; on a terminal, with that terminal. Without a " +
        "command it is a shell. The exit code is that of the command.",
    )
    .argument(...appArgument)
    .argument("[command...]", "the command and its arguments, behind -- (default: sh)")
    .option("-i, --instance <number>", "this instance (default: the first that serves)", integer(0, 1_000_000))
    .option("-c, --container <name>", "a container (default: the first, or the one that the pod's annotation names)")
    .option("--stdin", "pass standard input; on a terminal it is passed anyway");
  return addClusterOptions(command).action(async (app: string, words: readonly string[], flags: ExecFlags) =>
    (await import("./exec-in-instance.ts")).execInInstance(context, app, words, flags),
  );
}
