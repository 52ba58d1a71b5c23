import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Child } from "./child.ts";

const script = join(import.meta.dirname, "../processes/executors.ts");
/** Lines come in batches of 100 ms. */
const logLagMs = 500;

/** An instance of a fleet whose executor stands at its pod's address. */
export interface LoggedInstance {
  /** UID of the pod. */
  readonly id: string;
  readonly address: string;
}

/** A line of the executors' own log: a request that handed a task over. */
export interface Arrival {
  /** Wall time in milliseconds, with the request read. */
  readonly at: number;
  /** again: equal ids are the same work, and it was not begun once more. */
  readonly what: "begin" | "again";
  readonly instance: string;
  readonly job: string;
  readonly run: string;
  readonly item: number;
  readonly attempt: number;
}

/** Executors of all instances in a process of their own. */
export class ExecutorsProcess {
  readonly #child: Child;
  readonly #logFile: string;

  private constructor(child: Child, logFile: string) {
    this.#child = child;
    this.#logFile = logFile;
  }

  /** Resolves when all of them listen. Every task takes `workMs`. End it with `end()`. */
  static async start(instances: readonly LoggedInstance[], port: number, workMs: number, logsFolder: string): Promise<ExecutorsProcess> {
    const instancesFile = join(logsFolder, "executors.jsonl");
    const logFile = join(logsFolder, "executed.tsv");
    await writeFile(instancesFile, `${instances.map((instance) => JSON.stringify(instance)).join("\n")}\n`);
    await writeFile(logFile, "");
    const child = new Child(script, [instancesFile, String(port), logFile, String(workMs)], join(logsFolder, "executors.log"));
    const { stdout } = child.process;
    if (stdout === null) throw new Error("the executors have no standard output");
    await Promise.race([once(stdout, "data"), once(child.process, "exit")]);
    if (!child.isRunning) throw new Error(`the executors ended:\n${await child.lastLines()}`);
    stdout.resume();
    return new ExecutorsProcess(child, logFile);
  }

  /** All that they were handed so far, in the order in which it came. */
  async arrivals(): Promise<readonly Arrival[]> {
    await sleep(logLagMs);
    const lines = (await readFile(this.#logFile, "utf8")).split("\n");
    return lines.slice(0, -1).map((line) => {
      const [at, what, instance = "", job = "", run = "", item, attempt] = line.split("\t");
      return { at: Number(at), what: what as Arrival["what"], instance, job, run, item: Number(item), attempt: Number(attempt) };
    });
  }

  async end(): Promise<void> {
    await this.#child.end();
  }
}
