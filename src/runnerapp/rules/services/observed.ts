import type { EndpointSlice } from "../../../api/endpoint-slice.ts";
import type { KubeObject, ObjectRef } from "../../../api/meta.ts";
import type { SpecProblem } from "../../../api/problem.ts";
import { type Resource, resourceName } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import type { HostGrant, Rivals } from "./claims.ts";
import type { GatewayPod } from "./gateway-pod.ts";
import type { PortFacts } from "./port-choice.ts";
import type { NetworkPolicy, StoredService } from "./stored-objects.ts";

/** Everything that a plan for the published services of one app is made from. Instants are milliseconds since the epoch. */
export interface ObservedServices {
  /** The app's name, also when there is none of it any more. */
  readonly key: ObjectRef & { readonly namespace: string };
  /** Absent = it is gone, or about to go, and what is left of it is given back. */
  readonly app?: RunnerApp;
  readonly problems: readonly SpecProblem[];
  /** Services that carry the app's label. */
  readonly services: readonly StoredService[];
  /** The Service of this name in the app's namespace, whoever made it. */
  readonly serviceNamed: (name: string) => StoredService | undefined;
  /** Slices of its published Services, whoever keeps them. */
  readonly slices: readonly EndpointSlice[];
  /** Endpoints objects of its published Services: only one that was taken over has any. */
  readonly endpoints: readonly KubeObject[];
  /** NetworkPolicies of its services, in the namespace of the gateways. */
  readonly policies: readonly NetworkPolicy[];
  /** The policy that leaves all ports but those of the restricted pool open, whoever made it. */
  readonly openPolicy?: NetworkPolicy;
  readonly gateways: readonly GatewayPod[];
  readonly gatewayNamespace: string;
  /** What people are told while there is none; absent = how one is found. */
  readonly noGateway?: string;
  readonly rivals: Rivals;
  readonly ports: PortFacts;
  /** Absent = every namespace may have every host. */
  readonly hostGrants?: readonly HostGrant[];
  readonly memory: ServiceMemory;
  readonly now: number;
}

/** An object of ours by its kind and name, for people too: "services api". */
export const objectName = (resource: Resource, name: string): string => `${resourceName(resource)} ${name}`;

/** What caches do not show and a restart may forget without harm. */
export interface ServiceMemory {
  /** What was said of a write that was refused a moment ago, by {@link objectName}. Until it is forgotten nothing more is written to that object. */
  readonly refusals: ReadonlyMap<string, string>;
}
