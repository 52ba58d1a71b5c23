import { silentLogger } from "../../api/logger.ts";
import type { Clock } from "../../base/clock.ts";
import { createSeededRandom, type Random } from "../../base/random.ts";
import type { planElasticJob } from "../../elasticjob/rules/plan.ts";
import { FencedError } from "../../kube/errors.ts";
import { createServerTime } from "../../kube/server-time.ts";
import { createOperator } from "../../operator/operator.ts";
import type { Manager } from "../../runtime/manager.ts";
import { noMetrics } from "../../runtime/metrics.ts";
import type { ApiServer } from "../apiserver/api-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { createFaultProcess, type FaultProcess } from "../world/fault-process.ts";
import type { Faults } from "../world/faults.ts";
import { withServerDate } from "./server-date.ts";

/** By what the operator's requests are told from all others. */
export const operatorAgent = "nuptse-operator";

export interface OperatorFleetOptions {
  readonly server: ApiServer;
  readonly faults: Faults;
  readonly clock: Clock;
  readonly random: Random;
  /** Processes that live side by side: one leads, the others stand by. */
  readonly replicas: number;
  /** The rules; another function shows that a broken rule is caught. */
  readonly plan?: typeof planElasticJob;
}

/** Operator processes that are started again when they end, as a Deployment's pods are. */
export interface OperatorFleet {
  /** Those that live now. */
  processes(): readonly FaultProcess[];
  /** How many were started in all. */
  readonly started: number;
  /** Ends all of them cleanly. */
  stop(): Promise<void>;
}

const restartAfterMs = [1_000, 20_000] as const;

/** Starts the replicas. */
export function startOperatorFleet(options: OperatorFleetOptions): OperatorFleet {
  const { server, faults, clock, random } = options;
  const living = new Map<FaultProcess, { readonly manager: Manager; readonly end: Promise<unknown> }>();
  let started = 0;
  let stopping = false;

  function start(): void {
    if (stopping) return;
    const name = `${operatorAgent}-${++started}`;
    const inner = inProcessTransport(server, { userAgent: name, fenced: () => new FencedError(name) });
    const process = createFaultProcess(faults, name, inner, () => manager.kill("crash"));
    const serverTime = createServerTime(process.clock);
    const manager = createOperator({
      transport: withServerDate(process.transport, serverTime, process.clock, clock),
      clock: process.clock,
      random: createSeededRandom(Math.floor(random.next() * 2 ** 32)),
      logger: silentLogger,
      metrics: noMetrics,
      serverTime,
      namespace: "kube-system",
      leaseName: "nuptse-operator",
      identity: name,
      maxClockSkewMs: 30_000,
      retainedPods: 4000,
      concurrency: 64,
      ...(options.plan !== undefined && { planElasticJob: options.plan }),
    });
    const end = manager.run().then(() => {
      living.delete(process);
      clock.after(restartAfterMs[0] + random.next() * (restartAfterMs[1] - restartAfterMs[0]), start);
    });
    living.set(process, { manager, end });
  }

  for (let replica = 0; replica < options.replicas; replica++) start();
  return {
    processes: () => [...living.keys()].filter((process) => !process.dead),
    get started() {
      return started;
    },
    async stop() {
      stopping = true;
      const ends = [...living.values()];
      for (const { manager } of ends) manager.stop();
      await Promise.all(ends.map(({ end }) => end));
    },
  };
}
