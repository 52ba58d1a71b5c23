import type { Plan } from "../../api/action.ts";
import { withCondition } from "../../api/condition.ts";
import { appReasons, conditionTypes } from "../../api/reasons.ts";
import { runnerApps } from "../../api/resource.ts";
import { mergePatch } from "../../base/diff.ts";
import type { ObservedApp } from "./observed.ts";
import { unpublished } from "./services/trouble.ts";

/** A fleet that somebody else runs (spec.endpoints): nothing is done about it, and status tells what it is used for. */
export function planForeignFleet({ app, problems, now }: ObservedApp): Plan {
  const generation = app.metadata.generation ?? 1;
  const before = app.status ?? {};
  const verdict = verdictOf(app, problems);
  const isReady = verdict.reason === appReasons.serving;
  let conditions = withCondition(before.conditions ?? [], now, generation, {
    type: conditionTypes.ready,
    status: isReady ? "True" : "False",
    ...verdict,
  });
  if (!isReady || conditions.some(({ type }) => type === conditionTypes.stalled))
    conditions = withCondition(conditions, now, generation, {
      type: conditionTypes.stalled,
      status: isReady ? "False" : "True",
      reason: verdict.reason,
      message: isReady ? "" : verdict.message,
    });
  const patch = mergePatch({ ...before }, { ...before, observedGeneration: generation, conditions });
  return {
    actions: [],
    ...(patch !== undefined && { status: { resource: runnerApps, object: app, status: patch } }),
    reasons: [],
  };
}

function verdictOf(app: ObservedApp["app"], problems: ObservedApp["problems"]): { readonly reason: string; readonly message: string } {
  if (problems.length > 0)
    return { reason: appReasons.invalidSpec, message: problems.map(({ path, message }) => `${path}: ${message}`).join("; ") };
  const { endpoints, services = [], executor } = app.spec;
  const uses = [
    ...(services.length > 0 || executor === undefined ? ["is published"] : []),
    ...(executor !== undefined ? ["takes tasks"] : []),
  ];
  const message = `the fleet of the Service ${endpoints?.serviceName}, which somebody else runs, ${uses.join(" and ")}`;
  return unpublished(app) ?? { reason: appReasons.serving, message };
}
