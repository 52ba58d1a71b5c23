import type { Duplex } from "node:stream";
import type { Pod } from "../../../api/core.ts";
import type { Upgrade } from "./pod-stream.ts";
import { type SpdyFrame, SpdyReader, spdyData, spdyPing, spdyReplies, spdyReset } from "./spdy.ts";
import { failure, Refusal } from "./status.ts";
import type { StreamSource } from "./stream-source.ts";
import { acceptWebSocket, asksForWebSocket, offeredProtocols, type WebSocketPeer } from "./websocket.ts";

/** `kubectl port-forward`: SPDY inside a WebSocket, as every client speaks it that is not older than Kubernetes 1.30. */
const protocol = "SPDY/3.1+portforward.k8s.io";

/** One connection that somebody made to the client: a stream for its bytes, and one for what went wrong with it. */
interface Pair {
  readonly port: number;
  error?: number;
  data?: number;
  /** What came before the connection stood. */
  readonly early: Buffer[];
  ended: boolean;
  socket?: Duplex;
}

/** Joins the connections of a client and the ports of a pod until the client leaves. Throws a Refusal before it has answered. */
export function forwardPorts(pod: Pod, upgrade: Upgrade, source: StreamSource | undefined): void {
  const { request, socket, head } = upgrade;
  // Before all else: kubectl asks once more, without WebSocket, and shows what it is told then.
  if (source === undefined) throw new Refusal(failure(501, "this cluster runs no containers"));
  if ((pod.spec.nodeName ?? "") === "") throw Refusal.of(400, `pod ${pod.metadata.name} does not have a host assigned`);
  if (!asksForWebSocket(request) || !offeredProtocols(request).includes(protocol))
    throw Refusal.of(400, `unable to upgrade: this server speaks ${protocol} over WebSocket only`);
  const peer = acceptWebSocket(request, socket, head, protocol);
  new Tunnel(peer, (port) => source.connect(pod, port), pod.metadata.name);
}

class Tunnel {
  readonly #peer: WebSocketPeer;
  readonly #connect: (port: number) => Promise<Duplex>;
  readonly #podName: string;
  readonly #reader = new SpdyReader();
  readonly #replyTo = spdyReplies();
  readonly #byRequest = new Map<string, Pair>();
  readonly #byStream = new Map<number, Pair>();
  /** Sockets whose program takes more time than the client gives. */
  readonly #congested = new Set<Duplex>();
  #turn: Promise<void> = Promise.resolve();
  #gone = false;

  constructor(peer: WebSocketPeer, connect: (port: number) => Promise<Duplex>, podName: string) {
    this.#peer = peer;
    this.#connect = connect;
    this.#podName = podName;
    peer.onMessage((message) => {
      this.#turn = this.#turn.then(() => this.#take(message)).catch(() => peer.close(1002));
    });
    peer.onDrain(() => {
      for (const { socket } of this.#byStream.values()) socket?.resume();
    });
    peer.onClose(() => {
      this.#gone = true;
      this.#reader.close();
      for (const { socket } of this.#byStream.values()) socket?.destroy();
    });
  }

  async #take(message: Buffer): Promise<void> {
    if (this.#gone) return;
    for await (const frame of this.#reader.read(message)) this.#handle(frame);
  }

  #handle(frame: SpdyFrame): void {
    switch (frame.kind) {
      case "open":
        this.#open(frame.stream, frame.headers);
        return;
      case "data":
        this.#receive(frame.stream, frame.body, frame.last);
        return;
      case "reset": {
        const pair = this.#byStream.get(frame.stream);
        if (pair?.data === frame.stream) this.#finish(pair);
        return;
      }
      case "ping":
        this.#peer.send(spdyPing(frame.id));
        return;
      case "leave":
        this.#peer.close(1000);
    }
  }

  #open(stream: number, headers: ReadonlyMap<string, string>): void {
    const type = headers.get("streamtype");
    const request = headers.get("requestid") ?? "";
    const port = Number(headers.get("port"));
    const held = this.#byRequest.get(request);
    const known = (type === "error" || type === "data") && held?.[type] === undefined;
    if (!known || request === "" || !Number.isInteger(port) || port < 1 || port > 65_535) {
      this.#peer.send(spdyReset(stream));
      return;
    }
    const pair = held ?? { port, early: [], ended: false };
    pair[type] = stream;
    this.#byRequest.set(request, pair);
    this.#byStream.set(stream, pair);
    this.#peer.send(this.#replyTo(stream));
    if (pair.error === undefined || pair.data === undefined) return;
    // both are there, and no third one is waited for
    this.#byRequest.delete(request);
    this.#connect(pair.port).then(
      (socket) => this.#join(pair, socket),
      (error: unknown) => this.#finish(pair, error),
    );
  }

  #join(pair: Pair, socket: Duplex): void {
    if (this.#gone || !this.#byStream.has(pair.data as number)) {
      socket.destroy();
      return;
    }
    pair.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (!this.#peer.send(spdyData(pair.data as number, chunk, false))) socket.pause();
    });
    socket.once("end", () => this.#peer.send(spdyData(pair.data as number, Buffer.alloc(0), true)));
    socket.once("error", (error) => this.#finish(pair, error));
    socket.once("close", () => this.#finish(pair));
    socket.on("drain", () => this.#free(socket));
    for (const chunk of pair.early.splice(0)) this.#pass(socket, chunk);
    if (pair.ended) socket.end();
  }

  #receive(stream: number, body: Buffer, last: boolean): void {
    const pair = this.#byStream.get(stream);
    // the client says nothing on streams of errors, and may still send on what is over
    if (pair === undefined || pair.data !== stream) return;
    if (body.length > 0 && pair.socket === undefined) pair.early.push(body);
    else if (body.length > 0 && pair.socket !== undefined) this.#pass(pair.socket, body);
    if (!last) return;
    pair.ended = true;
    pair.socket?.end();
  }

  /** Streams have no windows of their own: a program that is slow stops all that comes through its tunnel. */
  #pass(socket: Duplex, chunk: Buffer): void {
    if (socket.write(chunk)) return;
    this.#congested.add(socket);
    this.#peer.pause();
  }

  #free(socket: Duplex): void {
    if (this.#congested.delete(socket) && this.#congested.size === 0) this.#peer.resume();
  }

  /** Both streams end; with an error the client is told of it, in the words of a kubelet. */
  #finish(pair: Pair, error?: unknown): void {
    const { data, error: errors, port, socket } = pair;
    if (data === undefined || errors === undefined || !this.#byStream.delete(data)) return;
    this.#byStream.delete(errors);
    if (socket !== undefined) {
      socket.destroy();
      this.#free(socket);
    }
    if (this.#gone) return;
    const why = error instanceof Error ? error.message : String(error);
    const text = error === undefined ? "" : `error forwarding port ${port} to pod ${this.#podName}, uid : ${why}`;
    this.#peer.send(spdyData(data, Buffer.alloc(0), true));
    this.#peer.send(spdyData(errors, Buffer.from(text), true));
  }
}
