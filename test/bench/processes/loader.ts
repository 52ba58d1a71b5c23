// The bare ceiling: sends prepared requests, 32 in flight over HTTP/1.1 with keep-alive, while it holds the watches that the operator holds. Where something
// is to be posted to an executor before, many are posted at once, since they wait for work and not for the API server.
// Arguments: kubeconfig, file (see support/loader.ts), instant to begin at (ms). It says "up" when the watches stand and "done" after the last
// answer.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, Client, Pool } from "undici";
import { createSystemClock } from "../../../src/base/clock.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";
import { readLoad } from "../support/loader.ts";

const width = 32;
/** Executors that are waited for at once. */
const executorWidth = 256;
const userAgent = "bench-loader";

const [kubeconfig = "", file = "", beginAt = "0"] = process.argv.slice(2);
const credentials = await loadCredentials({ clock: createSystemClock(), kubeconfig });
const { server, tls } = credentials;
const common = { ...(await credentials.headers()), "user-agent": userAgent, accept: "application/json" };
const { method, contentType, watched, requests } = readLoad(await readFile(file, "utf8"));
const prepared = requests.map(({ path, body, before }) => ({ path, body: Buffer.from(body), before }));

await Promise.all(
  watched.map(async (resource) => {
    const client = new Client(server, { connect: tls, bodyTimeout: 0 });
    const watch = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    const response = await client.request({ method: "GET", path: `${resource}&${watch}`, headers: common });
    if (response.statusCode !== 200) throw new Error(`watch of ${resource}: ${response.statusCode} ${await response.body.text()}`);
    // what comes is taken off the wire and not looked at
    response.body.on("error", () => undefined).resume();
  }),
);

const pool = new Pool(server, { connect: tls, connections: width, pipelining: 1 });
const headers = { ...common, "content-type": contentType };
// connections stand before the start, as the operator's do
await Promise.all(Array.from({ length: width }, async () => (await pool.request({ method: "GET", path: "/readyz", headers })).body.dump()));
process.stdout.write("up\n");
await sleep(Math.max(0, Number(beginAt) - Date.now()));

let next = 0;
const executors = new Agent({ pipelining: 1 });
const isTwofold = prepared.some(({ before }) => before !== undefined);
await Promise.all(
  Array.from({ length: isTwofold ? executorWidth : width }, async () => {
    for (let request = prepared[next++]; request !== undefined; request = prepared[next++]) {
      const { path, body, before } = request;
      if (before !== undefined) await executed(before.url, before.body);
      const response = await pool.request({ method, path, headers, body });
      if (response.statusCode === 201 || response.statusCode === 200) await response.body.dump({ limit: 2 ** 20 });
      else throw new Error(`${method} ${path}: ${response.statusCode} ${await response.body.text()}`);
    }
  }),
);
process.stdout.write("done\n");
process.exit(0);

async function executed(url: string, body: string): Promise<void> {
  const [, origin = "", path = "/"] = /^(https?:\/\/[^/]+)(\/.*)$/.exec(url) ?? [];
  const response = await executors.request({ origin, method: "POST", path, headers: { "content-type": "application/json" }, body });
  const text = await response.body.text();
  if (response.statusCode !== 200) throw new Error(`POST ${url}: ${response.statusCode} ${text}`);
}
