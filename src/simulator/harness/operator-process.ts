import { silentLogger } from "../../api/logger.ts";
import type { Clock } from "../../base/clock.ts";
import { createSeededRandom, type Random } from "../../base/random.ts";
import type { planElasticJob } from "../../elasticjob/rules/plan.ts";
import type { planRunnerApp } from "../../runnerapp/rules/plan.ts";
import { FencedError } from "../../kube/errors.ts";
import { createServerTime } from "../../kube/server-time.ts";
import { createOperator, type OperatorOptions } from "../../operator/operator.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../kube/transport.ts";
import type { Manager } from "../../runtime/manager.ts";
import { noMetrics } from "../../runtime/metrics.ts";
import type { ApiServer } from "../apiserver/api-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { createFaultProcess, type FaultProcess } from "../world/fault-process.ts";
import type { Faults } from "../world/faults.ts";
import { operatorAgent } from "./operator-agent.ts";
import { withServerDate } from "./server-date.ts";

export interface OperatorFleetOptions {
  readonly server: ApiServer;
  readonly faults: Faults;
  readonly clock: Clock;
  readonly random: Random;
  /** Processes that live side by side: one leads, the others stand by. */
  readonly replicas: number;
  /** The rules; another function shows that a broken rule is caught. */
  readonly plan?: typeof planElasticJob;
  readonly planRunnerApp?: typeof planRunnerApp;
  /** How each process speaks with executors; absent = not at all. */
  readonly executors?: (process: FaultProcess) => NonNullable<OperatorOptions["executors"]>;
  /** Laid around each process's transport, inside of its faults. */
  readonly wrapTransport?: (inner: Transport) => Transport;
  readonly onWrite?: (write: OperatorWrite) => void;
  /** Laid around each process's transport, outside of its faults: it sees what the process is told, when it is told. */
  readonly tap?: (process: FaultProcess, transport: Transport) => Transport;
}

/** A write as a process sends it, with its number in that process. */
export interface OperatorWrite {
  readonly process: string;
  readonly number: number;
  readonly method: string;
  readonly path: string;
}

/** How often the operators were told what they have to bear. */
export interface OperatorAnswers {
  conflict: number;
  alreadyExists: number;
  quotaExceeded: number;
  /** Writes of a process that had lost the lease, refused by its own fence. */
  fenced: number;
}

/** Operator processes that are started again when they end, as a Deployment's pods are. */
export interface OperatorFleet {
  /** Those that live now. */
  processes(): readonly FaultProcess[];
  /** How many were started in all. */
  readonly started: number;
  readonly answers: OperatorAnswers;
  /** Ends all of them cleanly. */
  stop(): Promise<void>;
}

const restartAfterMs = [1_000, 20_000] as const;

/** Starts the replicas. */
export function startOperatorFleet(options: OperatorFleetOptions): OperatorFleet {
  const { server, faults, clock, random } = options;
  const living = new Map<FaultProcess, { readonly manager: Manager; readonly end: Promise<unknown> }>();
  const answers: OperatorAnswers = { conflict: 0, alreadyExists: 0, quotaExceeded: 0, fenced: 0 };
  const wrap = options.wrapTransport ?? ((inner: Transport) => inner);
  const tap = options.tap ?? ((_: FaultProcess, transport: Transport) => transport);
  let started = 0;
  let stopping = false;

  function start(): void {
    if (stopping) return;
    const name = `${operatorAgent}-${++started}`;
    const inner = wrap(withAnswers(inProcessTransport(server, { userAgent: name, fenced: () => new FencedError(name) }), answers));
    const process = createFaultProcess(faults, name, inner, () => manager.kill("crash"));
    const serverTime = createServerTime(process.clock);
    const manager = createOperator({
      transport: withServerDate(tap(process, withWrites(process, options.onWrite)), serverTime, process.clock, clock),
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
      ...(options.planRunnerApp !== undefined && { planRunnerApp: options.planRunnerApp }),
      ...(options.executors !== undefined && { executors: options.executors(process) }),
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
    answers,
    async stop() {
      stopping = true;
      const ends = [...living.values()];
      for (const { manager } of ends) manager.stop();
      await Promise.all(ends.map(({ end }) => end));
    },
  };
}

/** Counts what the server says to the operators. */
function withAnswers(inner: Transport, answers: OperatorAnswers): Transport {
  return {
    async request(request) {
      try {
        const response = await inner.request(request);
        count(request, response, answers);
        return response;
      } catch (error) {
        if (error instanceof FencedError) answers.fenced++;
        throw error;
      }
    },
    stream: (request, signal) => inner.stream(request, signal),
  };
}

function count(request: TransportRequest, response: TransportResponse, answers: OperatorAnswers): void {
  if (response.status < 400 || request.method === "GET") return;
  const { reason = "", message = "" } = response.body as { readonly reason?: string; readonly message?: string };
  if (reason === "AlreadyExists") answers.alreadyExists++;
  else if (response.status === 409) answers.conflict++;
  else if (message.includes("exceeded quota")) answers.quotaExceeded++;
}

/** Tells of every write before it meets its fault. */
function withWrites(process: FaultProcess, onWrite: OperatorFleetOptions["onWrite"]): Transport {
  if (onWrite === undefined) return process.transport;
  return {
    request(request) {
      if (request.method !== "GET")
        onWrite({ process: process.name, number: process.writes + 1, method: request.method, path: request.path });
      return process.transport.request(request);
    },
    stream: (request, signal) => process.transport.stream(request, signal),
  };
}
