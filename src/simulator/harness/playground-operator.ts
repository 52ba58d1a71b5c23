import { randomBytes } from "node:crypto";
import type { Logger } from "../../api/logger.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { createExchanger } from "../../executor/exchange.ts";
import { createHttpExecutorClient } from "../../executor/http-client.ts";
import { createServerTime } from "../../kube/server-time.ts";
import type { Transport } from "../../kube/transport.ts";
import { createOperator, type Operator } from "../../operator/operator.ts";
import { defaultLeaseTimings } from "../../runtime/lease-protocol.ts";
import { noMetrics } from "../../runtime/metrics.ts";
import type { TraceBuffer } from "../../trace/buffer.ts";
import type { ApiServer } from "../apiserver/api-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import type { PlaygroundGateway } from "./playground-gateway.ts";
import { operatorAgent } from "./operator-agent.ts";
import { withServerDate } from "./server-date.ts";

/** The operator's user, as the policies name it. */
export const operatorUser = "system:serviceaccount:nuptse:nuptse-operator";

/** Where the operator's lease is. */
export const operatorLease = { namespace: "kube-system", name: "nuptse-operator" } as const;

export interface PlaygroundOperatorOptions {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly trace?: TraceBuffer;
  /** Instances are processes, so those that are executors can be spoken with: over HTTP alone, since nothing listens for reports of XXL-JOB. */
  readonly hasProcesses?: boolean;
  /** Absent = there is none, whatever is published. */
  readonly gateway?: Pick<PlaygroundGateway, "publishing" | "ask">;
  /** How many seconds of `clock` pass in a real one: the process stalls in real time, and its lease must bear that. */
  readonly speed: number;
}

/** The operator as a Deployment keeps it: when it ends by itself, or is killed, another one begins. */
export interface PlaygroundOperator {
  /** The one that lives now. */
  readonly current: Operator;
  /** Resolves when one leads that is not `but`, or when it is stopped. */
  leading(but?: Operator): Promise<void>;
  /** As kill -9: what it has sent may be done, nothing more is sent, and its lease stays held until it has run out. */
  kill(): void;
  /** Ends it cleanly, for good. */
  stop(): Promise<void>;
}

/** Kubernetes starts a container that has ended anew at once, and the program takes its time. */
const restartMs = 1_000;
const pollMs = 5;

/** Starts an operator in this process. */
export function startPlaygroundOperator(options: PlaygroundOperatorOptions): PlaygroundOperator {
  const { clock, logger, speed } = options;
  let stopping = false;
  let current = create();
  const life = live();

  async function live(): Promise<void> {
    while (!stopping) {
      const end = await current.operator.run();
      await current.close();
      if (stopping) return;
      logger.warn("the operator has ended, another one begins", { end });
      await clock.sleep(restartMs * speed);
      if (stopping) return;
      current = create();
    }
  }

  function create(): { readonly operator: Operator; kill(): void; close(): Promise<void> } {
    const { server, random, trace, gateway, hasProcesses = false } = options;
    const serverTime = createServerTime(clock);
    const inner = inProcessTransport(server, { userAgent: operatorAgent, user: operatorUser });
    const { durationMs, renewDeadlineMs, retryMs } = defaultLeaseTimings;
    let dead = false;
    const exchanger = createExchanger({ clock });
    const operator = createOperator({
      transport: severable(withServerDate(inner, serverTime, clock, clock), () => dead),
      clock,
      random,
      logger,
      metrics: noMetrics,
      serverTime,
      namespace: operatorLease.namespace,
      leaseName: operatorLease.name,
      claims: true,
      identity: `playground_${randomBytes(5).toString("hex")}`,
      leaseTimings: { durationMs: durationMs * speed, renewDeadlineMs: renewDeadlineMs * speed, retryMs: retryMs * speed },
      maxClockSkewMs: 0,
      retainedPods: 4000,
      concurrency: 64,
      ...(hasProcesses && { executors: { HTTP: createHttpExecutorClient({ exchanger, clock }) } }),
      ...(gateway !== undefined && {
        publishing: gateway.publishing,
        askGateway: (_address, question, signal) => gateway.ask(question, signal),
      }),
      ...(trace !== undefined && { trace }),
    });
    const kill = (): void => {
      dead = true;
      operator.kill("killed");
      void exchanger.close();
    };
    return { operator, kill, close: () => exchanger.close() };
  }

  return {
    get current() {
      return current.operator;
    },
    async leading(but) {
      while (!stopping && (current.operator === but || current.operator.phase !== "leading")) await clock.sleep(pollMs);
    },
    kill: () => current.kill(),
    async stop() {
      stopping = true;
      current.operator.stop();
      await life;
    },
  };
}

/** Lets nothing through any more once its process is dead. */
function severable(inner: Transport, dead: () => boolean): Transport {
  const check = (): void => {
    if (dead()) throw new Error("the process is dead");
  };
  return {
    async request(request) {
      check();
      return inner.request(request);
    },
    async stream(request, signal) {
      check();
      return inner.stream(request, signal);
    },
  };
}
