import type { CertificateClient } from "../../../hack/control-plane/certificate-client.ts";

/** Members of this group may do what the operator must be able to do, and nothing else. */
export const operatorGroup = "nuptse-operators";

/** What the operator must be able to do. */
export const operatorRules = [
  { apiGroups: ["nuptse.dev"], resources: ["elasticjobs"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["nuptse.dev"], resources: ["elasticjobs/status"], verbs: ["patch"] },
  { apiGroups: ["nuptse.dev"], resources: ["jobrequests"], verbs: ["get", "list", "watch", "delete"] },
  { apiGroups: ["nuptse.dev"], resources: ["jobrequests/status"], verbs: ["patch"] },
  { apiGroups: ["nuptse.dev"], resources: ["tenantqueues"], verbs: ["get", "list", "watch", "admit"] },
  { apiGroups: ["nuptse.dev"], resources: ["tenantqueues/status"], verbs: ["patch"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch", "create", "patch", "delete", "deletecollection"] },
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
  { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch", "create", "update", "delete"] },
  { apiGroups: [""], resources: ["podtemplates"], verbs: ["create"] },
  { apiGroups: [""], resources: ["nodes", "namespaces", "resourcequotas"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["apps"], resources: ["controllerrevisions"], verbs: ["get", "list", "watch", "create", "delete"] },
  { apiGroups: ["apps"], resources: ["deployments"], verbs: ["get"] },
  { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] },
];

const role = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name: operatorGroup },
  rules: operatorRules,
};

/** The verbs and resources of the role as "verb group/resource", to be held against what the audit log saw. */
export function grantedRequests(): ReadonlySet<string> {
  return new Set(
    role.rules.flatMap(({ apiGroups: [group], resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
    ),
  );
}

/** Creates the role, and binds it to the group. */
export async function grantOperatorRights(client: CertificateClient): Promise<void> {
  await client.text({ method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/clusterroles", body: role });
  const binding = {
    metadata: { name: operatorGroup },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: operatorGroup },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: operatorGroup }],
  };
  await client.text({ method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body: binding });
}
