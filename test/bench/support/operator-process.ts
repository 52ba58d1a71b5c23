import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { operatorNodeOptions } from "../../../hack/bundle/node-options.ts";
import { freePorts } from "../../../hack/control-plane/free-ports.ts";
import { bundledOperator } from "./bundled-operator.ts";
import { Child } from "./child.ts";
import { cpuSecondsOf, memoryOf } from "./process-figures.ts";

export interface OperatorChoice {
  readonly kubeconfig: string;
  readonly logsFolder: string;
  /** A folder for --cpu-prof; "" = no profile. */
  readonly profileFolder?: string;
  readonly args?: readonly string[];
}

/** The operator as a process of its own, as users run it. */
export class OperatorProcess {
  readonly #child: Child;
  readonly #port: number;
  /** performance.now() of the start. */
  readonly startedAt: number;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.#port = port;
    this.startedAt = performance.now();
  }

  /** Starts it and does not wait for anything. */
  static async start(choice: OperatorChoice): Promise<OperatorProcess> {
    const [port = 0] = await freePorts(1);
    const profile = choice.profileFolder ? ["--cpu-prof", `--cpu-prof-dir=${choice.profileFolder}`] : [];
    const args = ["operator", "--kubeconfig", choice.kubeconfig, "--metrics-address", `127.0.0.1:${port}`, "--log-format", "json"];
    const program = await bundledOperator();
    const child = new Child(program, [...args, ...(choice.args ?? [])], join(choice.logsFolder, "operator.log"), [
      ...operatorNodeOptions,
      ...profile,
    ]);
    child.process.stdout?.resume();
    return new OperatorProcess(child, port);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when it leads and has looked at so many objects, with the ms since its start. */
  async leading(objects = 0, withinMs = 120_000): Promise<number> {
    for (;;) {
      const metrics = await this.metrics().catch(() => undefined);
      const elapsed = performance.now() - this.startedAt;
      if (metrics?.get("nuptse_leader") === 1 && reconciled(metrics) >= objects) return elapsed;
      if (!this.#child.isRunning) throw new Error(`the operator ended:\n${await this.#child.lastLines()}`);
      if (elapsed > withinMs) throw new Error(`the operator does not lead after ${withinMs} ms:\n${await this.#child.lastLines()}`);
      // each answer costs the operator some 10 ms, so it is not asked all the time
      await sleep(50);
    }
  }

  /** The sum of each metric over its labels. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/metrics`);
    return sumsOf(await response.text());
  }

  /** Seconds of processor time since its start, of user and system. */
  cpuSeconds(): Promise<number> {
    return cpuSecondsOf(this.pid);
  }

  /** Resident memory in MB, now and at its highest. */
  memory(): Promise<{ readonly now: number; readonly peak: number }> {
    return memoryOf(this.pid);
  }

  /** A clean end: the lease is released. */
  async stop(): Promise<void> {
    await this.#child.end();
  }

  /** kill -9: the lease stays held. */
  async kill(): Promise<void> {
    await this.#child.kill("SIGKILL");
  }
}

/** Lines of Prometheus' text format as sums by name. */
export function sumsOf(text: string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = line.match(/^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)/);
    if (match === null) continue;
    const name = match[1] as string;
    sums.set(name, (sums.get(name) ?? 0) + Number(match[2]));
  }
  return sums;
}

function reconciled(metrics: ReadonlyMap<string, number>): number {
  return metrics.get("nuptse_reconcile_total") ?? 0;
}
