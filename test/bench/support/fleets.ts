import { setTimeout as sleep } from "node:timers/promises";
import type { AuditEvent } from "../../../hack/control-plane/audit.ts";
import { type ApiObject, type BenchCluster, operatorAgent } from "./cluster.ts";

export const appsPath = (namespace: string) => `/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/runnerapps`;

/** Resolves when so many RunnerApps say that all that they want serves. */
export async function fleetsServing(cluster: BenchCluster, count: number, withinMs = 1_200_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const apps = await cluster.list("/apis/nuptse.dev/v1alpha1/runnerapps");
    const serving = apps.filter(isServing).length;
    if (serving >= count) return;
    if (performance.now() > deadline) throw new Error(`${serving} of ${count} RunnerApps serve after ${withinMs} ms`);
    await sleep(1000);
  }
}

/** Nothing of it is under way. */
export function isServing({ metadata, status }: ApiObject): boolean {
  const conditions = (status?.["conditions"] ?? []) as readonly { readonly type: string; readonly reason?: string }[];
  const { generation } = metadata as { readonly generation?: unknown };
  return status?.["observedGeneration"] === generation && conditions.find(({ type }) => type === "Ready")?.reason === "Serving";
}

/** How soon the operator acted on edits, in milliseconds by the API server's clock. */
export interface Reactions {
  /** From the end of the answer to the edit until the operator's first request in that namespace came in; 0 where that came first. */
  readonly sinceAnswer: readonly number[];
  /** From the arrival of the edit on: with the time that the API server took for it. */
  readonly sinceRequest: readonly number[];
  /** Edits on which the operator did nothing. */
  readonly missed: number;
}

/** @param events of the API server's audit log, with one edit by the bench in each of the namespaces */
export function reactionsOf(events: readonly AuditEvent[], namespaces: readonly string[]): Reactions {
  const byNamespace = Map.groupBy(events, ({ objectRef }) => objectRef?.namespace ?? "");
  const [sinceAnswer, sinceRequest]: [number[], number[]] = [[], []];
  for (const namespace of namespaces) {
    const own = byNamespace.get(namespace) ?? [];
    const edit = own.find(
      ({ userAgent, verb, objectRef }) => userAgent === "bench" && verb === "patch" && objectRef?.resource === "runnerapps",
    );
    const act = own.find(
      ({ userAgent, verb, objectRef, requestReceivedTimestamp }) =>
        userAgent.startsWith(operatorAgent) &&
        verb === "create" &&
        objectRef?.resource === "pods" &&
        requestReceivedTimestamp >= (edit?.requestReceivedTimestamp ?? Number.POSITIVE_INFINITY),
    );
    if (edit === undefined || act === undefined) continue;
    sinceAnswer.push(Math.max(0, act.requestReceivedTimestamp - edit.stageTimestamp));
    sinceRequest.push(act.requestReceivedTimestamp - edit.requestReceivedTimestamp);
  }
  return { sinceAnswer, sinceRequest, missed: namespaces.length - sinceAnswer.length };
}
