import type { Server } from "node:net";

/** Begins to listen; resolves with the port, the one that was asked for, or a free one for 0. Rejects when the address cannot be had. */
export async function listenOn(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
