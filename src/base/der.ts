/**
 * The part of DER (X.690) that certificates need: an encoder by element, and a reader that walks what others encoded.
 * Every encoder returns one complete element (tag, length, contents).
 */

const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT_PRIMITIVE = 0x80;
const CONTEXT_CONSTRUCTED = 0xa0;

/** One element as read: its tag byte, its contents, and the whole of it as it was encoded. */
export interface DerElement {
  readonly tag: number;
  readonly contents: Buffer;
  readonly encoded: Buffer;
}

/** An ordered list of elements. */
export function derSequence(...elements: readonly Uint8Array[]): Buffer {
  return element(SEQUENCE, ...elements);
}

/** A set of one element; larger sets would need DER's order, which nothing here uses. */
export function derSetOf(member: Uint8Array): Buffer {
  return element(SET, member);
}

/** A non-negative integer. Throws RangeError for a negative one. */
export function derInteger(value: bigint): Buffer {
  if (value < 0n) throw new RangeError(`cannot encode the negative integer ${value}`);
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex");
  // two's complement: a leading one would make it negative
  return (bytes[0] ?? 0) >= 0x80 ? element(INTEGER, Buffer.from([0]), bytes) : element(INTEGER, bytes);
}

/** A boolean. DER leaves out a value that equals its default, so only `true` is ever written in certificates. */
export function derTrue(): Buffer {
  return element(BOOLEAN, Buffer.from([0xff]));
}

/** A bit string whose last `unusedBits` (0 to 7) bits do not count. */
export function derBitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return element(BIT_STRING, Buffer.from([unusedBits]), bytes);
}

/** A byte string. */
export function derOctetString(bytes: Uint8Array): Buffer {
  return element(OCTET_STRING, bytes);
}

/** An object identifier in dotted form, such as "2.5.4.3". */
export function derObjectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return element(OBJECT_IDENTIFIER, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** Text. */
export function derUtf8String(text: string): Buffer {
  return element(UTF8_STRING, Buffer.from(text, "utf8"));
}

/** An instant (ms since the epoch, cut to seconds) as RFC 5280 wants it: UTCTime to the end of 2049, GeneralizedTime from 2050. */
export function derTime(instant: number): Buffer {
  const digits = `${new Date(instant).toISOString().slice(0, 19).replaceAll(/[-T:]/g, "")}Z`;
  const isShort = digits >= "1950" && digits < "2050";
  return element(isShort ? UTC_TIME : GENERALIZED_TIME, Buffer.from(isShort ? digits.slice(2) : digits, "latin1"));
}

/** Contents under the context tag `number` (0 to 30) that replaces a primitive type's own tag. */
export function derContextPrimitive(number: number, contents: Uint8Array): Buffer {
  return element(CONTEXT_PRIMITIVE | number, contents);
}

/** Elements under the context tag `number` (0 to 30). */
export function derContextConstructed(number: number, ...elements: readonly Uint8Array[]): Buffer {
  return element(CONTEXT_CONSTRUCTED | number, ...elements);
}

/** The elements that stand one after the other in `bytes`. Throws RangeError where the bytes end too early or a length is not DER. */
export function readDerElements(bytes: Uint8Array): readonly DerElement[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: DerElement[] = [];
  for (let start = 0; start < buffer.length; ) {
    const tag = buffer.readUInt8(start);
    let contentsStart = start + 2;
    let length = buffer.readUInt8(start + 1);
    if (length >= 0x80) {
      const lengthBytes = length & 0x7f;
      if (lengthBytes === 0 || lengthBytes > 4) throw new RangeError(`not a DER length at byte ${start + 1}`);
      length = buffer.readUIntBE(contentsStart, lengthBytes);
      contentsStart += lengthBytes;
    }
    const end = contentsStart + length;
    if (end > buffer.length) throw new RangeError(`the element at byte ${start} ends ${end - buffer.length} bytes after the input`);
    elements.push({ tag, contents: buffer.subarray(contentsStart, end), encoded: buffer.subarray(start, end) });
    start = end;
  }
  return elements;
}

function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(length)]), ...contents]);
}

function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}
