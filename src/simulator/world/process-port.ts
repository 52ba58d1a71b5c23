import { connect, type Socket } from "node:net";

/** Connects to a port of this machine at the first of the addresses where somebody listens. Rejects with what the last one said. */
export async function connectLocally(addresses: readonly string[], port: number): Promise<Socket> {
  let failure: unknown;
  for (const host of new Set(addresses)) {
    const socket = connect({ host, port, allowHalfOpen: true });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.once("connect", () => {
          socket.off("error", reject);
          resolve();
        });
      });
      return socket;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
