import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, silentLogger } from "../../api/logger.ts";
import type { KubeObject } from "../../api/meta.ts";
import { explainService } from "../../api/names.ts";
import { apiVersionOf, customResourceDefinitions, type Resource } from "../../api/resource.ts";
import { type Clock, createSystemClock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import { createServerTime } from "../../kube/server-time.ts";
import { createOperator, type Operator } from "../../operator/operator.ts";
import { noMetrics } from "../../runtime/metrics.ts";
import type { TraceReader } from "../../trace/store.ts";
import { startTrace, type TraceService } from "../../trace/trace-service.ts";
import { type ApiServer, createApiServer } from "../apiserver/api-server.ts";
import { startHttpServer } from "../apiserver/http/http-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { createWorld, type World } from "../world/world.ts";
import { readCrds, readRules } from "./crds.ts";
import { withServerDate } from "./server-date.ts";

export interface PlaygroundOptions {
  /** process: containers are local processes. stages: pods only play their phases. */
  readonly kubelet: "process" | "stages";
  readonly random: Random;
  /** Absent = 4. */
  readonly nodes?: number;
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
  /** Ends the operator, then the containers, then the API server. */
  close(): Promise<void>;
}

/** The operator's user, as the policies name it. */
const operatorUser = "system:serviceaccount:nuptse:nuptse-operator";

const policyGroup = "admissionregistration.k8s.io";

/** The kind of a manifest, where the server serves it. */
function resourceOf(server: ApiServer, { apiVersion, kind }: KubeObject): Resource {
  const found = server.types().find(({ resource }) => resource.kind === kind && apiVersionOf(resource) === apiVersion);
  if (found === undefined) throw new Error(`the embedded API server has no kind ${kind} of ${apiVersion}`);
  return found.resource;
}

/** Starts an embedded cluster on loopback; resolves when kubectl can be used and the operator leads. */
export async function startPlayground(options: PlaygroundOptions): Promise<Playground> {
  const { random, logger = silentLogger } = options;
  const clock = options.clock ?? createSystemClock();
  const ownDir = options.dataDir === undefined ? await mkdtemp(join(tmpdir(), "nuptse-playground-")) : undefined;
  const dataDir = options.dataDir ?? (ownDir as string);
  const server = createApiServer({ clock, random });
  const clientOf = (userAgent: string) => createKubeClient(inProcessTransport(server, { userAgent }));
  const client = clientOf("nuptse-playground");
  for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
  for (const rule of readRules()) {
    const resource = resourceOf(server, rule);
    if (options.policies === true || resource.group !== policyGroup) await client.create(resource, rule);
  }

  let operator: Operator | undefined;
  let world: World | undefined;
  const logs = () => world?.logs;
  const front = await startHttpServer({
    server,
    clock,
    port: options.port ?? 0,
    logSource: logs,
    serviceProxy: ({ namespace, name }, url) =>
      namespace === explainService.namespace && name === explainService.name ? operator?.explain({ method: "GET", url }) : undefined,
    streamSource: () => world?.streams,
    onError: (error) => logger.error("the API server failed", { error }),
  });
  world = await createWorld({
    client: clientOf("nuptse-kubelet"),
    clock,
    random,
    nodes: Array.from({ length: options.nodes ?? 4 }, (_, index) => ({ name: `node-${index + 1}` })),
    kubelet: options.kubelet === "process" ? { kind: "process", dataDir } : { kind: "stages" },
  });
  await mkdir(dataDir, { recursive: true });
  const kubeconfigPath = options.kubeconfigOut ?? join(dataDir, "kubeconfig");
  // It holds the token.
  await writeFile(kubeconfigPath, front.kubeconfig(), { mode: 0o600 });

  let operatorEnd: Promise<unknown> = Promise.resolve();
  let trace: TraceService | undefined;
  if (options.operator !== false) {
    const serverTime = createServerTime(clock);
    trace = await startTrace({
      target: { kind: "sqlite", path: join(dataDir, "trace.db") },
      retention: { maxAgeMs: 86_400_000, maxRows: 1_000_000 },
      clock,
      random,
      logger,
      metrics: noMetrics,
    });
    operator = createOperator({
      transport: withServerDate(inProcessTransport(server, { userAgent: "nuptse-operator", user: operatorUser }), serverTime, clock, clock),
      clock,
      random,
      logger,
      metrics: noMetrics,
      serverTime,
      namespace: "kube-system",
      leaseName: "nuptse-operator",
      identity: "playground",
      maxClockSkewMs: 0,
      retainedPods: 4000,
      concurrency: 64,
      trace: trace.buffer,
    });
    operatorEnd = operator.run();
    while (operator.phase !== "leading") await clock.sleep(5);
  }
  const running = world;
  return {
    url: front.url,
    kubeconfigPath,
    client,
    world: running,
    ...(trace !== undefined && { trace: trace.reader }),
    async close() {
      operator?.stop();
      await operatorEnd;
      await trace?.close();
      await running.close();
      await front.close();
      server.close();
      if (ownDir !== undefined) await rm(ownDir, { recursive: true, force: true });
    },
  };
}
