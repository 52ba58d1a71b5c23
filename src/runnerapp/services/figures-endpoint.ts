import type { ServicesAnswer } from "../../api/gateway-state.ts";
import type { Clock } from "../../base/clock.ts";
import type { JsonAnswer, JsonEndpoint } from "../../runtime/json-server.ts";
import { TokenBucket } from "../../runtime/token-bucket.ts";
import type { AppStore } from "./app-index.ts";
import type { GatewayStates } from "./gateway-states.ts";

export interface FiguresEndpointOptions {
  readonly apps: () => AppStore;
  /** Absent = gateways are not asked. */
  readonly states?: Pick<GatewayStates, "figures">;
  readonly clock: Clock;
  /** Whether this process leads. */
  readonly mayAnswer: () => boolean;
}

export const figuresPath = "/v1/services";

/** UIDs in one question. */
export const mostUids = 100;
const mostAnswers = { burst: 40, perSecond: 20 };

/**
 * Answers `GET /v1/services?uid=<uid>,<uid>...`: what gateways say of the services of these RunnerApps. A UID is the proof that the caller may know, as for
 * /v1/why (docs/decisions): who may get the object knows it, and nobody guesses it. An unknown one is as if it were not there.
 */
export function createFiguresEndpoint({ apps, states, clock, mayAnswer }: FiguresEndpointOptions): JsonEndpoint {
  const bucket = new TokenBucket(clock, mostAnswers);
  return async ({ method, url }) => {
    if (method !== "GET") return refused(405, `${figuresPath} takes GET only`);
    const { searchParams } = new URL(url, "http://explain");
    const uids = new Set((searchParams.get("uid") ?? "").split(","));
    if ([...searchParams.keys()].join() !== "uid" || ![...uids].every((uid) => /^[\w-]{1,64}$/.test(uid)))
      return refused(400, "uid must be UIDs of RunnerApps with commas between, and there is nothing else");
    if (uids.size > mostUids) return refused(400, `at most ${mostUids} UIDs are answered at once`);
    if (!mayAnswer()) return refused(503, "this replica does not lead: ask again");
    if (states === undefined) return refused(503, "the operator does not ask the gateways (--gateway-state-ca-file)");
    if (!bucket.take()) return refused(429, "too many questions at once: ask again in a second");
    const asked = [...apps().all()].filter(({ metadata }) => uids.has(metadata.uid as string));
    const [namespace, ...others] = new Set(asked.map(({ metadata }) => metadata.namespace as string));
    if (namespace === undefined) return { status: 200, body: nothing };
    const { gateways, services } = await states.figures(others.length === 0 ? namespace : "*");
    const own = new Set(
      asked.flatMap(({ metadata, status }) => (status?.services ?? []).map(({ name }) => `${metadata.namespace}/${name}`)),
    );
    return { status: 200, body: { gateways, services: services.filter(({ service }) => own.has(service)) } satisfies ServicesAnswer };
  };
}

const nothing: ServicesAnswer = { gateways: { ready: 0, told: 0 }, services: [] };

const refused = (status: number, error: string): JsonAnswer => ({ status, body: { error } });
