// A watch server of RunnerApps and EndpointSlices in a process of its own, so that what it takes is not taken for an agent's. It prints its URL; each line of its
// input is a resource and an object to be put, or one word, which it says again when all before it is there. It ends with its input.
import { createInterface } from "node:readline";
import type { KubeObject } from "../../../src/api/meta.ts";
import { endpointSlices, type Resource, runnerApps } from "../../../src/api/resource.ts";
import { startWatchServer } from "../../support/watch-server.ts";

const server = await startWatchServer([runnerApps, endpointSlices]);
process.stdout.write(`${server.url}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line) as readonly [Resource, KubeObject] | string;
  if (typeof said === "string") process.stdout.write(`${said}\n`);
  else server.put(...said);
}
await server.close();
