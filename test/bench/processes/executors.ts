// Executors of many instances in one process, each at the address of its pod; they speak docs/executor-protocol.md. A task takes so many milliseconds,
// and is answered when it has ended. Arguments: a file with a line of JSON an instance, port, the log, how long a task takes (ms). It says "up" on stdout
// when all of them listen, and ends when stdin does. See support/executors-process.ts for the log.
import { openSync, readFileSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { LoggedInstance } from "../support/executors-process.ts";

/** What is logged reaches the file this often, in milliseconds. */
const flushMs = 100;

interface Task {
  end: string | undefined;
  readonly waiting: ServerResponse[];
}

const [instancesFile = "", port = "0", logFile = "", workMs = "0"] = process.argv.slice(2);
const instances = readFileSync(instancesFile, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as LoggedInstance);
const log = openSync(logFile, "a");
let lines: string[] = [];

setInterval(() => {
  if (lines.length > 0) writeSync(log, lines.join(""));
  lines = [];
}, flushMs);

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
}

function whenEnded(task: Task, response: ServerResponse): void {
  if (task.end === undefined) task.waiting.push(response);
  else answer(response, 200, task.end);
}

function end(task: Task, id: string): void {
  task.end = JSON.stringify({ task: id, outcome: "Succeeded", result: "done" });
  for (const response of task.waiting.splice(0)) answer(response, 200, task.end);
}

function start(tasks: Map<string, Task>, instance: string, text: string, response: ServerResponse): void {
  const at = Date.now();
  const { task: id, job, run, item, attempt } = JSON.parse(text);
  const known = tasks.get(id);
  lines.push(`${at}\t${known === undefined ? "begin" : "again"}\t${instance}\t${job.name}\t${run}\t${item}\t${attempt}\n`);
  const task = known ?? { end: undefined, waiting: [] };
  if (known === undefined) {
    tasks.set(id, task);
    setTimeout(() => end(task, id), Number(workMs));
  }
  whenEnded(task, response);
}

function serve(tasks: Map<string, Task>, instance: string, request: IncomingMessage, response: ServerResponse): void {
  const { method, url = "" } = request;
  if (method === "POST") {
    let text = "";
    request.setEncoding("utf8").on("data", (part) => (text += part));
    request.on("end", () => start(tasks, instance, text, response));
    return;
  }
  request.resume();
  const task = tasks.get(decodeURIComponent(url.replace(/^\/run\//, "").replace(/\?.*$/, "")));
  if (task === undefined) answer(response, 404, JSON.stringify({ message: "no such task" }));
  else whenEnded(task, response);
}

await Promise.all(
  instances.map(({ id, address }) => {
    const tasks = new Map<string, Task>();
    const server = createServer((request, response) => serve(tasks, id, request, response));
    return new Promise<void>((resolve, reject) => {
      server.on("error", reject);
      server.listen(Number(port), address, resolve);
    });
  }),
);
process.stdout.write("up\n");
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
