import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Pod } from "../../../src/api/core.ts";
import type { ExecutorClient, ExecutorTarget } from "../../../src/api/executor.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { pods } from "../../../src/api/resource.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { loopbackOf } from "./pod-network.ts";

/** What an executor was told to do, and did. */
export interface ExecutedTask {
  readonly id: string;
  readonly instance: string;
  readonly run: string;
  readonly item: number;
  readonly token: string | undefined;
  readonly from: number;
  to: number | undefined;
}

interface Running {
  readonly work: ExecutedTask;
  readonly timer: NodeJS.Timeout;
  answer: object | undefined;
  readonly waiting: Set<() => void>;
}

const lookEveryMs = 50;
const pollMs = 5_000;

/**
 * Small executors in the place of the containers that the kubelets of tests only play: one HTTP server at each pod's address, and one at each address
 * of a machine without a pod.
 */
export class FakeExecutors {
  /** All that was ever begun, by all of them. */
  readonly log: ExecutedTask[] = [];
  /** How long a task takes, in milliseconds, by its handler. */
  readonly takes: Record<string, number> = { quick: 20, slow: 4_000, endless: 600_000 };
  /** Called before a task begins. */
  onTask: (task: { readonly job: string; readonly run: string; readonly item: number; readonly instance: string }) => Promise<void> =
    async () => undefined;
  readonly #servers = new Map<string, { readonly server: Server; readonly tasks: Map<string, Running> }>();
  readonly #machines = new Set<string>();
  readonly #port: number;
  readonly #loop: Promise<void>;
  #isOver = false;

  constructor(client: KubeClient, namespace: string, selector: string, port: number) {
    this.#port = port;
    this.#loop = (async () => {
      while (!this.#isOver) {
        await this.#look(client, namespace, selector).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
      }
    })();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
    for (const uid of [...this.#servers.keys()]) this.#end(uid);
  }

  /** A machine that is an executor, until all end. Its address is its name. */
  addMachine(address: string): void {
    this.#machines.add(address);
    this.#listen(address, address);
  }

  async #look(client: KubeClient, namespace: string, selector: string): Promise<void> {
    const { items } = await client.list<Pod & KubeObject>(pods, { namespace, labelSelector: selector });
    const alive = new Set(this.#machines);
    for (const { metadata, status } of items) {
      const uid = metadata.uid as string;
      alive.add(uid);
      const address = status?.podIP;
      if (!this.#servers.has(uid) && address !== undefined) this.#listen(uid, address);
    }
    for (const uid of [...this.#servers.keys()]) if (!alive.has(uid)) this.#end(uid);
  }

  #listen(instance: string, address: string): void {
    const tasks = new Map<string, Running>();
    const server = createServer((request, response) => void this.#serve(instance, tasks, request, response));
    server.on("error", () => this.#servers.delete(instance));
    server.listen(this.#port, loopbackOf(address));
    this.#servers.set(instance, { server, tasks });
  }

  /** The process is gone, and with it all that it worked on. */
  #end(uid: string): void {
    const known = this.#servers.get(uid);
    this.#servers.delete(uid);
    known?.server.close();
    known?.server.closeAllConnections();
    for (const { work, timer, answer } of known?.tasks.values() ?? []) {
      clearTimeout(timer);
      if (answer === undefined) work.to = Date.now();
    }
  }

  async #serve(instance: string, tasks: Map<string, Running>, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, body: object) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.method === "POST") {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      const known = tasks.get(body.task);
      if (known === undefined) {
        await this.onTask({ job: body.job.name, run: body.run, item: body.item, instance });
        this.#begin(instance, tasks, body, request.headers.authorization);
      }
      say(known?.answer === undefined ? 202 : 200, { task: body.task, ...known?.answer });
      return;
    }
    const id = decodeURIComponent((request.url ?? "").replace(/^\/run\//, "").replace(/\?.*$/, ""));
    const task = tasks.get(id);
    if (task === undefined) say(404, { message: "no such task" });
    else if (request.method === "DELETE") {
      this.#done(task, { outcome: "Failed", message: "cancelled" });
      say(202, { task: id });
    } else {
      if (task.answer === undefined)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, pollMs);
          task.waiting.add(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      say(task.answer === undefined ? 202 : 200, { task: id, ...task.answer });
    }
  }

  #begin(
    instance: string,
    tasks: Map<string, Running>,
    body: { readonly task: string; readonly run: string; readonly item: number; readonly handler: string },
    token: string | undefined,
  ): void {
    const work: ExecutedTask = { id: body.task, instance, run: body.run, item: body.item, token, from: Date.now(), to: undefined };
    this.log.push(work);
    const answer =
      body.handler === "failing" ? { outcome: "Failed", message: "no rows" } : { outcome: "Succeeded", result: `${body.item}` };
    const timer = setTimeout(() => this.#done(running, answer), this.takes[body.handler] ?? 20);
    const running: Running = { work, timer, answer: undefined, waiting: new Set() };
    tasks.set(body.task, running);
  }

  #done(task: Running, answer: object): void {
    if (task.answer !== undefined) return;
    clearTimeout(task.timer);
    task.answer = answer;
    task.work.to = Date.now();
    for (const wake of task.waiting) wake();
    task.waiting.clear();
  }
}

/** The operator's own client of them, to which pods are at their loopback addresses. */
export function throughLoopback(client: ExecutorClient): ExecutorClient {
  const at = (target: ExecutorTarget) => ({ ...target, baseUrl: target.baseUrl.replace(/^http:\/\/10\./, "http://127.") });
  return {
    start: (target, task, signal) => client.start(at(target), task, signal),
    wait: (target, task, signal) => client.wait(at(target), task, signal),
    cancel: (target, task, signal) => client.cancel(at(target), task, signal),
    recorded: (task) => client.recorded(task),
  };
}
