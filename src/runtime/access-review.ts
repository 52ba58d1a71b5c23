import type { KubeObject } from "../api/meta.ts";
import { type Resource, subjectAccessReviews } from "../api/resource.ts";
import type { KubeClient } from "../kube/client.ts";
import type { TokenUser } from "./token-review.ts";

/** An object that somebody wants to see. */
export interface SoughtObject {
  readonly resource: Resource;
  readonly namespace?: string;
  readonly name: string;
}

/** Whether a user may `get` an object. Rejects when that cannot be found out now. */
export type GetReviewer = (user: TokenUser, object: SoughtObject) => Promise<boolean>;

interface SubjectAccessReview extends KubeObject {
  readonly spec: object;
  readonly status?: { readonly allowed?: boolean; readonly denied?: boolean };
}

/** Asks the API server, each time: what was allowed a moment ago may not be any more. */
export function createGetReviewer(client: Pick<KubeClient, "create">): GetReviewer {
  return async ({ username, uid, groups, extra }, { resource, namespace, name }) => {
    const { status } = await client.create<SubjectAccessReview>(subjectAccessReviews, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: { name: "" },
      spec: {
        user: username,
        groups,
        ...(uid !== undefined && { uid }),
        ...(extra !== undefined && { extra }),
        resourceAttributes: {
          verb: "get",
          group: resource.group,
          version: resource.version,
          resource: resource.plural,
          name,
          ...(namespace !== undefined && { namespace }),
        },
      },
    });
    return status?.allowed === true && status.denied !== true;
  };
}
