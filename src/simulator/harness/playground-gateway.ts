import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Pod } from "../../api/core.ts";
import type { GatewayQuestion, GatewayState } from "../../api/gateway-state.ts";
import type { Logger } from "../../api/logger.ts";
import { labels } from "../../api/names.ts";
import { pods, runnerApps } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { formatSeconds } from "../../base/time.ts";
import type { GatewayProcess, GatewaySettings } from "../../gateway/gateway.ts";
import { findHaproxy, haproxyArguments, type LocalHaproxy } from "../../gateway/local-haproxy.ts";
import { NotFound } from "../../kube/errors.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import type { PublishingSettings } from "../../runnerapp/services/controller.ts";
import type { ApiServer } from "../apiserver/api-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { ProcessGuard } from "../world/process-guard.ts";

export interface PlaygroundGatewayOptions {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where HAProxy's files and sockets are; a short path, since sockets are in it. */
  readonly folder: string;
  /** HAProxy's program; absent = it is looked for. */
  readonly haproxy?: string;
  /** Why nothing of this cluster can be reached; absent = what its pods listen on can. */
  readonly problem?: string;
}

/** The gateway of a playground: an agent in this process, and an HAProxy of this machine beside it. */
export interface PlaygroundGateway {
  /** What the operator is told of it. */
  readonly publishing: PublishingSettings;
  /** Asks it for its state. Rejects while there is none. */
  ask(question: GatewayQuestion, signal: AbortSignal): Promise<GatewayState>;
  close(): Promise<void>;
}

/** Few, so that HAProxy's file descriptors fit the limit of an ordinary shell: it needs one a port. */
const pools = { open: { first: 21_000, last: 21_499 }, restricted: { first: 24_000, last: 24_099 } };
/** The pod that stands for it; where the operator's lease is. */
const ref = { namespace: "kube-system", name: "nuptse-gateway" } as const;
const lookEveryMs = 500;
const restartMs = 1000;
const endWithinMs = 5000;

/**
 * Starts a gateway as soon as somebody publishes something, where this machine has an HAProxy. While it has none, status says so, and it is looked for
 * again with each change of an app that publishes.
 */
export async function serveGatewayOnDemand(options: PlaygroundGatewayOptions): Promise<PlaygroundGateway> {
  const { server, logger, haproxy } = options;
  const client = createKubeClient(inProcessTransport(server, { userAgent: "nuptse-gateway" }));
  let found: LocalHaproxy | undefined;
  let looking: Promise<LocalHaproxy> | undefined;
  let starting: Promise<RunningGateway> | undefined;
  let running: RunningGateway | undefined;
  let isClosed = false;

  async function look(): Promise<LocalHaproxy> {
    found = await (options.problem === undefined ? findHaproxy(haproxy) : { problem: options.problem });
    looking = undefined;
    return found;
  }

  async function begin(): Promise<void> {
    if (starting !== undefined) return;
    looking ??= look();
    const local = await looking;
    if ("problem" in local || starting !== undefined || isClosed) return;
    starting = runGateway({ ...options, program: local.program, client });
    try {
      running = await starting;
    } catch (error) {
      starting = undefined;
      logger.error("the gateway could not be started; it is tried again with the next change of what is published", { error });
    }
  }
  // Before anything is published, so that status can say at once that there is none.
  looking = look();
  const forget = server.onCommit(({ resource, object }) => {
    if (resource.plural === runnerApps.plural && resource.group === runnerApps.group && isPublishing(object as unknown as RunnerApp))
      void begin();
  });
  // As in a state that was loaded; the pod of then stands for nothing.
  await client.delete(pods, ref, { gracePeriodSeconds: 0 }).catch(ignoreMissing);
  if ((await client.list<RunnerApp>(runnerApps)).items.some(isPublishing)) void begin();

  return {
    publishing: {
      gatewayNamespace: ref.namespace,
      pools,
      noGateway: () => (found !== undefined && "problem" in found ? found.problem : undefined),
    },
    ask: (question, signal) =>
      running === undefined ? Promise.reject(new Error("there is no gateway yet")) : running.answer(question, signal),
    async close() {
      isClosed = true;
      forget();
      await starting?.then((gateway) => gateway.close()).catch(() => undefined);
    },
  };
}

interface RunningGateway {
  readonly answer: GatewayProcess["answer"];
  close(): Promise<void>;
}

interface RunOptions extends PlaygroundGatewayOptions {
  readonly program: string;
  readonly client: ReturnType<typeof createKubeClient>;
}

async function runGateway({ client, clock, random, logger, folder, program }: RunOptions): Promise<RunningGateway> {
  const [{ startGateway }, { createPrometheusMetrics }] = await Promise.all([
    import("../../gateway/gateway.ts"),
    import("../../runtime/metrics.ts"),
  ]);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const address = ownAddress();
  const gateway = await startGateway({
    settings: settingsFor(folder, address),
    program,
    client,
    clock,
    random,
    logger,
    metrics: await createPrometheusMetrics({ process: false }),
    // Nobody asks it but the operator, in this process.
    metricsAddress: { host: "127.0.0.1", port: 0 },
    stateAddress: { host: "127.0.0.1", port: 0 },
    stateReaders: [],
    signal: (pid, signal) => process.kill(pid, signal),
    timings: { reloadGapMs: 1000, fileDelayMs: 200 },
  });
  const haproxy = keepHaproxy({ folder, program, clock, logger });
  const ending = new AbortController();
  const telling = tell();

  /** Does the kubelet's part: whether it is ready, and a pod for one that somebody deleted. */
  async function tell(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        await tellPod(client, address, gateway.notReady() === undefined, clock.now());
      } catch (error) {
        logger.warn("the pod of the gateway could not be written", { error });
      }
      await clock.sleep(lookEveryMs, ending.signal).catch(() => undefined);
    }
  }

  return {
    answer: gateway.answer,
    async close() {
      ending.abort();
      await telling;
      await gateway.stop();
      await haproxy.end();
      await client.delete(pods, ref, { gracePeriodSeconds: 0 }).catch(ignoreMissing);
    },
  };
}

/** Where all of 127.0.0.0/8 is this machine's: an address that no other playground has. */
function ownAddress(): string {
  const [high, low] = randomBytes(2);
  return process.platform === "linux" ? `127.63.${high}.${1 + ((low ?? 0) % 254)}` : "127.0.0.1";
}

function settingsFor(folder: string, address: string): GatewaySettings {
  return {
    folder,
    bind: [address],
    pools: [pools.open, pools.restricted],
    httpPort: 8080,
    httpsPort: 8443,
    maxConnections: 1000,
    gateways: 1,
    threads: 1,
    hardStopAfterSeconds: 60,
    sparePorts: 20,
  };
}

/** Keeps an HAProxy running, as a kubelet does with a container; none outlives this process. */
function keepHaproxy({ folder, program, clock, logger }: Pick<RunOptions, "folder" | "program" | "clock" | "logger">) {
  const guard = new ProcessGuard(`gateway-${randomBytes(8).toString("hex")}`);
  let isEnding = false;
  let child: ChildProcess | undefined;

  function start(): void {
    const log = openSync(join(folder, "haproxy.log"), "a", 0o600);
    const started = spawn(program, haproxyArguments(folder), { stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    child = started;
    const { pid } = started;
    if (pid !== undefined) guard.add(pid);
    const isOver = (): void => {
      if (pid !== undefined) guard.remove(pid);
      child = undefined;
      if (isEnding) return;
      logger.warn("HAProxy has ended, another one begins", { log: join(folder, "haproxy.log") });
      clock.after(restartMs, () => {
        if (!isEnding) start();
      });
    };
    started.once("error", isOver);
    started.once("exit", isOver);
  }
  start();

  return {
    async end(): Promise<void> {
      isEnding = true;
      const last = child;
      if (last?.pid !== undefined) {
        const gone = once(last, "exit");
        last.kill("SIGTERM");
        const timer = clock.after(endWithinMs, () => last.kill("SIGKILL"));
        await gone;
        timer.cancel();
      }
      guard.close();
    },
  };
}

async function tellPod(client: RunOptions["client"], address: string, isReady: boolean, now: number): Promise<void> {
  const known = await client.get<Pod>(pods, ref).catch(ignoreMissing);
  const wasReady = known?.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
  if (known?.status?.phase === "Running" && wasReady === isReady) return;
  if (known === undefined) await client.create<Pod>(pods, gatewayPod);
  const lastTransitionTime = formatSeconds(now);
  const is = isReady ? "True" : "False";
  const status = {
    phase: "Running",
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: type.endsWith("Ready") ? is : "True",
      lastTransitionTime,
    })),
    containerStatuses: [
      {
        name: "haproxy",
        image: "haproxy",
        imageID: "",
        ready: isReady,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: lastTransitionTime } },
      },
    ],
  };
  await client.patch(pods, ref, { type: "merge", body: { status } }, { subresource: "status" });
}

/** It stands for processes of this machine, and runs on no node: the gate keeps schedulers away. */
const gatewayPod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { ...ref, labels: { [labels.gateway]: "" } },
  spec: { containers: [{ name: "haproxy", image: "haproxy" }], schedulingGates: [{ name: "nuptse.dev/playground" }] },
};

const isPublishing = ({ spec }: RunnerApp): boolean => (spec.services ?? []).length > 0;

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof NotFound)) throw error;
}
