import { dump, load } from "js-yaml";
import type { KubeObject } from "../../api/meta.ts";
import { type Resource, secrets } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { tokenDigest, userTokenNamespace, userTokenType } from "../apiserver/authorization/tokens.ts";

/** Who is to be let into a playground. */
export interface PlaygroundUser {
  readonly name: string;
  /** ClusterRoles; "job-operator" stands for "nuptse-job-operator" where that is one. */
  readonly roles: readonly string[];
  /** Where the roles hold; absent = in all namespaces. */
  readonly namespace?: string;
  /** The token that the user is to be known by. */
  readonly token: string;
}

const rbac = { group: "rbac.authorization.k8s.io", version: "v1" };
const clusterRoles: Resource = { ...rbac, plural: "clusterroles", kind: "ClusterRole", namespaced: false };
const clusterRoleBindings: Resource = { ...rbac, plural: "clusterrolebindings", kind: "ClusterRoleBinding", namespaced: false };
const roleBindings: Resource = { ...rbac, plural: "rolebindings", kind: "RoleBinding", namespaced: true };

/** Makes a user known to a playground, and binds the roles. Throws a RangeError that names a role which is not there, before anything is written. */
export async function addPlaygroundUser(client: KubeClient, user: PlaygroundUser): Promise<void> {
  const { items } = await client.list<KubeObject>(clusterRoles);
  const known = new Set(items.map(({ metadata }) => metadata.name));
  const roles = user.roles.map((role) => {
    const found = [role, `nuptse-${role}`].find((name) => known.has(name));
    if (found !== undefined) return found;
    throw new RangeError(`--role: there is no ClusterRole ${JSON.stringify(role)}; there are: ${[...known].sort().join(", ")}`);
  });
  for (const role of roles) {
    const metadata = { generateName: `playground-${role}-` };
    const subjects = [{ kind: "User", apiGroup: rbac.group, name: user.name }];
    const body = { metadata, roleRef: { apiGroup: rbac.group, kind: "ClusterRole", name: role }, subjects };
    const { namespace } = user;
    if (namespace === undefined) await client.create(clusterRoleBindings, body as never);
    else await client.create(roleBindings, { ...body, metadata: { ...metadata, namespace } } as never);
  }
  await client.create(secrets, {
    metadata: { generateName: "user-token-", namespace: userTokenNamespace },
    type: userTokenType,
    stringData: { user: user.name, groups: "", digest: tokenDigest(user.token) },
  } as never);
}

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: object }[];
}

/** The kubeconfig of a user: the cluster of the administrator's, and the user's own token. */
export function userKubeconfig(administrator: string, user: PlaygroundUser): string {
  const { clusters } = load(administrator) as Kubeconfig;
  const [cluster] = clusters;
  const { name, token, namespace = "default" } = user;
  return dump({
    apiVersion: "v1",
    kind: "Config",
    clusters,
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: cluster?.name ?? "", user: name, namespace } }],
    "current-context": name,
  });
}
