import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import type { Pod } from "../../api/core.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { KubeClient } from "../../kube/client.ts";
import { failureStatus } from "../apiserver/status.ts";
import { ContainerLog } from "./container-log.ts";
import type { ContainerExit, ContainerHandle, ContainerListener, ContainerRuntime, ContainerStart } from "./container-runtime.ts";
import { noLog } from "./log-status.ts";
import { type ApiServerAddress, ConfigError, environmentOf, expand } from "./process-environment.ts";
import { ExecSessions, type Surroundings } from "./process-exec.ts";
import { ProcessGuard } from "./process-guard.ts";
import { connectLocally } from "./process-port.ts";
import { containerIdVariable, ProcessStrays } from "./process-strays.ts";
import { writeAccountKubeconfig } from "./account-kubeconfig.ts";
import { type LocalMount, mountVolumes, withLocalPaths } from "./process-volumes.ts";

export interface ProcessOptions {
  /** Reads ConfigMaps and Secrets, and asks for tokens. */
  readonly client: KubeClient;
  /** Where programs find the API server; absent = they are not told. */
  readonly apiServer?: ApiServerAddress | undefined;
  readonly clock: Clock;
  /** Where working directories, logs and termination messages go. */
  readonly dataDir: string;
  /** PATH of the programs; absent = the one of this process, with the folder of its own Node first. */
  readonly path?: string;
  /** See {@link ContainerLog}. */
  readonly maxLogBytes?: number;
}

/** Wait before a container whose configuration is missing, or could not be read, is tried again. */
const configRetryMs = 2_000;
/** How long the output of a dead program is waited for: something outside of its group may hold the pipe open. */
const outputMs = 500;
/** Containers have no network of their own. */
const loopback = "127.0.0.1";
/** Where all of 127.0.0.0/8 is this machine's: 127.64.0.0/10 is for pods. */
const hasManyAddresses = process.platform === "linux";

interface KeptLogs {
  readonly uid: string | undefined;
  readonly current: ContainerLog;
  readonly previous: ContainerLog | undefined;
}

/**
 * Runs the command of each container as a process of this machine, in a process group of its own. What makes an image is ignored: there
 * is no pull, no entry point, no file system of its own, and volumes are directories elsewhere. A container needs a `command`; its
 * working directory is `workingDir` where that exists here, else a directory of the pod. All pods are at 127.0.0.1, but those that are told their address
 * (status.podIP in the environment): of them several can listen on one port. The path of the termination message
 * (NUPTSE_RESULT_FILE) and the paths of mounts, in the environment, in command and in args, are replaced by local ones.
 */
export function createProcessRuntime(options: ProcessOptions): ContainerRuntime {
  const runtimeId = `${randomBytes(8).toString("hex")}.`;
  let started = 0;
  const guard = new ProcessGuard(runtimeId);
  const strays = new ProcessStrays(options.clock);
  const logs = new Map<string, KeptLogs>();
  const running = new Map<string, ProcessContainer>();
  /** All that run, also those whose key another has by now. */
  const alive = new Set<ProcessContainer>();
  const sessions = new ExecSessions(guard);
  // Several playgrounds may run side by side.
  let addresses = randomBytes(3).readUIntBE(0, 3);
  const nextAddress = (): string => {
    addresses++;
    return `127.${64 + ((addresses >> 16) & 63)}.${(addresses >> 8) & 255}.${1 + (addresses % 254)}`;
  };
  const keyOf = (namespace: string | undefined, pod: string, container: string) => `${namespace}/${pod}/${container}`;
  return {
    start(start, listener) {
      const { pod, container, restartCount } = start;
      const directory = join(podDirectory(options.dataDir, pod), container.name);
      const key = keyOf(pod.metadata.namespace, pod.metadata.name, container.name);
      const process = new ProcessContainer({
        ...options,
        start,
        listener,
        guard,
        strays,
        id: `${runtimeId}${++started}`,
        directory,
        openLog() {
          const maxBytes = options.maxLogBytes === undefined ? {} : { maxBytes: options.maxLogBytes };
          const log = new ContainerLog({ path: join(directory, `${restartCount}.log`), now: () => options.clock.now(), ...maxBytes });
          const before = logs.get(key);
          const { uid } = pod.metadata;
          logs.set(key, { uid, current: log, previous: before?.uid === uid ? before?.current : undefined });
          return log;
        },
        ends: () => {
          if (running.get(key) === process) running.delete(key);
          alive.delete(process);
        },
      });
      running.set(key, process);
      alive.add(process);
      void process.begin();
      return process;
    },
    podIP: (pod) => (hasManyAddresses && knowsItsAddress(pod) ? (pod.status?.podIP ?? nextAddress()) : loopback),
    forget(pod) {
      for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
        const key = keyOf(pod.metadata.namespace, pod.metadata.name, container.name);
        if (logs.get(key)?.uid === pod.metadata.uid) logs.delete(key);
      }
      // What cannot be removed now goes with the whole data directory.
      void rm(podDirectory(options.dataDir, pod), { recursive: true, force: true }).catch(() => undefined);
    },
    logs: {
      open(namespace, pod, container, wanted) {
        const kept = logs.get(keyOf(namespace, pod, container));
        const log = wanted.previous ? kept?.previous : kept?.current;
        return log === undefined ? noLog(pod, container, wanted.previous ? "previous" : "waiting") : log.read(wanted);
      },
    },
    streams: {
      open({ namespace, pod, container, command, tty, stdin }) {
        const found = running.get(keyOf(namespace, pod, container))?.surroundings;
        if (found === undefined) return failureStatus(500, "InternalError", `container not found (${JSON.stringify(container)})`);
        return command.length === 0 ? sessions.attach(found) : sessions.run(found, command, { tty, stdin });
      },
      async connect(pod, port) {
        const { namespace, name } = pod.metadata;
        const runs = pod.spec.containers.some(
          (container) => running.get(keyOf(namespace, name, container.name))?.surroundings !== undefined,
        );
        if (!runs) throw new Error(`none of the pod's containers runs`);
        return connectLocally([pod.status?.podIP ?? loopback, loopback], port);
      },
    },
    async close() {
      sessions.close();
      await Promise.all([...alive].map((process) => process.destroy()));
      if (started > 0) strays.close(runtimeId);
      guard.close();
    },
  };
}

interface ProcessContainerOptions extends ProcessOptions {
  readonly start: ContainerStart;
  readonly listener: ContainerListener;
  readonly guard: ProcessGuard;
  readonly strays: ProcessStrays;
  /** Of this start of the container; no other on this machine has it. */
  readonly id: string;
  readonly directory: string;
  readonly openLog: () => ContainerLog;
  readonly ends: () => void;
}

class ProcessContainer implements ContainerHandle {
  readonly #options: ProcessContainerOptions;
  readonly #terminationLog: string;
  #child: ChildProcess | undefined;
  #log: ContainerLog | undefined;
  #timer: Timer | undefined;
  #kill: Timer | undefined;
  #killAt = Number.POSITIVE_INFINITY;
  #silent = false;
  #reported = false;
  #cancelled = false;
  readonly #over = Promise.withResolvers<void>();
  #surroundings: Surroundings | undefined;

  constructor(options: ProcessContainerOptions) {
    this.#options = options;
    this.#terminationLog = join(options.directory, "termination-log");
  }

  /** Makes the environment and starts the program, as soon as its configuration is there. */
  async begin(): Promise<void> {
    const { start, listener, client, clock } = this.#options;
    const { pod, container, node, podIP } = start;
    try {
      const { apiServer, dataDir, directory } = this.#options;
      const terminationLog = this.#terminationLog;
      const environment = await environmentOf({ client, pod, container, node, podIP, terminationLog, apiServer });
      const directories = { directory: join(dirname(directory), "volumes"), claimsDirectory: join(dataDir, "claims") };
      const mounts = await mountVolumes({ client, pod, container, node, podIP, ...directories });
      const local = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, withLocalPaths(value, mounts)]));
      const kubeconfig = apiServer === undefined ? {} : writeAccountKubeconfig(mounts, directory, apiServer);
      if (!this.#cancelled) this.#launch({ ...kubeconfig, ...local }, mounts);
    } catch (error) {
      if (this.#cancelled) return;
      const message = error instanceof Error ? error.message : String(error);
      listener.waiting(error instanceof ConfigError ? "CreateContainerConfigError" : "CreateContainerError", message);
      this.#timer = clock.after(configRetryMs, () => void this.begin());
    }
  }

  /** Where commands beside it run; undefined while it does not. */
  get surroundings(): Surroundings | undefined {
    return this.#reported ? this.#surroundings : undefined;
  }

  terminate(graceMs: number): void {
    const { clock } = this.#options;
    if (!this.#reported) {
      this.vanish();
      return;
    }
    const killAt = clock.monotonic() + graceMs;
    if (this.#killAt === Number.POSITIVE_INFINITY) this.#signal("SIGTERM");
    if (killAt >= this.#killAt) return;
    this.#killAt = killAt;
    this.#kill?.cancel();
    this.#kill = clock.after(graceMs, () => this.#signal("SIGKILL"));
  }

  vanish(): void {
    this.#silent = true;
    void this.destroy();
  }

  /** Kills it; resolves when it is gone. */
  destroy(): Promise<void> {
    this.#cancelled = true;
    this.#timer?.cancel();
    if (this.#child === undefined) this.#finish();
    else this.#signal("SIGKILL");
    return this.#over.promise;
  }

  #launch(environment: Readonly<Record<string, string>>, mounts: readonly LocalMount[]): void {
    const { start, listener, guard, openLog, directory, id } = this.#options;
    const { pod, container } = start;
    const path = container.terminationMessagePath ?? "/dev/termination-log";
    const word = (text: string) => withLocalPaths(expand(text, environment), mounts).replaceAll(path, this.#terminationLog);
    const [program, ...rest] = (container.command ?? []).map(word);
    const log = openLog();
    this.#log = log;
    writeFileSync(this.#terminationLog, "");
    if (program === undefined) {
      this.#refuse("the container has no command, and where containers are processes an image's entry point is not known");
      return;
    }
    const shared = join(dirname(directory), "work");
    mkdirSync(shared, { recursive: true });
    const own = container.workingDir !== undefined && isDirectory(container.workingDir) ? container.workingDir : shared;
    const search = this.#options.path ?? [dirname(process.execPath), process.env["PATH"] ?? "/usr/bin:/bin"].join(delimiter);
    const env = { PATH: search, HOSTNAME: pod.metadata.name, HOME: shared, ...environment, [containerIdVariable]: id };
    const child = spawn(program, [...rest, ...(container.args ?? []).map(word)], {
      cwd: own,
      env,
      detached: true,
      stdio: [container.stdin === true ? "pipe" : "ignore", "pipe", "pipe"],
    });
    this.#child = child;
    // a program may end without having read all
    child.stdin?.on("error", () => undefined);
    this.#surroundings = { cwd: own, env, word, child };
    if (child.pid !== undefined) guard.add(child.pid);
    keepOutput(child.stdout, (chunk) => log.append("stdout", chunk));
    keepOutput(child.stderr, (chunk) => log.append("stderr", chunk));
    child.once("spawn", () => {
      if (this.#silent) return;
      this.#reported = true;
      listener.started();
    });
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      const why =
        error.code === "ENOENT"
          ? program.includes("/")
            ? "no such file or directory"
            : "executable file not found in $PATH"
          : "permission denied";
      this.#refuse(`exec: ${JSON.stringify(program)}: ${error.code === "ENOENT" || error.code === "EACCES" ? why : error.message}`);
    });
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    child.once("exit", (code, signal) => void this.#exited(code, signal, closed));
  }

  #refuse(why: string): void {
    this.#child = undefined;
    const prefix = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: ";
    const message = `${prefix}unable to start container process: error during container init: ${why}`;
    this.#finish({ exitCode: 128, reason: "StartError", message });
  }

  async #exited(code: number | null, signal: NodeJS.Signals | null, closed: Promise<void>): Promise<void> {
    const { clock, guard, strays, id } = this.#options;
    const child = this.#child;
    strays.ended(id);
    // Whatever the program left behind goes with it, as with the first process of a container.
    this.#signal("SIGKILL");
    if (child?.pid !== undefined) guard.remove(child.pid);
    await Promise.race([closed, clock.sleep(outputMs)]);
    child?.stdout?.destroy();
    child?.stderr?.destroy();
    const number = signal === null ? undefined : constants.signals[signal];
    const exitCode = number === undefined ? (code ?? 0) : 128 + number;
    this.#log?.end();
    const message = await this.#terminationMessage(exitCode);
    this.#finish({
      exitCode,
      ...(number === undefined ? {} : { signal: number }),
      reason: exitCode === 0 ? "Completed" : "Error",
      ...(message === "" ? {} : { message }),
    });
  }

  async #terminationMessage(exitCode: number): Promise<string> {
    const { pod, container } = this.#options.start;
    const count = pod.spec.containers.length + (pod.spec.initContainers?.length ?? 0);
    const limit = Math.min(4_096, Math.floor(12_288 / count));
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.#terminationLog);
    } catch {
      bytes = Buffer.alloc(0);
    }
    if (bytes.length === 0 && exitCode !== 0 && container.terminationMessagePolicy === "FallbackToLogsOnError") {
      return (await this.#log?.tail()) ?? "";
    }
    return cut(bytes, limit).toString("utf8");
  }

  #finish(exit?: ContainerExit): void {
    this.#kill?.cancel();
    this.#log?.end();
    this.#options.ends();
    this.#over.resolve();
    if (exit !== undefined && !this.#silent) this.#options.listener.exited(exit);
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    const group = this.#child?.pid;
    if (group === undefined) return;
    try {
      process.kill(-group, signal);
    } catch {
      // The group is gone already.
    }
  }
}

/** Takes one chunk in each turn of the loop: a program that prints without end must not keep all others waiting. */
function keepOutput(stream: Readable | null, keep: (chunk: Buffer) => void): void {
  stream?.on("data", (chunk: Buffer) => {
    keep(chunk);
    stream.pause();
    setImmediate(() => stream.resume());
  });
}

/** At most `limit` bytes, without half a character at the end. */
function cut(bytes: Buffer, limit: number): Buffer {
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (end > limit - 4 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Whether a program of the pod is told its address, and so can listen there and nowhere else: then it has one of its own. */
const knowsItsAddress = ({ spec }: Pod): boolean =>
  spec.containers.some(({ env = [] }) => env.some(({ valueFrom }) => valueFrom?.fieldRef?.fieldPath.startsWith("status.podIP") === true));

function podDirectory(dataDir: string, pod: Pod): string {
  return join(dataDir, "pods", `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`);
}
