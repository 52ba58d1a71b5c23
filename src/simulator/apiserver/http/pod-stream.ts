import type { Duplex } from "node:stream";
import type { IncomingMessage } from "node:http";
import type { Pod } from "../../../api/core.ts";
import type { Status } from "../../../api/meta.ts";
import { chooseContainer } from "./pod-log.ts";
import { failure, isStatus, Refusal } from "./status.ts";
import type { StreamedProcess, StreamRequest, StreamSource } from "./stream-source.ts";
import { acceptWebSocket, asksForWebSocket, offeredProtocols, type WebSocketPeer } from "./websocket.ts";

/** `kubectl exec`, `attach` and `cp`: the streams of a program as channels of a WebSocket. */

/** What every client speaks that is not older than Kubernetes 1.30. */
const protocol = "v5.channel.k8s.io";

const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

/** An upgraded connection, before anything was answered. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Joins a client and a program until one of them ends. Throws a Refusal before it has answered. */
export async function streamPod(
  pod: Pod,
  part: "exec" | "attach",
  query: URLSearchParams,
  upgrade: Upgrade,
  source: StreamSource | undefined,
): Promise<void> {
  const wanted = requestOf(pod, part, query);
  // Before all else: kubectl asks once more, without WebSocket, and shows what it is told then.
  if (source === undefined) throw new Refusal(failure(501, "this cluster runs no containers"));
  if (!asksForWebSocket(upgrade.request) || !offeredProtocols(upgrade.request).includes(protocol))
    throw Refusal.of(400, `unable to upgrade: this server speaks ${protocol} over WebSocket only`);
  const opened = await source.open(wanted);
  if (isStatus(opened)) throw new Refusal(opened);
  join(acceptWebSocket(upgrade.request, upgrade.socket, upgrade.head, protocol), opened, wanted.tty);
}

function requestOf(pod: Pod, part: "exec" | "attach", query: URLSearchParams): StreamRequest {
  const container = chooseContainer(pod, query.get("container") ?? "");
  const command = query.getAll("command");
  if (part === "exec" && command.length === 0) throw Refusal.of(400, "you must specify at least one command for the container");
  const flag = (name: string): boolean => ["true", "1"].includes(query.get(name) ?? "");
  return {
    namespace: pod.metadata.namespace ?? "",
    pod: pod.metadata.name,
    container,
    command: part === "exec" ? command : [],
    stdin: flag("stdin"),
    tty: flag("tty"),
  };
}

function join(peer: WebSocketPeer, process: StreamedProcess, tty: boolean): void {
  const send = (channel: number, body: Buffer): boolean => peer.send(Buffer.concat([Buffer.from([channel]), body]));
  process.onOutput((stream, chunk) => send(stream === "stderr" && !tty ? channels.stderr : channels.stdout, chunk));
  peer.onMessage((message) => {
    const [channel] = message;
    if (channel === channels.stdin) process.write(message.subarray(1));
    // sizes of terminals are not passed on: programs run behind pipes
    if (channel === channels.close && message[1] === channels.stdin) process.endInput();
  });
  let gone = false;
  peer.onClose(() => {
    gone = true;
    process.leave();
  });
  const conclude = (status: object): void => {
    if (gone) return;
    send(channels.status, Buffer.from(JSON.stringify(status)));
    peer.close(1000);
  };
  process.ended.then(
    (code) => conclude(code === 0 ? { metadata: {}, status: "Success" } : exitStatus(code)),
    (error: unknown) => conclude(failure(500, error instanceof Error ? error.message : String(error))),
  );
}

/** How a client learns of an exit code. */
function exitStatus(code: number): object {
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

/** Answers an upgrade with a Status, as plain HTTP, and ends the connection. */
export function refuseUpgrade(socket: Duplex, status: Status): void {
  const body = JSON.stringify(status);
  const code = status.code ?? 500;
  socket.end(
    `HTTP/1.1 ${code} ${status.reason ?? "Error"}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
