import type { EvacuationCause } from "./node-taking.ts";

/** spec.evacuation with shares resolved; durations in milliseconds. */
export interface EvacuationPolicy {
  /** Replacements besides the replicas at a time. */
  readonly maxSurge: number;
  /** How long an instance that is out of service may still have connections. */
  readonly drainMs: number;
  /** After this long without an end it counts as stalled; nothing is deleted because of it. */
  readonly timeoutMs: number;
}

/**
 * Surging: a replacement is wanted and does not exist. Waiting: it does not serve yet. Stalled: either, for longer than the time-out.
 * Draining: the old one is taken out of service. Deleting: it is deleted. Cancelled: the replacement is.
 */
export type EvacuationPhase = "Surging" | "Waiting" | "Stalled" | "Draining" | "Deleting" | "Cancelled";

/** A move of an instance, as it stands in status (status.evacuations[]). Instants are milliseconds since the epoch. */
export interface Evacuation {
  readonly instance: string;
  /** UID of the pod that is to leave. */
  readonly pod: string;
  readonly node: string;
  readonly cause: EvacuationCause;
  readonly phase: EvacuationPhase;
  /** UID of the pod that comes in its place. With one recorded the old pod goes only while that one serves. */
  readonly replacement?: string;
  /** It may surge: the pool, or for a lost node the storm brake, has let it through. */
  readonly granted?: true;
  readonly since: number;
  /** When the phase began. */
  readonly phaseSince: number;
}

/** A pod of the app that is not being deleted and has not ended. */
export interface EvacuationPod {
  readonly uid: string;
  readonly instance: string;
  /** Absent = not scheduled. */
  readonly node?: string;
  readonly ready: boolean;
  /** Ready for minReadySeconds, and in the load balancer as far as that can be told. */
  readonly serves: boolean;
  /** The readiness gate `nuptse.dev/in-service`: absent = the pod has none; closedAt = since when it is False. */
  readonly gate?: { readonly closedAt?: number };
  /** Open connections; absent = nobody knows, and the drain time is waited for. */
  readonly sessions?: number;
  /** UID of the pod in whose place it was made (annotation). */
  readonly replaces?: string;
  /** Absent = it may stay where it is. */
  readonly cause?: EvacuationCause;
}

export interface EvacuationContext {
  readonly now: number;
  /** Pods that the shared surge pool and the queue still allow. */
  readonly room: number;
  /** Instances that are to go anyway, since the app shrinks: those that move go first, and need no replacement. */
  readonly surplus: number;
  /** Replacements that the storm brake lets through, for lost nodes. */
  readonly moves: number;
  /** So many nodes are unheard of that nothing is replaced because of it. */
  readonly outage: boolean;
}

/** What is to be done; deletions with a precondition on the UID, after a live look at both pods. */
export interface EvacuationAct {
  /** Surge: make a pod that replaces `pod`. Drain: set its gate to False. */
  readonly kind: "Surge" | "Drain" | "Delete";
  readonly pod: string;
  readonly instance: string;
}

/** What a move that does not get on waits for. */
export type EvacuationWait = "SurgeRoom" | "StormBrake" | "Outage" | "Replacement";

export interface EvacuationPlan {
  /** By since, then by instance. */
  readonly evacuations: readonly Evacuation[];
  readonly acts: readonly EvacuationAct[];
  /** Moves to be entered into the storm brake in the same write. */
  readonly moves: number;
  readonly stalled: readonly { readonly instance: string; readonly node: string; readonly waitsFor: EvacuationWait }[];
  readonly wakeAt?: number;
}

/**
 * Moves instances away from nodes that are being taken (runnerapp.md 3.5): surge elsewhere, wait until the replacement serves, drain the
 * old one, delete it. Every act follows only a phase that is stored (decision 6), so a crash repeats the act and nothing else.
 * 1. Nothing that serves goes before the one replacement that was made for it serves, but where the app shrinks anyway.
 * 2. What does not serve goes at once, without a surge; not so on a lost node, where it may serve unseen.
 * 3. Asked back before the drain, the replacement goes and not the original; after that the move is finished.
 * 4. When nothing fits, it stalls and says so; nothing is deleted.
 */
export function planEvacuations(
  stored: readonly Evacuation[],
  pods: readonly EvacuationPod[],
  policy: EvacuationPolicy,
  context: EvacuationContext,
): EvacuationPlan {
  const byUid = new Map(pods.map((pod) => [pod.uid, pod]));
  const moving = allMoves(stored, pods, context.now);
  const replacements = Map.groupBy(pods, ({ replaces }) => replaces);
  const shrinking = leavingForGood(moving, byUid, context.surplus);
  const steps = moving.flatMap((move): readonly Step[] => {
    const old = byUid.get(move.pod);
    // It ended by itself, or the deletion has come through: what was made for it is the instance now.
    if (old === undefined) return [];
    const made = replacements.get(move.pod) ?? [];
    const next = made.find(({ cause }) => cause === undefined);
    const any = next ?? made[0];
    const leaves = shrinking.has(move.pod);
    return [step({ move, old, leaves, policy, context, ...(any !== undefined && { any }), ...(next !== undefined && { next }) })];
  });
  return granted(steps, policy, context);
}

/** Whether the gate of the pod that leaves is to be False; in every other phase it is as ready as its containers. */
export const isOutOfService = (phase: EvacuationPhase): boolean => phase === "Draining" || phase === "Deleting";

interface Step {
  readonly move: Evacuation;
  readonly act?: EvacuationAct;
  readonly wakeAt?: number;
}

interface Sight {
  readonly move: Evacuation;
  readonly old: EvacuationPod;
  /** The pod that was made for it, also where that has to leave its own node. */
  readonly any?: EvacuationPod;
  /** The same, where it may stay. */
  readonly next?: EvacuationPod;
  /** The app shrinks by this instance. */
  readonly leaves: boolean;
  readonly policy: EvacuationPolicy;
  readonly context: EvacuationContext;
}

/** Known moves, and new ones for pods that have to leave and have none. */
function allMoves(stored: readonly Evacuation[], pods: readonly EvacuationPod[], now: number): readonly Evacuation[] {
  const known = new Set(stored.map(({ pod }) => pod));
  const fresh = pods.flatMap(({ uid, instance, node, cause }): readonly Evacuation[] =>
    cause === undefined || node === undefined || known.has(uid)
      ? []
      : [{ instance, pod: uid, node, cause, phase: "Surging", since: now, phaseSince: now }],
  );
  // After the clock was set back, what began in what is now the future began now.
  const begun = stored.map((move) =>
    Math.max(move.since, move.phaseSince) > now ? { ...move, since: Math.min(move.since, now), phaseSince: now } : move,
  );
  return [...begun, ...fresh].sort((a, b) => a.since - b.since || (a.instance < b.instance ? -1 : 1));
}

/**
 * Those that need no replacement. The app shrinks by them, first those that have none yet; or they are one themselves, of a pod that still
 * serves, or is there and serves no less than they do, and another is made for that one.
 */
function leavingForGood(moves: readonly Evacuation[], pods: ReadonlyMap<string, EvacuationPod>, surplus: number): ReadonlySet<string> {
  const asked = moves.filter(({ pod, phase }) => pods.get(pod)?.cause !== undefined && phase !== "Cancelled");
  const [spare, others] = [asked.filter(({ pod }) => isSpare(pods, pod)), asked.filter(({ pod }) => !isSpare(pods, pod))];
  const order = others.toSorted((a, b) => Number(a.replacement !== undefined) - Number(b.replacement !== undefined));
  return new Set([...spare, ...order.slice(0, surplus)].map(({ pod }) => pod));
}

function isSpare(pods: ReadonlyMap<string, EvacuationPod>, uid: string): boolean {
  const pod = pods.get(uid);
  const old = pods.get(pod?.replaces ?? "");
  return old !== undefined && (old.ready || pod?.ready !== true);
}

function step(sight: Sight): Step {
  const { move, old, next, leaves } = sight;
  // What it leaves for is no more, or it came back to life meanwhile: it stays in service until another one can take over.
  const stays = move.replacement === undefined ? old.ready : next?.serves !== true;
  if (isOutOfService(move.phase) && stays && !leaves) return recover(sight);
  if (move.phase === "Deleting") return { move, act: { kind: "Delete", pod: old.uid, instance: old.instance } };
  if (move.phase === "Draining") return draining(sight);
  if (old.cause === undefined) return askedBack(sight);
  if (leaves) return leave(sight, { ...move, replacement: undefined });
  const cause = old.cause;
  if (!old.ready && cause !== "Lost") return leave(sight, { ...move, replacement: undefined });
  if (next?.serves === true) return leave(sight, { ...move, replacement: next.uid });
  return waiting(sight, cause);
}

type Entered = Omit<Evacuation, "replacement"> & { readonly replacement: string | undefined };

/** The move with a phase, which begins now unless it is in it already. */
function enter({ replacement, ...move }: Entered, phase: EvacuationPhase, now: number): Evacuation {
  const phaseSince = move.phase === phase ? move.phaseSince : now;
  return { ...move, phase, phaseSince, ...(replacement !== undefined && { replacement }) };
}

/** On its way out: through the drain where it has a gate and is in service. */
function leave({ old, context }: Sight, move: Entered): Step {
  return { move: enter(move, old.gate !== undefined && old.ready ? "Draining" : "Deleting", context.now) };
}

function draining({ move, old, policy, context: { now } }: Sight): Step {
  if (old.gate !== undefined && old.gate.closedAt === undefined)
    return { move, act: { kind: "Drain", pod: old.uid, instance: old.instance } };
  const closedAt = old.gate?.closedAt ?? 0;
  const until = Math.max(move.phaseSince, closedAt <= now ? closedAt : 0) + policy.drainMs;
  if (old.gate !== undefined && old.sessions !== 0 && now < until) return { move, wakeAt: until };
  return { move: enter({ ...move, replacement: move.replacement }, "Deleting", now) };
}

/** Back to the beginning; the gate of a pod in such a phase is opened again. */
function recover({ move, context: { now } }: Sight): Step {
  const { granted: _, replacement: __, ...rest } = move;
  return { move: enter({ ...rest, replacement: undefined }, "Surging", now) };
}

function waiting({ move, next, policy, context: { now } }: Sight, cause: EvacuationCause): Step {
  const stalledAt = move.since + policy.timeoutMs;
  const phase = stalledAt <= now ? "Stalled" : next === undefined ? "Surging" : "Waiting";
  const { granted, ...rest } = move;
  // For a lost node each pod that is made is one for the storm brake, also when the one before it is no more.
  const isGranted = granted === true && !(cause === "Lost" && move.replacement !== undefined && next === undefined);
  return {
    move: enter({ ...rest, ...(isGranted && { granted: true as const }), cause, replacement: next?.uid }, phase, now),
    ...(stalledAt > now && { wakeAt: stalledAt }),
  };
}

/** Nobody asks any more. */
function askedBack({ move, old, any, context: { now } }: Sight): Step {
  if (any === undefined) return { move: enter({ ...move, replacement: undefined }, "Cancelled", now) };
  // The one that was to go does not serve, the new one does or will.
  if (!old.ready && any.ready) return { move: enter({ ...move, replacement: any.uid }, any.serves ? "Deleting" : "Waiting", now) };
  // Ready again, but not yet for minReadySeconds: what serves in its place stays until it does.
  if (!old.serves && any.serves) return { move: { ...move, replacement: any.uid } };
  if (move.phase !== "Cancelled") return { move: enter({ ...move, replacement: any.uid }, "Cancelled", now) };
  return { move, act: { kind: "Delete", pod: any.uid, instance: any.instance } };
}

/** Lets moves surge as far as pool, queue and storm brake allow, oldest first, and sums up. */
function granted(steps: readonly Step[], policy: EvacuationPolicy, context: EvacuationContext): EvacuationPlan {
  const kept = steps.filter(({ move }) => move.phase !== "Cancelled" || move.replacement !== undefined);
  const wants = ({ phase, replacement }: Evacuation) => (phase === "Surging" || phase === "Stalled") && replacement === undefined;
  const surges = kept.filter(({ move }) => move.granted === true && !isLost(move)).length;
  let inPool = Math.max(
    0,
    Math.min(policy.maxSurge - surges, context.room - kept.filter(({ move }) => move.granted === true && wants(move)).length),
  );
  let moves = 0;
  const evacuations: Evacuation[] = [];
  const acts = kept.flatMap(({ act }) => act ?? []);
  const stalled: EvacuationPlan["stalled"][number][] = [];
  for (const { move } of kept) {
    let now = move;
    let waitsFor: EvacuationWait = "Replacement";
    // What was let through with this plan surges with the next one, when that is stored.
    if (wants(move) && move.granted === true) {
      acts.push({ kind: "Surge", pod: move.pod, instance: move.instance });
    } else if (wants(move) && isLost(move)) {
      if (context.outage) waitsFor = "Outage";
      else if (moves >= context.moves) waitsFor = "StormBrake";
      else {
        moves++;
        now = { ...move, granted: true };
      }
    } else if (wants(move)) {
      if (inPool > 0) {
        inPool--;
        now = { ...move, granted: true };
      } else waitsFor = "SurgeRoom";
    }
    evacuations.push(now);
    if (now.phase === "Stalled") stalled.push({ instance: now.instance, node: now.node, waitsFor });
  }
  const wakeAt = Math.min(...kept.flatMap((one) => one.wakeAt ?? []));
  return { evacuations, acts, moves, stalled, ...(Number.isFinite(wakeAt) && { wakeAt }) };
}

const isLost = ({ cause }: Evacuation): boolean => cause === "Lost";
