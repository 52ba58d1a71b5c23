import type { ActionOutcome } from "../../api/action.ts";
import type { EndpointSlice } from "../../api/endpoint-slice.ts";
import type { PortRange } from "../../api/gateway-ports.ts";
import type { KubeObject, ObjectRef } from "../../api/meta.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { Clock } from "../../base/clock.ts";
import { getOrMake } from "../../base/map.ts";
import type { Store } from "../../kube/store.ts";
import type { Controller } from "../../runtime/controller.ts";
import { runnerAppProblems } from "../../validation/runner-app.ts";
import type { HostGrant } from "../rules/services/claims.ts";
import { openPolicyName } from "../rules/services/network-policy.ts";
import type { GatewayPod } from "../rules/services/gateway-pod.ts";
import { objectName, type ObservedServices } from "../rules/services/observed.ts";
import { planServices } from "../rules/services/plan.ts";
import type { NetworkPolicy, StoredService } from "../rules/services/stored-objects.ts";
import { type AppStore, rivalsOf } from "./app-index.ts";
import { claimOf, type PortLedger } from "./port-ledger.ts";

/** What publishing is told once. */
export interface PublishingSettings {
  /** Where the gateways are. */
  readonly gatewayNamespace: string;
  readonly pools: { readonly open: PortRange; readonly restricted: PortRange };
  /** Absent = every namespace may have every host. */
  readonly hostGrants?: readonly HostGrant[];
  /** What people are told while there is no gateway; absent, or undefined: how one is found. */
  readonly noGateway?: () => string | undefined;
}

/** What the controller reads. All stores are filled by informers; nothing here is written by it. */
export interface PublishingCaches {
  readonly apps: AppStore;
  /** All there are; by the namespace/name of the app whose label they carry. */
  readonly services: Store<StoredService, "app">;
  /** The same. */
  readonly slices: Store<EndpointSlice, "app" | "address">;
  readonly endpoints: Store<KubeObject, "app">;
  readonly policies: Store<NetworkPolicy, "app">;
  readonly gateways: Store<GatewayPod>;
}

export interface PublishingControllerOptions {
  readonly caches: () => PublishingCaches;
  readonly ledger: PortLedger;
  readonly clock: Clock;
  readonly settings: PublishingSettings;
}

/** After a refusal an object is left alone for so long. */
const refusedForMs = 30_000;
/** The same where its name is taken: by what the garbage collector is about to take away, as a rule. */
const takenForMs = 3000;

/** The controller of what RunnerApps publish, also of apps that are gone and have left something behind. */
export function createPublishingController(options: PublishingControllerOptions): Controller<ObservedServices> & {
  plan(observed: ObservedServices): ReturnType<typeof planServices>;
} {
  const { clock, ledger, settings } = options;
  const refused = new Map<string, Map<string, { readonly message: string; readonly until: number }>>();

  function refusalsOf(key: string): ReadonlyMap<string, string> {
    const known = refused.get(key);
    if (known === undefined) return new Map();
    for (const [object, { until }] of known) if (until <= clock.now()) known.delete(object);
    return new Map([...known].map(([object, { message }]) => [object, message]));
  }

  /** When the next object may be tried again. */
  function retryAt(key: string): number {
    return Math.min(...[...(refused.get(key)?.values() ?? [])].map(({ until }) => until));
  }

  return {
    name: "services",

    observe({ namespace = "", name }) {
      const caches = options.caches();
      const key = `${namespace}/${name}`;
      const found = caches.apps.get(namespace, name);
      const app = found?.metadata.deletionTimestamp === undefined ? found : undefined;
      const services = caches.services.byIndex("app", key);
      const slices = caches.slices.byIndex("app", key);
      const policies = caches.policies.byIndex("app", key);
      const noGateway = settings.noGateway?.();
      const openPolicy = caches.policies.get(settings.gatewayNamespace, openPolicyName);
      const isPublishing = app !== undefined && ((app.spec.services ?? []).length > 0 || (app.status?.services ?? []).length > 0);
      if (!isPublishing && services.length === 0 && policies.length === 0) return undefined;
      return {
        key: { namespace, name },
        ...(app !== undefined && { app }),
        problems: app === undefined ? [] : runnerAppProblems(app.spec, clock.now()),
        services,
        serviceNamed: (service) => caches.services.get(namespace, service),
        slices,
        endpoints: caches.endpoints.byIndex("app", key),
        policies,
        ...(openPolicy !== undefined && { openPolicy }),
        gateways: [...caches.gateways.all()],
        gatewayNamespace: settings.gatewayNamespace,
        ...(noGateway !== undefined && { noGateway }),
        rivals: app === undefined ? nobody : rivalsOf(caches.apps, app),
        ports: portFacts(caches.apps, app),
        ...(settings.hostGrants !== undefined && { hostGrants: settings.hostGrants }),
        memory: { refusals: refusalsOf(key) },
        now: clock.now(),
      };
    },

    plan(observed) {
      const plan = planServices(observed);
      const uid = observed.app?.metadata.uid;
      // Two apps are planned side by side, and neither status shows the other's choice yet.
      if (uid !== undefined) for (const { service, port } of plan.ports) ledger.hold(port, claimOf(uid, service));
      const again = retryAt(keyOf(observed.key));
      const wakeAt = Math.min(plan.wakeAt ?? Number.POSITIVE_INFINITY, again);
      return Number.isFinite(wakeAt) ? { ...plan, wakeAt } : plan;
    },

    settle(ref, _observed, results) {
      for (const { action, outcome } of results) {
        const message = refusalOf(outcome);
        if (message === undefined || !("resource" in action)) continue;
        const name = "object" in action ? action.object.metadata.name : "ref" in action ? action.ref.name : undefined;
        if (name === undefined) continue;
        const known = getOrMake(refused, keyOf(ref), () => new Map());
        known.set(objectName(action.resource, name), {
          message,
          until: clock.now() + (outcome.kind === "nameTaken" ? takenForMs : refusedForMs),
        });
      }
    },

    forget(ref) {
      refused.delete(keyOf(ref));
    },
  };

  function portFacts(apps: AppStore, app: RunnerApp | undefined): ObservedServices["ports"] {
    const uid = app?.metadata.uid ?? "";
    return {
      pools: settings.pools,
      isFree: (port, service) =>
        !ledger.isHeld(port, claimOf(uid, service)) && apps.byIndex("port", String(port)).every(({ metadata }) => metadata.uid === uid),
      offset: ledger.offsetFor(uid),
    };
  }
}

const keyOf = ({ namespace, name }: ObjectRef): string => `${namespace}/${name}`;

const nobody: ObservedServices["rivals"] = { ofName: () => [], ofHost: () => [], ofPort: () => [] };

function refusalOf(outcome: ActionOutcome): string | undefined {
  if (outcome.kind === "nameTaken") return "is somebody else's";
  return outcome.kind === "forbidden" || outcome.kind === "invalid" ? outcome.message : undefined;
}
