import type { EventAction } from "../../api/action.ts";
import { appEventReasons, conditionTypes } from "../../api/reasons.ts";
import type { RunnerAppStatus } from "../../api/runner-app.gen.ts";
import type { Healing } from "./healing.ts";
import type { Moves } from "./moves.ts";
import type { ObservedApp } from "./observed.ts";
import type { OptionsPlan } from "./resource-options.ts";
import type { Rollout } from "./rollout.ts";

/** What people are told, each thing once: when the status that it is about is written. */
export function eventsOf(
  { app }: ObservedApp,
  { canary }: Rollout,
  { retries, exclusion }: Healing,
  { plan }: Moves,
  { unfit }: OptionsPlan,
  next: RunnerAppStatus,
): readonly EventAction[] {
  const event = (reason: string, note: string): EventAction => ({
    tag: "event",
    regarding: app,
    type: "Warning",
    reason,
    note: note.slice(0, 1024),
  });
  const before = app.status?.canary;
  const alternatives = app.spec.resourceOptions?.length ?? 0;
  const events: EventAction[] = [];
  if (canary !== undefined && (before?.phase !== canary.phase || before?.revision !== canary.revision)) {
    const { revision, reason } = canary;
    if (canary.phase === "AutoPaused")
      events.push(event(appEventReasons.rolloutPaused, `revision ${revision} stands still: ${reason}; correct it, or resume it`));
    if (canary.phase === "RolledBack")
      events.push(event(appEventReasons.rolledBack, `revision ${revision} was taken back: ${reason}; correct spec.template`));
  }
  if (retries.exhausted.length > 0)
    events.push(
      event(
        appEventReasons.retriesExhausted,
        `instances ${retries.exhausted.join(", ")} failed on all nodes that they were tried on; see status.recoveries, and change spec.template or set spec.restartedAt`,
      ),
    );
  for (const { node, failures, until } of exclusion.added)
    events.push(
      event(
        appEventReasons.nodeExcluded,
        `node ${node} is left out until ${new Date(until).toISOString()}: ${failures} failures of instances there; look at the node`,
      ),
    );
  const known = new Set(app.status?.evacuations?.flatMap(({ pod, phase }) => (phase === "Stalled" ? pod : [])));
  for (const { instance, node, waitsFor } of plan.stalled) {
    const move = plan.evacuations.find((each) => each.instance === instance && each.node === node);
    if (move !== undefined && !known.has(move.pod))
      events.push(
        event(
          appEventReasons.evacuationStalled,
          `instance ${instance} cannot leave node ${node}: it waits for ${waitsFor}; make room elsewhere`,
        ),
      );
  }
  const newlyUnfit = unfit.filter(
    (name) => app.status?.optionTries?.some(({ instance, tries }) => instance === name && tries >= alternatives) !== true,
  );
  if (newlyUnfit.length > 0)
    events.push(
      event(
        appEventReasons.noOptionFits,
        `instances ${newlyUnfit.join(", ")} find no node with any of spec.resourceOptions; make room, or offer an alternative that is smaller`,
      ),
    );
  const lagging = laggingIn(next);
  if (lagging !== undefined && laggingIn(app.status) === undefined) events.push(event(appEventReasons.gatewayLagging, lagging));
  return events;
}

/** What the condition GatewayLagging says while it holds. */
const laggingIn = (status: RunnerAppStatus | undefined): string | undefined =>
  status?.conditions?.find(({ type, status: is }) => type === conditionTypes.gatewayLagging && is === "True")?.message;
