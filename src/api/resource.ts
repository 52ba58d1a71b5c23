/** What the client must know about a kind to address it. One constant a kind; never made at run time outside of the simulator. */
export interface Resource {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** "pods", or "elasticjobs.nuptse.dev": how Kubernetes names a kind in messages, and we in metrics. */
export function resourceName(resource: Resource): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** "v1", or "nuptse.dev/v1alpha1". */
export function apiVersionOf(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The path of a collection, or with a name of one object, or with a subresource of a part of it. */
export function resourcePath(resource: Resource, namespace?: string, name?: string, subresource?: string): string {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : "";
  const object = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${resource.plural}${object}${subresource === undefined ? "" : `/${subresource}`}`;
}

const core = (plural: string, kind: string, namespaced = true): Resource => ({ group: "", version: "v1", plural, kind, namespaced });

export const pods = core("pods", "Pod");
export const nodes = core("nodes", "Node", false);
export const namespaces = core("namespaces", "Namespace", false);
export const configMaps = core("configmaps", "ConfigMap");
export const secrets = core("secrets", "Secret");
export const services = core("services", "Service");
export const serviceAccounts = core("serviceaccounts", "ServiceAccount");
export const persistentVolumeClaims = core("persistentvolumeclaims", "PersistentVolumeClaim");
export const podTemplates = core("podtemplates", "PodTemplate");
export const resourceQuotas = core("resourcequotas", "ResourceQuota");
export const coreEvents = core("events", "Event");
export const events: Resource = { group: "events.k8s.io", version: "v1", plural: "events", kind: "Event", namespaced: true };
export const leases: Resource = { group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease", namespaced: true };
export const controllerRevisions: Resource = {
  group: "apps",
  version: "v1",
  plural: "controllerrevisions",
  kind: "ControllerRevision",
  namespaced: true,
};
export const customResourceDefinitions: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};
export const elasticJobs: Resource = {
  group: "nuptse.dev",
  version: "v1alpha1",
  plural: "elasticjobs",
  kind: "ElasticJob",
  namespaced: true,
};
export const jobRequests: Resource = {
  group: "nuptse.dev",
  version: "v1alpha1",
  plural: "jobrequests",
  kind: "JobRequest",
  namespaced: true,
};
export const tenantQueues: Resource = {
  group: "nuptse.dev",
  version: "v1alpha1",
  plural: "tenantqueues",
  kind: "TenantQueue",
  namespaced: false,
};
export const podDisruptionBudgets: Resource = {
  group: "policy",
  version: "v1",
  plural: "poddisruptionbudgets",
  kind: "PodDisruptionBudget",
  namespaced: true,
};
export const deployments: Resource = { group: "apps", version: "v1", plural: "deployments", kind: "Deployment", namespaced: true };
const workload = (group: string, plural: string, kind: string): Resource => ({ group, version: "v1", plural, kind, namespaced: true });

export const replicaSets = workload("apps", "replicasets", "ReplicaSet");
export const statefulSets = workload("apps", "statefulsets", "StatefulSet");
export const daemonSets = workload("apps", "daemonsets", "DaemonSet");
export const jobs = workload("batch", "jobs", "Job");
export const cronJobs = workload("batch", "cronjobs", "CronJob");
export const runnerApps: Resource = { group: "nuptse.dev", version: "v1alpha1", plural: "runnerapps", kind: "RunnerApp", namespaced: true };
export const endpointSlices: Resource = {
  group: "discovery.k8s.io",
  version: "v1",
  plural: "endpointslices",
  kind: "EndpointSlice",
  namespaced: true,
};
export const endpoints = core("endpoints", "Endpoints");
export const networkPolicies: Resource = {
  group: "networking.k8s.io",
  version: "v1",
  plural: "networkpolicies",
  kind: "NetworkPolicy",
  namespaced: true,
};
export const tokenReviews: Resource = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "tokenreviews",
  kind: "TokenReview",
  namespaced: false,
};
export const subjectAccessReviews: Resource = {
  group: "authorization.k8s.io",
  version: "v1",
  plural: "subjectaccessreviews",
  kind: "SubjectAccessReview",
  namespaced: false,
};
export const selfSubjectReviews: Resource = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "selfsubjectreviews",
  kind: "SelfSubjectReview",
  namespaced: false,
};
export const validatingWebhookConfigurations: Resource = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingwebhookconfigurations",
  kind: "ValidatingWebhookConfiguration",
  namespaced: false,
};
export const mutatingWebhookConfigurations: Resource = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "mutatingwebhookconfigurations",
  kind: "MutatingWebhookConfiguration",
  namespaced: false,
};
const admissionPolicy = (plural: string, kind: string): Resource => ({
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural,
  kind,
  namespaced: false,
});

export const validatingAdmissionPolicies = admissionPolicy("validatingadmissionpolicies", "ValidatingAdmissionPolicy");
export const validatingAdmissionPolicyBindings = admissionPolicy("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding");
/** Of this version from Kubernetes 1.36 on. */
export const mutatingAdmissionPolicies = admissionPolicy("mutatingadmissionpolicies", "MutatingAdmissionPolicy");
export const mutatingAdmissionPolicyBindings = admissionPolicy("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding");
