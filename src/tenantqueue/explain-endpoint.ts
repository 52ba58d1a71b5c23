import type { WorkloadOwner } from "../api/admission.ts";
import {
  deployments,
  elasticJobs,
  jobs,
  pods,
  replicaSets,
  type Resource,
  runnerApps,
  statefulSets,
  tenantQueues,
} from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { GetReviewer } from "../runtime/access-review.ts";
import type { JsonAnswer, JsonEndpoint } from "../runtime/json-server.ts";
import { TokenBucket } from "../runtime/token-bucket.ts";
import { bearerToken, type TokenReviewer, type TokenUser } from "../runtime/token-review.ts";
import type { Explainer, MayName } from "./explainer.ts";
import { hasRandomUid } from "./rules/told-workload.ts";

export interface ExplainEndpointOptions {
  readonly explainer: Explainer;
  readonly clock: Clock;
  /** Whether this process leads, and has decided on what waits. */
  readonly mayAnswer: () => boolean;
  readonly reviewToken: TokenReviewer;
  readonly mayGet: GetReviewer;
}

/** The kinds of which workloads may be: the names of others are told to nobody. */
const workloadKinds: Readonly<Record<string, Resource>> = Object.fromEntries(
  [elasticJobs, runnerApps, deployments, replicaSets, statefulSets, jobs, pods].map((resource) => [resource.kind, resource]),
);

/** The decisions of the same process must not wait for those who ask. */
const mostAnswers = { burst: 40, perSecond: 20 };

const known = { "/v1/why": ["kind", "namespace", "name", "uid"], "/v1/queue": ["name", "uid"] } as const;

type Parameters = Readonly<Partial<Record<"kind" | "namespace" | "name" | "uid", string>>>;

/**
 * Answers `GET /v1/why` and `GET /v1/queue`. Two proofs that the caller may get the object asked about (docs/decisions):
 *
 *   a bearer token    TokenReview, then SubjectAccessReview; for whoever reaches the process directly
 *   the object's UID  behind the API server's proxy, which takes the Authorization header away; who may get the object knows its UID
 *
 * Other objects are named only to those who may get them too; with a UID alone nobody is.
 */
export function createExplainEndpoint(options: ExplainEndpointOptions): JsonEndpoint {
  const { explainer, clock, mayAnswer, reviewToken, mayGet } = options;
  const bucket = new TokenBucket(clock, mostAnswers);

  async function why(parameters: Parameters, user: TokenUser | undefined): Promise<JsonAnswer> {
    const { kind = elasticJobs.kind, namespace, name, uid } = parameters;
    const resource = workloadKinds[kind];
    if (resource === undefined) return refused(400, `kind must be one of ${Object.keys(workloadKinds).join(", ")}`);
    const isPod = kind === pods.kind;
    if (user === undefined && !isPod && !hasRandomUid({ kind }))
      return refused(401, `of a ${kind} a UID proves nothing here: a bearer token is needed`);
    if (namespace === undefined || name === undefined) return refused(400, "namespace and name of the object are needed");
    if (user !== undefined && !(await mayGet(user, { resource, namespace, name })))
      return refused(403, `this user may not get ${resource.plural} ${namespace}/${name}`);
    const owner = isPod ? ownerOfPod(namespace, name, uid) : ownerOf({ kind, namespace, name }, uid);
    // The same words whether there is no such object, or the UID is another's: who does not know it learns nothing.
    if (owner === undefined) return refused(404, `no ${kind} ${namespace}/${name} of that UID asks a queue for its share`);
    const mayName = await namesFor(user, owner.uid, (record) => explainer.why(owner, record));
    return { status: 200, body: explainer.why(owner, mayName) };
  }

  function ownerOf({ kind, namespace, name }: Omit<WorkloadOwner, "uid">, uid: string | undefined): WorkloadOwner | undefined {
    const owner = uid === undefined ? explainer.ownerNamed(kind, namespace, name) : explainer.ownerOf(uid);
    return owner?.kind === kind && owner.namespace === namespace && owner.name === name ? owner : undefined;
  }

  /** Of a pod the answer is about its workload: all pods of its controller, or its group. */
  function ownerOfPod(namespace: string, name: string, uid: string | undefined): WorkloadOwner | undefined {
    const workload = explainer.workloadOfPod(namespace, name);
    return workload !== undefined && (uid === undefined || workload.podUid === uid) ? workload.owner : undefined;
  }

  async function queue({ name, uid }: Parameters, user: TokenUser | undefined): Promise<JsonAnswer> {
    if (name === undefined) return refused(400, "the name of a TenantQueue is needed");
    if (user !== undefined && !(await mayGet(user, { resource: tenantQueues, name })))
      return refused(403, `this user may not get tenantqueues ${name}`);
    const stored = explainer.queueNamed(name);
    if (stored === undefined || (uid !== undefined && stored.metadata.uid !== uid))
      return refused(404, `there is no TenantQueue ${name} of that UID`);
    const mayName = await namesFor(user, undefined, (record) => explainer.queue(name, record));
    const answer = explainer.queue(name, mayName);
    return answer === undefined ? refused(404, `there is no TenantQueue ${name} of that UID`) : { status: 200, body: answer };
  }

  /** Finds out which of the objects that an answer would name the user may get. What enters the answer meanwhile stays unnamed. */
  async function namesFor(user: TokenUser | undefined, own: string | undefined, draft: (mayName: MayName) => unknown): Promise<MayName> {
    const named = new Set(own === undefined ? [] : [own]);
    if (user !== undefined) {
      const others = new Map<string, WorkloadOwner>();
      draft((owner) => {
        if (owner.uid !== own) others.set(owner.uid, owner);
        return false;
      });
      await Promise.all(
        [...others.values()].map(async ({ kind, namespace, name, uid }) => {
          const resource = workloadKinds[kind];
          if (resource !== undefined && (await mayGet(user, { resource, namespace, name }))) named.add(uid);
        }),
      );
    }
    return ({ uid }) => named.has(uid);
  }

  return async ({ method, url, authorization }) => {
    const { pathname, searchParams } = URL.parse(url, "http://explain") ?? new URL("http://explain");
    if (pathname !== "/v1/why" && pathname !== "/v1/queue") return refused(404, "there are /v1/why, /v1/queue, /v1/services and /v1/log");
    if (method !== "GET") return refused(405, `${pathname} takes GET only`);
    const parameters = readParameters(searchParams, known[pathname]);
    if (typeof parameters === "string") return refused(400, parameters);
    if (!mayAnswer()) return refused(503, "this replica does not lead, or has led for a moment only: ask again");
    if (!bucket.take()) return refused(429, "too many questions at once: ask again in a second");
    let user: TokenUser | undefined;
    if (authorization !== undefined) {
      const token = bearerToken(authorization);
      user = token === undefined ? undefined : await reviewToken(token);
      if (user === undefined) return refused(401, "the API server does not know this token");
    } else if (parameters.uid === undefined) {
      return refused(401, "the UID of the object is needed, or a bearer token of somebody who may get it");
    }
    return pathname === "/v1/why" ? why(parameters, user) : queue(parameters, user);
  };
}

const refused = (status: number, error: string): JsonAnswer => ({ status, body: { error } });

/** The parameters of a question, or what is wrong with them. */
function readParameters(given: URLSearchParams, names: readonly string[]): Parameters | string {
  const parameters: Record<string, string> = {};
  for (const [name, value] of given) {
    if (!names.includes(name)) return `${name.slice(0, 40)} is not known; there are ${names.join(", ")}`;
    if (Object.hasOwn(parameters, name)) return `${name} is given twice`;
    if (!/^[\w.-]{1,253}$/.test(value)) return `${name} must be letters, digits, dots and dashes, at most 253`;
    parameters[name] = value;
  }
  return parameters;
}
