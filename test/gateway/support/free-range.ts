import { createServer } from "node:net";

/** Below the ports of outgoing connections, and beside the ones that freePorts gives. */
const lowest = 10_000;
const highest = 19_000;

/** The first of so many ports in a row that nothing listens on, on 127.0.0.1. */
export async function freeRange(length: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = lowest + Math.floor(Math.random() * (highest - lowest - length));
    const free = await Promise.all(Array.from({ length }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return first;
  }
  throw new Error(`no ${length} free ports in a row between ${lowest} and ${highest}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
