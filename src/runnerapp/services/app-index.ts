import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { IndexFunction, Store } from "../../kube/store.ts";
import type { Rivals } from "../rules/services/claims.ts";

/**
 * "service": by namespace/name of what it publishes, or still has; "host" and "port": by what it wants, or has in its status; "instances": by
 * namespace/name of the Service that tells of its instances, where somebody else runs them.
 */
export type AppIndex = "service" | "host" | "port" | "instances";

export const appIndexes: Readonly<Record<AppIndex, IndexFunction<RunnerApp>>> = {
  service: ({ metadata, spec }) => (spec.services ?? []).map(({ name }) => `${metadata.namespace}/${name}`),
  host: ({ spec }) => [...new Set((spec.services ?? []).flatMap(({ hostnames = [] }) => hostnames))],
  port: ({ status }) => (status?.services ?? []).flatMap(({ gatewayPort }) => (gatewayPort === undefined ? [] : [String(gatewayPort)])),
  instances: ({ metadata, spec }) => (spec.endpoints === undefined ? [] : [`${metadata.namespace}/${spec.endpoints.serviceName}`]),
};

export type AppStore = Store<RunnerApp, AppIndex>;

/** Apps that want what `app` wants, without itself. */
export function rivalsOf(apps: AppStore, app: RunnerApp): Rivals {
  const others = (index: AppIndex, value: string) => {
    const found = apps.byIndex(index, value);
    return found.length === 0 ? found : found.filter(({ metadata }) => metadata.uid !== app.metadata.uid);
  };
  return {
    ofName: (service) => others("service", `${app.metadata.namespace}/${service}`),
    ofHost: (host) => others("host", host),
    ofPort: (port) => others("port", String(port)),
  };
}
