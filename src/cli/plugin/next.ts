import { Command } from "commander";
import { integer } from "../flag-values.ts";
import { addAllNamespaces, addClusterOptions, addFormat, type Format } from "./cluster-options.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";

/** What `next` was told. */
export interface NextFlags extends ClusterFlags {
  readonly from?: string;
  readonly to?: string;
  readonly count?: number;
  readonly output?: Format;
}

/** The command `next`: when jobs fire. */
export function nextCommand(context: PluginContext): Command {
  const command = new Command("next")
    .summary("a calendar of the coming fire times")
    .description("Prints when jobs fire, of one job or of all, computed from their schedules as they are now.")
    .argument("[job]", "one ElasticJob (default: all of the namespace)")
    .option("--from <time>", "RFC 3339, or local time of the job, or UTC for several (default: now)")
    .option("--to <time>", "nothing after it (default: none)")
    .option("--count <count>", "how many fire times at most (default: 20, with --to 1000)", integer(1, 100_000));
  addFormat(addAllNamespaces(addClusterOptions(command)), "json", "yaml", "wide");
  return command.action(async (job: string | undefined, flags: NextFlags) => {
    const { showNext } = await import("./show-next.ts");
    await showNext(context, job, flags);
  });
}
