import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Writable } from "node:stream";

/**
 * A small shell process (watchdog.sh) that outlives this one: whatever way this process dies, the guarded processes are killed and the folder is removed.
 * It runs in a session of its own and does not keep this process alive.
 */
export class Watchdog {
  readonly #shell: ChildProcess;
  readonly #input: Writable;

  constructor() {
    this.#shell = spawn("sh", [join(import.meta.dirname, "watchdog.sh")], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    if (this.#shell.stdin === null) throw new Error("sh was started without a standard input");
    this.#input = this.#shell.stdin;
    // a write to a watchdog that somebody killed must not end the tests
    this.#input.on("error", () => undefined);
    this.#shell.on("error", () => undefined);
    this.#shell.unref();
    (this.#input as Writable & { unref?(): void }).unref?.();
  }

  /** Kills the process when this one dies. To be called in the same turn as the spawn. */
  guard(pid: number): void {
    this.#input.write(`guard ${pid}\n`);
  }

  /** To be called as soon as the process has ended, before its number can be another's. */
  release(pid: number): void {
    this.#input.write(`release ${pid}\n`);
  }

  /** Removes the folder, with all that is in it, when this process dies. One folder at a time. */
  removeAtEnd(folder: string): void {
    this.#input.write(`remove ${folder}\n`);
  }

  /** Removes the control groups of this name, at the root of each hierarchy, when this process dies. One name at a time. */
  removeCgroupAtEnd(name: string): void {
    this.#input.write(`cgroup ${name}\n`);
  }

  /** Ends the watchdog: guarded processes are killed, the folder is removed. Resolves when it is gone. */
  async close(): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null || this.#shell.pid === undefined) return;
    this.#shell.ref();
    const gone = once(this.#shell, "exit");
    this.#input.end();
    await gone;
  }
}
