// A thread that plays simulations one by one.
import { parentPort } from "node:worker_threads";
import { playTask, type SeedTask } from "./seed-task.ts";

parentPort?.on("message", async ({ id, task }: { readonly id: number; readonly task: SeedTask }) => {
  try {
    parentPort?.postMessage({ id, result: await playTask(task) });
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
