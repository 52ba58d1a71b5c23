import type { ServicesAnswer } from "../../api/gateway-state.ts";
import type { LogAnswer } from "../../api/item-log.ts";
import type { QueueAnswer, WhyAnswer } from "../../api/queue-explanation.ts";
import { resourcePath, services } from "../../api/resource.ts";
import { errorFromResponse, TransportError } from "../../kube/errors.ts";
import type { Cluster } from "./plugin-context.ts";

/** The Service in front of the operator that leads. */
export interface ExplainService {
  readonly namespace: string;
  readonly name: string;
}

/** What the leader said, or why it did not: a sentence without its full stop. */
export type LeaderWord<T> = { readonly kind: "said"; readonly answer: T } | { readonly kind: "silent"; readonly problem: string };

interface Answers {
  readonly why: WhyAnswer;
  readonly queue: QueueAnswer;
  readonly services: ServicesAnswer;
  readonly log: LogAnswer;
}

const lists = { why: "workloads", queue: "queues", services: "services", log: "logs" } as const;

/** Whoever waits for an answer does not wait longer. For a log executors are asked on the way. */
const timeoutMs = { why: 5000, queue: 5000, services: 5000, log: 40_000 } as const;

/**
 * Asks the leader through the service proxy of the API server. No credential goes with it: the API server takes the caller's away, and the proof is in
 * the query (an object's UID, which whoever may get the object knows).
 */
export async function askLeader<Path extends keyof Answers>(
  { transport }: Pick<Cluster, "transport">,
  service: ExplainService,
  path: Path,
  query: Readonly<Record<string, string>>,
): Promise<LeaderWord<Answers[Path]>> {
  const { namespace, name } = service;
  const address = resourcePath(services, namespace, name, `proxy/v1/${path}`);
  try {
    const { status, headers, body } = await transport.request({ method: "GET", path: address, query, timeoutMs: timeoutMs[path] });
    if (status === 200) {
      const list = (body as Readonly<Record<string, unknown>> | null)?.[lists[path]];
      if (!Array.isArray(list))
        return { kind: "silent", problem: `${namespace}/${name} is not the operator's Service: its answer is of another form` };
      return { kind: "said", answer: body as Answers[Path] };
    }
    const said = (body as { readonly error?: unknown } | null)?.error;
    if (typeof said === "string") return { kind: "silent", problem: said };
    return {
      kind: "silent",
      problem: refusalText(status, errorFromResponse(`get v1/${path}`, { status, headers, body }).message, service),
    };
  } catch (error) {
    if (error instanceof TransportError) return { kind: "silent", problem: error.message };
    throw error;
  }
}

function refusalText(status: number, message: string, { namespace, name }: ExplainService): string {
  if (status === 403) return `that takes the ClusterRole nuptse-explain in ${namespace}: get services/proxy of ${name}`;
  if (status === 404) return `there is no Service ${namespace}/${name} (--explain-service names another one)`;
  return message;
}
