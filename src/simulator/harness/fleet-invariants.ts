import type { Node, Pod } from "../../api/core.ts";
import { controllerOf } from "../../api/meta.ts";
import { labels, serviceGate } from "../../api/names.ts";
import { nodes, pods, runnerApps } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { effectiveSpec } from "../../runnerapp/rules/effective-spec.ts";
import type { ApiServer } from "../apiserver/api-server.ts";
import { operatorAgent } from "./operator-agent.ts";

/** A cache may be so old when something is decided: a watch that stalls is found out after 150 s. */
const staleMs = 160_000;
/** What has not served for so long since it was made is no surge. */
const youngMs = 60_000;
const mostProblems = 20;

/** What of an app its pods are held against, and when that was so. */
interface Bounds {
  readonly at: number;
  readonly replicas: number;
  readonly leastAvailable: number;
  readonly mostLiving: number;
}

interface Seen {
  readonly since: number;
  readonly app: string;
  readonly node: string;
  readonly isReady: boolean;
  readonly isLiving: boolean;
  /** It is drained before it is deleted: as good as deleted. */
  readonly isLeaving: boolean;
  /** A container of it has ended: it is replaced sooner or later, in the same moment in which it is deleted. */
  readonly hasFailed: boolean;
}

/** Watches a server, and says what of the promises about fleets was broken. */
export interface FleetWatch {
  readonly problems: readonly string[];
  /** Instants of the operators' writes, but for those of the lease. */
  readonly writesAt: readonly number[];
  /** Serving instances that the operators deleted. */
  readonly replaced: number;
}

/**
 * Looks at every commit. What is counted is what the server holds, never what status tells. A pod that stopped serving, or a spec that changed, may not
 * have been seen yet by whoever decided, so each counts for as long as caches may be old.
 */
export function watchFleets(server: ApiServer, now: () => number): FleetWatch {
  const problems: string[] = [];
  const writesAt: number[] = [];
  const bounds = new Map<string, Bounds[]>();
  const seen = new Map<string, Seen>();
  /** When pods stopped serving, or to exist, by something else than the operator, by app. */
  const lost = new Map<string, number[]>();
  const lostNodes = new Set<string>();
  let replaced = 0;

  const tell = (text: string) => {
    if (problems.length < mostProblems) problems.push(`${new Date(now()).toISOString()} ${text}`);
  };
  const recent = <T extends { readonly at: number }>(list: readonly T[]): readonly T[] => {
    const cut = list.findLastIndex(({ at }) => at <= now() - staleMs);
    return cut < 0 ? list : list.slice(cut);
  };
  const lossesOf = (app: string) => (lost.get(app) ?? []).filter((at) => at > now() - staleMs).length;
  const livingOf = (app: string) => [...seen.values()].filter((pod) => pod.app === app && pod.isLiving);

  server.onCommit(({ type, resource, object, userAgent }) => {
    const byOperator = userAgent.startsWith(operatorAgent);
    if (byOperator && resource.plural !== "leases") writesAt.push(now());
    if (resource.kind === runnerApps.kind) {
      const app = object as unknown as RunnerApp;
      const { name, uid } = app.metadata;
      const key = uid as string;
      const spec = effectiveSpec(app.spec);
      const surge = Math.max(spec.maxSurge, spec.evacuation.maxSurge);
      const history = bounds.get(key) ?? [];
      bounds.set(key, [
        ...history,
        { at: now(), replicas: spec.replicas, leastAvailable: spec.replicas - spec.maxUnavailable, mostLiving: spec.replicas + surge },
      ]);
      if (type === "DELETED" && byOperator) tell(`the operator deleted the app ${name}`);
      return;
    }
    if (resource.kind === nodes.kind) {
      const ready = (object as unknown as Node).status?.conditions?.find((condition) => condition.type === "Ready");
      if (type !== "DELETED" && ready?.status === "Unknown") lostNodes.add(object.metadata.name);
      else if (type !== "DELETED" && ready?.status === "True") lostNodes.delete(object.metadata.name);
      return;
    }
    if (resource.kind !== pods.kind) return;
    const pod = object as unknown as Pod;
    const uid = pod.metadata.uid as string;
    const owner = controllerOf(pod.metadata);
    const before = seen.get(uid);
    const isDeleting = type === "DELETED" || pod.metadata.deletionTimestamp !== undefined;
    const wasDeleted = isDeleting && before?.isLiving === true;
    if (owner?.kind !== "RunnerApp") {
      if (byOperator && isDeleting) tell(`the operator deleted ${pod.metadata.name}, which is none of its pods`);
      return;
    }
    // One that pulls images is no instance.
    if (pod.metadata.labels?.[labels.prefetch] !== undefined) return;
    const isReady = pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
    const phase = pod.status?.phase;
    const isLiving = !isDeleting && phase !== "Failed" && phase !== "Succeeded";
    if (type === "DELETED") seen.delete(uid);
    else
      seen.set(uid, {
        since: before?.since ?? now(),
        app: owner.uid,
        node: pod.spec.nodeName ?? "",
        isReady: isReady && isLiving,
        isLeaving: pod.status?.conditions?.some(({ type, reason }) => type === serviceGate && reason === "Leaving") === true,
        hasFailed: pod.status?.containerStatuses?.some(({ restartCount = 0 }) => restartCount > 0) === true,
        isLiving,
      });
    const known = recent(bounds.get(owner.uid) ?? []);
    const wasTakenOut = byOperator && before?.isReady === true && !isReady;
    if (byOperator && (wasDeleted || wasTakenOut) && before?.isReady) {
      replaced++;
      const ready = livingOf(owner.uid).filter((each) => each.isReady).length;
      const least = Math.min(...known.map(({ leastAvailable }) => leastAvailable));
      if (ready + lossesOf(owner.uid) < least)
        tell(
          `${pod.metadata.name} was ${wasDeleted ? "deleted" : "taken out of service"}, and ${ready} instances serve where ${least} should`,
        );
    } else if (before !== undefined && ((before.isReady && !isReady) || (before.isLiving && !isLiving)))
      lost.set(owner.uid, [...(lost.get(owner.uid) ?? []), now()]);
    if (byOperator && before === undefined && type === "ADDED") {
      // Those of a lost node are replaced besides, and what does not serve is deleted in the same moment.
      const isYoung = ({ since, hasFailed }: Seen) => since > now() - youngMs && !hasFailed;
      const isCounted = (each: Seen) => !each.isLeaving && !lostNodes.has(each.node) && (each.isReady || isYoung(each));
      const living = livingOf(owner.uid).filter(isCounted).length;
      const most = Math.max(...known.map(({ mostLiving }) => mostLiving));
      // What came back to life unseen, and what a cache still lacks, may be counted twice.
      if (living > most + lossesOf(owner.uid)) tell(`${pod.metadata.name} was made, and ${living} instances live where ${most} may`);
    }
  });

  return {
    problems,
    writesAt,
    get replaced() {
      return replaced;
    },
  };
}
