import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** The server's side of a WebSocket (RFC 6455), as far as Kubernetes' streams need it: binary messages, no extensions. */
export interface WebSocketPeer {
  /** Called with every whole message. */
  onMessage(listener: (message: Buffer) => void): void;
  /** Called once, when the peer has closed or is gone. */
  onClose(listener: () => void): void;
  /** False when the peer reads slowly; then `onDrain` tells when to go on. */
  send(message: Buffer): boolean;
  onDrain(listener: () => void): void;
  /** Reads nothing more until `resume`, so that the peer has to wait. */
  pause(): void;
  resume(): void;
  /** Ends the conversation with a code of RFC 6455. */
  close(code: number): void;
}

const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** A client sends what it reads from a terminal or a pipe, a few KiB at a time. */
const maximumBytes = 16 * 1024 * 1024;
const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The subprotocols that a request offers, in its order. */
export function offeredProtocols(request: IncomingMessage): readonly string[] {
  return (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
}

/** Whether a request asks for a WebSocket. */
export const asksForWebSocket = (request: IncomingMessage): boolean =>
  request.headers.upgrade?.toLowerCase() === "websocket" && typeof request.headers["sec-websocket-key"] === "string";

/** Answers the handshake. `head` is what came behind the request's head. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string): WebSocketPeer {
  const accept = createHash("sha1")
    .update(`${String(request.headers["sec-websocket-key"])}${magic}`)
    .digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: ${protocol}\r\n\r\n`,
  );
  const peer = new Peer(socket);
  if (head.length > 0) socket.unshift(head);
  return peer;
}

class Peer implements WebSocketPeer {
  readonly #socket: Duplex;
  #buffer: Buffer = Buffer.alloc(0);
  #fragments: Buffer[] = [];
  #message: (message: Buffer) => void = () => {};
  #close: (() => void) | undefined;
  #closing = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
      this.#read();
    });
    for (const event of ["close", "end", "error"]) socket.on(event, () => this.#gone());
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#message = listener;
  }

  onClose(listener: () => void): void {
    this.#close = listener;
  }

  onDrain(listener: () => void): void {
    this.#socket.on("drain", listener);
  }

  send(message: Buffer): boolean {
    return this.#closing || this.#frame(opcodes.binary, message);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number): void {
    if (this.#closing) return;
    const body = Buffer.alloc(2);
    body.writeUInt16BE(code);
    this.#frame(opcodes.close, body);
    this.#closing = true;
    this.#socket.end();
  }

  #gone(): void {
    this.#closing = true;
    const listener = this.#close;
    this.#close = undefined;
    listener?.();
    this.#socket.destroy();
  }

  #frame(opcode: number, body: Buffer): boolean {
    const long = body.length > 0xffff;
    const head = Buffer.alloc(long ? 10 : body.length > 125 ? 4 : 2);
    head[0] = 0x80 | opcode;
    head[1] = long ? 127 : body.length > 125 ? 126 : body.length;
    if (long) head.writeBigUInt64BE(BigInt(body.length), 2);
    else if (body.length > 125) head.writeUInt16BE(body.length, 2);
    this.#socket.write(head);
    return this.#socket.write(body);
  }

  /** Takes all whole frames from what has come. */
  #read(): void {
    for (;;) {
      const frame = takeFrame(this.#buffer);
      if (frame === undefined) return;
      if (frame === "bad") {
        this.close(1002);
        return;
      }
      this.#buffer = frame.rest;
      this.#handle(frame);
      if (this.#closing) return;
    }
  }

  #handle({ opcode, final, body }: Frame): void {
    switch (opcode) {
      case opcodes.ping:
        this.#frame(opcodes.pong, body);
        return;
      case opcodes.pong:
        return;
      case opcodes.close:
        this.close(1000);
        return;
      default:
        this.#fragments.push(body);
        if (this.#fragments.reduce((sum, part) => sum + part.length, 0) > maximumBytes) {
          this.close(1009);
          return;
        }
        if (!final) return;
        this.#message(this.#fragments.length === 1 ? body : Buffer.concat(this.#fragments));
        this.#fragments = [];
    }
  }
}

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly body: Buffer;
  readonly rest: Buffer;
}

/** The first frame of the bytes; undefined while it is not whole. A client masks its frames, and nothing else may come from one. */
function takeFrame(bytes: Buffer): Frame | "bad" | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes[0] as number;
  const second = bytes[1] as number;
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return "bad";
  const short = second & 0x7f;
  const headLength = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  if (bytes.length < headLength + 4) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (length > maximumBytes) return "bad";
  const end = headLength + 4 + length;
  if (bytes.length < end) return undefined;
  const mask = bytes.subarray(headLength, headLength + 4);
  const body = Buffer.from(bytes.subarray(headLength + 4, end));
  for (let at = 0; at < length; at++) body[at] = (body[at] as number) ^ (mask[at & 3] as number);
  return { opcode: first & 0x0f, final: (first & 0x80) !== 0, body, rest: bytes.subarray(end) };
}
