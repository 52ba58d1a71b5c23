import type { Logger } from "../api/logger.ts";
import type { KubeObject } from "../api/meta.ts";
import { annotations } from "../api/names.ts";
import { pods } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { createMasterSocket } from "../haproxy/master-socket.ts";
import { createHaproxyProgram, versionProblem } from "../haproxy/program.ts";
import { filesOf, type GatewaySettings } from "../haproxy/rules/settings.ts";
import { createRuntimeSocket } from "../haproxy/runtime-socket.ts";
import type { KubeClient } from "../kube/client.ts";
import { startHealthServer } from "../runtime/health.ts";
import type { ScrapedMetrics } from "../runtime/metrics.ts";
import { createTokenAccess } from "../runtime/token-access.ts";
import { type AgentTimings, createAgent } from "./agent.ts";
import { createGatewayFiles } from "./files.ts";
import { createKubeSource } from "./kube-source.ts";
import { createServerBoard } from "./server-board.ts";
import { startStateServer } from "./state-server.ts";
import { createStateWatch, type StateWatch } from "./state-watch.ts";

export type { GatewaySettings } from "../haproxy/rules/settings.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface GatewayProcessOptions {
  readonly settings: GatewaySettings;
  /** HAProxy's program. */
  readonly program: string;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: ScrapedMetrics;
  readonly metricsAddress: Address;
  readonly stateAddress: Address;
  /** See TokenAccessOptions.allowed. */
  readonly stateReaders: readonly string[];
  /** Read anew once a minute; absent = plain HTTP. */
  readonly stateTls?: () => { readonly cert: string; readonly key: string };
  /** Of this process; absent = it is none, and nobody tells when it is out of all slices. */
  readonly pod?: { readonly namespace: string; readonly name: string };
  /** Sends a signal to a process of HAProxy. */
  readonly signal: (pid: number, signal: NodeJS.Signals) => void;
  readonly timings?: Partial<AgentTimings>;
}

export interface GatewayProcess {
  readonly haproxyVersion: string;
  readonly metricsPort: number;
  readonly statePort: number;
  /** What GET /v1/state answers, for whoever is in this process. */
  readonly answer: StateWatch["answer"];
  /** Undefined = ready, else why not. */
  notReady(): string | undefined;
  /**
   * Leaves in order: not ready; until the operator has taken it out of all slices; then HAProxy is told to serve what it has and take nothing
   * new; until it has ended. Endpoints are followed all the while.
   */
  leave(): Promise<void>;
  /** Ends at once; HAProxy goes on with what it has. */
  stop(): Promise<void>;
}

/** The operator needs a few seconds; without one the endpoints controllers and kube-proxy do. */
const unpublishedWithinMs = 30_000;
const askEveryMs = 500;
/** The rest of the pod's grace period of 300 s. */
const haproxyEndsWithinMs = 260_000;
const renewEveryMs = 60_000;

/** Starts all of a gateway. Throws one line where this machine's HAProxy cannot be used. */
export async function startGateway(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const { settings, client, clock, random, logger, metrics } = options;
  const program = createHaproxyProgram(options.program);
  const version = await program.version();
  const problem = versionProblem(version);
  if (problem !== undefined) throw new Error(problem);
  const { statsSocket, masterSocket } = filesOf(settings);
  const runtime = createRuntimeSocket({ path: statsSocket, clock });
  const master = createMasterSocket({ path: masterSocket, clock });
  const source = createKubeSource({ client, clock, random, logger });
  const agent = createAgent({
    settings,
    source,
    runtime,
    master,
    program,
    files: createGatewayFiles(settings),
    clock,
    logger,
    metrics,
    ...(options.timings !== undefined && { timings: options.timings }),
  });
  const health = await startHealthServer({ ...options.metricsAddress, alive: {}, ready: { haproxy: () => agent.notReady() }, metrics });
  const watch = createStateWatch({
    board: createServerBoard({ services: () => agent.state.services, runtime, master }),
    lagSeconds: () => agent.lagMs() / 1000,
    clock,
  });
  const state = await startStateServer({
    watch,
    access: createTokenAccess({ client, clock, allowed: { read: options.stateReaders } }),
    logger,
    ...options.stateAddress,
    ...(options.stateTls !== undefined && { tls: options.stateTls() }),
  });
  const ending = new AbortController();
  void renewTls();
  await agent.start();
  source.start();

  async function renewTls(): Promise<void> {
    while (options.stateTls !== undefined && !ending.signal.aborted) {
      await clock.sleep(renewEveryMs, ending.signal).catch(() => undefined);
      try {
        state.renewTls(options.stateTls());
      } catch (error) {
        logger.warn("the certificate could not be read anew, the one before stays", { error });
      }
    }
  }

  async function isUnpublished(): Promise<boolean> {
    if (options.pod === undefined) return false;
    try {
      const { metadata } = await client.get<KubeObject>(pods, options.pod);
      return metadata.annotations?.[annotations.unpublished] !== undefined;
    } catch {
      // Whoever cannot be asked is waited for until the time is up.
      return false;
    }
  }

  /** Whether it came true in time. */
  async function within(limitMs: number, isSo: () => Promise<boolean>): Promise<boolean> {
    const until = clock.monotonic() + limitMs;
    while (!(await isSo())) {
      if (clock.monotonic() >= until) return false;
      await clock.sleep(askEveryMs);
    }
    return true;
  }

  async function stop(): Promise<void> {
    if (ending.signal.aborted) return;
    ending.abort();
    source.stop();
    await agent.stop();
    await Promise.all([state.close(), health.close()]);
  }

  return {
    haproxyVersion: version,
    metricsPort: health.port,
    statePort: state.port,
    answer: watch.answer,
    notReady: agent.notReady,
    async leave() {
      agent.leave();
      const processes = await master.processes().catch(() => undefined);
      if (processes !== undefined) {
        const told = await within(unpublishedWithinMs, isUnpublished);
        if (!told)
          logger.warn("nobody said that this gateway is out of all slices, so it goes after its time", { waitedMs: unpublishedWithinMs });
        options.signal(processes.master, "SIGUSR1");
        const isGone = () =>
          master.processes().then(
            () => false,
            () => true,
          );
        if (!(await within(haproxyEndsWithinMs, isGone))) logger.warn("HAProxy still has connections", { waitedMs: haproxyEndsWithinMs });
      }
      await stop();
    },
    stop,
  };
}
