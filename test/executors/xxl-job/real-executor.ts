import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../../hack/control-plane/free-ports.ts";
import { ensureXxlJobCore } from "../../../hack/xxl-job/jars.ts";
import type { ExecutorTarget, ExecutorTask } from "../../../src/api/executor.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createExecutors, type Executors } from "../../../src/executor/executors.ts";
import type { XxlAdminServer } from "../../../src/executor/xxl/admin-server.ts";
import { patience } from "../../support/patience.ts";
import { type ExecutorProcess, startExecutor } from "../support/executor-process.ts";
import { compile, needJdk } from "../support/java.ts";

/** The operator's side: one leader, and what it has in memory. */
export class Admin {
  readonly executors: Executors;
  /** Where it listens for reports. */
  readonly port: number;
  readonly #server: XxlAdminServer;

  private constructor(executors: Executors, server: XxlAdminServer) {
    this.executors = executors;
    this.port = server.port;
    this.#server = server;
  }

  static async start(token: string, port: number): Promise<Admin> {
    const clock = createSystemClock({ background: true });
    const executors = createExecutors({ clock, logger: silentLogger, knowsAll: () => true, tokens: async () => [token] });
    return new Admin(executors, await executors.serveXxlAdmin({ host: "127.0.0.1", port }));
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.executors.close();
  }
}

/** A real executor of one version, and the leader that it reports to. */
export class RealExecutor {
  readonly process: ExecutorProcess;
  readonly target: ExecutorTarget;
  readonly token: string;
  admin: Admin;
  readonly #scratch: string;
  #tasks = 0;

  private constructor(process: ExecutorProcess, target: ExecutorTarget, token: string, admin: Admin, scratch: string) {
    this.process = process;
    this.target = target;
    this.token = token;
    this.admin = admin;
    this.#scratch = scratch;
  }

  /** Throws MissingComponent where there is no JDK, or the jars cannot be had. */
  static async start(version: string): Promise<RealExecutor> {
    await needJdk();
    const jars = await ensureXxlJobCore(version);
    const scratch = mkdtempSync(join(tmpdir(), "nuptse-xxl-"));
    await compile(import.meta.dirname, scratch, jars);
    // The original listens on all addresses, and has no option for less; nobody else knows the token.
    const token = randomBytes(16).toString("hex");
    const [port = 0, adminPort = 0] = await freePorts(2);
    const admin = await Admin.start(token, adminPort);
    const process = await startExecutor(["java", "-cp", [scratch, ...jars].join(delimiter), "TestExecutor"], {
      EXECUTOR_PORT: String(port),
      EXECUTOR_ADMIN: `http://127.0.0.1:${adminPort}/xxl-job-admin`,
      EXECUTOR_TOKEN: token,
      EXECUTOR_NAME: "its-own-name",
      EXECUTOR_LOGS: join(scratch, "logs"),
      LC_ALL: "C.UTF-8",
    });
    const baseUrl = `http://127.0.0.1:${port}`;
    const target = { protocol: "XxlJob", app: "batch/importers", instance: "pod-1", baseUrl, token } as const;
    await until("the executor serves", async () => (await fetch(`${baseUrl}/beat`, { method: "POST" })).ok);
    return new RealExecutor(process, target, token, admin, scratch);
  }

  /** A task of an item of its own, since an executor knows a task by its item. */
  newTask(handler: string, parameter: string, differs: Partial<ExecutorTask> = {}): ExecutorTask {
    const item = this.#tasks++;
    return {
      id: `u-1/run/${item}/1`,
      job: { namespace: "batch", name: "import", uid: "u-1" },
      run: "run",
      fireTime: Date.now(),
      item,
      total: 1000,
      handler,
      parameter,
      itemParameter: "",
      attempt: 1,
      deadline: undefined,
      traceparent: undefined,
      ...differs,
    };
  }

  /** How often the handler of a task was called. */
  begun(task: ExecutorTask): number {
    return this.process.output().split(`: item ${task.item} of ${task.total}: `).length - 1;
  }

  /** Another leader takes over: with the same address, and without a memory. */
  async replaceAdmin(): Promise<void> {
    await this.admin.close();
    this.admin = await Admin.start(this.token, this.admin.port);
  }

  async end(): Promise<void> {
    this.process.signal("SIGKILL");
    await this.process.ended;
    await this.admin.close();
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/** Looks again and again whether something has come true; fails with its name. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs * patience;
  while (!(await Promise.resolve(holds()).catch(() => false))) {
    assert.ok(performance.now() < deadline, `${what}: not within ${withinMs} ms`);
    await sleep(20);
  }
}
