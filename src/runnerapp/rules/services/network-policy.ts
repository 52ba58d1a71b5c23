import type { Action } from "../../../api/action.ts";
import type { LabelSelector } from "../../../api/label-selector.ts";
import { labels } from "../../../api/names.ts";
import { networkPolicies } from "../../../api/resource.ts";
import type { RunnerApp, RunnerAppSpecService } from "../../../api/runner-app.gen.ts";
import { equalJson } from "../../../base/diff.ts";
import type { ObservedServices } from "./observed.ts";
import type { NetworkPolicy } from "./stored-objects.ts";

/** A dot is in no name of a namespace or of a Service, so that no two services share a name here. */
export const policyName = (namespace: string, service: string): string => `nuptse.${namespace}.${service}`;

/** The policy without which the first one for some namespaces would shut everybody else out. */
export const openPolicyName = "nuptse-gateway";

/**
 * Lets the namespaces that a service allows, and nobody else, to its port of the gateways (decision 28). It cannot have an owner in another namespace, so it
 * is looked for by its labels when the app goes. Before the first of them comes the policy that leaves all other ports as open as they were.
 */
export function stepPolicies(
  observed: ObservedServices,
  app: RunnerApp | undefined,
  wanted: readonly { readonly spec: RunnerAppSpecService; readonly gatewayPort: number }[],
): readonly Action[] {
  const actions: Action[] = [];
  const isClosing = app !== undefined && wanted.some(({ spec }) => spec.allowedNamespaces !== undefined);
  if (isClosing && observed.openPolicy === undefined) return [{ tag: "create", resource: networkPolicies, object: openPolicy(observed) }];
  const stored = new Map(observed.policies.map((policy) => [policy.metadata.name, policy]));
  const kept = new Set<string>();
  for (const { spec, gatewayPort } of app === undefined ? [] : wanted) {
    if (spec.allowedNamespaces === undefined) continue;
    const policy = policyOf(observed, spec.name, gatewayPort, spec.allowedNamespaces.selector as LabelSelector);
    const { name } = policy.metadata;
    kept.add(name);
    const known = stored.get(name);
    if (known === undefined) actions.push({ tag: "create", resource: networkPolicies, object: policy });
    else if (!equalJson(known.spec, policy.spec))
      actions.push({ tag: "replace", resource: networkPolicies, object: { ...known, spec: policy.spec } as NetworkPolicy });
  }
  for (const { metadata } of observed.policies)
    if (!kept.has(metadata.name))
      actions.push({
        tag: "delete",
        resource: networkPolicies,
        ref: { namespace: observed.gatewayNamespace, name: metadata.name },
        uid: metadata.uid as string,
      });
  return actions;
}

function openPolicy({ gatewayNamespace, ports: { pools } }: ObservedServices): NetworkPolicy {
  const { first, last } = pools.restricted;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: openPolicyName, namespace: gatewayNamespace, labels: { [labels.gateway]: "" } },
    spec: {
      podSelector: gatewayPods,
      policyTypes: ["Ingress"],
      ingress: [
        {
          ports: ["TCP", "UDP", "SCTP"].flatMap((protocol) => [
            { protocol, port: 1, endPort: first - 1 },
            { protocol, port: last + 1, endPort: 65_535 },
          ]),
        },
      ],
    },
  };
}

const gatewayPods: LabelSelector = { matchExpressions: [{ key: labels.gateway, operator: "Exists" }] };

function policyOf({ key, gatewayNamespace }: ObservedServices, service: string, port: number, selector: LabelSelector): NetworkPolicy {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name: policyName(key.namespace, service),
      namespace: gatewayNamespace,
      labels: { [labels.gateway]: "", [labels.service]: service, [labels.app]: key.name, [labels.appNamespace]: key.namespace },
    },
    spec: {
      podSelector: gatewayPods,
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ namespaceSelector: selector }], ports: [{ protocol: "TCP", port }] }],
    },
  };
}
