import { constants, createInflate, type Inflate } from "node:zlib";
import { spdyDictionary, spdyDictionaryId } from "./spdy-dictionary.ts";

/** As much of SPDY/3.1 as the tunnels of port-forwards use: streams that the client opens, data, ends, pings. There is no flow control. */
export type SpdyFrame =
  | { readonly kind: "open"; readonly stream: number; readonly headers: ReadonlyMap<string, string> }
  /** `last`: nothing more comes on the stream. */
  | { readonly kind: "data"; readonly stream: number; readonly body: Buffer; readonly last: boolean }
  /** The stream is given up in both directions. */
  | { readonly kind: "reset"; readonly stream: number }
  | { readonly kind: "ping"; readonly id: number }
  /** The peer opens no more streams. */
  | { readonly kind: "leave" };

/** Bytes that are no SPDY/3.1. */
export class SpdyError extends Error {
  override readonly name = "SpdyError";
}

const types = { open: 1, reply: 2, reset: 3, ping: 6, leave: 7, headers: 8 } as const;
const lastFlag = 0x01;
const headLength = 8;
/** Frames with headers hold a few short ones. */
const longestControl = 16 * 1024;

/** Takes frames out of a stream of bytes. Header blocks are one compressed stream, so that frames are to be read in their order. */
export class SpdyReader {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });

  /** Adds bytes; yields the frames that are whole by now. Throws SpdyError. To be exhausted before it is called again. */
  async *read(chunk: Buffer): AsyncGenerator<SpdyFrame> {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= headLength) {
      const isControl = ((this.#bytes[0] as number) & 0x80) !== 0;
      const length = this.#bytes.readUIntBE(5, 3);
      if (isControl && length > longestControl) throw new SpdyError(`a control frame of ${length} bytes`);
      if (this.#bytes.length < headLength + length) return;
      const head = this.#bytes.subarray(0, headLength);
      const body = this.#bytes.subarray(headLength, headLength + length);
      this.#bytes = this.#bytes.subarray(headLength + length);
      const frame = isControl ? await this.#control(head, body) : dataOf(head, body);
      if (frame !== undefined) yield frame;
    }
  }

  close(): void {
    this.#inflate.close();
  }

  /** Settings and windows mean nothing here. */
  async #control(head: Buffer, body: Buffer): Promise<SpdyFrame | undefined> {
    if (head.readUInt16BE(0) !== 0x8003) throw new SpdyError("another version than 3");
    const type = head.readUInt16BE(2);
    const least = { [types.open]: 10, [types.reset]: 8, [types.ping]: 4, [types.headers]: 4 }[type] ?? 0;
    if (body.length < least) throw new SpdyError(`a frame of type ${type} with ${body.length} bytes`);
    switch (type) {
      case types.open:
        return { kind: "open", stream: streamOf(body), headers: await this.#headers(body.subarray(10)) };
      case types.reset:
        return { kind: "reset", stream: streamOf(body) };
      case types.ping:
        return { kind: "ping", id: body.readUInt32BE(0) };
      case types.leave:
        return { kind: "leave" };
      case types.headers:
        // nobody looks at them, but the compression goes on from them
        await this.#inflated(body.subarray(4));
        return undefined;
      default:
        return undefined;
    }
  }

  async #headers(block: Buffer): Promise<ReadonlyMap<string, string>> {
    const bytes = await this.#inflated(block);
    let at = 0;
    const number = (): number => {
      if (at + 4 > bytes.length) throw new SpdyError("headers that end too soon");
      at += 4;
      return bytes.readUInt32BE(at - 4);
    };
    const text = (): string => {
      const length = number();
      if (at + length > bytes.length) throw new SpdyError("headers that end too soon");
      at += length;
      return bytes.toString("utf8", at - length, at);
    };
    const headers = new Map<string, string>();
    for (let left = number(); left > 0; left--) {
      const name = text();
      headers.set(name, text());
    }
    return headers;
  }

  #inflated(block: Buffer): Promise<Buffer> {
    const inflate = this.#inflate;
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => reject(new SpdyError(error.message));
      inflate.once("error", failed);
      inflate.write(block, () => {
        inflate.off("error", failed);
        resolve((inflate.read() as Buffer | null) ?? Buffer.alloc(0));
      });
    });
  }
}

const streamOf = (body: Buffer): number => body.readUInt32BE(0) & 0x7fffffff;

function dataOf(head: Buffer, body: Buffer): SpdyFrame {
  return { kind: "data", stream: head.readUInt32BE(0), body, last: ((head[4] as number) & lastFlag) !== 0 };
}

/** Data on a stream; with `last` nothing follows on it from this side. */
export function spdyData(stream: number, body: Buffer, last: boolean): Buffer {
  const head = Buffer.alloc(headLength);
  head.writeUInt32BE(stream, 0);
  head.writeUInt32BE(body.length, 4);
  head[4] = last ? lastFlag : 0;
  return Buffer.concat([head, body]);
}

/** The answer to a ping. */
export function spdyPing(id: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(id);
  return control(types.ping, body);
}

/** Refuses or gives up a stream. */
export function spdyReset(stream: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32BE(stream);
  // PROTOCOL_ERROR
  body.writeUInt32BE(1, 4);
  return control(types.reset, body);
}

/**
 * Accepts streams, without any header: the number 0 in a stored block of DEFLATE, then an empty one, which is a flush (Go's reader gives nothing out
 * before one). Before the first one stands the head of the compressed stream, which names the dictionary.
 */
export function spdyReplies(): (stream: number) => Buffer {
  const zeroHeaders = Buffer.from([0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
  let begun = false;
  return (stream) => {
    const id = Buffer.alloc(4);
    id.writeUInt32BE(stream);
    const head = Buffer.alloc(begun ? 0 : 6);
    if (!begun) {
      head.writeUInt16BE(0x78f9);
      head.writeUInt32BE(spdyDictionaryId, 2);
    }
    begun = true;
    return control(types.reply, Buffer.concat([id, head, zeroHeaders]));
  };
}

function control(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(headLength);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}
