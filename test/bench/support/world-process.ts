import { once } from "node:events";
import { join } from "node:path";
import { Child } from "./child.ts";

const script = join(import.meta.dirname, "../processes/world.ts");

export interface WorldChoice {
  /** Pods are bound to nodes; true when absent. */
  readonly scheduler?: boolean;
  /** The first number of pods' addresses; 10 when absent. */
  readonly podNetwork?: number;
}

/** Starts kubelets (and a scheduler) in a process of their own; resolves when they work. End it with `end()`. */
export async function startWorld(
  kubeconfig: string,
  logsFolder: string,
  nodes: number,
  { scheduler = true, podNetwork = 10 }: WorldChoice = {},
): Promise<Child> {
  const args = [kubeconfig, String(nodes), scheduler ? "scheduler" : "no-scheduler", String(podNetwork)];
  const child = new Child(script, args, join(logsFolder, "world.log"));
  const { stdout } = child.process;
  if (stdout === null) throw new Error("the world has no standard output");
  await Promise.race([once(stdout, "data"), once(child.process, "exit")]);
  if (!child.isRunning) throw new Error(`the kubelets ended:\n${await child.lastLines()}`);
  stdout.resume();
  return child;
}
