import type { Pod } from "../../api/core.ts";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { EndpointSlice } from "../../api/endpoint-slice.ts";
import { controllerOf } from "../../api/meta.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { getOrMake } from "../../base/map.ts";
import { hasEnded } from "../../elasticjob/rules/live-run.ts";
import { recordsOf } from "../../elasticjob/rules/resident/dispatch-record.ts";
import { type FleetSlice, fleetSlice, instancesIn } from "../../runnerapp/rules/fleet-slice.ts";
import { alignColumns } from "../cron-output.ts";
import { oneLine } from "./status-text.ts";

/** An instance that takes items, and those that it has. */
export interface ExecutorView {
  readonly namespace: string;
  readonly app: string;
  readonly instance: string;
  readonly protocol: string;
  readonly ready: boolean;
  readonly items: number;
  readonly capacity: number;
  /** Items of one run of one job, "0-3,7". */
  readonly work: readonly { readonly job: string; readonly run: string; readonly items: string }[];
}

/** What instances are read from. */
export interface ExecutorObjects {
  readonly apps: readonly RunnerApp[];
  readonly jobs: readonly ElasticJob[];
  /** Of the apps' own fleets. */
  readonly pods: readonly Pod[];
  /** Of fleets that somebody else runs. */
  readonly slices: readonly EndpointSlice[];
}

/** The instances of apps that take items; last of each app those that are gone, while status still tells of items there. */
export function executorViews({ apps, jobs, pods, slices }: ExecutorObjects): readonly ExecutorView[] {
  const podsOf = Map.groupBy(pods, ({ metadata }) => controllerOf(metadata)?.uid ?? "");
  const slicesOf = Map.groupBy(slices.map(fleetSlice), ({ service }) => service);
  const work = workByInstance(jobs);
  return apps
    .filter(({ spec }) => spec.executor !== undefined)
    .flatMap(({ metadata, spec }) => {
      const { protocol = "HTTP", capacity = 100 } = spec.executor ?? {};
      const own = instancesOf({ metadata, spec }, podsOf, slicesOf);
      const known = new Set(own.map(({ id }) => id));
      const left = work.get(`${metadata.namespace}/${metadata.name}`) ?? new Map<string, InstanceWork>();
      const view = (id: string, instance: string, ready: boolean): ExecutorView => {
        const entries = left.get(id)?.entries ?? [];
        const items = entries.reduce((sum, entry) => sum + IntervalSet.parse(entry.items).size, 0);
        return { namespace: metadata.namespace as string, app: metadata.name, instance, protocol, ready, items, capacity, work: entries };
      };
      return [
        ...own.map(({ id, name, isReady }) => view(id, name, isReady)).sort(byInstance),
        ...[...left].filter(([id]) => !known.has(id)).map(([id, { name }]) => view(id, name, false)),
      ];
    });
}

function instancesOf(
  { metadata, spec }: Pick<RunnerApp, "metadata" | "spec">,
  podsOf: ReadonlyMap<string, readonly Pod[]>,
  slicesOf: ReadonlyMap<string, readonly FleetSlice[]>,
): readonly { readonly id: string; readonly name: string; readonly isReady: boolean }[] {
  if (spec.endpoints !== undefined) return instancesIn(slicesOf.get(`${metadata.namespace}/${spec.endpoints.serviceName}`) ?? []);
  return (podsOf.get(metadata.uid as string) ?? []).map((pod) => ({
    id: pod.metadata.uid as string,
    name: pod.metadata.name,
    isReady: isReady(pod),
  }));
}

interface InstanceWork {
  readonly name: string;
  readonly entries: readonly { readonly job: string; readonly run: string; readonly items: string }[];
}

/** By "namespace/app", then by the instance's id. */
function workByInstance(jobs: readonly ElasticJob[]): ReadonlyMap<string, ReadonlyMap<string, InstanceWork>> {
  const work = new Map<string, Map<string, { name: string; entries: { job: string; run: string; items: string }[] }>>();
  for (const { metadata, status } of jobs)
    for (const entry of status?.active ?? []) {
      if (entry.runner === undefined || hasEnded(entry)) continue;
      const instances = getOrMake(work, `${metadata.namespace}/${entry.runner}`, () => new Map());
      for (const [instance, records] of Map.groupBy(recordsOf(entry), (record) => record.instance)) {
        const items = new IntervalSet(records.map(({ item }) => item)).toString();
        const { entries } = getOrMake(instances, instance, () => ({ name: records[0]?.name ?? "", entries: [] }));
        entries.push({ job: metadata.name, run: entry.run, items });
      }
    }
  return work;
}

const isReady = ({ status, metadata }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

const byInstance = (left: ExecutorView, right: ExecutorView): number =>
  left.instance.localeCompare(right.instance, "en", { numeric: true });

/** The same as a table; `wide` tells all that an instance works on. */
export function executorsTable(views: readonly ExecutorView[], withNamespace: boolean, wide: boolean): readonly string[] {
  const rows = views.map(({ namespace, app, instance, protocol, ready, items, capacity, work }) => [
    ...(withNamespace ? [namespace] : []),
    app,
    instance,
    protocol,
    ready ? "yes" : "no",
    `${items}/${capacity}`,
    oneLine(work.map((entry) => `${entry.job}/${entry.run}:${entry.items}`).join(" ") || "-", wide ? 1000 : 80),
  ]);
  const heads = [...(withNamespace ? ["NAMESPACE"] : []), "APP", "INSTANCE", "PROTOCOL", "READY", "ITEMS", "WORK"];
  return alignColumns([heads, ...rows]).map((line) => line.trimEnd());
}
