import { silentLogger } from "../../../src/api/logger.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createExecutors } from "../../../src/executor/executors.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";
import { createHttpTransport, type HttpTransport } from "../../../src/kube/http-transport.ts";
import { createServerTime } from "../../../src/kube/server-time.ts";
import { createOperator, type Operator } from "../../../src/operator/operator.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { patience } from "../../support/patience.ts";
import { eventually } from "./eventually.ts";
import { throughLoopback } from "./executors.ts";
import { timeLimits } from "./time-limits.ts";

/** Operators in this process, one after the other, against a real API server; executors are at the loopback addresses of their instances. */
export class LocalOperator {
  readonly #kubeconfig: () => string;
  #running: { readonly operator: Operator; readonly transport: HttpTransport; readonly end: Promise<unknown> } | undefined;
  #started = 0;

  /** @param kubeconfig of the administrator, known when it is first started */
  constructor(kubeconfig: () => string) {
    this.#kubeconfig = kubeconfig;
  }

  /** Resolves when it leads. */
  async start(): Promise<void> {
    const clock = createSystemClock();
    const random = { next: () => Math.random() };
    const serverTime = createServerTime(clock);
    const credentials = await loadCredentials({ clock, kubeconfig: this.#kubeconfig() });
    const transport = createHttpTransport({
      credentials,
      clock,
      random,
      userAgent: "nuptse-operator",
      onServerDate: (date) => serverTime.observe(date),
    });
    const speakers = createExecutors({ clock, logger: silentLogger, knowsAll: () => true, tokens: async () => [] });
    const operator = createOperator({
      transport,
      clock,
      random,
      logger: silentLogger,
      metrics: noMetrics,
      serverTime,
      namespace: "kube-system",
      leaseName: "nuptse-operator",
      identity: `operator-${++this.#started}`,
      leaseTimings: { durationMs: 15_000 * patience, renewDeadlineMs: 10_000 * patience, retryMs: 1_000 },
      maxClockSkewMs: 30_000,
      retainedPods: 4000,
      concurrency: 64,
      executors: { HTTP: throughLoopback(speakers.clients.HTTP) },
    });
    this.#running = { operator, transport, end: operator.run().finally(() => speakers.close()) };
    await eventually("the operator to lead", timeLimits.takeOver, async () => {
      if (operator.phase === "leading") return true;
      throw new Error(`it is ${operator.phase}: ${operator.notReady() ?? ""}`);
    });
  }

  /** As kill -9: nothing is said or written any more. */
  async kill(): Promise<void> {
    this.#running?.operator.kill("killed by a test");
    await this.#running?.end;
    this.#running?.transport.close();
    this.#running = undefined;
  }
}
