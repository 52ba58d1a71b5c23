import { createServer } from "node:net";

/**
 * Below the range that outgoing connections take their ports from (32768 to 60999 on Linux, 49152 and up elsewhere): a port found there
 * stays free until a server takes it, and again while that server is restarted.
 */
const lowest = 20_000;
const highest = 32_000;

/** So many different ports that nothing listens on, on 127.0.0.1. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt > 1000) throw new Error(`no ${count} free ports between ${lowest} and ${highest}`);
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
