import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "undici";
import { promisify } from "node:util";
import { MissingComponent } from "../../../hack/control-plane/missing-component.ts";
import { patience } from "../../support/patience.ts";

const run = promisify(execFile);
const readyWithinMs = 60_000 * patience;

/** A program and its arguments. */
export type Command = readonly [string, ...string[]];

export interface JsonReply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** An executor of ours as a process on loopback. */
export interface ExecutorProcess {
  readonly url: string;
  /** What it has printed so far. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** Resolves once the process is gone. */
  readonly ended: Promise<unknown>;
}

/** Starts an executor on a free port, and resolves when it listens. */
export async function startExecutor([program, ...args]: Command, environment: Readonly<Record<string, string>>): Promise<ExecutorProcess> {
  const child: ChildProcess = spawn(program, args, {
    env: { ...process.env, EXECUTOR_HOST: "127.0.0.1", EXECUTOR_PORT: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let complaints = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  const ended = once(child, "exit");
  const deadline = performance.now() + readyWithinMs;
  let port: string | undefined;
  while (port === undefined) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`${program} did not listen:\n${output}${complaints}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    port = /^listening on (\d+)$/m.exec(output)?.[1];
  }
  return { url: `http://127.0.0.1:${port}`, output: () => output, signal: (name) => void child.kill(name), ended };
}

/** One request with a JSON body, or with a text as it is. */
export async function ask(
  method: "GET" | "POST" | "DELETE",
  url: string,
  body?: object | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<JsonReply> {
  const reply = await request(url, {
    method,
    headers,
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: reply.statusCode, body: (await reply.body.json()) as Record<string, unknown> };
}

/** Makes sure that a program is there and answers; throws MissingComponent with what would help otherwise. */
export async function needProgram(program: string, versionArgument: string, hint: string): Promise<void> {
  try {
    await run(program, [versionArgument]);
  } catch (error) {
    throw new MissingComponent(program, hint, { cause: error });
  }
}
