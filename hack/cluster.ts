/**
 * A real control plane for a person: npm run cluster -- up [--no-controllers | --node] [--hours 8] | down | status
 * One per user, kept by a process in the background that ends after its hours; its folder is below the cache folder. There are no nodes in it, but with
 * --node, as root on Linux, there is one, whose containers run on this machine in namespaces of their own.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { cacheFolder } from "../src/base/cache-folder.ts";
import { ensureBinaries } from "./control-plane/binaries.ts";
import { type ControlPlane, startControlPlane } from "./control-plane/control-plane.ts";
import { MissingComponent } from "./control-plane/missing-component.ts";
import { installCrds } from "./control-plane/objects.ts";
import { startNodeCluster } from "./node/node-cluster.ts";
import { nodeBinaries } from "./node/node.ts";
import { requireSuitableMachine } from "./node/suitability.ts";
import { ensureNodeTools } from "./node/tools.ts";

const usage = "usage: npm run cluster -- up [--no-controllers | --node] [--hours <number, 8 if absent>] | down | status";
const folder = join(cacheFolder(), "cluster");
const statePath = join(folder, "state.json");
const keeperLogPath = join(folder, "keeper.log");
/** Longer than the certificates live would help nobody. */
const mostHours = 24 * 29;
const upWithinMs = 120_000;
const downWithinMs = 45_000;

interface ClusterState {
  /** The process that keeps the cluster. */
  readonly pid: number;
  readonly server: string;
  readonly kubeconfig: string;
  readonly kubectl: string;
  readonly crds: readonly string[];
  readonly controllers: boolean;
  /** The command that gives the node an image, where there is a node. */
  readonly importCommand?: readonly string[];
  /** When it will end by itself, ISO 8601. */
  readonly endsAt: string;
}

const { values: flags, positionals } = parseArguments();
const commands: Readonly<Record<string, () => Promise<void>>> = { up, down, status, keep };
const command = positionals.length === 1 ? commands[positionals[0] ?? ""] : undefined;
if (command === undefined) fail(usage, 2);
try {
  await command();
} catch (error) {
  fail(error instanceof MissingComponent ? error.message : String((error as Error).stack), 1);
}

async function up(): Promise<void> {
  const hours = wantedHours();
  const running = await runningState();
  if (running !== undefined) {
    console.log("the cluster is up already");
    print(running);
    return;
  }
  if (flags.node && flags["no-controllers"]) fail("--node needs the controllers: leave out --no-controllers", 2);
  // in the foreground, so that a first build is seen
  if (flags.node) {
    await requireSuitableMachine();
    await ensureNodeTools();
  }
  await ensureBinaries([
    "etcd",
    "kube-apiserver",
    "kubectl",
    ...(controllersWanted() ? (["kube-controller-manager", "kube-scheduler"] as const) : []),
    ...(flags.node ? nodeBinaries : []),
  ]);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const log = openSync(keeperLogPath, "a");
  const kind = [...(controllersWanted() ? [] : ["--no-controllers"]), ...(flags.node ? ["--node"] : [])];
  const args = [import.meta.filename, "keep", `--hours=${hours}`, ...kind];
  const keeper = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  keeper.unref();
  const deadline = performance.now() + upWithinMs;
  for (;;) {
    const state = await runningState();
    if (state !== undefined) return print(state);
    if (keeper.exitCode !== null || performance.now() > deadline)
      fail(`the cluster did not come up:\n${await readFile(keeperLogPath, "utf8")}`, 1);
    await sleep(100);
  }
}

async function down(): Promise<void> {
  const state = await runningState();
  if (state === undefined) {
    await rm(folder, { recursive: true, force: true });
    console.log("no cluster is up");
    return;
  }
  process.kill(state.pid, "SIGTERM");
  const deadline = performance.now() + downWithinMs;
  while (await isKeeper(state.pid)) {
    if (performance.now() > deadline) fail(`process ${state.pid} does not end; its log is ${keeperLogPath}`, 1);
    await sleep(100);
  }
  console.log("the cluster is down and removed");
}

async function status(): Promise<void> {
  const state = await runningState();
  if (state === undefined) fail("no cluster is up", 1);
  print(state);
}

/** The process in the background. */
async function keep(): Promise<void> {
  const lifeMs = wantedHours() * 3_600_000;
  const stopAsked = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => stopAsked.abort());
  const controllers = controllersWanted();
  const { plane, importCommand, stop } = flags.node ? await startWithNode() : await startWithoutNode(controllers);
  try {
    const crds = await installCrds(plane.client);
    const { kubectl } = await ensureBinaries(["kubectl"]);
    const endsAt = new Date(Date.now() + lifeMs).toISOString();
    const state: ClusterState = {
      pid: process.pid,
      server: plane.server,
      kubeconfig: plane.kubeconfig,
      kubectl,
      crds,
      controllers,
      ...(importCommand !== undefined && { importCommand }),
      endsAt,
    };
    await writeFile(`${statePath}.new`, JSON.stringify(state));
    await rename(`${statePath}.new`, statePath);
    await sleepUntil(Date.parse(endsAt), stopAsked.signal);
  } finally {
    await stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Started {
  readonly plane: ControlPlane;
  readonly importCommand?: readonly string[];
  stop(): Promise<void>;
}

async function startWithNode(): Promise<Started> {
  const { plane, node, stop } = await startNodeCluster({ dir: folder });
  return { plane, importCommand: node.importCommand, stop };
}

async function startWithoutNode(controllers: boolean): Promise<Started> {
  const components = { controllerManager: controllers, scheduler: controllers };
  const plane = await startControlPlane({ components, audit: "batch", dir: folder });
  return { plane, stop: () => plane.stop() };
}

/** In steps: one timer of that length would not survive a suspended machine, nor 25 days. */
async function sleepUntil(instant: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && Date.now() < instant) {
    await sleep(Math.min(60_000, instant - Date.now()), undefined, { signal }).catch(() => undefined);
  }
}

async function runningState(): Promise<ClusterState | undefined> {
  const text = await readFile(statePath, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const state = JSON.parse(text) as ClusterState;
  return (await isKeeper(state.pid)) ? state : undefined;
}

/** Whether the process lives and is ours: the number may be another's by now, and must not be signalled then. */
async function isKeeper(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // where there is no /proc the process id has to do
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch((error) =>
    process.platform === "linux" ? String(error) : import.meta.filename,
  );
  return commandLine.includes(import.meta.filename);
}

function print(state: ClusterState): void {
  const beside = state.controllers ? "with kube-controller-manager and kube-scheduler" : "without controllers";
  console.log(`${state.server}, ${beside}, until ${state.endsAt}`);
  console.log(`CRDs: ${state.crds.length === 0 ? "none" : state.crds.join(", ")}`);
  console.log(`kubeconfig: ${state.kubeconfig}`);
  console.log(`logs: ${join(folder, "logs")}`);
  const nodes = state.importCommand === undefined ? "   (there are none: pods stay pending)" : "";
  console.log(`try: ${state.kubectl} --kubeconfig ${state.kubeconfig} get nodes${nodes}`);
  if (state.importCommand !== undefined) console.log(`images: ${state.importCommand.join(" ")} <archive>   (npm run image makes ours)`);
}

function controllersWanted(): boolean {
  return !flags["no-controllers"];
}

function wantedHours(): number {
  const hours = Number(flags.hours);
  if (!(hours > 0 && hours <= mostHours)) fail(`--hours takes a number above 0 and up to ${mostHours}, not "${flags.hours}"`, 2);
  return hours;
}

function parseArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        "no-controllers": { type: "boolean", default: false },
        node: { type: "boolean", default: false },
        hours: { type: "string", default: "8" },
      },
    });
  } catch (error) {
    fail(`${(error as Error).message}\n${usage}`, 2);
  }
}

function fail(message: string, code: number): never {
  console.error(message);
  process.exit(code);
}
