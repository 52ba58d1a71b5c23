import type { ServerReport, ServiceFigures } from "../api/gateway-state.ts";
import type { MasterSocket } from "../haproxy/master-socket.ts";
import { backendName, serverName } from "../haproxy/rules/backend.ts";
import { type PublishedService, serviceKey } from "../haproxy/rules/published-service.ts";
import { parseBackendFigures, parseSessions, type ServerState } from "../haproxy/rules/replies.ts";
import type { RuntimeSocket } from "../haproxy/runtime-socket.ts";
import { lookAtServers, mostQuestions } from "./look.ts";

/** What of an HAProxy is told: that which it serves, as it says itself. Rejects when it does not answer. */
export interface ServerBoard {
  /** All instances of all services. */
  servers(): Promise<readonly ServerReport[]>;
  /** Those of the services of a namespace, or of all (*), with the services' figures. */
  figures(namespace: string): Promise<{ readonly servers: readonly ServerReport[]; readonly services: readonly ServiceFigures[] }>;
}

export interface ServerBoardOptions {
  /** What is served now. */
  readonly services: () => readonly PublishedService[];
  readonly runtime: RuntimeSocket;
  readonly master: MasterSocket;
}

export function createServerBoard({ services, runtime, master }: ServerBoardOptions): ServerBoard {
  async function serversOf(chosen: readonly PublishedService[]): Promise<readonly ServerReport[]> {
    const states = await lookAtServers(runtime, chosen.map(backendName));
    const leaving = new Set<string>();
    for (const [name, list] of states) if (list.some(takesNothing)) leaving.add(name);
    const sessions = await countSessions([...leaving], runtime, master);
    return chosen.flatMap((service) => {
      const backend = backendName(service);
      const byName = new Map(states.get(backend)?.map((state) => [state.name, state]));
      return service.instances.flatMap((instance) => {
        const state = byName.get(serverName(instance));
        if (state === undefined) return [];
        return [
          {
            service: serviceKey(service),
            pod: instance.uid,
            address: instance.address,
            state: state.maintenance ? "maint" : state.weight === 0 ? "drain" : state.up ? "up" : "down",
            ...(takesNothing(state) && { sessions: sessions.get(`${backend}/${state.name}`) ?? 0 }),
          } satisfies ServerReport,
        ];
      });
    });
  }

  async function figuresOf(chosen: readonly PublishedService[]): Promise<readonly ServiceFigures[]> {
    const backends = chosen.map(backendName);
    const questions = backends.length > mostQuestions ? [allBackends] : backends.map((name) => `show stat ${name} 2 -1`);
    const [replies, { oldWorkers }] = await Promise.all([runtime.ask(questions), master.processes()]);
    const now = new Map(replies.flatMap((reply) => [...parseBackendFigures(reply)]));
    const old = await Promise.all(oldWorkers.map((worker) => master.askWorker(worker, allBackends).catch(() => "")));
    // One that has ended meanwhile says nothing.
    const before = old.filter((reply) => reply.startsWith("# pxname")).map(parseBackendFigures);
    return chosen.map((service) => {
      const backend = backendName(service);
      const lingering = before.reduce((sum, figures) => sum + (figures.get(backend)?.sessions ?? 0), 0);
      const { sessions = 0, rate = 0 } = now.get(backend) ?? {};
      return { service: serviceKey(service), sessions: sessions + lingering, rate };
    });
  }

  return {
    servers: () => serversOf(services()),
    async figures(namespace) {
      const chosen = services().filter((service) => namespace === "*" || service.namespace === namespace);
      if (chosen.length === 0) return { servers: [], services: [] };
      const [servers, figures] = await Promise.all([serversOf(chosen), figuresOf(chosen)]);
      return { servers, services: figures };
    },
  };
}

const allBackends = "show stat -1 2 -1";

const takesNothing = ({ maintenance, weight }: ServerState): boolean => maintenance || weight === 0;

/** By "backend/server". A worker of before a reload may hold connections that the one of now knows nothing of. */
async function countSessions(
  backends: readonly string[],
  runtime: RuntimeSocket,
  master: MasterSocket,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  if (backends.length === 0) return counts;
  const question = (backend: string) => `show stat ${backend} 4 -1`;
  const add = (backend: string, reply: string) => {
    for (const [server, count] of parseSessions(reply))
      counts.set(`${backend}/${server}`, (counts.get(`${backend}/${server}`) ?? 0) + count);
  };
  const replies = await runtime.ask(backends.map(question));
  for (const [index, backend] of backends.entries()) add(backend, replies[index] ?? "");
  const { oldWorkers } = await master.processes();
  for (const worker of oldWorkers) {
    for (const backend of backends) {
      const reply = await master.askWorker(worker, question(backend)).catch(() => "");
      // It has ended meanwhile, or never had this backend.
      if (reply.startsWith("# pxname")) add(backend, reply);
    }
  }
  return counts;
}
