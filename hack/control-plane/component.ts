import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Watchdog } from "./watchdog.ts";

/** What is needed to start a component, and to start it again. */
export interface ComponentOptions {
  readonly name: string;
  readonly binary: string;
  readonly args: readonly string[];
  /** Absent = that of this process. */
  readonly environment?: NodeJS.ProcessEnv;
  /** What it prints is added here. */
  readonly logPath: string;
  readonly watchdog: Watchdog;
  /** Resolves to true once it serves; what it throws counts as false. */
  readonly isReady: () => Promise<boolean>;
}

/** How long a component may take from its start until it serves, ms. */
const readyWithinMs = 90_000;
/** How long it may take to end after SIGTERM before it is killed, ms. */
const endWithinMs = 15_000;

/** One process of the control plane. */
export class Component {
  readonly name: string;
  readonly #options: ComponentOptions;
  #process: ChildProcess | undefined;

  constructor(options: ComponentOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** The process id while it runs. */
  get pid(): number | undefined {
    return this.#isRunning() ? this.#process?.pid : undefined;
  }

  /** Starts the process if it does not run, without waiting until it serves. */
  launch(): void {
    if (this.#isRunning()) return;
    const { binary, args, environment, logPath, watchdog } = this.#options;
    const log = openSync(logPath, "a");
    // a session of its own: Ctrl-C on a terminal reaches us, and we decide
    const child = spawn(binary, args, { stdio: ["ignore", log, log], detached: true, env: environment ?? process.env });
    closeSync(log);
    const { pid } = child;
    if (pid !== undefined) {
      watchdog.guard(pid);
      child.on("exit", () => watchdog.release(pid));
    }
    child.on("error", () => undefined);
    child.unref();
    this.#process = child;
  }

  /** Resolves once it serves. Throws with the end of its log if it ends first, or does not serve in time. */
  async ready(): Promise<void> {
    const deadline = performance.now() + readyWithinMs;
    while (!(await this.#options.isReady().catch(() => false))) {
      if (!this.#isRunning()) throw new Error(`${this.name} ended while it was started:\n${await this.lastLines()}`);
      if (performance.now() > deadline)
        throw new Error(`${this.name} does not serve after ${readyWithinMs} ms:\n${await this.lastLines()}`);
      await sleep(50);
    }
  }

  /** Sends the signal; for one that ends the process (not SIGSTOP, not SIGCONT) resolves when it is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.#isRunning()) return;
    const gone = once(child, "exit");
    child.ref();
    child.kill(signal);
    if (signal !== "SIGSTOP" && signal !== "SIGCONT") await gone;
    child.unref();
  }

  /** Asks it to end, also when it is paused, and kills it where it does not. Resolves when it is gone. */
  async end(): Promise<void> {
    const asked = this.kill("SIGTERM");
    await this.kill("SIGCONT");
    const patience = new AbortController();
    const tooLong = sleep(endWithinMs, "too long", { signal: patience.signal }).catch(() => "ended");
    if ((await Promise.race([asked.then(() => "ended"), tooLong])) === "too long") await this.kill("SIGKILL");
    patience.abort();
  }

  /** The end of what it printed. */
  async lastLines(): Promise<string> {
    const text = await readFile(this.#options.logPath, "utf8").catch(() => "(no log)");
    return text.trimEnd().split("\n").slice(-15).join("\n");
  }

  #isRunning(): boolean {
    const child = this.#process;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }
}
