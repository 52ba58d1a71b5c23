import { Command } from "commander";
import { integer, span } from "../../flag-values.ts";
import { shareOf } from "./share-flag.ts";
import { addClusterOptions, addFormat, type Format } from "../cluster-options.ts";
import type { ClusterFlags, PluginContext } from "../plugin-context.ts";

/** What commands that may wait for a roll-out were told. */
export interface WaitFlags extends ClusterFlags {
  readonly wait?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** Adds --wait and --timeout. */
export function addWait(command: Command): Command {
  return addTimeout(command.option("-w, --wait", "wait until it is done, and show how it goes; exit code 1 when it stands still"));
}

function addTimeout(command: Command): Command {
  return command.option("--timeout <time>", "wait no longer than this, such as 90s or 10m (default: for ever)", span);
}

/** The argument of all commands that are about one fleet. */
export const appArgument = ["<app>", "the RunnerApp: NAME, or ra/NAME"] as const;

/** The command `rollout` with all below it. */
export function rolloutCommand(context: PluginContext): Command {
  const acts = () => import("./rollout-acts.ts");
  const command = (name: string, summary: string, description: string) =>
    addClusterOptions(
      new Command(name)
        .summary(summary)
        .description(description)
        .argument(...appArgument),
    );
  const status = addTimeout(
    command(
      "status",
      "wait for a roll-out and show how it goes",
      "Shows how far the change is that was made last, until it is done, is held at the share of spec.canary, or stands still (exit code 1).",
    ),
  )
    .option("--no-watch", "only say how far it is")
    .action(async (app: string, flags: WaitFlags & { readonly watch: boolean }) => (await acts()).showRollout(context, app, flags));
  const history = addFormat(
    command("history", "the revisions of a fleet", "Lists the revisions that are kept, and how many instances have each.").option(
      "--revision <number>",
      "print the pod template of this one",
      integer(1, Number.MAX_SAFE_INTEGER),
    ),
    "json",
    "yaml",
  ).action(async (app: string, flags: ClusterFlags & { readonly revision?: number; readonly output?: Format }) =>
    (await acts()).showRevisions(context, app, flags),
  );
  const pause = command(
    "pause",
    "let a roll-out stand still",
    "Sets spec.paused: no instance is updated. Scaling, healing and moves go on.",
  ).action(async (app: string, flags: ClusterFlags) => (await acts()).pauseRollout(context, app, flags));
  const resume = addWait(
    command(
      "resume",
      "let it go on",
      "Takes spec.paused back. A roll-out that stands still since instances failed goes on in spite of that, once.",
    ),
  ).action(async (app: string, flags: WaitFlags) => (await acts()).resumeRollout(context, app, flags));
  const undo = addWait(
    command(
      "undo",
      "go back to an earlier revision",
      "Writes the template of an earlier revision into spec.template: of the one that the fleet came from while a change is under way, else of the newest other one.",
    ).option("--to-revision <number>", "this one (kubectl nuptse rollout history)", integer(1, Number.MAX_SAFE_INTEGER)),
  ).action(async (app: string, flags: WaitFlags & { readonly toRevision?: number }) => (await acts()).undoRollout(context, app, flags));
  const promote = addWait(
    command("promote", "give a held change to more instances", "Raises spec.canary.replicas: to all, or to --to.").option(
      "--to <share>",
      "a number of instances, or a share such as 50% (default: 100%)",
      shareOf,
    ),
  ).action(async (app: string, flags: WaitFlags & { readonly to?: string | number }) => (await acts()).promoteRollout(context, app, flags));
  const group = new Command("rollout")
    .summary("see and steer the roll-out of a fleet")
    .description("Sees and steers how a change of a RunnerApp comes to its instances.");
  for (const each of [status, history, pause, resume, undo, promote]) group.addCommand(each);
  return group;
}
