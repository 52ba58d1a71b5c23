import { createServer } from "node:net";
import type { ListenRange } from "../haproxy/rules/listening.ts";

/** Whether somebody else listens there. False also where it cannot be tried: HAProxy may have rights that the agent has not. */
export async function isTaken({ host, first }: ListenRange): Promise<boolean> {
  const server = createServer();
  const tried = Promise.withResolvers<boolean>();
  server.once("error", (error: NodeJS.ErrnoException) => tried.resolve(error.code === "EADDRINUSE"));
  const address = host.replace(/^\[|\]$/g, "");
  server.listen({ port: first, exclusive: true, ...(address !== "" && address !== "*" && { host: address }) }, () => {
    server.close(() => tried.resolve(false));
  });
  return tried.promise;
}
