import { Command } from "commander";
import type { PluginContext } from "./plugin-context.ts";

/** The command `validate`: what the API server would say to manifests, without one. */
export function validateCommand(context: PluginContext): Command {
  return new Command("validate")
    .summary("check manifests without a cluster")
    .description(
      "Checks manifests of nuptse's kinds as admission would: unknown fields, the schema with its rules, schedules, and the pod template. " +
        "No cluster is asked. Exit code 1 when something is wrong.",
    )
    .requiredOption("-f, --filename <file...>", "files, folders with *.yaml, *.yml and *.json, or - for stdin")
    .option("-q, --quiet", "only what is wrong")
    .action(async (flags: { readonly filename: readonly string[]; readonly quiet?: boolean }) => {
      const { validateFiles } = await import("./validate-files.ts");
      await validateFiles(context, flags.filename, flags.quiet === true);
    });
}
