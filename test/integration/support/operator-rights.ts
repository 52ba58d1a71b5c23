import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import type { CertificateClient } from "../../../hack/control-plane/certificate-client.ts";

/** Members of this group may do what the operator must be able to do, and nothing else. */
export const operatorGroup = "nuptse-operators";

interface ShippedRole {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** The rules of the roles of this name that ship, cluster-wide and in the operator's namespace. */
function shippedRules(name: string): ShippedRole["rules"] {
  const text = readFileSync(new URL("../../../deploy/base/nuptse.yaml", import.meta.url), "utf8");
  const roles = text.split(/^---$/m).filter((document) => /^kind: (Cluster)?Role$/m.test(document));
  const found = roles.map((document) => load(document) as ShippedRole).filter(({ metadata }) => metadata.name === name);
  if (found.length === 0) throw new Error(`deploy/base/nuptse.yaml holds no role ${name}`);
  return found.flatMap(({ rules }) => rules);
}

/**
 * What the operator may do: what its account is granted where it is installed. Here it may do so in all namespaces, since each suite has its lease and its
 * gateways in another one.
 */
export const operatorRules = shippedRules("nuptse-operator");

const role = (name: string, rules: ShippedRole["rules"]) => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name },
  rules,
});

/** The verbs and resources of its roles as "verb group/resource", to be held against what the audit log saw. */
export function grantedRequests(): ReadonlySet<string> {
  return new Set(
    operatorRules.flatMap(({ apiGroups: [group = ""], resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
    ),
  );
}

/** Creates the roles, and binds them to the group. */
export async function grantOperatorRights(client: CertificateClient): Promise<void> {
  const markers = shippedRules("nuptse-node-marker");
  for (const body of [role(operatorGroup, operatorRules), role(`${operatorGroup}-node-marker`, markers)]) {
    await client.text({ method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/clusterroles", body });
    const binding = {
      metadata: body.metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: body.metadata.name },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: operatorGroup }],
    };
    await client.text({ method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body: binding });
  }
}
