import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { createSystemClock } from "../../../src/base/clock.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";
import { createHttpTransport, type HttpTransport } from "../../../src/kube/http-transport.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { bundledOperator } from "./bundled-operator.ts";
import { Child } from "./child.ts";
import { cpuSecondsOf, memoryOf } from "./process-figures.ts";

const readyWithinMs = 60_000;
/** Requests of its client in flight. */
const width = 32;

/** `nuptse playground` as a process of its own, as users run it. */
export class PlaygroundProcess {
  readonly #child: Child;
  readonly #folder: string;
  #transport: HttpTransport | undefined;
  readonly kubeconfig: string;
  /** From the start of the process to the line that says that it is up. */
  readonly readyMs: number;

  private constructor(child: Child, folder: string, kubeconfig: string, readyMs: number) {
    this.#child = child;
    this.#folder = folder;
    this.kubeconfig = kubeconfig;
    this.readyMs = readyMs;
  }

  /** Starts it with these flags; resolves when it says that it is up. */
  static async start(flags: readonly string[], nodeArgs: readonly string[] = []): Promise<PlaygroundProcess> {
    const program = await bundledOperator();
    const folder = await mkdtemp(join(tmpdir(), "nuptse-bench-playground-"));
    const kubeconfig = join(folder, "kubeconfig");
    const begun = performance.now();
    const args = ["playground", "--kubeconfig-out", kubeconfig, "--log-format", "json", ...flags];
    const child = new Child(program, args, join(folder, "playground.log"), nodeArgs);
    const { stdout } = child.process;
    if (stdout === null) throw new Error("the playground has no standard output");
    const up = Promise.withResolvers<void>();
    const patience = setTimeout(() => up.reject(new Error("the playground is not up in time")), readyWithinMs);
    const lines = createInterface({ input: stdout });
    lines.on("line", (line) => line.startsWith("the cluster is up") && up.resolve());
    child.process.once("exit", () => up.reject(new Error("the playground ended")));
    try {
      await up.promise;
    } catch (error) {
      const said = await child.lastLines();
      await child.end();
      throw new Error(`${error instanceof Error ? error.message : String(error)}:\n${said}`);
    } finally {
      clearTimeout(patience);
    }
    return new PlaygroundProcess(child, folder, kubeconfig, performance.now() - begun);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Where logs may be written; it goes with the process. */
  get folder(): string {
    return this.#folder;
  }

  /** An administrator's client, over HTTPS. */
  async client(): Promise<KubeClient> {
    const clock = createSystemClock();
    const random = { next: () => Math.random() };
    const credentials = await loadCredentials({ clock, kubeconfig: this.kubeconfig });
    this.#transport ??= createHttpTransport({ credentials, clock, random, userAgent: "bench", connections: width });
    return createKubeClient(this.#transport);
  }

  cpuSeconds(): Promise<number> {
    return cpuSecondsOf(this.pid);
  }

  memory(): Promise<{ readonly now: number; readonly peak: number }> {
    return memoryOf(this.pid);
  }

  /** Resolves when `missing` says nothing any more. */
  async until(what: string, withinMs: number, missing: () => Promise<string | undefined>): Promise<void> {
    const deadline = performance.now() + withinMs;
    for (let left = await missing(); left !== undefined; left = await missing()) {
      if (!this.#child.isRunning) throw new Error(`the playground ended:\n${await this.#child.lastLines()}`);
      if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for ${what}: ${left}`);
      await sleep(1000);
    }
  }

  async stop(): Promise<void> {
    this.#transport?.close();
    await this.#child.end();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
