import type { ControllerRevision } from "../../../api/core.ts";
import { annotations } from "../../../api/names.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { formatSeconds } from "../../../base/time.ts";
import { canaryTarget } from "../../../runnerapp/rules/fleet-arithmetic.ts";
import { instancePod, isLiving } from "../../../runnerapp/rules/instance.ts";
import type { RevisionData } from "../../../runnerapp/rules/revision.ts";
import { UsageError } from "../../command-context.ts";
import { alignColumns } from "../../cron-output.ts";
import type { Format } from "../cluster-options.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster, ClusterFlags, PluginContext } from "../plugin-context.ts";
import { printValue } from "../print.ts";
import { spanText } from "../time-text.ts";
import { withCluster } from "../with-cluster.ts";
import { readApp } from "./app-name.ts";
import { editApp, mergeIntoApp } from "./edit-app.ts";
import { readFleet, readRevisions } from "./fleet-picture.ts";
import { fleetOf } from "./instances.ts";
import { revisionViews } from "./revision-view.ts";
import type { WaitFlags } from "./rollout.ts";
import { rolloutVerdict } from "./rollout-verdict.ts";
import { waitForRollout } from "./wait-for-rollout.ts";

/** Shows how far a roll-out is, until its end unless only one look is wanted. */
export async function showRollout(context: PluginContext, name: string, flags: WaitFlags & { readonly watch: boolean }): Promise<void> {
  const { clock, output } = context;
  await withCluster(context, flags, async (cluster) => {
    if (flags.watch) return await waitForRollout(context, cluster, await readApp(cluster, name), flags.timeout);
    const picture = await readFleet(cluster, name, () => clock.now());
    const { state, text } = rolloutVerdict(picture, fleetOf(picture));
    if (state === "Standing") throw new CommandFailure(text);
    output.result(text);
  });
}

/** Prints the revisions of a fleet, or the template of one. */
export async function showRevisions(
  context: PluginContext,
  name: string,
  flags: ClusterFlags & { readonly revision?: number; readonly output?: Format },
): Promise<void> {
  const { clock, output, style } = context;
  const { app, pods, revisions } = await withCluster(context, flags, (cluster) => readFleet(cluster, name, () => clock.now()));
  if (flags.revision !== undefined) {
    const { template } = revisionNumbered(app, revisions, flags.revision).data as RevisionData;
    return await printValue(output, flags.output === "json" ? "json" : "yaml", template);
  }
  const views = revisionViews(app, revisions, pods.map(instancePod).filter(isLiving));
  if (flags.output === "json" || flags.output === "yaml") return await printValue(output, flags.output, views);
  const rows = views.map(({ revision, marks, instances, createdAt, images }) => [
    String(revision),
    marks.join(",") || "-",
    String(instances),
    createdAt === undefined ? "-" : spanText(createdAt, clock.now()),
    images.join(","),
  ]);
  const [head = "", ...lines] = alignColumns([["REVISION", "IS", "INSTANCES", "AGE", "IMAGES"], ...rows]);
  output.result(style.bold(head));
  for (const line of lines) output.result(line);
}

/** Sets spec.paused. */
export async function pauseRollout(context: PluginContext, name: string, flags: ClusterFlags): Promise<void> {
  await withCluster(context, flags, async (cluster) => {
    const app = await readApp(cluster, name);
    if (app.spec.paused === true) return context.output.note(`${app.metadata.name} is paused already`);
    await mergeIntoApp(cluster, app, { spec: { paused: true } });
    context.output.result(`runnerapp.nuptse.dev/${app.metadata.name} paused`);
  });
}

/** Takes spec.paused back, and lets a roll-out go on that stands still by failure. */
export async function resumeRollout(context: PluginContext, name: string, flags: WaitFlags): Promise<void> {
  await withCluster(context, flags, async (cluster) => {
    const app = await readApp(cluster, name);
    const { canary } = app.status ?? {};
    const failed = canary?.phase === "AutoPaused" || canary?.phase === "RolledBack";
    if (app.spec.paused !== true && !failed) return context.output.note(`${app.metadata.name} is not paused`);
    // Each value is heeded once, and only for its revision.
    const wish = `${canary?.revision}/${formatSeconds(cluster.serverNow())}`;
    const changed = await mergeIntoApp(cluster, app, {
      ...(failed && { metadata: { annotations: { [annotations.resume]: wish } } }),
      ...(app.spec.paused === true && { spec: { paused: false } }),
    });
    const inSpite = failed ? ` in spite of ${canary?.failed ?? 0} failed instances` : "";
    await end(context, cluster, changed, `resumed${inSpite}`, flags);
  });
}

/** Writes the template of an earlier revision into the spec. */
export async function undoRollout(
  context: PluginContext,
  name: string,
  flags: WaitFlags & { readonly toRevision?: number },
): Promise<void> {
  await withCluster(context, flags, async (cluster) => {
    const app = await readApp(cluster, name);
    const revisions = await readRevisions(cluster, app);
    const target = flags.toRevision === undefined ? formerRevision(app, revisions) : revisionNumbered(app, revisions, flags.toRevision);
    if (target.metadata.name === app.status?.updateRevision)
      throw new CommandFailure(`${app.metadata.name} has the template of revision ${target.revision} already`);
    const { template, resourceOptions } = target.data as RevisionData;
    const changed = await editApp(cluster, app, [
      { op: "replace", path: "/spec/template", value: template },
      // All that a revision holds goes back with it.
      ...(resourceOptions !== undefined ? [{ op: "add" as const, path: "/spec/resourceOptions", value: resourceOptions }] : []),
      ...(resourceOptions === undefined && app.spec.resourceOptions !== undefined
        ? [{ op: "remove" as const, path: "/spec/resourceOptions" }]
        : []),
    ]);
    const images = template.spec.containers.map(({ image }) => image ?? "").join(",");
    await end(context, cluster, changed, `rolled back to revision ${target.revision} (${images})`, flags);
  });
}

/** What a fleet came from while a change is under way, else the newest other revision. */
function formerRevision({ metadata, status }: RunnerApp, revisions: readonly ControllerRevision[]): ControllerRevision {
  const others = revisions.filter((revision) => revision.metadata.name !== status?.updateRevision);
  const stable = others.find((revision) => revision.metadata.name === status?.stableRevision);
  const former = stable ?? others.at(-1);
  if (former === undefined)
    throw new CommandFailure(`${metadata.name} has no other revision to go back to (spec.revisionHistoryLimit says how many are kept)`);
  return former;
}

function revisionNumbered({ metadata }: RunnerApp, revisions: readonly ControllerRevision[], wanted: number): ControllerRevision {
  const found = revisions.find(({ revision }) => revision === wanted);
  if (found !== undefined) return found;
  const there = revisions.map(({ revision }) => revision).join(", ");
  throw new CommandFailure(`${metadata.name} has no revision ${wanted}; ${there === "" ? "none can be read" : `there are ${there}`}`);
}

/** Raises the share that has the change. */
export async function promoteRollout(
  context: PluginContext,
  name: string,
  flags: WaitFlags & { readonly to?: string | number },
): Promise<void> {
  const share = flags.to ?? "100%";
  await withCluster(context, flags, async (cluster) => {
    const app = await readApp(cluster, name);
    const { canary, replicas = 1 } = app.spec;
    const { phase } = app.status?.canary ?? {};
    if (canary === undefined) throw new CommandFailure(`${app.metadata.name} has no spec.canary: a change goes to all instances by itself`);
    if (phase === "AutoPaused" || phase === "RolledBack")
      throw new CommandFailure(
        `the change has failed (kubectl nuptse why ra/${app.metadata.name}): correct it, or first kubectl nuptse rollout resume ${app.metadata.name}`,
      );
    const before = canary.replicas ?? "100%";
    if (canaryTarget(replicas, share) < canaryTarget(replicas, before))
      throw new UsageError(`--to ${share} is less than now, ${before}; write a larger share`);
    if (canaryTarget(replicas, share) === canaryTarget(replicas, before))
      return context.output.note(`${app.metadata.name} has spec.canary.replicas of ${before} already`);
    const changed = await mergeIntoApp(cluster, app, { spec: { canary: { replicas: share } } });
    if (app.spec.paused === true)
      context.output.note("spec.paused is true, so it stands still all the same: kubectl nuptse rollout resume");
    if (canaryTarget(replicas, share) >= replicas)
      context.output.note(`the next change goes to all instances at once, unless spec.canary.replicas is set back to ${before} before it`);
    await end(context, cluster, changed, `promoted from ${before} to ${share}`, flags);
  });
}

/** Says what was done, and waits for what follows where that is wanted. */
export async function end(context: PluginContext, cluster: Cluster, app: RunnerApp, done: string, flags: WaitFlags): Promise<void> {
  context.output.result(`runnerapp.nuptse.dev/${app.metadata.name} ${done}`);
  if (flags.wait === true) await waitForRollout(context, cluster, app, flags.timeout);
}
