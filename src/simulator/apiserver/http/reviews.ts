import { failure } from "./status.ts";
import type { ServedResource } from "../served-resource.ts";

/** Who the bearer of the server's token is. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

const review = (group: string, plural: string, kind: string): ServedResource => ({
  group,
  version: "v1",
  plural,
  kind,
  namespaced: false,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  verbs: ["create"],
  subresources: [],
});

/** Questions that a client asks about itself. They are answered by the front and never stored. */
export const reviewResources: readonly ServedResource[] = [
  review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
  review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
  review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
];

/**
 * Answers a review with 201. There is one user, who may do everything, so the answer does not depend on the question: `spec` is only repeated.
 * Anything but a review is answered with 405.
 */
export function answerReview(
  resource: ServedResource,
  verb: string,
  spec: unknown,
  user: User,
): { readonly status: number; readonly body: unknown } {
  if (verb !== "create") return { status: 405, body: failure(405, "the server does not allow this method on the requested resource") };
  const status = statusOf(resource.kind, user);
  return {
    status: 201,
    body: {
      kind: resource.kind,
      apiVersion: `${resource.group}/${resource.version}`,
      metadata: {},
      ...(spec === undefined ? {} : { spec }),
      status,
    },
  };
}

function statusOf(kind: string, user: User): object {
  if (kind === "SelfSubjectReview") return { userInfo: { username: user.name, groups: user.groups } };
  if (kind === "SelfSubjectAccessReview") return { allowed: true, reason: "the only user of this server may do everything" };
  return {
    resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
    nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
    incomplete: false,
  };
}
