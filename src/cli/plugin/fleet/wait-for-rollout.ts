import type { Pod } from "../../../api/core.ts";
import { runnerApps } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import type { Timer } from "../../../base/clock.ts";
import { alignColumns } from "../../cron-output.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster, PluginContext } from "../plugin-context.ts";
import { bar } from "../progress.ts";
import { spanText } from "../time-text.ts";
import { watchWork } from "../watch-work.ts";
import { podsOfApp } from "./app-name.ts";
import { isOf } from "./fleet-picture.ts";
import { dueForRestart, type Fleet, fleetOf, instanceView } from "./instances.ts";
import { type RolloutVerdict, rolloutVerdict } from "./rollout-verdict.ts";

const redrawMs = 1000;

/**
 * Waits until what was asked of a fleet is done or stands still, and shows how it goes: drawn over and over on a terminal, as lines elsewhere.
 * Rejects with CommandFailure when it stands still, and when the time is over.
 * @param timeoutMs absent = for ever
 */
export async function waitForRollout(context: PluginContext, cluster: Cluster, app: RunnerApp, timeoutMs?: number): Promise<void> {
  const { clock, output, style, terminal, signal } = context;
  let verdict: RolloutVerdict = { state: "Going", text: "nothing was seen of it" };
  let last = "";
  let redraw: Timer | undefined;
  let frame: readonly string[] = [];
  const draw = () => {
    redraw?.cancel();
    terminal?.draw(frame);
    redraw = clock.after(redrawMs, draw);
  };
  const late = new AbortController();
  const deadline = timeoutMs === undefined ? undefined : clock.after(timeoutMs, () => late.abort());
  try {
    await watchWork(
      cluster,
      app,
      { clock, signal: AbortSignal.any([signal, late.signal]), resource: runnerApps, labelSelector: podsOfApp(app) },
      ({ root, pods }) => {
        const picture = { app: root, pods: pods.filter((pod: Pod) => isOf(root, pod)), nodes: [], now: clock.now() };
        const fleet = fleetOf(picture);
        verdict = rolloutVerdict({ app: root, now: cluster.serverNow() }, fleet);
        if (terminal !== undefined) {
          frame = frameOf(root, fleet, verdict, clock.now(), terminal.rows).map((line, index) => (index === 0 ? style.bold(line) : line));
          draw();
        } else if (verdict.text !== last && verdict.state === "Going") output.result(verdict.text);
        last = verdict.text;
        return verdict.state !== "Going";
      },
    );
  } catch (error) {
    if (signal.aborted) output.note(`it goes on by itself; kubectl nuptse rollout status ${app.metadata.name} shows it`);
    if (!late.signal.aborted) throw error;
    throw new CommandFailure(`not done within --timeout: ${verdict.text}; it goes on by itself`, { cause: error });
  } finally {
    deadline?.cancel();
    redraw?.cancel();
    terminal?.draw([]);
  }
  if (verdict.state === "Standing") throw new CommandFailure(verdict.text);
  output.result(verdict.text);
}

function frameOf(app: RunnerApp, fleet: Fleet, verdict: RolloutVerdict, now: number, rows: number): readonly string[] {
  const { replicas } = fleet.spec;
  const done = Math.min(fleet.updated, replicas - dueForRestart(fleet, now).length, fleet.available);
  const head = `${app.metadata.name}  ${bar(done / Math.max(1, replicas))} ${verdict.text}`;
  const telling = fleet.instances.filter(
    ({ reason, has }) => reason !== "None" || has?.facts.isDeleting === true || has?.isAvailable === false,
  );
  const lines = telling.slice(0, Math.max(0, rows - 3)).map((instance) => {
    const view = instanceView(instance);
    const age = view.createdAt === undefined ? "-" : spanText(view.createdAt, now);
    return [
      view.instance,
      view.isDeleting ? "Ending" : view.reason === "None" ? "Ready" : view.reason,
      view.pod ?? "-",
      view.node ?? "-",
      age,
    ];
  });
  return [head, ...alignColumns(lines).map((line) => `  ${line}`)];
}
