import type { Node, Pod } from "../../../api/core.ts";
import { controllerOf } from "../../../api/meta.ts";
import { annotations } from "../../../api/names.ts";
import { leases, nodes, pods, resourceName, runnerApps, tenantQueues } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { formatSeconds } from "../../../base/time.ts";
import type { ApiServer, Commit } from "../../apiserver/api-server.ts";
import { lateWriteWindow } from "../late-writes.ts";
import { operatorAgent } from "../operator-agent.ts";
import { MoveJudge } from "./move-judge.ts";
import { QueueJudge } from "./queue-judge.ts";
import { type FleetTerms, imageOf, instanceOf, instancesOf, isInstance, isLiving, readySince, termsOf } from "./terms.ts";

/** A cache may be so old when something is decided: a watch that stalls is found out after 150 s. */
const staleMs = 160_000;
const mostProblems = 30;

/** An app as the server has it. */
export interface StoredFleet {
  readonly app: RunnerApp;
  readonly terms: FleetTerms;
  /** Its terms in the last minutes, the newest last. */
  readonly recent: readonly { readonly at: number; readonly terms: FleetTerms }[];
  /** The image that all its instances served with, while spec said so. */
  readonly stable?: string;
  /** Somebody has written into its status by hand. */
  readonly isMeddled: boolean;
}

interface StoredPod {
  readonly pod: Pod;
  readonly app: string;
}

/** Watches a server, and says what of the promises about fleets was broken. */
export interface FleetWatch {
  readonly problems: readonly string[];
  /** Instants of the operators' writes, but for those of the lease and events. */
  readonly writesAt: readonly number[];
  readonly pods: ReadonlyMap<string, StoredPod>;
  readonly fleets: ReadonlyMap<string, StoredFleet>;
  readonly counts: FleetCounts;
  readonly queues: QueueJudge;
  say(text: string): void;
  wasTaken(node: string): boolean;
  /** Pods of an app that changed for the last time so long ago. */
  quietMs(appUid: string): number;
}

export interface FleetCounts {
  /** Pods of fleets that were made. */
  pods: number;
  /** Serving instances that the operators replaced. */
  replaced: number;
  /** Instances that somebody or something else took out of service, and whose successor served. */
  failovers: number;
  /** Replacements that passed the storm brake. */
  moves: number;
}

export interface FleetWatchOptions {
  readonly server: ApiServer;
  readonly now: () => number;
  /** How many writes were delayed so far. */
  readonly delayedWrites: () => number;
  /** Whether some operator's clock is off. */
  readonly clocksOff: () => boolean;
}

/**
 * Looks at every commit. What is counted is what the server holds, never what status tells; what each process could know when it decided is judged
 * elsewhere (act-judge.ts), so here something that was lost in the last minutes may have been counted on.
 */
export function watchFleets({ server, now, delayedWrites, clocksOff }: FleetWatchOptions): FleetWatch {
  const problems: string[] = [];
  const writesAt: number[] = [];
  const stored = new Map<string, StoredPod>();
  const fleets = new Map<string, StoredFleet>();
  /** When pods stopped serving, or to exist, by something else than the operator, by app. */
  const lost = new Map<string, number[]>();
  /** Instances that were lost so, by app and number. */
  const lostInstances = new Set<string>();
  const takenAt = new Map<string, { isTaken: boolean; until: number }>();
  const changedAt = new Map<string, number>();
  const counts: FleetCounts = { pods: 0, replaced: 0, failovers: 0, moves: 0 };
  const isLate = lateWriteWindow(delayedWrites, now);
  const told = new Set<string>();

  const say = (text: string) => {
    if (told.has(text) || problems.length >= mostProblems) return;
    told.add(text);
    problems.push(`${formatSeconds(now())} ${text}`);
  };
  const podsOf = (app: string) => [...stored.values()].flatMap((each) => (each.app === app ? each.pod : []));
  const wasTaken = (node: string) => {
    const known = takenAt.get(node);
    return known === undefined || known.isTaken || known.until > now() - staleMs;
  };
  const moves = new MoveJudge({ now, say, wasTaken, clocksOff, counts });
  const queues = new QueueJudge({ now, say, staleMs });

  server.onCommit((commit) => {
    const byOperator = commit.userAgent.startsWith(operatorAgent);
    const kind = resourceName(commit.resource);
    const late = isLate();
    moves.lookAtClocks();
    if (byOperator && kind !== resourceName(leases) && !kind.startsWith("events")) {
      writesAt.push(now());
      checkOwn(commit, kind);
    }
    if (kind === resourceName(runnerApps)) seeApp(commit, byOperator);
    else if (kind === resourceName(nodes)) seeNode(commit);
    else if (kind === resourceName(pods)) seePod(commit, byOperator, late);
    queues.see(commit, byOperator, late);
  });

  /** Nothing is touched that is not its own. */
  function checkOwn({ type, object }: Commit, kind: string): void {
    const { name } = object.metadata;
    if (kind === resourceName(runnerApps)) {
      if (type === "DELETED") say(`the operator deleted the app ${name}`);
      return;
    }
    // Their status: what else of a queue might be written is judged where queues are (queues/invariants.ts).
    if (kind === resourceName(tenantQueues)) return;
    if (controllerOf(object.metadata)?.kind !== "RunnerApp") say(`the operator wrote ${kind} ${name}, which is none of its own`);
  }

  function seeApp({ type, object }: Commit, byOperator: boolean): void {
    const app = object as unknown as RunnerApp;
    const uid = app.metadata.uid as string;
    if (type === "DELETED") {
      fleets.delete(uid);
      return;
    }
    const terms = termsOf(app);
    const before = fleets.get(uid);
    const cut = now() - staleMs;
    const recent = (before?.recent ?? []).filter((_, index, all) => (all[index + 1]?.at ?? now()) > cut);
    const isMeddled = before?.isMeddled === true || (!byOperator && JSON.stringify(before?.app.status) !== JSON.stringify(app.status));
    const stable = terms.wanted === 0 ? undefined : before?.stable;
    fleets.set(uid, {
      app,
      terms,
      recent: [...recent, { at: now(), terms }],
      ...(stable !== undefined && { stable }),
      isMeddled: before !== undefined && isMeddled,
    });
    settle(uid);
  }

  /** Whether all instances serve with what spec says. */
  function settle(uid: string): void {
    const fleet = fleets.get(uid);
    if (fleet === undefined || fleet.terms.wanted === 0) return;
    const living = podsOf(uid).filter(isLiving);
    const right = living.filter((pod) => imageOf(pod) === fleet.terms.image && readySince(pod) !== undefined);
    if (right.length === living.length && right.length >= fleet.terms.wanted) fleets.set(uid, { ...fleet, stable: fleet.terms.image });
  }

  function seeNode({ type, object }: Commit): void {
    const node = object as unknown as Node;
    const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
    const isAsked = node.spec?.unschedulable === true || node.metadata.annotations?.[annotations.evacuate] !== undefined;
    const isTaken = type === "DELETED" || isAsked || ready?.status !== "True";
    const before = takenAt.get(node.metadata.name);
    takenAt.set(node.metadata.name, { isTaken, until: before?.isTaken === true ? now() : (before?.until ?? Number.NEGATIVE_INFINITY) });
  }

  function seePod({ type, object }: Commit, byOperator: boolean, late: boolean): void {
    const pod = object as unknown as Pod;
    const uid = pod.metadata.uid as string;
    const owner = controllerOf(pod.metadata);
    if (owner === undefined || !isInstance(pod)) return;
    const before = stored.get(uid)?.pod;
    const fleet = fleets.get(owner.uid);
    const isAsked = type === "DELETED" || pod.metadata.deletionTimestamp !== undefined;
    const isOut = before !== undefined && readySince(before) !== undefined && (isAsked || readySince(pod) === undefined);
    if (byOperator && before !== undefined && isLiving(before) && (isAsked || isOut)) {
      if (isOut) {
        counts.replaced++;
        checkLeast(owner.uid, before, late);
      }
      if (fleet !== undefined && isAsked) moves.deleted(fleet, before, podsOf(owner.uid));
    }
    const isGone = type === "DELETED";
    if (isGone) stored.delete(uid);
    else stored.set(uid, { pod, app: owner.uid });
    changedAt.set(owner.uid, now());
    const instance = `${owner.uid}/${instanceOf(pod)}`;
    if (before === undefined) {
      if (type === "ADDED") {
        counts.pods++;
        if (byOperator && fleet !== undefined) moves.made(fleet, pod, stored);
      }
    } else if (!byOperator && isDown(before, pod, isGone)) {
      lost.set(owner.uid, [...(lost.get(owner.uid) ?? []), now()]);
      lostInstances.add(instance);
    }
    if (
      !isGone &&
      readySince(pod) !== undefined &&
      (before === undefined || readySince(before) === undefined) &&
      lostInstances.delete(instance)
    )
      counts.failovers++;
    settle(owner.uid);
  }

  function checkLeast(app: string, pod: Pod, late: boolean): void {
    if (late) return;
    const known = fleets.get(app)?.recent ?? [];
    const servingOf = (all: readonly Pod[]) =>
      instancesOf(all.filter(isLiving)).filter((instance) => instance.some((each) => readySince(each) !== undefined)).length;
    const all = podsOf(app);
    const serving = servingOf(all.filter((each) => each !== pod));
    // Another one serves in its stead.
    if (serving === servingOf(all)) return;
    const losses = (lost.get(app) ?? []).filter((at) => at > now() - staleMs).length;
    const least = Math.min(...known.map(({ terms }) => terms.least));
    if (serving + losses < least) say(`${pod.metadata.name} went, and ${serving} instances serve where ${least} should`);
  }

  return {
    problems,
    writesAt,
    pods: stored,
    fleets,
    counts,
    queues,
    say,
    wasTaken,
    quietMs: (app) => now() - (changedAt.get(app) ?? 0),
  };
}

/** It served, or lived, and does no more. */
const isDown = (before: Pod, pod: Pod, isGone: boolean): boolean =>
  (readySince(before) !== undefined && (isGone || readySince(pod) === undefined)) || (isLiving(before) && (isGone || !isLiving(pod)));
