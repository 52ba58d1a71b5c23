import { withCondition } from "../../api/condition.ts";
import type { Condition } from "../../api/meta.ts";
import { appReasons, conditionTypes } from "../../api/reasons.ts";
import type { EffectiveSpec } from "./effective-spec.ts";
import type { ObservedApp } from "./observed.ts";
import type { QueueTurn } from "./queue-turn.ts";
import type { RevisionStep } from "./revision.ts";
import type { Rollout } from "./rollout.ts";
import { unpublished } from "./services/trouble.ts";

/** What conditions tell of. */
export interface Situation {
  /** What the user wants, and the same as far as the queue lets it. */
  readonly wish: EffectiveSpec;
  readonly spec: EffectiveSpec;
  readonly turn: QueueTurn;
  /** Instances whose retries are used up. */
  readonly exhausted: number;
  /** Moves that take longer than they should. */
  readonly stalledMoves: number;
  /** Some gateway does not have instances up that are ready, for longer than it takes. */
  readonly isGatewayLagging: boolean;
  /** Instances for which none of spec.resourceOptions has fitted. */
  readonly unfit: number;
  readonly revision: RevisionStep;
  readonly rollout: Rollout;
  readonly available: number;
  readonly living: number;
  /** All that is wanted now is there and available. */
  readonly isComplete: boolean;
  /** The change under way came no step further for spec.progressDeadlineSeconds. */
  readonly isLate: boolean;
}

interface Verdict {
  readonly isReady: boolean;
  readonly reason: string;
  readonly message: string;
  /** Somebody must do something. */
  readonly isStalled?: boolean;
}

/** All conditions as of now, by kstatus: Reconciling and Stalled are absent until they were true once. */
export function conditionsOf(observed: ObservedApp, situation: Situation): readonly Condition[] {
  const { app, now } = observed;
  const { wish, turn, exhausted, stalledMoves, unfit } = situation;
  const generation = app.metadata.generation ?? 1;
  const verdict = verdictOf(observed, situation);
  const least = wish.replicas - wish.maxUnavailable;
  const isAvailable = situation.available >= least;
  const isStalled = verdict.isStalled === true;
  const isReconciling = !isStalled && !situation.isComplete && !isHeld(situation);
  const { ready, available, reconciling, stalled, paused, degraded, reduced, gatewayLagging } = conditionTypes;
  const isPaused = situation.rollout.canary?.phase === "Paused" || situation.rollout.canary?.phase === "AutoPaused";
  let conditions: readonly Condition[] = app.status?.conditions ?? [];
  const set = (type: string, holds: boolean, reason: string, message: string, always = false) => {
    if (!always && !holds && !conditions.some((condition) => condition.type === type)) return;
    conditions = withCondition(conditions, now, generation, { type, status: holds ? "True" : "False", reason, message });
  };
  set(ready, verdict.isReady, verdict.reason, verdict.message, true);
  const enough = `${isAvailable ? "at least" : "fewer than"} ${least} of ${wish.replicas} instances are available`;
  set(available, isAvailable, isAvailable ? appReasons.enoughAvailable : appReasons.tooFewAvailable, enough, true);
  set(reconciling, isReconciling, verdict.reason, isReconciling ? verdict.message : "");
  set(stalled, isStalled, verdict.reason, isStalled ? verdict.message : "");
  set(paused, isPaused, verdict.reason, isPaused ? verdict.message : "");
  const troubles: readonly (readonly [reason: string, text: string])[] = [
    ...(exhausted > 0 ? [[appReasons.retriesExhausted, `the retries of ${exhausted} instances are used up`] as const] : []),
    ...(stalledMoves > 0 ? [[appReasons.evacuationStalled, `${stalledMoves} instances cannot leave their nodes`] as const] : []),
    ...(unfit > 0 ? [[appReasons.noOptionFits, `${unfit} instances find no node with any of spec.resourceOptions`] as const] : []),
  ];
  const [worst] = troubles;
  set(degraded, worst !== undefined, worst?.[0] ?? appReasons.serving, troubles.map(([, text]) => text).join("; "));
  const less = turn.isReduced ? `reduced to ${situation.spec.replicas} of ${wish.replicas} instances, as the queue asked` : "";
  set(reduced, turn.isReduced, turn.isReduced ? appReasons.reclaimed : appReasons.serving, less);
  const isLagging = situation.isGatewayLagging;
  set(gatewayLagging, isLagging, isLagging ? appReasons.notUpAtGateways : appReasons.serving, isLagging ? laggingText : "");
  return conditions;
}

/** Without figures and names: those change with each step of a roll-out. */
const laggingText =
  "instances are ready that a gateway has not had up for 10 s, or no gateway says what it has; things go on without it: see kubectl nuptse services, the " +
  "health checks of spec.services, and nuptse_gateway_lag_seconds";

const isHeld = ({ rollout }: Situation): boolean => rollout.canary?.phase === "Held" || rollout.canary?.phase === "Paused";

function verdictOf(observed: ObservedApp, situation: Situation): Verdict {
  const { problems, memory } = observed;
  const { revision, rollout, available, living, isComplete, turn, wish: spec, exhausted } = situation;
  const { canary } = rollout;
  const stalled = (reason: string, message: string): Verdict => ({ isReady: false, reason, message, isStalled: true });
  const enough = available >= spec.replicas - spec.maxUnavailable;
  if (problems.length > 0) return stalled(appReasons.invalidSpec, problems.map(({ path, message }) => `${path}: ${message}`).join("; "));
  if (revision.kind === "refused") return stalled(appReasons.templateRefused, revision.message);
  if (memory.namespaceTerminating)
    return { isReady: false, reason: appReasons.namespaceTerminating, message: "the namespace is being deleted; nothing new is started" };
  if (revision.kind !== "ready") return { isReady: false, reason: appReasons.progressing, message: "the template is being checked" };
  if (spec.suspend && living === 0)
    return { isReady: true, reason: appReasons.suspended, message: "no instances while spec.suspend is true" };
  const why = canary?.reason ?? "";
  if (canary?.phase === "RolledBack")
    return stalled(appReasons.rolledBack, `the instances of revision ${canary.revision} were taken back: ${why}; correct spec.template`);
  if (canary?.phase === "AutoPaused")
    return stalled(
      appReasons.rolloutPaused,
      `the roll-out of revision ${canary.revision} stands still: ${why}; correct spec.template, or resume it`,
    );
  if (situation.isLate)
    return stalled(
      appReasons.progressDeadlineExceeded,
      `no step further for ${spec.progressDeadlineMs / 1000} s (spec.progressDeadlineSeconds): ${countsText(situation)}`,
    );
  if (exhausted > 0 && !isComplete)
    return {
      isReady: false,
      reason: appReasons.retriesExhausted,
      message: `the retries of ${exhausted} instances are used up; see status.recoveries, and change spec.template or set spec.restartedAt`,
      isStalled: true,
    };
  const trouble = unpublished(observed.app);
  if (trouble !== undefined && enough) return stalled(trouble.reason, trouble.message);
  if (turn.waits !== undefined && living < spec.replicas)
    return {
      isReady: enough && !turn.waits.never,
      reason: turn.waits.reason,
      message: turn.waits.message,
      isStalled: turn.waits.never === true,
    };
  const { refusal } = memory;
  if (refusal !== undefined && living < spec.replicas) return { isReady: enough, reason: refusal.reason, message: refusal.message };
  if (canary?.phase === "Paused" && enough)
    return { isReady: true, reason: appReasons.paused, message: `spec.paused is true: ${countsText(situation)}` };
  if (canary?.phase === "Held" && enough)
    return {
      isReady: true,
      reason: appReasons.canaryHeld,
      message: `the change is at spec.canary.replicas: ${canary.target} of ${spec.replicas}`,
    };
  if (isComplete)
    return { isReady: true, reason: appReasons.serving, message: `${spec.replicas} of ${spec.replicas} instances are available` };
  if (canary?.phase === "Rolling") return { isReady: false, reason: appReasons.rolling, message: "the roll-out is under way" };
  if (!enough) return { isReady: false, reason: appReasons.tooFewAvailable, message: "too few instances are available" };
  return { isReady: true, reason: appReasons.progressing, message: "instances are being added, replaced or removed" };
}

/** Counts are in a message only where the situation stands still: else each step would be a write. */
const countsText = ({ wish: spec, available, living }: Situation): string =>
  `${living} instances, ${available} available, of ${spec.replicas}`;
