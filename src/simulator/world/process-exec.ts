import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { StreamedProcess } from "../apiserver/http/stream-source.ts";
import type { ProcessGuard } from "./process-guard.ts";

/** What a container's program runs in, for commands that are run beside it. */
export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** A word of a command with the container's paths replaced by local ones. */
  readonly word: (text: string) => string;
  readonly child: ChildProcess;
}

/** `kubectl exec` and `attach` where containers are processes: commands run in the directory and the environment of the container's program. */
export class ExecSessions {
  readonly #guard: ProcessGuard;
  readonly #children = new Set<ChildProcess>();

  constructor(guard: ProcessGuard) {
    this.#guard = guard;
  }

  /**
   * Runs a command. With `tty` it gets a terminal by the program `script`, where that is installed; its size is not that of the client's.
   * Without `stdin` its input is empty.
   */
  run(place: Surroundings, command: readonly string[], options: { readonly tty: boolean; readonly stdin: boolean }): StreamedProcess {
    const words = command.map(place.word);
    const [program = "", ...args] = options.tty ? ["script", "-qefc", words.map(quoted).join(" "), "/dev/null"] : words;
    const child = spawn(program, args, {
      cwd: place.cwd,
      env: place.env,
      detached: true,
      stdio: [options.stdin ? "pipe" : "ignore", "pipe", "pipe"],
    });
    this.#children.add(child);
    if (child.pid !== undefined) this.#guard.add(child.pid);
    const ended = Promise.withResolvers<number>();
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      this.#children.delete(child);
      const why = error.code === "ENOENT" ? "executable file not found in $PATH" : error.message;
      ended.reject(new Error(`exec failed: unable to start container process: exec: ${JSON.stringify(words[0])}: ${why}`));
    });
    child.once("close", (code, signal) => {
      if (child.pid === undefined) return;
      this.#children.delete(child);
      kill(child);
      this.#guard.remove(child.pid);
      ended.resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]);
    });
    return { ...streamsOf(child), leave: () => kill(child), ended: ended.promise };
  }

  /** Follows the container's own program: its output from now on, and its input where the container has `stdin`. */
  attach({ child }: Surroundings): StreamedProcess {
    const ended = new Promise<number>((resolve) => {
      child.once("close", (code, signal) => resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]));
    });
    // who leaves takes nothing with them
    return { ...streamsOf(child), leave: () => undefined, ended };
  }

  /** Ends all that runs. */
  close(): void {
    for (const child of this.#children) kill(child);
  }
}

function streamsOf(child: ChildProcess): Pick<StreamedProcess, "onOutput" | "write" | "endInput"> {
  child.stdin?.on("error", () => undefined);
  return {
    onOutput(listener) {
      child.stdout?.on("data", (chunk: Buffer) => listener("stdout", chunk));
      child.stderr?.on("data", (chunk: Buffer) => listener("stderr", chunk));
    },
    write: (chunk) => void child.stdin?.write(chunk),
    endInput: () => void child.stdin?.end(),
  };
}

/** The whole group: a shell's children go with it. */
function kill(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // it is gone already
  }
}

/** A word as a shell takes it. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
