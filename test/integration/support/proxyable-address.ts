import { createServer, connect, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";

/** The API server's proxy refuses loopback addresses; this is another one of this machine, undefined when it has none. */
export function ownAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal, address }) => family === "IPv4" && !internal && !address.startsWith("169.254."))?.address;
}

/** A way for processes of this machine, and nobody else, to a port on its loopback by an address that the API server's proxy takes. */
export class LocalForwarder {
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(address: string, port: number, server: Server, sockets: Set<Socket>) {
    this.address = address;
    this.port = port;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async start(address: string, toPort: number): Promise<LocalForwarder> {
    const sockets = new Set<Socket>();
    const keep = (socket: Socket): Socket => {
      sockets.add(socket);
      return socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    };
    const server = createServer((incoming) => {
      keep(incoming);
      if (incoming.remoteAddress !== address) {
        incoming.destroy();
        return;
      }
      const onward = keep(connect(toPort, "127.0.0.1"));
      incoming.pipe(onward).pipe(incoming);
      incoming.on("close", () => onward.destroy());
      onward.on("close", () => incoming.destroy());
    });
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, address, resolve));
    const bound = server.address();
    return new LocalForwarder(address, typeof bound === "object" && bound !== null ? bound.port : 0, server, sockets);
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
