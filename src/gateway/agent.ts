/**
 * The loop of the gateway. A change is gathered with those of the next 100 ms; then what shall be is compared with what HAProxy itself says it
 * has, and the difference goes over its socket, each answer checked. Only what no running HAProxy can change waits for a reload, of which there
 * is at most one in five seconds. The same state goes to the file, so that a HAProxy that dies comes back with it. Once a minute all is compared.
 *
 * It never rests on what it remembers of HAProxy: a command that failed, a HAProxy that was replaced and a person with a socket look the same,
 * and the next comparison mends them all.
 */
import type { Logger } from "../api/logger.ts";
import type { SpecProblem } from "../api/problem.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { MasterSocket } from "../haproxy/master-socket.ts";
import { type HaproxyProgram, versionProblem } from "../haproxy/program.ts";
import { backendName } from "../haproxy/rules/backend.ts";
import { type Configuration, configurationOf, type PlannedBackend, withinStructure } from "../haproxy/rules/configuration.ts";
import { diff, isNotYet, type RunningState } from "../haproxy/rules/diff.ts";
import { type PublishedService, serviceKey } from "../haproxy/rules/published-service.ts";
import type { ServerState } from "../haproxy/rules/replies.ts";
import { type Selection, selectServices } from "../haproxy/rules/selection.ts";
import type { GatewaySettings } from "../haproxy/rules/settings.ts";
import { choosePool } from "../haproxy/rules/spare-pool.ts";
import type { RuntimeSocket } from "../haproxy/runtime-socket.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { GatewayFiles } from "./files.ts";
import { lookAtBackends, lookAtMaps, lookAtProcess, lookAtServers } from "./look.ts";
import { Refusals } from "./refusals.ts";
import type { ServiceSource } from "./source.ts";
import { createStructureChanger, type StructureOptions } from "./structure.ts";

export interface AgentOptions {
  readonly settings: GatewaySettings;
  readonly source: ServiceSource;
  readonly runtime: RuntimeSocket;
  readonly master: MasterSocket;
  readonly program: HaproxyProgram;
  readonly files: GatewayFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly timings?: Partial<AgentTimings>;
  readonly render?: StructureOptions["render"];
}

/** All in milliseconds. */
export interface AgentTimings {
  readonly gatherMs: number;
  readonly reloadGapMs: number;
  readonly resyncMs: number;
  /** How often HAProxy is asked whether it is still the same. */
  readonly probeMs: number;
  /** The file follows the running state at most so much later. */
  readonly fileDelayMs: number;
  /** Servers that were taken out and still have connections after so long lose them. */
  readonly overdueMs: number;
  /** Without an API server, ready so long after the start with the last good file. */
  readonly readyWithoutSyncMs: number;
  /** Beyond this lag servers that fail a check are not brought back before the next sync (decision 55). */
  readonly staleAfterMs: number;
}

/** Those of `nuptse gateway`. */
export const defaultTimings: AgentTimings = {
  gatherMs: 100,
  reloadGapMs: 5_000,
  resyncMs: 60_000,
  probeMs: 1_000,
  fileDelayMs: 1_000,
  overdueMs: 60_000,
  readyWithoutSyncMs: 30_000,
  staleAfterMs: 60_000,
};

const longestReloadGapMs = 300_000;

/** What the gateway has done so far. */
export interface AgentState {
  /** Counts changes of what is told here. */
  readonly version: number;
  /** Services that are served, each as it is applied. */
  readonly services: readonly PublishedService[];
  /** Why others are not, or not as they ask. */
  readonly problems: ReadonlyMap<string, readonly SpecProblem[]>;
}

export interface Agent {
  /** Writes a first configuration where there is none, so that HAProxy can start. Resolves when the loop runs. */
  start(): Promise<void>;
  /** Ends the loop; HAProxy goes on with what it has. */
  stop(): Promise<void>;
  readonly state: AgentState;
  /** Undefined = ready, else why not. */
  notReady(): string | undefined;
  /** How long ago the oldest change came that HAProxy does not have, in milliseconds. */
  lagMs(): number;
  /** From now on not ready, while the loop goes on. */
  leave(): void;
}

export function createAgent(options: AgentOptions): Agent {
  const { settings, source, runtime, master, files, clock, logger, metrics } = options;
  const timings = { ...defaultTimings, ...options.timings };
  const changer = createStructureChanger({
    settings,
    files,
    program: options.program,
    master,
    logger,
    onReload: (result) => metrics.count("nuptse_gateway_reloads_total", { result }),
    ...(options.render !== undefined && { render: options.render }),
  });
  const refusals = new Refusals(clock);
  const owners = new Map<string, string>();
  /** Since when servers wait to be deleted, by "backend/server". */
  const lingering = new Map<string, number>();

  let startedAt = 0;
  let hadFile = false;
  let stopped = false;
  let leaving = false;
  let timer: Timer | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let work: Promise<void> | undefined;
  let busy = false;
  let again = false;

  /** The configuration whose structure HAProxy runs, with the servers that it was last given. */
  let running: Configuration | undefined;
  let runningPid: number | undefined;
  let lastReloadAt = Number.NEGATIVE_INFINITY;
  let reloadFailures = 0;
  let lastFullAt = Number.NEGATIVE_INFINITY;
  let lastFileAt = Number.NEGATIVE_INFINITY;
  let fileIsOld = false;
  let synced = false;
  let tooOld: string | undefined;
  let reachable = false;
  let pendingSince: number | undefined;
  let inHandSince: number | undefined;
  /** Since when HAProxy has another structure than it shall have. */
  let structureWaitsSince: number | undefined;
  /** Servers are held back that only a full comparison brings back. */
  let holds = false;
  let failures = 0;
  let state: AgentState = { version: 0, services: [], problems: new Map() };

  const now = () => clock.monotonic();

  function wakeIn(delayMs: number): void {
    if (stopped) return;
    const at = now() + delayMs;
    if (at >= timerAt) return;
    timer?.cancel();
    timerAt = at;
    timer = clock.after(delayMs, () => {
      timerAt = Number.POSITIVE_INFINITY;
      if (busy) again = true;
      else work = turn();
    });
  }

  /** One look and what follows from it; never two at once. */
  async function turn(): Promise<void> {
    busy = true;
    try {
      await sync();
      if (fileIsOld && now() - lastFileAt >= timings.fileDelayMs) await writeFile();
      failures = 0;
    } catch (error) {
      failures += 1;
      reachable = false;
      // The first failure is what a restart of HAProxy looks like.
      (failures === 2 ? logger.warn : logger.debug)("HAProxy could not be brought up to date", { error });
    }
    busy = false;
    metrics.set("nuptse_gateway_lag_seconds", {}, lagMs() / 1000);
    const changesAt = source.view().changesAt ?? Number.POSITIVE_INFINITY;
    const reloadAt = structureWaitsSince === undefined ? Number.POSITIVE_INFINITY : nextReloadAt();
    const retryMs = failures > 0 ? Math.min(timings.probeMs, timings.gatherMs * failures) : timings.probeMs;
    wakeIn(Math.max(timings.gatherMs / 2, Math.min(retryMs, reloadAt - now(), changesAt - now())));
    if (again || (pendingSince !== undefined && failures === 0)) wakeIn(timings.gatherMs / 2);
    again = false;
  }

  async function sync(): Promise<void> {
    const info = await lookAtProcess(runtime);
    tooOld = versionProblem(info.version);
    if (tooOld !== undefined) throw new Error(tooOld);
    if (info.pid !== runningPid) {
      // Another worker than the one we know: by our reload, somebody else's, or HAProxy died and is back from the file.
      if (runningPid !== undefined) logger.info("HAProxy has another worker", { pid: info.pid, before: runningPid });
      runningPid = info.pid;
      synced = false;
      lastFullAt = Number.NEGATIVE_INFINITY;
    }
    reachable = true;
    const view = source.view();
    if (!view.complete) {
      // What is absent from half a list is not gone. HAProxy goes on with its file.
      return;
    }
    const begunAt = now();
    const changeIsFrom = pendingSince;
    pendingSince = undefined;
    // Until HAProxy has it, it counts as not done; what comes meanwhile is younger.
    inHandSince = changeIsFrom;
    try {
      await bringUpToDate(view.services, info.structure, changeIsFrom ?? begunAt);
    } catch (error) {
      pendingSince = changeIsFrom ?? pendingSince ?? begunAt;
      throw error;
    } finally {
      inHandSince = undefined;
    }
    if (isStale()) await holdFailedServers();
  }

  /** What HAProxy serves as it is asked for is not what a later configuration fails by. */
  function proveServed(services: readonly PublishedService[], desired: Configuration, all: boolean): void {
    for (const service of services) {
      if (refusals.isProven(service) || (!all && service.tls.mode === "Terminate")) continue;
      const name = backendName(service);
      if (all || sameStructure(desired.backends.get(name), running?.backends.get(name))) refusals.prove(service);
    }
  }

  /** Twice as far away with each try in a row that failed. */
  const nextReloadAt = () => lastReloadAt + Math.min(longestReloadGapMs, timings.reloadGapMs * 2 ** reloadFailures);
  const isStale = () => source.view().silentForMs > timings.staleAfterMs;

  async function bringUpToDate(offered: readonly PublishedService[], found: string | undefined, changeIsFrom: number): Promise<void> {
    let structure = found;
    let chosen = select(offered);
    const current =
      running !== undefined && running.structure === structure ? new Set(running.backends.keys()) : await lookAtBackends(runtime);
    let desired = build(chosen.services, current);
    if (desired.structure !== structure) {
      structureWaitsSince ??= changeIsFrom;
      if (now() >= nextReloadAt()) {
        await changeStructure(chosen.services, current, structure);
        chosen = select(offered);
        desired = build(chosen.services, new Set(running?.backends.keys() ?? current));
        const info = await lookAtProcess(runtime);
        runningPid = info.pid;
        structure = info.structure;
      }
    }
    if (desired.structure === structure) {
      structureWaitsSince = undefined;
      if (running?.structure !== structure) running = desired;
    }
    // Of a HAProxy that somebody else started anew nothing is known but its name, until the next reload.
    if (running === undefined || running.structure !== structure) return;
    await applyAtRuntime(withinStructure(desired, running), now());
    proveServed(chosen.services, desired, desired.structure === structure);
    tell(chosen);
    if (desired.structure === structure) synced = true;
  }

  /** What is served: each service as it asks, or as it was before where HAProxy or we do not take what it asks for. */
  function select(offered: readonly PublishedService[]): Selection {
    const { candidates, problems } = refusals.settle(offered, settings);
    const selection = selectServices(candidates, settings);
    const all = new Map(source.view().problems);
    for (const found of [problems, selection.problems]) {
      for (const [key, list] of found) all.set(key, [...(all.get(key) ?? []), ...list]);
    }
    return { services: selection.services, problems: all };
  }

  const build = (services: readonly PublishedService[], current: ReadonlySet<string>): Configuration =>
    configurationOf(services, choosePool(services, current, settings), settings);

  async function changeStructure(
    services: readonly PublishedService[],
    current: ReadonlySet<string>,
    present: string | undefined,
  ): Promise<void> {
    const suspects = services.filter((service) => !refusals.isProven(service)).map(serviceKey);
    const buildWithout = (without: ReadonlySet<string>) =>
      build(
        services.flatMap((service) => (without.has(serviceKey(service)) ? refusals.before(service) : [service])),
        current,
      );
    lastReloadAt = now();
    const reason = running === undefined ? "first" : "changed";
    const { loaded, refused } = await changer.change(buildWithout, present, suspects);
    lastReloadAt = now();
    lastFullAt = Number.NEGATIVE_INFINITY;
    for (const service of services) {
      const said = refused.get(serviceKey(service));
      if (said !== undefined) refusals.refuse(service, said);
      else if (loaded !== undefined) refusals.prove(service);
    }
    if (loaded?.structure === present) return;
    if (loaded === undefined) {
      // What all services together need is not there; each further try costs the time of two reloads.
      reloadFailures += 1;
      const reason = [...refused.values()][0] ?? "no reason";
      logger.warn("HAProxy did not take a new configuration; what it has stays", { reason, failures: reloadFailures });
      throw new Error(`HAProxy did not take a new configuration: ${reason}`);
    }
    reloadFailures = 0;
    running = loaded;
    logger.info("HAProxy was reloaded", { reason, structure: loaded.structure, services: services.length, refused: refused.size });
  }

  async function applyAtRuntime(desired: Configuration, begunAt: number): Promise<void> {
    const before = running;
    if (holds && !isStale()) lastFullAt = Number.NEGATIVE_INFINITY;
    const isFull = begunAt - lastFullAt >= timings.resyncMs && !(holds && isStale());
    const touched = isFull
      ? [...desired.backends.keys()]
      : [...desired.backends.keys()].filter((name) => desired.backends.get(name)?.servers !== before?.backends.get(name)?.servers);
    const waiting = [...lingering.keys()].map((at) => at.slice(0, at.indexOf("/")));
    const looked = [...new Set([...touched, ...waiting])].filter((name) => desired.backends.has(name));
    const mapsMayDiffer = isFull || !sameEntries(desired.maps, before?.maps);
    if (looked.length === 0 && !mapsMayDiffer) return;
    const servers = await lookAtServers(runtime, looked);
    const overdue = new Set([...lingering].filter(([, since]) => begunAt - since > timings.overdueMs).map(([at]) => at));
    const seen: RunningState = {
      servers,
      owners,
      overdue,
      ...(mapsMayDiffer && { maps: await lookAtMaps(runtime, [...desired.maps.keys()], settings) }),
    };
    const commands = diff(desired, seen, settings);
    const refused = await runtime.send(commands);
    metrics.count("nuptse_gateway_commands_total", { result: "done" }, commands.length - refused.length);
    noteLingering(
      servers,
      desired,
      begunAt,
      refused.filter(({ command, error }) => command.mayWait && isNotYet(error)).map(({ command }) => command.text),
    );
    const wrong = refused.filter(({ command, error }) => !(command.mayWait && isNotYet(error)));
    if (wrong.length > 0) {
      metrics.count("nuptse_gateway_commands_total", { result: "refused" }, wrong.length);
      // What was done and what was not is looked up, not guessed.
      lastFullAt = Number.NEGATIVE_INFINITY;
      throw new Error(
        `HAProxy refused ${wrong.length} of ${commands.length} commands, first "${wrong[0]?.command.text}": ${wrong[0]?.error}`,
      );
    }
    for (const name of looked) {
      const owner = desired.backends.get(name)?.owner;
      if (owner !== undefined) owners.set(name, owner);
    }
    if (isFull) {
      lastFullAt = begunAt;
      holds = false;
    }
    if (commands.length > 0) state = { ...state, version: state.version + 1 };
    running = desired;
    metrics.set("nuptse_gateway_servers", {}, countServers(desired));
    fileIsOld = true;
  }

  /** The state of now, so that a HAProxy that dies comes back with it. */
  async function writeFile(): Promise<void> {
    if (running === undefined) return;
    await files.install(running, changer.render(running));
    lastFileAt = now();
    fileIsOld = false;
  }

  function noteLingering(
    servers: ReadonlyMap<string, readonly ServerState[]>,
    desired: Configuration,
    at: number,
    notYet: readonly string[],
  ): void {
    const left = new Set(notYet.map((text) => text.slice("del server ".length)));
    for (const key of [...lingering.keys()]) {
      const backend = key.slice(0, key.indexOf("/"));
      if (!left.has(key) && (servers.has(backend) || !desired.backends.has(backend))) lingering.delete(key);
    }
    for (const key of left) if (!lingering.has(key)) lingering.set(key, at);
  }

  /** A pod's address may be another's by now: what fails a check while we hear nothing stays out until we know (decision 55). */
  async function holdFailedServers(): Promise<void> {
    if (running === undefined) return;
    const servers = await lookAtServers(runtime, [...running.backends.keys()]);
    const failed = [...servers.values()].flat().filter(({ up, maintenance }) => !up && !maintenance);
    if (failed.length === 0) return;
    holds = true;
    await runtime.send(failed.map(({ backend, name }) => ({ text: `set server ${backend}/${name} state maint`, mayWait: false })));
    logger.warn("servers that fail their check are held back while the API server is silent", { servers: failed.length });
  }

  function tell({ services, problems }: Selection): void {
    const said = JSON.stringify([...problems]);
    const changed =
      said !== JSON.stringify([...state.problems]) ||
      services.length !== state.services.length ||
      services.some((service, index) => service !== state.services[index]);
    if (changed) state = { version: state.version + 1, services, problems };
  }

  function lagMs(): number {
    const oldest = Math.min(...[pendingSince, inHandSince, structureWaitsSince].map((since) => since ?? Number.POSITIVE_INFINITY));
    return Math.max(0, now() - oldest, source.view().silentForMs);
  }

  return {
    async start() {
      startedAt = now();
      hadFile = await files.exists();
      if (!hadFile) {
        const first = build([], new Set());
        await files.install(first, changer.render(first));
      }
      source.onChange(() => {
        pendingSince ??= now();
        wakeIn(timings.gatherMs);
      });
      wakeIn(0);
    },
    async stop() {
      stopped = true;
      timer?.cancel();
      await work;
      if (fileIsOld) await writeFile();
    },
    get state() {
      return state;
    },
    notReady() {
      if (leaving) return "it is about to leave";
      if (tooOld !== undefined) return tooOld;
      if (!reachable) return "HAProxy does not answer";
      if (synced) return undefined;
      if (hadFile && !source.view().complete && now() - startedAt >= timings.readyWithoutSyncMs) return undefined;
      return source.view().complete ? "HAProxy is being brought up to date" : "waiting for the API server";
    },
    lagMs,
    leave() {
      leaving = true;
    },
  };
}

const sameStructure = (one: PlannedBackend | undefined, other: PlannedBackend | undefined): boolean =>
  one !== undefined && other !== undefined && one.serverOptions === other.serverOptions && one.lines.join() === other.lines.join();

function countServers({ backends }: Configuration): number {
  let count = 0;
  for (const { servers } of backends.values()) count += servers.size;
  return count;
}

function sameEntries(one: Configuration["maps"], other: Configuration["maps"] | undefined): boolean {
  if (other === undefined || one.size !== other.size) return false;
  for (const [name, entries] of one) {
    const others = other.get(name);
    if (others === undefined || others.size !== entries.size) return false;
    for (const [key, value] of entries) if (others.get(key) !== value) return false;
  }
  return true;
}
