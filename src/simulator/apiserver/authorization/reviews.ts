import type { Fields } from "../json.ts";
import { isFields } from "../json.ts";
import type { ServedResource } from "../served-resource.ts";
import { badRequest, invalid, invalidValue, requiredValue } from "../status.ts";
import { type Access, type Decision, mastersGroup, type RbacAuthorizer, type User } from "./rbac.ts";

/** Questions about who somebody is and what they may do: answered and never stored. */

const review = (group: string, plural: string, kind: string, namespaced = false): ServedResource => ({
  group,
  version: "v1",
  plural,
  kind,
  namespaced,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  verbs: ["create"],
  subresources: [],
});

const authorization = "authorization.k8s.io";

export const reviewResources: readonly ServedResource[] = [
  review(authorization, "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
  review(authorization, "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
  review(authorization, "subjectaccessreviews", "SubjectAccessReview"),
  review(authorization, "localsubjectaccessreviews", "LocalSubjectAccessReview", true),
  review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
];

const section = (fields: Fields, name: string): Fields => (isFields(fields[name]) ? fields[name] : {});
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** The answer to a review by the user, about themselves or the user it names. Throws ApiFailure 400, 422. */
export function answerReview(
  resource: ServedResource,
  body: unknown,
  namespace: string | undefined,
  user: User,
  rbac: RbacAuthorizer,
): Fields {
  if (!isFields(body)) throw badRequest("the request body is no JSON object");
  const spec = section(body, "spec");
  const answer = (status: Fields): Fields => ({
    kind: resource.kind,
    apiVersion: `${resource.group}/${resource.version}`,
    metadata: section(body, "metadata"),
    ...(isFields(body.spec) ? { spec } : {}),
    status,
  });
  switch (resource.kind) {
    case "SelfSubjectReview":
      return answer({ userInfo: { username: user.name, groups: user.groups } });
    case "SelfSubjectRulesReview":
      return answer(rulesOf(user, text(spec.namespace), rbac));
    case "SelfSubjectAccessReview":
      return answer(statusOf(rbac.authorize(user, accessOf(resource, spec))));
    default: {
      const groups = Array.isArray(spec.groups) ? spec.groups.map(String) : [];
      if (text(spec.user) === "" && groups.length === 0)
        throw invalid(resource.kind, resource.group, "", [requiredValue("spec.user", "at least one of user or group must be specified")]);
      if (namespace !== undefined && section(spec, "resourceAttributes").namespace !== namespace)
        throw invalid(resource.kind, resource.group, "", [
          invalidValue(
            "spec.resourceAttributes.namespace",
            section(spec, "resourceAttributes").namespace ?? "",
            "must match metadata.namespace",
          ),
        ]);
      return answer(statusOf(rbac.authorize({ name: text(spec.user), groups }, accessOf(resource, spec))));
    }
  }
}

const statusOf = ({ allowed, reason }: Decision): Fields => ({ allowed, ...(reason === "" ? {} : { reason }) });

/** What is asked about. Throws ApiFailure 422 where it is neither a resource nor a path, or both. */
function accessOf(resource: ServedResource, spec: Fields): Access {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (isFields(resourceAttributes) === isFields(nonResourceAttributes)) {
    const why = isFields(resourceAttributes)
      ? "cannot be specified in combination with resourceAttributes"
      : "exactly one of nonResourceAttributes or resourceAttributes must be specified";
    throw invalid(resource.kind, resource.group, "", [invalidValue("spec.nonResourceAttributes", nonResourceAttributes ?? null, why)]);
  }
  if (isFields(nonResourceAttributes)) return { verb: text(nonResourceAttributes.verb), path: text(nonResourceAttributes.path) };
  const asked = section(spec, "resourceAttributes");
  return {
    verb: text(asked.verb),
    group: text(asked.group),
    resource: text(asked.resource),
    subresource: text(asked.subresource),
    namespace: text(asked.namespace),
    name: text(asked.name),
  };
}

/** What everybody may who is somebody (http/access.ts), in the words of the roles system:basic-user and system:discovery of a real server. */
const rulesOfEverybody = {
  resourceRules: [
    { verbs: ["create"], apiGroups: ["authorization.k8s.io"], resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"] },
    { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"] },
  ],
  nonResourceRules: [
    {
      verbs: ["get"],
      nonResourceURLs: [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
      ],
    },
  ],
};

/** What `kubectl auth can-i --list` shows. */
function rulesOf(user: User, namespace: string, rbac: RbacAuthorizer): Fields {
  if (user.groups.includes(mastersGroup)) {
    return {
      resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
      nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
      incomplete: false,
    };
  }
  const resourceRules: Fields[] = [...rulesOfEverybody.resourceRules];
  const nonResourceRules: Fields[] = [...rulesOfEverybody.nonResourceRules];
  for (const { rule } of rbac.rulesOf(user, namespace)) {
    const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } = rule;
    if (Array.isArray(resources))
      resourceRules.push({ verbs, apiGroups, resources, ...(resourceNames === undefined ? {} : { resourceNames }) });
    if (Array.isArray(nonResourceURLs)) nonResourceRules.push({ verbs, nonResourceURLs });
  }
  return { resourceRules, nonResourceRules, incomplete: false };
}
