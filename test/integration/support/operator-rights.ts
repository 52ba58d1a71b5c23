import type { CertificateClient } from "../../../hack/control-plane/certificate-client.ts";

/** Members of this group may do what the operator must be able to do, and nothing else. */
export const operatorGroup = "nuptse-operators";

/** What the operator must be able to do. */
export const operatorRules = [
  { apiGroups: ["nuptse.dev"], resources: ["elasticjobs"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["nuptse.dev"], resources: ["elasticjobs/status"], verbs: ["patch"] },
  { apiGroups: ["nuptse.dev"], resources: ["jobrequests"], verbs: ["get", "list", "watch", "delete"] },
  { apiGroups: ["nuptse.dev"], resources: ["jobrequests/status"], verbs: ["patch"] },
  { apiGroups: ["nuptse.dev"], resources: ["runnerapps"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["nuptse.dev"], resources: ["runnerapps/status"], verbs: ["patch"] },
  { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: ["get", "list", "watch", "create", "update"] },
  { apiGroups: ["nuptse.dev"], resources: ["tenantqueues"], verbs: ["get", "list", "watch", "admit"] },
  { apiGroups: ["nuptse.dev"], resources: ["tenantqueues/status"], verbs: ["patch"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch", "create", "patch", "delete", "deletecollection"] },
  { apiGroups: [""], resources: ["pods/status", "pods/resize"], verbs: ["patch"] },
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
  { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch", "create", "update", "delete"] },
  { apiGroups: [""], resources: ["services"], verbs: ["get", "list", "watch", "create", "patch", "delete"] },
  { apiGroups: [""], resources: ["endpoints"], verbs: ["list", "watch", "delete"] },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["get", "list", "watch", "create", "update", "delete"] },
  { apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"], verbs: ["get", "list", "watch", "create", "update", "delete"] },
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

/** The same for an operator that serves webhooks: rules as in crds/optional/webhooks.yaml. */
const webhookRole = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name: `${operatorGroup}-webhook` },
  rules: [
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames: ["nuptse-webhook-tls"], verbs: ["get", "update"] },
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
      resourceNames: ["nuptse"],
      verbs: ["get", "patch"],
    },
    // Kubernetes grants it to everybody who is known (system:basic-user).
    { apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"], verbs: ["create"] },
  ],
};

/**
 * The verbs and resources of the role as "verb group/resource", to be held against what the audit log saw.
 * @param webhooks also what an operator may that serves webhooks
 */
export function grantedRequests(webhooks = false): ReadonlySet<string> {
  return new Set(
    [...role.rules, ...(webhooks ? webhookRole.rules : [])].flatMap(({ apiGroups: [group], resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
    ),
  );
}

/** Creates the roles, and binds them to the group. */
export async function grantOperatorRights(client: CertificateClient): Promise<void> {
  for (const body of [role, webhookRole]) {
    await client.text({ method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/clusterroles", body });
    const binding = {
      metadata: body.metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: body.metadata.name },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: operatorGroup }],
    };
    await client.text({ method: "POST", path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body: binding });
  }
}
