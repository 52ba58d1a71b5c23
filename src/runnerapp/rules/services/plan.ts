import type { Action, Plan } from "../../../api/action.ts";
import { instancesService } from "../../../api/endpoint-slice.ts";
import { runnerApps } from "../../../api/resource.ts";
import type { RunnerApp, RunnerAppStatusService } from "../../../api/runner-app.gen.ts";
import { mergePatch } from "../../../base/diff.ts";
import { stepInstancesService, stepRelease, stepService } from "./cluster-service.ts";
import { policyName, stepPolicies } from "./network-policy.ts";
import { objectName, type ObservedServices } from "./observed.ts";
import { serviceRows } from "./rows.ts";

export interface ServicesPlan extends Plan {
  /** Ports that status.services is to have. */
  readonly ports: readonly { readonly service: string; readonly port: number }[];
}

/**
 * The whole of the thinking about what one app publishes:
 * 1. status.services: who has which name, host and port. A port is used only when it stands there (decision 6).
 * 2. for each service with a port its Service, the slices of that, and its NetworkPolicy,
 * 3. and whatever is left of services that are not published any more is taken back.
 * Gateways read status and the slices of the instances themselves; nothing of this stands between an instance and its traffic.
 */
export function planServices(observed: ObservedServices): ServicesPlan {
  const { app } = observed;
  if (app === undefined) return { actions: takeBack(observed, new Set()), reasons: [], ports: [] };
  const rows = serviceRows(observed, app);
  const stored = new Map((app.status?.services ?? []).map((row) => [row.name, row]));
  const published = (app.spec.services ?? []).flatMap((spec) => {
    const gatewayPort = rows.find(({ name }) => name === spec.name)?.gatewayPort;
    const isRecorded = gatewayPort !== undefined && stored.get(spec.name)?.gatewayPort === gatewayPort;
    return isRecorded ? [{ spec, gatewayPort }] : [];
  });
  // What is for some namespaces is not published before nobody else can reach it.
  const isGuarded = ({ spec }: (typeof published)[number]) =>
    spec.allowedNamespaces === undefined ||
    observed.policies.some(({ metadata }) => metadata.name === policyName(observed.key.namespace, spec.name));
  const steps = published.filter(isGuarded).map(({ spec, gatewayPort }) => stepService(observed, app, spec, gatewayPort));
  // A service whose port is about to be recorded, or changed, is not given up meanwhile.
  const kept = new Set(
    rows.filter(({ gatewayPort, reason }) => gatewayPort !== undefined && reason !== "Releasing").map(({ name }) => name),
  );
  const actions: readonly Action[] = [
    ...stepInstancesService(observed, app),
    ...steps.flatMap((step) => step.actions),
    ...takeBack(observed, kept),
    ...stepPolicies(observed, app, published),
  ].filter((action) => !isRefused(observed, action));
  const wakeAt = Math.min(...steps.flatMap((step) => step.wakeAt ?? []));
  const patch = statusPatch(app, rows);
  return {
    actions,
    ...(patch !== undefined && { status: { resource: runnerApps, object: app, status: patch } }),
    ...(Number.isFinite(wakeAt) && { wakeAt }),
    reasons: [],
    ports: rows.flatMap(({ name, gatewayPort }) => (gatewayPort === undefined ? [] : [{ service: name, port: gatewayPort }])),
  };
}

function isRefused({ memory }: ObservedServices, action: Action): boolean {
  if (action.tag === "create" || action.tag === "replace")
    return memory.refusals.has(objectName(action.resource, action.object.metadata.name));
  return action.tag === "patch" && memory.refusals.has(objectName(action.resource, action.ref.name));
}

function statusPatch(app: RunnerApp, rows: readonly RunnerAppStatusService[]) {
  const before = app.status?.services;
  return mergePatch(before === undefined ? {} : { services: before }, rows.length === 0 ? {} : { services: rows });
}

/** @param kept names of services that stay */
function takeBack(observed: ObservedServices, kept: ReadonlySet<string>): readonly Action[] {
  const { services, key, app } = observed;
  const left = services.filter(({ metadata }) => !kept.has(metadata.name) && metadata.name !== instancesService(key.name));
  return [
    ...left.flatMap((service) => stepRelease(observed, service)),
    ...(app === undefined ? stepPolicies(observed, undefined, []) : []),
  ];
}
