import type { ServiceSummary } from "../../api/gateway-state.ts";
import { type EndpointSlice, instancesService, sliceServiceLabel } from "../../api/endpoint-slice.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { alignColumns } from "../cron-output.ts";
import { oneLine } from "./status-text.ts";

/** A published service, as status, the slices of its instances and the gateways tell of it. */
export interface ServiceView {
  readonly namespace: string;
  readonly app: string;
  readonly service: string;
  /** Such as api.team.svc:80; absent while it has none. */
  readonly address?: string;
  readonly gatewayPort?: number;
  readonly hostnames: readonly string[];
  readonly instances: { readonly ready: number; readonly draining: number; readonly all: number };
  /** As the HAProxy of each gateway has it; absent where nobody told. */
  readonly gateways?: Omit<ServiceSummary, "service">;
  readonly reason: string;
  readonly message?: string;
}

/** The services of apps, in the order of their namespaces, names and specs. */
export function serviceViews(
  apps: readonly RunnerApp[],
  slices: readonly EndpointSlice[],
  told: readonly ServiceSummary[],
): readonly ServiceView[] {
  const summaries = new Map(told.map(({ service, ...summary }) => [service, summary]));
  const byService = Map.groupBy(slices, ({ metadata }) => `${metadata.namespace}/${metadata.labels?.[sliceServiceLabel]}`);
  return apps.toSorted(byName).flatMap(({ metadata, spec, status }) => {
    const namespace = metadata.namespace as string;
    const of = spec.endpoints?.serviceName ?? instancesService(metadata.name);
    const instances = countInstances(byService.get(`${namespace}/${of}`) ?? []);
    const wanted = new Set((spec.services ?? []).map(({ name }) => name));
    const rows = new Map((status?.services ?? []).map((row) => [row.name, row]));
    return [...new Set([...wanted, ...rows.keys()])].map((service): ServiceView => {
      const { address, port, gatewayPort, hostnames = [], reason = "Pending", message } = rows.get(service) ?? {};
      const gateways = gatewayPort === undefined ? undefined : summaries.get(`${namespace}/${service}`);
      return {
        namespace,
        app: metadata.name,
        service,
        ...(address !== undefined && { address: `${address}:${port}` }),
        ...(gatewayPort !== undefined && { gatewayPort }),
        hostnames,
        instances,
        ...(gateways !== undefined && { gateways }),
        reason,
        ...(message !== undefined && { message }),
      };
    });
  });
}

/** An instance is in one slice for each address family and set of ports. */
function countInstances(slices: readonly EndpointSlice[]): ServiceView["instances"] {
  const states = new Map<string, "ready" | "draining" | "other">();
  for (const { endpoints } of slices)
    for (const { addresses, conditions, targetRef } of endpoints ?? []) {
      const isServing = conditions?.serving ?? conditions?.ready ?? true;
      const isEnding = conditions?.terminating === true;
      states.set(targetRef?.uid ?? addresses[0] ?? "", isEnding ? (isServing ? "draining" : "other") : isServing ? "ready" : "other");
    }
  const count = (state: string) => [...states.values()].filter((each) => each === state).length;
  return { ready: count("ready"), draining: count("draining"), all: states.size };
}

/** The same as a table; `wide` adds hosts and the message in full. */
export function servicesTable(views: readonly ServiceView[], withNamespace: boolean, wide: boolean): readonly string[] {
  const rows = views.map(({ namespace, app, service, address = "-", gatewayPort, hostnames, instances, gateways, reason, message }) => [
    ...(withNamespace ? [namespace] : []),
    service,
    app,
    address,
    `${instances.ready}/${instances.all}`,
    String(instances.draining),
    gateways === undefined ? "-" : serversText(gateways.instances),
    gateways === undefined ? "-" : String(gateways.sessions),
    gateways === undefined ? "-" : `${gateways.rate}/s`,
    String(gatewayPort ?? "-"),
    ...(wide ? [hostnames.join(",") || "-"] : []),
    oneLine([reason, message].filter((part) => part !== undefined).join(": "), wide ? 1000 : 80),
  ]);
  const heads = [
    ...(withNamespace ? ["NAMESPACE"] : []),
    ...["SERVICE", "APP", "ADDRESS", "READY", "DRAINING", "HAPROXY", "SESSIONS", "RATE", "GATEWAY-PORT"],
    ...(wide ? ["HOSTS"] : []),
    "REASON",
  ];
  return alignColumns([heads, ...rows]).map((line) => line.trimEnd());
}

/** Such as "2 up, 1 drain". */
function serversText(instances: ServiceSummary["instances"]): string {
  const parts = (["up", "drain", "maint", "down"] as const).filter((state) => instances[state] > 0 || state === "up");
  return parts.map((state) => `${instances[state]} ${state}`).join(", ");
}

function byName(one: RunnerApp, other: RunnerApp): number {
  const [left, right] = [one, other].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`) as [string, string];
  return left === right ? 0 : left < right ? -1 : 1;
}
