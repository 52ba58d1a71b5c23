// An executor of resident jobs on Node alone: see docs/executor-protocol.md. Handlers are in main.mjs.
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** A request that comes again is answered with what is remembered, at least so long after the end of its task. */
const rememberMs = 900_000;
/** A task that ends so soon is answered at once. */
const quickMs = 1000;
const longestWaitSeconds = 30;
const longestBody = 1024 * 1024;
/** Of setTimeout. */
const longestTimerMs = 2 ** 31 - 1;
/** After SIGTERM: so long results can still be asked for. */
const lingerMs = 5000;

/**
 * `handlers`: by name, functions of a context (all fields of the request, `signal`, and `progress(percent, message)`) that return nothing or
 * `{message, result, continue}`; what they throw is a failure. `token`: empty = anybody may call.
 */
export function createExecutor({ handlers, token = "", capacity = 10 }) {
  const tasks = new Map();
  const state = { atWork: 0, leaving: false };
  const digest = (text) => createHash("sha256").update(text).digest();
  const allowed = digest(`Bearer ${token}`);

  function begin(request, leftMs) {
    const task = { id: request.task, stop: new AbortController(), waiting: new Set(), news: {}, end: undefined };
    if (leftMs < longestTimerMs) task.timer = setTimeout(() => task.stop.abort(), leftMs);
    tasks.set(task.id, task);
    state.atWork++;
    const progress = (percent, message) => {
      task.news = { progress: percent, message };
    };
    const context = { ...request, signal: task.stop.signal, progress };
    const work = (async () => handlers[request.handler](context))();
    work.then(
      (said) => finish(task, { outcome: "Succeeded", ...said }),
      (error) => finish(task, { outcome: "Failed", message: String(error?.message ?? error) }),
    );
    return task;
  }

  function finish(task, end) {
    task.end = task.stop.signal.aborted ? { outcome: "Failed", message: "cancelled" } : end;
    clearTimeout(task.timer);
    state.atWork--;
    for (const wake of task.waiting) wake();
    setTimeout(() => tasks.delete(task.id), rememberMs).unref();
  }

  /** What there is to tell of a task, at the latest after `ms`. */
  async function told(task, ms) {
    if (task.end === undefined && ms > 0) {
      await new Promise((resolve) => {
        const timer = setTimeout(wake, ms);
        function wake() {
          clearTimeout(timer);
          task.waiting.delete(wake);
          resolve();
        }
        task.waiting.add(wake);
      });
    }
    return task.end === undefined ? [202, { task: task.id, ...task.news }] : [200, { task: task.id, ...task.end }];
  }

  function start(request) {
    if (typeof request?.task !== "string" || request.task === "") return [400, { message: "task must be a text" }];
    const known = tasks.get(request.task);
    if (known !== undefined) return told(known, quickMs);
    if (!Object.hasOwn(handlers, request.handler)) return [404, { message: `there is no handler ${request.handler}` }];
    if (state.leaving) return [429, { message: "this executor is leaving" }];
    if (state.atWork >= capacity) return [429, { message: `${state.atWork} tasks are at work, and no more are taken` }];
    const leftMs = request.deadline === undefined ? longestTimerMs : Date.parse(request.deadline) - Date.now();
    // Also of a deadline that is none. Somebody else may be at work on it by now.
    if (!(leftMs > 0)) return [410, { message: "its deadline is over" }];
    return told(begin(request, leftMs), quickMs);
  }

  async function answer(request) {
    const url = new URL(request.url, "http://executor");
    if (url.pathname === "/healthz") return [200, {}];
    if (token !== "" && !timingSafeEqual(digest(request.headers.authorization ?? ""), allowed)) return [401, { message: "the token is wrong" }];
    const id = /^\/run(?:\/([^/]+))?$/.exec(url.pathname);
    if (id === null) return [404, { message: "there is only /run" }];
    if (id[1] === undefined) return request.method === "POST" ? start(await readJson(request)) : [405, { message: "/run takes POST only" }];
    const task = tasks.get(decodeURIComponent(id[1]));
    if (task === undefined) return [404, { message: "no such task" }];
    if (request.method === "DELETE") task.stop.abort();
    else if (request.method !== "GET") return [405, { message: "a task takes GET and DELETE only" }];
    const seconds = Number.parseInt(url.searchParams.get("wait") ?? "0", 10) || 0;
    return told(task, Math.min(longestWaitSeconds, Math.max(0, seconds)) * 1000);
  }

  const server = createServer(async (request, response) => {
    const [status, body] = await answer(request).catch((error) => [400, { message: String(error?.message ?? error) }]);
    response.writeHead(status, { "content-type": "application/json", ...(!request.complete && { connection: "close" }) });
    response.end(JSON.stringify(body));
  });
  /** Takes nothing new, and resolves when what is at work has ended and could be asked for. */
  const leave = async () => {
    state.leaving = true;
    while (state.atWork > 0) await sleep(100);
    await sleep(lingerMs);
  };
  return { server, leave };
}

async function readJson(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > longestBody) throw new Error(`a request has at most ${longestBody} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
