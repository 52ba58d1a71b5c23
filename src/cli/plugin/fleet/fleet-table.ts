import type { Pod } from "../../../api/core.ts";
import { controllerOf } from "../../../api/meta.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { alignColumns } from "../../cron-output.ts";
import { spanText } from "../time-text.ts";
import { fleetOf } from "./instances.ts";

/** A fleet in one line: how many serve, and what ails the others. */
export interface FleetLine {
  readonly app: string;
  readonly namespace: string;
  readonly desired: number;
  readonly ready: number;
  readonly upToDate: number;
  readonly available: number;
  /** The reason of its condition Ready. */
  readonly reason: string;
  readonly canary?: string;
  /** Reasons of instances other than None, with how many have each, the most frequent first. */
  readonly instances: readonly { readonly reason: string; readonly count: number }[];
  readonly createdAt?: string;
}

/** All fleets with what ails their instances. @param pods of all of them, others too */
export function fleetLines(apps: readonly RunnerApp[], pods: readonly Pod[], now: number): readonly FleetLine[] {
  const byApp = Map.groupBy(pods, ({ metadata }) => controllerOf(metadata)?.uid);
  return apps.map((app) => {
    const { metadata, status } = app;
    const fleet = fleetOf({ app, pods: byApp.get(metadata.uid) ?? [], nodes: [], now });
    const ailing = fleet.instances.filter(({ reason, has }) => reason !== "None" && has?.facts.isDeleting !== true);
    const counted = [...Map.groupBy(ailing, ({ reason }) => reason)].map(([reason, { length: count }]) => ({ reason, count }));
    const canary = status?.summary?.canary;
    return {
      app: metadata.name,
      namespace: metadata.namespace ?? "default",
      desired: app.spec.replicas ?? 1,
      ready: fleet.ready,
      upToDate: fleet.updated,
      available: fleet.available,
      reason: status?.conditions?.find(({ type }) => type === "Ready")?.reason ?? "NotSeen",
      ...(canary !== undefined && { canary }),
      instances: counted.sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1)),
      ...(metadata.creationTimestamp !== undefined && { createdAt: metadata.creationTimestamp }),
    };
  });
}

/** The same as a table. */
export function fleetTable(lines: readonly FleetLine[], now: number, withNamespace: boolean): readonly string[] {
  const heads = ["APP", "DESIRED", "READY", "UP-TO-DATE", "AVAILABLE", "CANARY", "REASON", "AGE", "INSTANCES"];
  const rows = lines.map((line) => [
    ...(withNamespace ? [line.namespace] : []),
    line.app,
    String(line.desired),
    String(line.ready),
    String(line.upToDate),
    String(line.available),
    line.canary ?? "-",
    line.reason,
    line.createdAt === undefined ? "-" : spanText(line.createdAt, now),
    line.instances.map(({ reason, count }) => `${count} ${reason}`).join(", "),
  ]);
  return alignColumns([[...(withNamespace ? ["NAMESPACE"] : []), ...heads], ...rows]).map((line) => line.trimEnd());
}
