import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Watchdog } from "../../../hack/control-plane/watchdog.ts";

/** How long a process may take to end after SIGTERM before it is killed, ms. */
const endWithinMs = 30_000;

let watchdog: Watchdog | undefined;

/** A Node process of the bench. It ends with `end()`, and with this process however that dies. */
export class Child {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly logPath: string;

  /** Starts a script of this checkout; what it prints on stderr is added to the log. */
  constructor(script: string, args: readonly string[], logPath: string, nodeArgs: readonly string[] = []) {
    watchdog ??= new Watchdog();
    const log = openSync(logPath, "a");
    const command = ["--disable-warning=ExperimentalWarning", ...nodeArgs, script, ...args];
    const child = spawn(process.execPath, command, { stdio: ["pipe", "pipe", log], detached: true });
    closeSync(log);
    const { pid } = child;
    if (pid === undefined) throw new Error(`${script} cannot be started`);
    const guard = watchdog;
    guard.guard(pid);
    child.on("exit", () => guard.release(pid));
    child.on("error", () => undefined);
    child.stdin?.on("error", () => undefined);
    this.process = child;
    this.pid = pid;
    this.logPath = logPath;
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Sends a signal and resolves when the process is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    const gone = once(this.process, "exit");
    this.process.kill(signal);
    await gone;
  }

  /** Asks it to end, kills it where it does not, and resolves when it is gone. */
  async end(): Promise<void> {
    const patience = setTimeout(() => this.process.kill("SIGKILL"), endWithinMs);
    await this.kill("SIGTERM");
    clearTimeout(patience);
  }

  /** The end of its log, for errors. */
  async lastLines(): Promise<string> {
    const text = await readFile(this.logPath, "utf8").catch(() => "(no log)");
    return text.trimEnd().split("\n").slice(-15).join("\n");
  }
}

/** Ends what watches over the children; to be called when all of them are gone. */
export async function closeChildren(): Promise<void> {
  await watchdog?.close();
  watchdog = undefined;
}
