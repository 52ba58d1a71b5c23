import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { SimulationResult } from "../../../src/simulator/harness/simulation.ts";
import type { SeedTask } from "./seed-task.ts";

interface Job {
  readonly task: SeedTask;
  readonly done: PromiseWithResolvers<SimulationResult>;
}

/** Plays simulations on several threads. What a task gives does not depend on which thread plays it, or on what was played before. */
export class SeedPool {
  readonly #idle: Worker[] = [];
  readonly #workers: Worker[] = [];
  readonly #waiting: Job[] = [];
  readonly #playing = new Map<number, Job>();
  #next = 0;

  constructor(threads = Math.max(1, Math.min(8, availableParallelism()))) {
    for (let index = 0; index < threads; index++) {
      const worker = new Worker(new URL("./seed-worker.ts", import.meta.url));
      worker.on("message", (message: { readonly id: number; readonly result?: SimulationResult; readonly error?: string }) => {
        const job = this.#playing.get(message.id);
        this.#playing.delete(message.id);
        if (message.result === undefined) job?.done.reject(new Error(message.error));
        else job?.done.resolve(message.result);
        this.#idle.push(worker);
        this.#feed();
      });
      worker.on("error", (error) => {
        for (const job of this.#playing.values()) job.done.reject(error);
      });
      this.#workers.push(worker);
      this.#idle.push(worker);
    }
  }

  get size(): number {
    return this.#workers.length;
  }

  play(task: SeedTask): Promise<SimulationResult> {
    const done = Promise.withResolvers<SimulationResult>();
    // Whoever awaits it later hears of it then.
    done.promise.catch(() => undefined);
    this.#waiting.push({ task, done });
    this.#feed();
    return done.promise;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #feed(): void {
    while (this.#idle.length > 0) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      const worker = this.#idle.pop() as Worker;
      const id = this.#next++;
      this.#playing.set(id, job);
      worker.postMessage({ id, task: job.task });
    }
  }
}
