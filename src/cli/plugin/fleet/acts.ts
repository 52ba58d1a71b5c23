import { Command } from "commander";
import type { IntervalSet } from "../../../base/interval-set.ts";
import { addClusterOptions } from "../cluster-options.ts";
import { itemSet } from "../logs.ts";
import type { PluginContext } from "../plugin-context.ts";
import { addWait, appArgument, type WaitFlags } from "./rollout.ts";

// The commands that change something of a fleet, besides `rollout`.

/** What `restart` was told. */
export interface RestartFlags extends WaitFlags {
  readonly instance?: IntervalSet;
}

/** What `evacuate` was told. */
export interface EvacuateFlags extends WaitFlags {
  readonly instance?: IntervalSet;
  readonly cancel?: boolean;
}

export const instanceOption = ["-i, --instance <numbers>", "only these instances, such as 3 or 0-3,7", itemSet] as const;

/** The command `restart`. */
export function restartCommand(context: PluginContext): Command {
  const command = new Command("restart")
    .summary("restart a fleet, or single instances of it")
    .description(
      "Replaces the instances of a RunnerApp one after the other, within what may be missing, on the same nodes where they fit (spec.restartedAt). " +
        "With -i, or as pod/NAME, only these.",
    )
    .argument("<app>", "the RunnerApp: NAME, or ra/NAME; or pod/NAME of one instance")
    .option(...instanceOption);
  return addWait(addClusterOptions(command)).action(async (app: string, flags: RestartFlags) =>
    (await import("./restart.ts")).restart(context, app, flags),
  );
}

/** The command `set-image`. */
export function setImageCommand(context: PluginContext): Command {
  const command = new Command("set-image")
    .summary("give a fleet other images")
    .description("Writes images into spec.template: a new revision, which is rolled out. *=IMAGE is about all containers.")
    .argument(...appArgument)
    .argument("<container=image...>", "the container, and its image");
  return addWait(addClusterOptions(command)).action(async (app: string, images: readonly string[], flags: WaitFlags) =>
    (await import("./set-image.ts")).setImages(context, app, images, flags),
  );
}

/** The command `evacuate`. */
export function evacuateCommand(context: PluginContext): Command {
  const command = new Command("evacuate")
    .summary("move instances away from a node, or single ones")
    .description(
      "Asks that the instances of all fleets leave a node, by the annotation nuptse.dev/evacuate. Each moves when a replacement serves elsewhere; " +
        "nothing is deleted where nothing fits. The node takes other pods as before: cordon it too where it is to stay empty.",
    )
    .argument("<node>", "the node: NAME, or node/NAME; or pod/NAME, or ra/NAME with -i, of single instances")
    .option(...instanceOption)
    .option("--cancel", "take that back: what has not gone yet stays");
  return addWait(addClusterOptions(command)).action(async (what: string, flags: EvacuateFlags) =>
    (await import("./evacuate.ts")).evacuate(context, what, flags),
  );
}
