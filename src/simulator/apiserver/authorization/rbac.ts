import type { Resource } from "../../../api/resource.ts";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import type { ResourceType } from "../resource-type.ts";

/** Who makes a request. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** What somebody wants to do: to a resource, or to a path that is none. */
export type Access =
  | {
      readonly verb: string;
      readonly group: string;
      /** Plural; "" for a path. */
      readonly resource: string;
      readonly subresource: string;
      /** "" = cluster-wide, or all namespaces. */
      readonly namespace: string;
      /** "" = none in particular. */
      readonly name: string;
    }
  | { readonly verb: string; readonly path: string };

export interface Decision {
  readonly allowed: boolean;
  /** Who grants it; "" where nobody does. */
  readonly reason: string;
}

/** The group that may do everything, whatever roles there are. */
export const mastersGroup = "system:masters";

/** Whoever reaches the server without a user of a name: its own parts, and tests. */
export const trustedUser: User = { name: "system:admin", groups: [mastersGroup, "system:authenticated"] };

/** As whom the embedded controllers write, as policies see it. */
export const controllerUser = "system:kube-controller-manager";

type Find = (group: string, version: string, plural: string) => ResourceType | undefined;

const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);
const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
const rbac: Pick<Resource, "group" | "version"> = { group: "rbac.authorization.k8s.io", version: "v1" };

/** Decides by the roles and bindings that are stored now (plugin/pkg/auth/authorizer/rbac). */
export class RbacAuthorizer {
  readonly #find: Find;

  constructor(find: Find) {
    this.#find = find;
  }

  authorize(user: User, access: Access): Decision {
    if (user.groups.includes(mastersGroup)) return { allowed: true, reason: "" };
    for (const { rule, reason } of this.rulesOf(user, "path" in access ? "" : access.namespace)) {
      if (covers(rule, access)) return { allowed: true, reason };
    }
    return { allowed: false, reason: "" };
  }

  /** The rules that hold for the user in the namespace ("" = cluster-wide ones only), each with who grants it. */
  *rulesOf(user: User, namespace: string): Iterable<{ readonly rule: Fields; readonly reason: string }> {
    yield* this.#rulesBy("clusterrolebindings", user, "");
    if (namespace !== "") yield* this.#rulesBy("rolebindings", user, namespace);
  }

  *#rulesBy(plural: string, user: User, namespace: string): Iterable<{ readonly rule: Fields; readonly reason: string }> {
    const bindings = this.#objects(plural, namespace);
    for (const binding of bindings) {
      const subject = list(binding.subjects).find((one) => isSubject(one, user));
      const roleRef = isFields(binding.roleRef) ? binding.roleRef : {};
      if (subject === undefined) continue;
      const role = this.#role(String(roleRef.kind), String(roleRef.name), namespace);
      const kind = namespace === "" ? "ClusterRoleBinding" : "RoleBinding";
      const place = namespace === "" ? "" : `/${namespace}`;
      const reason = `RBAC: allowed by ${kind} "${binding.metadata.name}${place}" of ${String(roleRef.kind)} "${String(roleRef.name)}" to ${String(subject.kind)} "${String(subject.name)}"`;
      for (const rule of list(role?.rules)) yield { rule, reason };
    }
  }

  #objects(plural: string, namespace: string): readonly StoredObject[] {
    const collection = this.#find(rbac.group, rbac.version, plural)?.collection;
    return collection?.list(namespace === "" ? {} : { namespace }) ?? [];
  }

  #role(kind: string, name: string, namespace: string): StoredObject | undefined {
    return kind === "ClusterRole"
      ? this.#find(rbac.group, rbac.version, "clusterroles")?.collection.get(name)
      : this.#find(rbac.group, rbac.version, "roles")?.collection.get(`${namespace}/${name}`);
  }
}

function isSubject(subject: Fields, user: User): boolean {
  switch (subject.kind) {
    case "User":
      return subject.name === user.name;
    case "Group":
      return user.groups.includes(String(subject.name));
    case "ServiceAccount":
      return user.name === serviceAccountName(String(subject.namespace), String(subject.name));
    default:
      return false;
  }
}

/** How the tokens of a service account name their user. */
export const serviceAccountName = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`;

/** The groups of a service account. */
export const serviceAccountGroups = (namespace: string): readonly string[] => [
  "system:serviceaccounts",
  `system:serviceaccounts:${namespace}`,
  "system:authenticated",
];

const has = (value: unknown, wanted: string): boolean => texts(value).some((one) => one === "*" || one === wanted);

function covers(rule: Fields, access: Access): boolean {
  if (!has(rule.verbs, access.verb)) return false;
  if ("path" in access) {
    return texts(rule.nonResourceURLs).some(
      (url) => url === "*" || url === access.path || (url.endsWith("*") && access.path.startsWith(url.slice(0, -1))),
    );
  }
  const { resource, subresource } = access;
  const combined = subresource === "" ? resource : `${resource}/${subresource}`;
  const named = texts(rule.resources).some((one) => one === "*" || one === combined || (subresource !== "" && one === `*/${subresource}`));
  const names = texts(rule.resourceNames);
  return has(rule.apiGroups, access.group) && named && (names.length === 0 || names.includes(access.name));
}
