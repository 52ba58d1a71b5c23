import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Watchdog } from "../../../hack/control-plane/watchdog.ts";
import { program } from "../../support/program.ts";
import { eventually } from "./eventually.ts";
import { timeLimits } from "./time-limits.ts";

/** How a process is started. */
export interface OperatorProcessOptions {
  /** A file. The audit log tells processes apart by the user in it. */
  readonly kubeconfig: string;
  /** "duration/renew deadline/retry" in seconds; absent = the default ones. */
  readonly lease?: string;
  /** The file that is run; absent = the program of this tree. */
  readonly program?: string;
  /** More arguments of `nuptse operator`. */
  readonly args?: readonly string[];
}

/** One line of its log, as it wrote it. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<OperatorProcess>();
let watchdog: Watchdog | undefined;

/** Ends what still runs, and lets go of the guard. For the end of the mocha process. */
after("end operator processes", async function () {
  this.timeout(timeLimits.operatorEnd);
  await Promise.all([...running].map((operator) => operator.kill()));
  await watchdog?.close();
  watchdog = undefined;
});

/** `nuptse operator` as a process of its own, as it runs in a cluster; it ends with this process however that dies. */
export class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #end: Promise<ProcessEnd>;
  readonly #lines: LogLine[] = [];
  #text = "";
  #ended = false;

  constructor(options: OperatorProcessOptions) {
    const lease = options.lease === undefined ? [] : ["--lease-seconds", options.lease];
    const args = ["--kubeconfig", options.kubeconfig, ...lease, "--metrics-address", "127.0.0.1:0"];
    this.#child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        options.program ?? program,
        "operator",
        ...args,
        "--log-format",
        "json",
        ...(options.args ?? []),
      ],
      { stdio: ["ignore", "pipe", "pipe"], detached: true, env: { ...process.env, KUBECONFIG: "" } },
    );
    watchdog ??= new Watchdog();
    const { pid } = this.#child;
    if (pid !== undefined) watchdog.guard(pid);
    running.add(this);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => this.#take(chunk));
    }
    this.#end = once(this.#child, "exit").then(([code, signal]) => {
      this.#ended = true;
      running.delete(this);
      if (pid !== undefined) watchdog?.release(pid);
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  /** Whether the process has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves when it has ended, whenever that is. */
  get whenEnded(): Promise<ProcessEnd> {
    return this.#end;
  }

  /** Resolves when it has ended, by itself or not. Rejects after the limit. */
  async end(limitMs: number = timeLimits.operatorEnd): Promise<ProcessEnd> {
    await eventually("the operator process to end", limitMs, () => this.#ended);
    return this.#end;
  }

  /** What it has logged so far; lines that are not JSON have the level "text". */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** Everything it wrote, for messages of tests. */
  get text(): string {
    return this.#text;
  }

  /** Resolves with the first line of its log that contains the words. Rejects when it ends before, or after the limit. */
  said(words: string, limitMs: number = timeLimits.reaction): Promise<LogLine> {
    return eventually(`the operator to say "${words}"; it said:\n${this.#text}`, limitMs, () => {
      const line = this.#lines.find((each) => each.message.includes(words));
      if (line === undefined && this.#ended) throw new Error(`it ended before, and said:\n${this.#text}`);
      return line;
    });
  }

  /** Resolves when /readyz says so: its caches are filled. */
  async ready(): Promise<void> {
    const { metricsPort } = await this.said("operator starts", timeLimits.operatorReady);
    await eventually(`the operator to be ready`, timeLimits.operatorReady, async () => {
      if (this.#ended) throw new Error(`it ended, and said:\n${this.#text}`);
      return (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).ok;
    });
  }

  /** The status of /readyz and what it says. */
  async readiness(): Promise<{ readonly status: number; readonly text: string }> {
    const { metricsPort } = await this.said("operator starts", timeLimits.operatorReady);
    const reply = await fetch(`http://127.0.0.1:${metricsPort}/readyz`);
    return { status: reply.status, text: await reply.text() };
  }

  /** Whether it leads, as its log says. */
  get leads(): boolean {
    return this.#lines.some((line) => line.message.includes("controllers begin"));
  }

  /** Resolves when it leads and its controllers work. */
  async leading(limitMs: number = timeLimits.takeOver): Promise<void> {
    await this.said("controllers begin", limitMs);
  }

  /** SIGSTOP: it stands still and does not know it. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  /** SIGCONT. */
  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** kill -9. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#end;
  }

  /** SIGTERM: a clean end. */
  async stop(): Promise<ProcessEnd> {
    this.#child.kill("SIGTERM");
    return this.end();
  }

  #take(chunk: string): void {
    const from = this.#text.lastIndexOf("\n") + 1;
    this.#text += chunk;
    const whole = this.#text.lastIndexOf("\n") + 1;
    for (const line of this.#text.slice(from, whole).split("\n").filter(Boolean)) this.#lines.push(parseLine(line));
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: "text", message: line };
  }
}
