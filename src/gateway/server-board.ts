import type { ServerReport } from "../api/gateway-state.ts";
import type { MasterSocket } from "../haproxy/master-socket.ts";
import { backendName, serverName } from "../haproxy/rules/backend.ts";
import { serviceKey } from "../haproxy/rules/published-service.ts";
import { parseSessions, type ServerState } from "../haproxy/rules/replies.ts";
import type { RuntimeSocket } from "../haproxy/runtime-socket.ts";
import type { Agent } from "./agent.ts";
import { lookAtServers } from "./look.ts";

/** All instances of all services, as HAProxy has them now. Rejects when HAProxy does not answer. */
export async function readServers(agent: Agent, runtime: RuntimeSocket, master: MasterSocket): Promise<readonly ServerReport[]> {
  const { services } = agent.state;
  const states = await lookAtServers(runtime, services.map(backendName));
  const leaving = new Set<string>();
  for (const [name, list] of states) if (list.some(takesNothing)) leaving.add(name);
  const sessions = await countSessions([...leaving], runtime, master);
  return services.flatMap((service) => {
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
