import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, silentLogger } from "../../api/logger.ts";
import { explainService } from "../../api/names.ts";
import { type Clock, createSystemClock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { createScaledClock } from "../../base/scaled-clock.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import { noMetrics } from "../../runtime/metrics.ts";
import type { TraceReader } from "../../trace/store.ts";
import { startTrace } from "../../trace/trace-service.ts";
import { type ApiServer, createApiServer } from "../apiserver/api-server.ts";
import type { ApiServerOptions } from "../apiserver/server-options.ts";
import type { LocalService } from "../apiserver/admission/webhook-client.ts";
import { accountKey } from "../apiserver/authorization/account-tokens.ts";
import { startServiceAccounts } from "../apiserver/controllers/service-account-controller.ts";
import { createIdentity, type HttpServer, type HttpServerOptions, isCurrent, startHttpServer } from "../apiserver/http/http-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import type { NodeSpec } from "../world/node-life.ts";
import { createWorld, type World } from "../world/world.ts";
import { startAutosave } from "./autosave.ts";
import { installPackage } from "./package-objects.ts";
import { type BreakPlayground, createPlaygroundFaults } from "./playground-faults.ts";
import { serveGatewayOnDemand } from "./playground-gateway.ts";
import { type PlaygroundOperator, startPlaygroundOperator } from "./playground-operator.ts";
import { tellOwnService } from "./own-service.ts";
import { serveWebhooksOnDemand } from "./playground-webhooks.ts";
import { loadPlayground } from "./saved-world.ts";
import { StateFileError, writeStateFile } from "./state-file.ts";

export interface PlaygroundOptions {
  /** process: containers are local processes. stages: pods only play their phases. */
  readonly kubelet: "process" | "stages";
  readonly random: Random;
  /** The nodes, or how many of the usual size; absent = 4, or those of `load`. */
  readonly nodes?: number | readonly NodeSpec[];
  /** The port on 127.0.0.1; absent or 0 = a free one. */
  readonly port?: number;
  /** Where containers work and log; absent = a temporary folder that goes with the playground. */
  readonly dataDir?: string;
  /** Absent = a file in the data folder. */
  readonly kubeconfigOut?: string;
  /** Whether the policies that ship are installed; absent = no. Roles always are. */
  readonly policies?: boolean;
  /** False: only the cluster. */
  readonly operator?: boolean;
  /** HAProxy's program, for what RunnerApps publish; absent = it is looked for. */
  readonly haproxy?: string;
  /** A file to begin with, as `save` wrote it. */
  readonly load?: string;
  /** A file in which all of the cluster is saved: at the start, once a minute, and at the end. */
  readonly save?: string;
  /** How many of the cluster's seconds pass in a real one; absent = 1. Others are for the kubelet "stages" only. */
  readonly speed?: number;
  /** The version of this program, for `load` and `save`; absent = "0". */
  readonly program?: string;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** A cluster in this process, with the operator in it, that real clients can reach. */
export interface Playground {
  /** Of the API server. */
  readonly url: string;
  readonly kubeconfigPath: string;
  /** With every right. */
  readonly client: KubeClient;
  readonly world: World;
  /** What the operator traced; absent without one. */
  readonly trace?: TraceReader;
  /** Breaks parts of it, which heal. */
  readonly break: BreakPlayground;
  /** Ends the operator, then the containers, then the API server. Rejects, with all of that done, when it cannot be saved. */
  close(): Promise<void>;
}

const usualNodes = 4;
const host = "127.0.0.1";

/**
 * Starts an embedded cluster on loopback; resolves when kubectl can be used and the operator leads. Rejects when it cannot, with nothing left over;
 * with StateFileError for a file that cannot be loaded.
 */
export async function startPlayground(options: PlaygroundOptions): Promise<Playground> {
  const ends = new Ends();
  try {
    return await start(options, ends);
  } catch (error) {
    await ends.all().catch(() => undefined);
    throw error;
  }
}

async function start(options: PlaygroundOptions, ends: Ends): Promise<Playground> {
  const { random, logger = silentLogger, speed = 1, program = "0" } = options;
  const ownClock = options.clock ?? createSystemClock();
  const loaded = options.load === undefined ? undefined : await loadPlayground(options.load, program);
  // what is loaded may be ahead of us, if its time ran faster
  const now = ownClock.now();
  const startsAt = Math.max(now, loaded?.savedAt ?? now);
  const clock = speed === 1 && startsAt === now ? ownClock : createScaledClock(ownClock, { speed, startsAt });
  const identity = loaded !== undefined && isCurrent(loaded.identity, now) ? loaded.identity : createIdentity(host, now);
  const dataDir = options.dataDir ?? (await ownFolder(ends));
  await mkdir(dataDir, { recursive: true });

  // pods that are only played read no token
  const hasAccounts = options.kubelet === "process";
  const localService: LocalService = (service) => webhooks.endpoint(service);
  const tokenKey = accountKey(identity.privateKeyPem);
  const server = serverWith(
    { clock, random, serviceAccounts: hasAccounts, tokenKey, localService, ...(loaded !== undefined && { state: loaded.state }) },
    options.load,
  );
  ends.add(() => server.close());
  const clientOf = (userAgent: string) => createKubeClient(inProcessTransport(server, { userAgent }));
  const client = clientOf("nuptse-playground");
  await installPackage(client, server, { policies: options.policies === true });

  let operator: PlaygroundOperator | undefined;
  let world: World | undefined;
  const webhooks = serveWebhooksOnDemand({ server, operator: () => operator?.current, clock, random, logger });
  ends.add(() => webhooks.close());
  const front = await listening({
    server,
    clock,
    speed,
    identity,
    host,
    port: options.port ?? 0,
    logSource: () => world?.logs,
    serviceProxy: ({ namespace, name }, url) =>
      namespace === explainService.namespace && name === explainService.name
        ? operator?.current.explain({ method: "GET", url })
        : undefined,
    streamSource: () => world?.streams,
    onError: (error) => logger.error("the API server failed", { error }),
  });
  ends.add(() => front.close());
  const { hostname, port } = new URL(front.url);
  const apiServer = { host: hostname, port: Number(port) };
  await tellOwnService(client, apiServer);
  if (hasAccounts) startServiceAccounts(server, front.caPem);
  world = await createWorld({
    client: clientOf("nuptse-kubelet"),
    clock,
    random,
    nodes: nodesOf(options.nodes, loaded?.nodes),
    kubelet: options.kubelet === "process" ? { kind: "process", dataDir, apiServer } : { kind: "stages" },
  });
  const running = world;
  ends.add(() => running.close());
  const kubeconfigPath = options.kubeconfigOut ?? join(dataDir, "kubeconfig");
  // It holds the token.
  await writeFile(kubeconfigPath, front.kubeconfig(), { mode: 0o600 });

  const { save } = options;
  if (save !== undefined) {
    const autosave = await startAutosave({
      revision: () => server.revision,
      save: () => writeStateFile(save, { state: server.state(), identity, savedAt: clock.now() }, program).catch(unsaved),
      clock: ownClock,
      logger,
    });
    ends.add(() => autosave.close());
  }
  const closing = new AbortController();
  const faults = createPlaygroundFaults({ server, world, clock, operator: () => operator, signal: closing.signal });
  let trace: TraceReader | undefined;
  if (options.operator !== false) {
    const tracing = await startTrace({
      target: { kind: "sqlite", path: join(dataDir, "trace.db") },
      retention: { maxAgeMs: 86_400_000, maxRows: 1_000_000 },
      clock,
      random,
      logger,
      metrics: noMetrics,
    });
    ends.add(() => tracing.close());
    trace = tracing.reader;
    const gateway = await serveGatewayOnDemand({
      server,
      clock,
      random,
      logger,
      folder: join(dataDir, "gateway"),
      ...(options.haproxy !== undefined && { haproxy: options.haproxy }),
      ...(options.kubelet === "stages" && {
        problem: "pods that only play their phases serve nobody: start the playground with --kubelet process",
      }),
    });
    ends.add(() => gateway.close());
    const started = startPlaygroundOperator({
      server,
      clock,
      random,
      logger,
      trace: tracing.buffer,
      gateway,
      speed,
      hasProcesses: options.kubelet === "process",
    });
    operator = started;
    ends.add(() => started.stop());
    await started.leading();
    webhooks.begin();
  }
  return {
    url: front.url,
    kubeconfigPath,
    client,
    world: running,
    ...(trace !== undefined && { trace }),
    break: faults,
    close() {
      closing.abort();
      return ends.all();
    },
  };
}

async function listening(options: HttpServerOptions): Promise<HttpServer> {
  try {
    return await startHttpServer(options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Error(`--port: something else listens on ${options.host}:${options.port} already; without --port a free one is taken`);
  }
}

/** A server, or why it cannot begin with what the file holds. */
function serverWith(options: ApiServerOptions, file: string | undefined): ApiServer {
  try {
    return createApiServer(options);
  } catch (error) {
    if (file === undefined || !(error instanceof RangeError)) throw error;
    throw new StateFileError(`${file}: ${error.message}; was it saved by a newer nuptse?`);
  }
}

function nodesOf(wanted: PlaygroundOptions["nodes"], saved: readonly NodeSpec[] | undefined): readonly NodeSpec[] {
  if (typeof wanted === "object") return wanted;
  if (wanted === undefined && saved !== undefined) return saved;
  return Array.from({ length: wanted ?? usualNodes }, (_, index) => ({ name: `node-${index + 1}` }));
}

function unsaved(error: Error): never {
  throw new Error(`--save: ${error.message}`, { cause: error });
}

/** A temporary folder, which goes with the playground, and also when the process ends without closing it. */
async function ownFolder(ends: Ends): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "nuptse-playground-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  ends.add(async () => {
    process.off("exit", remove);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return folder;
}

/** What is to be ended, the last one first. */
class Ends {
  readonly #ends: (() => Promise<void> | void)[] = [];

  add(end: () => Promise<void> | void): void {
    this.#ends.push(end);
  }

  /** Ends everything, once. Rejects with the first failure, when all is done. */
  async all(): Promise<void> {
    const failures: unknown[] = [];
    for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
