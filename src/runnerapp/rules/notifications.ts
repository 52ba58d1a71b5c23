import type { Condition } from "../../api/meta.ts";
import type { AppEvent, Notification } from "../../api/notification.ts";
import { appReasons, conditionTypes } from "../../api/reasons.ts";
import type { RunnerAppStatus } from "../../api/runner-app.gen.ts";
import { formatSeconds } from "../../base/time.ts";
import type { NodeExclusion } from "./node-exclusion.ts";
import type { ObservedApp } from "./observed.ts";

/**
 * Whom to tell of what this plan records. They are told once the record is acknowledged, by the process that wrote it: at most once
 * (decision 77), and never of what was not so.
 * @param excluded nodes that are left out from now on
 */
export function notificationsOf(
  { app, now }: Pick<ObservedApp, "app" | "now">,
  next: RunnerAppStatus,
  excluded: readonly NodeExclusion[],
): readonly Notification[] {
  const wishes = app.spec.notify ?? [];
  if (wishes.length === 0) return [];
  const { name, namespace = "", uid = "" } = app.metadata;
  const facts = [...healthFacts(app.status ?? {}, next), ...rolloutFacts(app.status ?? {}, next), ...exclusionFacts(excluded)];
  return wishes.flatMap(({ receiver, events, quietSeconds = 0 }) =>
    facts
      .filter(({ event }) => (events as readonly string[]).includes(event))
      .map((fact) => ({ receiver, of: { kind: "RunnerApp", namespace, name, uid }, at: now, quietMs: quietSeconds * 1000, ...fact })),
  );
}

type Fact = { readonly event: AppEvent } & Pick<Notification, "reason" | "message" | "revision" | "nodes">;

const conditionOf = ({ conditions = [] }: RunnerAppStatus, type: string): Condition | undefined =>
  (conditions as readonly Condition[]).find((condition) => condition.type === type);

function healthFacts(before: RunnerAppStatus, next: RunnerAppStatus): readonly Fact[] {
  const was = conditionOf(before, conditionTypes.degraded)?.status === "True";
  const degraded = conditionOf(next, conditionTypes.degraded);
  const is = degraded?.status === "True";
  if (was === is) return [];
  if (is) return [{ event: "Degraded", reason: degraded.reason, message: `it is degraded: ${degraded.message}` }];
  const available = conditionOf(next, conditionTypes.available);
  return [{ event: "Recovered", reason: appReasons.serving, message: `it is degraded no more: ${available?.message ?? ""}` }];
}

function rolloutFacts(before: RunnerAppStatus, next: RunnerAppStatus): readonly Fact[] {
  const { phase, revision, reason = "" } = next.canary ?? {};
  if (phase === before.canary?.phase && revision === before.canary?.revision) return [];
  const about = { event: "RolloutPaused" as const, ...(revision !== undefined && { revision }) };
  if (phase === "AutoPaused")
    return [{ ...about, reason: appReasons.rolloutPaused, message: `the roll-out of revision ${revision} stands still: ${reason}` }];
  if (phase === "RolledBack")
    return [{ ...about, reason: appReasons.rolledBack, message: `the roll-out of revision ${revision} was taken back: ${reason}` }];
  return [];
}

/** In one message, so that a quiet time does not swallow a part of them. */
function exclusionFacts(excluded: readonly NodeExclusion[]): readonly Fact[] {
  const [first] = excluded;
  if (first === undefined) return [];
  const nodes = excluded.map(({ node }) => node);
  const each = excluded.map(({ node, failures, until }) => `${node} until ${formatSeconds(until)} (${failures} failures)`);
  return [{ event: "NodeExcluded", reason: first.reason, message: `nodes are left out: ${each.join(", ")}`, nodes }];
}
