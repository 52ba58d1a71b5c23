import { TimerGroup } from "../../base/timer-group.ts";
import type { Pod } from "../../api/core.ts";
import type { Status } from "../../api/meta.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { LogLine, LogOptions, LogSource } from "../apiserver/http/log-source.ts";
import type { ContainerExit, ContainerHandle, ContainerListener, ContainerRuntime, ContainerStart } from "./container-runtime.ts";
import { noLog } from "./log-status.ts";
import { annotatedScript, type ContainerScript, containerScriptOf, type PodScript, scriptFor, simulateAnnotation } from "./pod-script.ts";
import { draw, type Range } from "./range.ts";

export interface StagesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How a pod is played; absent = by its annotation. */
  readonly behaviour?: (pod: Pod) => PodScript;
}

const defaultStartMs: Range = [50, 150];
const defaultRunMs: Range = [500, 2_000];
const imageBackoff = { initialMs: 10_000, maxMs: 300_000 };

interface PlayedLog {
  readonly uid: string | undefined;
  readonly lines: LogLine[];
  readonly previous: readonly LogLine[];
  readonly waiters: Set<() => void>;
  ended: boolean;
}

/**
 * Plays containers by their scripts: on virtual time a week of them costs seconds, and the same seed gives the same world. Whatever a
 * script draws at random is drawn when the container starts, so that later events do not change it.
 */
export function createStagesRuntime(options: StagesOptions): ContainerRuntime {
  const { clock, random } = options;
  const logs = new Map<string, PlayedLog>();
  const running = new Set<PlayedContainer>();
  const scriptOf = (pod: Pod): PodScript =>
    scriptFor(
      pod,
      safely(() => (options.behaviour ?? annotatedScript)(pod)),
    );
  return {
    start(start, listener) {
      const script = containerScriptOf(scriptOf(start.pod), start.container.name, start.restartCount);
      const { uid } = start.pod.metadata;
      const before = logs.get(logKey(start));
      const previous = before?.uid === uid ? (before?.lines ?? []) : [];
      const log: PlayedLog = { uid, lines: [], previous, waiters: new Set(), ended: false };
      const played = new PlayedContainer({
        clock,
        random,
        script,
        start,
        log,
        listener,
        begins: () => logs.set(logKey(start), log),
        ends: () => running.delete(played),
      });
      running.add(played);
      played.begin();
      return played;
    },
    admit: (pod) => scriptOf(pod).reject,
    sandboxMs: (pod) => {
      const range = scriptOf(pod).sandboxMs;
      return range === undefined ? undefined : draw(range, random);
    },
    forget(pod) {
      for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
        const key = `${pod.metadata.namespace}/${pod.metadata.name}/${container.name}`;
        // A namesake may have come meanwhile.
        if (logs.get(key)?.uid === pod.metadata.uid) logs.delete(key);
      }
    },
    logs: playedLogs(logs),
    async close() {
      for (const played of [...running]) played.vanish();
    },
  };
}

/** A script that cannot be read must not stop the world: its pod cannot start, and says why. */
function safely(read: () => PodScript): PodScript {
  try {
    return read();
  } catch (error) {
    return { configError: `annotation ${simulateAnnotation}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

interface PlayedOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly script: ContainerScript;
  readonly start: ContainerStart;
  readonly log: PlayedLog;
  readonly listener: ContainerListener;
  readonly begins: () => void;
  readonly ends: () => void;
}

class PlayedContainer implements ContainerHandle {
  readonly #options: PlayedOptions;
  readonly #timers: TimerGroup;
  readonly #startMs: number;
  readonly #runMs: number;
  readonly #termMs: number;
  #running = false;
  #over = false;
  #kill: Timer | undefined;
  #killAt = Number.POSITIVE_INFINITY;

  constructor(options: PlayedOptions) {
    this.#options = options;
    this.#timers = new TimerGroup(options.clock);
    const { script, random, start } = options;
    const forever = start.role === "sidecar" || (start.role === "ordinary" && (start.pod.spec.restartPolicy ?? "Always") === "Always");
    const runMs = script.runMs ?? (forever ? "forever" : defaultRunMs);
    this.#startMs = draw(script.startMs ?? defaultStartMs, random);
    this.#runMs = runMs === "forever" ? Number.POSITIVE_INFINITY : draw(runMs, random);
    this.#termMs = draw(script.termMs ?? 10, random);
  }

  begin(): void {
    const { script, start } = this.#options;
    this.#timers.after(this.#startMs, () => {
      if (script.configError !== undefined) {
        this.#options.listener.waiting("CreateContainerConfigError", script.configError);
      } else if (script.pullFailures !== undefined && script.pullFailures !== 0 && start.restartCount === 0) {
        this.#failPull(1, script.pullFailures === "forever" ? Number.POSITIVE_INFINITY : script.pullFailures);
      } else this.#launch();
    });
  }

  terminate(graceMs: number): void {
    if (this.#over) return;
    if (!this.#running) {
      this.vanish();
      return;
    }
    const { clock, script } = this.#options;
    const killAt = clock.now() + graceMs;
    const first = this.#killAt === Number.POSITIVE_INFINITY;
    if (first && script.onTerm !== "ignores") {
      const exit: ContainerExit =
        script.onTerm === "exitsZero" ? { exitCode: 0, reason: "Completed" } : { exitCode: 143, signal: 15, reason: "Error" };
      this.#timers.after(this.#termMs, () => this.#exit(exit));
    }
    if (killAt >= this.#killAt) return;
    this.#killAt = killAt;
    this.#kill?.cancel();
    this.#kill = this.#timers.after(graceMs, () => this.#exit({ exitCode: 137, signal: 9, reason: "Error" }));
  }

  vanish(): void {
    if (this.#over) return;
    this.#stop();
  }

  #failPull(failure: number, failures: number): void {
    const { listener, start } = this.#options;
    const image = start.container.image ?? "";
    if (failure > failures) {
      this.#launch();
      return;
    }
    listener.waiting("ErrImagePull", `failed to pull and unpack image "${image}": not found`);
    this.#timers.after(1_000, () => listener.waiting("ImagePullBackOff", `Back-off pulling image "${image}"`));
    const delayMs = Math.min(imageBackoff.initialMs * 2 ** (failure - 1), imageBackoff.maxMs);
    this.#timers.after(delayMs, () => this.#failPull(failure + 1, failures));
  }

  #launch(): void {
    const { script, listener, log, clock } = this.#options;
    if (script.startError !== undefined) {
      this.#exit({ exitCode: 128, reason: "StartError", message: script.startError });
      return;
    }
    this.#running = true;
    this.#options.begins();
    listener.started();
    const lines = script.log ?? [];
    const spanMs = this.#runMs === Number.POSITIVE_INFINITY ? 0 : this.#runMs;
    lines.forEach((line, index) => {
      this.#timers.after((spanMs * index) / lines.length, () => {
        log.lines.push({ time: clock.now(), line });
        wake(log);
      });
    });
    if (this.#runMs === Number.POSITIVE_INFINITY) return;
    const message = script.message === undefined ? {} : { message: script.message };
    const exitCode = script.exitCode ?? 0;
    const exit = script.outOfMemory
      ? { exitCode: 137, reason: "OOMKilled", ...message }
      : { exitCode, reason: exitCode === 0 ? "Completed" : "Error", ...message };
    this.#timers.after(this.#runMs, () => this.#exit(exit));
  }

  #exit(exit: ContainerExit): void {
    if (this.#over) return;
    this.#stop();
    this.#options.listener.exited(exit);
  }

  #stop(): void {
    this.#over = true;
    this.#timers.cancel();
    this.#options.log.ended = true;
    wake(this.#options.log);
    this.#options.ends();
  }
}

function wake(log: PlayedLog): void {
  const waiters = [...log.waiters];
  log.waiters.clear();
  for (const waiter of waiters) waiter();
}

function logKey(start: ContainerStart): string {
  return `${start.pod.metadata.namespace}/${start.pod.metadata.name}/${start.container.name}`;
}

function playedLogs(logs: ReadonlyMap<string, PlayedLog>): LogSource {
  return {
    open(namespace, pod, container, options) {
      const log = logs.get(`${namespace}/${pod}/${container}`);
      if (log === undefined) return noLog(pod, container, "waiting");
      if (!options.previous) return readPlayed(log, options);
      const status: Status = noLog(pod, container, "previous");
      return log.previous.length === 0 ? status : readPlayed({ ...log, lines: [...log.previous], ended: true }, options);
    },
  };
}

async function* readPlayed(log: PlayedLog, options: LogOptions): AsyncGenerator<LogLine> {
  const since = options.sinceTime ?? Number.NEGATIVE_INFINITY;
  let at = options.tailLines === undefined ? 0 : Math.max(0, log.lines.length - options.tailLines);
  for (;;) {
    for (; at < log.lines.length; at++) {
      const line = log.lines[at];
      if (line !== undefined && line.time >= since) yield line;
    }
    if (!options.follow || log.ended || options.signal.aborted) return;
    await new Promise<void>((resolve) => {
      log.waiters.add(resolve);
      options.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}
