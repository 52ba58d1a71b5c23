/**
 * Which commands turn what runs into what shall be. Only servers and map entries: the structure is taken to be the same.
 *
 * Order matters, for traffic comes while commands go: what is new takes its place before the old one leaves, so that a backend is never
 * empty in between; but where a port goes to another owner it is closed first and opened last, so that nobody's traffic reaches another's
 * instances.
 */
import { type Server, serverWords } from "./backend.ts";
import type { Configuration, Maps, PlannedBackend } from "./configuration.ts";
import type { ServerState } from "./replies.ts";
import { filesOf, type GatewaySettings } from "./settings.ts";

/** What a running HAProxy has, as far as one look at it told. */
export interface RunningState {
  /** Backends that were looked at, with their servers. */
  readonly servers: ReadonlyMap<string, readonly ServerState[]>;
  /** Absent = not looked at, and left alone. */
  readonly maps?: Maps;
  /** "namespace/name" by backend, as far as known, of whom its servers are. */
  readonly owners: ReadonlyMap<string, string>;
  /** "backend/server" of those whose last sessions have had time enough to end. */
  readonly overdue: ReadonlySet<string>;
}

/** A command of the runtime socket. */
export interface Command {
  readonly text: string;
  /** A refusal that only says "not yet": asked again later. */
  readonly mayWait: boolean;
}

export function diff(desired: Configuration, running: RunningState, settings: Pick<GatewaySettings, "folder">): readonly Command[] {
  const closing: Command[] = [];
  const changing: Command[] = [];
  const leaving: Command[] = [];
  const opening: Command[] = [];
  const files = filesOf(settings).maps;
  const changedHands = new Set<string>();
  for (const [name, states] of running.servers) {
    const planned = desired.backends.get(name);
    if (planned === undefined || !hasChangedHands(planned, states, running.owners.get(name))) continue;
    changedHands.add(name);
  }
  for (const [map, has] of running.maps ?? []) {
    const wants = desired.maps.get(map) ?? new Map<string, string>();
    const file = files[map];
    for (const [key, value] of has) {
      const want = wants.get(key);
      if (want === undefined || changedHands.has(want)) closing.push(always(`del map ${file} ${key}`));
      else if (want !== value) opening.push(always(`set map ${file} ${key} ${want}`));
    }
    for (const [key, want] of wants) {
      if (!has.has(key) || changedHands.has(want)) opening.push(always(`add map ${file} ${key} ${want}`));
    }
  }
  for (const [name, states] of running.servers) {
    const planned = desired.backends.get(name);
    const wanted = planned?.servers ?? new Map<string, Server>();
    const runs = new Map(states.map((state) => [state.name, state]));
    const old = states.filter((state) => !wanted.has(state.name)).flatMap((state) => removal(state, running.overdue));
    (changedHands.has(name) ? closing : leaving).push(...old);
    if (planned === undefined) continue;
    for (const server of wanted.values()) changing.push(...changes(planned, server, runs.get(server.name)));
  }
  return [...closing, ...changing, ...leaving, ...opening];
}

/** Whose servers they are is known, or they have nothing in common with those that shall be. */
function hasChangedHands(planned: PlannedBackend, states: readonly ServerState[], owner: string | undefined): boolean {
  if (states.length === 0 || planned.owner === undefined) return false;
  if (owner !== undefined) return owner !== planned.owner;
  return states.every(({ name }) => !planned.servers.has(name));
}

function changes(backend: PlannedBackend, server: Server, state: ServerState | undefined): readonly Command[] {
  const at = `${backend.name}/${server.name}`;
  if (state === undefined) {
    const added = [always(`add server ${at} ${serverWords(server, backend)}`), always(`enable health ${at}`)];
    return server.maintenance ? added : [...added, always(`set server ${at} state ready`)];
  }
  const commands: Command[] = [];
  if (state.address !== server.address || state.port !== server.port) {
    commands.push(always(`set server ${at} addr ${server.address} port ${server.port}`));
  }
  if (state.weight !== server.weight) commands.push(always(`set server ${at} weight ${server.weight}`));
  if (server.maintenance && !state.maintenance) commands.push(always(`set server ${at} state maint`));
  if (!server.maintenance && (state.maintenance || state.drained)) commands.push(always(`set server ${at} state ready`));
  return commands;
}

function removal({ backend, name, maintenance }: ServerState, overdue: ReadonlySet<string>): readonly Command[] {
  const at = `${backend}/${name}`;
  return [
    ...(maintenance ? [] : [always(`set server ${at} state maint`)]),
    ...(overdue.has(at) ? [always(`shutdown sessions server ${at}`)] : []),
    { text: `del server ${at}`, mayWait: true },
  ];
}

const always = (text: string): Command => ({ text, mayWait: false });

/** A server that is to go and still has connections says so; it stays in maintenance until it can be deleted. */
export const isNotYet = (error: string): boolean => /still has connections/i.test(error);

/** Lines of at most so many bytes together; HAProxy refuses what does not fit its buffer of 16 KiB. */
export function batches(commands: readonly Command[], most = 15_000): readonly (readonly Command[])[] {
  const found: Command[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const command of commands) {
    const length = Buffer.byteLength(command.text) + 1;
    if (size + length > most) {
      found.push([]);
      size = 0;
    }
    found.at(-1)?.push(command);
    size += length;
  }
  return found;
}
