import type { RuntimeSocket } from "../haproxy/runtime-socket.ts";
import { portOfBackend } from "../haproxy/rules/backend.ts";
import type { Maps } from "../haproxy/rules/configuration.ts";
import { type ProcessInfo, parseBackends, parseInfo, parseMap, parseServerStates, type ServerState } from "../haproxy/rules/replies.ts";
import { filesOf, type GatewaySettings, type MapName } from "../haproxy/rules/settings.ts";

/** Beyond so many backends one question for all is cheaper. */
export const mostQuestions = 200;

/** The servers of these backends, as HAProxy has them. */
export async function lookAtServers(
  runtime: RuntimeSocket,
  backends: readonly string[],
): Promise<ReadonlyMap<string, readonly ServerState[]>> {
  const questions = backends.length > mostQuestions ? ["show servers state"] : backends.map((name) => `show servers state ${name}`);
  const states = (await runtime.ask(questions)).flatMap((reply) => parseServerStates(reply));
  const found = new Map<string, ServerState[]>(backends.map((name) => [name, []]));
  for (const state of states) found.get(state.backend)?.push(state);
  return found;
}

export async function lookAtMaps(runtime: RuntimeSocket, names: readonly MapName[], settings: GatewaySettings): Promise<Maps> {
  const { maps } = filesOf(settings);
  const replies = await runtime.ask(names.map((name) => `show map ${maps[name]}`));
  return new Map(names.map((name, index) => [name, parseMap(replies[index] ?? "")]));
}

export async function lookAtProcess(runtime: RuntimeSocket): Promise<ProcessInfo> {
  const [reply = ""] = await runtime.ask(["show info"]);
  return parseInfo(reply);
}

/** Names of the backends of ours that run, spare ones included. */
export async function lookAtBackends(runtime: RuntimeSocket): Promise<ReadonlySet<string>> {
  const [reply = ""] = await runtime.ask(["show backend"]);
  return new Set(parseBackends(reply).filter((name) => portOfBackend(name) !== undefined));
}
