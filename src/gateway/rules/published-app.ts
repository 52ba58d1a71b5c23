import { instancesService } from "../../api/endpoint-slice.ts";
import type { KubeObject } from "../../api/meta.ts";

/** Of a RunnerApp what the gateway reads. */
export interface PublishingApp extends KubeObject {
  readonly spec: {
    readonly services?: readonly ServiceSpec[];
    /** A fleet that somebody else runs: its own Service tells of its instances. */
    readonly endpoints?: { readonly serviceName?: string };
    readonly evacuation?: { readonly connectionDrainSeconds?: number };
  };
  readonly status?: { readonly services?: readonly AllocatedService[] };
}

/** RunnerApp.spec.services[]; the rest of it is the operator's. */
export interface ServiceSpec {
  readonly name: string;
  readonly protocol?: "TCP" | "HTTP";
  /** Of the pod: a number, or the name of a port. Absent = `port`. */
  readonly targetPort?: number | string;
  /** Of the Service. */
  readonly port?: number;
  readonly hostnames?: readonly string[];
  readonly paths?: readonly { readonly type?: "Exact" | "PathPrefix"; readonly value: string }[];
  readonly balance?: "RoundRobin" | "LeastConnections";
  readonly sticky?: "None" | "Cookie";
  readonly healthCheck?: {
    readonly type?: "TCP" | "HTTP";
    readonly path?: string;
    readonly periodSeconds?: number;
    readonly failureThreshold?: number;
    readonly successThreshold?: number;
  };
  readonly timeouts?: { readonly connectSeconds?: number; readonly idleSeconds?: number; readonly tunnelSeconds?: number };
  readonly maxConnections?: number;
  readonly slowStartSeconds?: number;
  readonly tls?: { readonly mode?: "Terminate" | "Passthrough"; readonly secretName?: string };
}

/** RunnerApp.status.services[]. */
export interface AllocatedService {
  readonly name: string;
  /** From the gateway's pools; absent while it has none. */
  readonly gatewayPort?: number;
  /** Those of spec that it may have; absent = none. */
  readonly hostnames?: readonly string[];
}

/** The Service whose slices are those of an app's instances. */
export const instancesServiceOf = (app: PublishingApp): string => app.spec.endpoints?.serviceName ?? instancesService(app.metadata.name);
