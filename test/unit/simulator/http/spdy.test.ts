import assert from "node:assert/strict";
import { once } from "node:events";
import { constants, createDeflate, createInflate } from "node:zlib";
import { spdyDictionary } from "../../../../src/simulator/apiserver/http/spdy-dictionary.ts";
import { type SpdyFrame, SpdyReader, spdyData, spdyPing, spdyReplies, spdyReset } from "../../../../src/simulator/apiserver/http/spdy.ts";

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([number(value.length), Buffer.from(value)]);
const control = (type: number, ...body: readonly Buffer[]): Buffer => {
  const whole = Buffer.concat(body);
  return Buffer.concat([Buffer.from([0x80, 3, 0, type]), number(whole.length), whole]);
};

/** Header blocks as a client makes them: one compressed stream for all of them. */
function compressor(): (headers: Readonly<Record<string, string>>) => Promise<Buffer> {
  const deflate = createDeflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });
  return async (headers) => {
    const entries = Object.entries(headers);
    const block = Buffer.concat([number(entries.length), ...entries.flatMap(([name, value]) => [text(name), text(value)])]);
    await new Promise<void>((resolve) => deflate.write(block, () => resolve()));
    return deflate.read() as Buffer;
  };
}

const open = (stream: number, block: Buffer): Buffer => control(1, number(stream), number(0), Buffer.from([0, 0]), block);

async function framesIn(...chunks: readonly Buffer[]): Promise<SpdyFrame[]> {
  const reader = new SpdyReader();
  const frames: SpdyFrame[] = [];
  for (const chunk of chunks) for await (const frame of reader.read(chunk)) frames.push(frame);
  reader.close();
  return frames;
}

describe("SPDY/3.1 in a port-forward", () => {
  it("begins its compression with the dictionary of the draft: 1,423 bytes with the Adler-32 E3C6A7C2", () => {
    let [low, high] = [1, 0];
    for (const byte of spdyDictionary) {
      low = (low + byte) % 65_521;
      high = (high + low) % 65_521;
    }
    assert.equal(spdyDictionary.length, 1_423);
    assert.equal(high * 65_536 + low, 0xe3c6a7c2);
  });

  it("reads streams that are opened, data, ends and pings, however the bytes come", async () => {
    const block = compressor();
    const error = { streamtype: "error", port: "8080", requestid: "0" };
    const data = { streamtype: "data", port: "8080", requestid: "0" };
    const bytes = Buffer.concat([
      control(4, number(0)),
      open(1, await block(error)),
      Buffer.from([0, 0, 0, 1, 1, 0, 0, 0]),
      // its headers mean nothing, and those after it are compressed with them
      control(8, number(1), await block({ port: "1" })),
      open(3, await block(data)),
      Buffer.from([0, 0, 0, 3, 0, 0, 0, 2, 0x68, 0x69]),
      control(6, number(7)),
      control(3, number(3), number(5)),
      control(7, number(0), number(0)),
    ]);
    const want: readonly SpdyFrame[] = [
      { kind: "open", stream: 1, headers: new Map(Object.entries(error)) },
      { kind: "data", stream: 1, body: Buffer.alloc(0), last: true },
      { kind: "open", stream: 3, headers: new Map(Object.entries(data)) },
      { kind: "data", stream: 3, body: Buffer.from("hi"), last: false },
      { kind: "ping", id: 7 },
      { kind: "reset", stream: 3 },
      { kind: "leave" },
    ];
    assert.deepEqual(await framesIn(bytes), want);
    assert.deepEqual(await framesIn(...Array.from(bytes, (byte) => Buffer.from([byte]))), want);
  });

  it("writes the frames of the draft", () => {
    assert.equal(spdyData(3, Buffer.from("hi"), false).toString("hex"), "00000003000000026869");
    assert.equal(spdyData(3, Buffer.alloc(0), true).toString("hex"), "0000000301000000");
    assert.equal(spdyPing(7).toString("hex"), "800300060000000400000007");
    assert.equal(spdyReset(3).toString("hex"), "80030003000000080000000300000001");
  });

  it("accepts streams by replies whose headers any inflater reads as none", async () => {
    const reply = spdyReplies();
    const inflate = createInflate({ dictionary: spdyDictionary });
    for (const stream of [1, 3, 5]) {
      const frame = reply(stream);
      assert.equal(frame.subarray(0, 4).toString("hex"), "80030002");
      assert.equal(frame.readUInt32BE(4), frame.length - 8);
      assert.equal(frame.readUInt32BE(8), stream);
      // the mark of a flush
      assert.equal(frame.subarray(-5).toString("hex"), "000000ffff");
      inflate.write(frame.subarray(12));
      const [block] = (await once(inflate, "data")) as [Buffer];
      assert.equal(block.toString("hex"), "00000000");
    }
  });

  const broken: readonly { readonly name: string; readonly bytes: Buffer; readonly want: RegExp }[] = [
    { name: "another version", bytes: Buffer.concat([Buffer.from([0x80, 2, 0, 6]), number(4), number(1)]), want: /another version/ },
    { name: "a frame that is shorter than its kind", bytes: control(6, Buffer.from([1])), want: /type 6 with 1 bytes/ },
    { name: "headers without end", bytes: Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]), want: /a control frame of 16777215 bytes/ },
    { name: "headers that are not compressed", bytes: open(1, Buffer.from("port")), want: /incorrect header check/ },
  ];
  for (const { name, bytes, want } of broken) {
    it(`refuses ${name}`, () => assert.rejects(framesIn(bytes), { name: "SpdyError", message: want }));
  }
  it("refuses headers that end too soon", async () => {
    const deflate = createDeflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });
    await new Promise<void>((resolve) => deflate.write(Buffer.concat([number(1), number(99)]), () => resolve()));
    await assert.rejects(framesIn(open(1, deflate.read() as Buffer)), { name: "SpdyError", message: /end too soon/ });
  });
});
