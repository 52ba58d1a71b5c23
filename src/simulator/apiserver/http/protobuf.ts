import { formatMicros, formatSeconds } from "../../../base/time.ts";
import { protobufTypeLines } from "./protobuf-types.gen.ts";

/**
 * Bodies of typed clients (`kubectl create namespace`, helm's secrets), which speak protobuf and fall back to nothing else. They are read
 * by a table of the built-in kinds; answers are always JSON, which every client takes.
 *
 * A field's text in the table: `s` string, `b` boolean, `n` whole number, `d` double, `y` bytes, `q` quantity, `t` time, `m` time with
 * microseconds, `i` integer or string, `j` raw JSON, `@T` the message T, `[]x` repeated, `L[]x` a list in a message of its own, `{}x` a
 * map from strings, `*x` a pointer: Go writes zeros of what is none, and they mean "not given". A field without a name is Go's inline
 * structure: its fields are those of the message around it.
 */
type Kind =
  | { readonly as: "scalar"; readonly letter: string }
  | { readonly as: "message"; readonly name: string }
  | { readonly as: "list" | "map" | "wrapped"; readonly of: Kind };

interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly pointer: boolean;
}

/** A body that is no protobuf of a known kind. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProtobufError";
  }
}

const messages = new Map<string, ReadonlyMap<number, Field>>();

function messageOf(name: string): ReadonlyMap<number, Field> | undefined {
  if (messages.size === 0) {
    for (const line of protobufTypeLines.trim().split("\n")) {
      const [message = "", ...words] = line.split(" ");
      messages.set(message, new Map(words.map(fieldOf)));
    }
  }
  return messages.get(name);
}

function fieldOf(word: string): readonly [number, Field] {
  const [number = "", name = "", text = ""] = word.split(":");
  const pointer = text.startsWith("*");
  return [Number(number), { name, kind: kindOf(pointer ? text.slice(1) : text), pointer }];
}

function kindOf(text: string): Kind {
  if (text.startsWith("[]")) return { as: "list", of: kindOf(text.slice(2)) };
  if (text.startsWith("{}")) return { as: "map", of: kindOf(text.slice(2)) };
  if (text.startsWith("L")) return { as: "wrapped", of: kindOf(text.slice(1)) };
  if (text.startsWith("@")) return { as: "message", name: text.slice(1) };
  return { as: "scalar", letter: text };
}

const magic = Buffer.from("k8s\0");
const maximumDepth = 64;

/** The object in a body, with its apiVersion and kind. Throws ProtobufError. */
export function decodeProtobuf(body: Buffer): Record<string, unknown> {
  if (!body.subarray(0, magic.length).equals(magic)) throw new ProtobufError("the body does not begin as Kubernetes' protobuf does");
  let apiVersion = "";
  let kind = "";
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, bytes } of partsOf(body.subarray(magic.length))) {
    if (bytes === undefined) continue;
    if (number === 2) raw = bytes;
    if (number !== 1) continue;
    for (const part of partsOf(bytes)) {
      if (part.number === 1) apiVersion = part.bytes?.toString() ?? "";
      if (part.number === 2) kind = part.bytes?.toString() ?? "";
    }
  }
  const fields = messageOf(messageName(apiVersion, kind));
  if (fields === undefined)
    throw new ProtobufError(`no kind ${JSON.stringify(kind)} of version ${JSON.stringify(apiVersion)} is known in protobuf`);
  return { apiVersion, kind, ...decodeMessage(fields, raw, 0) };
}

/** "core.v1.Pod": the package is the first label of the group. Options of requests come under the version of what they are about. */
function messageName(apiVersion: string, kind: string): string {
  if (kind === "DeleteOptions") return "meta.v1.DeleteOptions";
  const [group = "", version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  return `${group === "" ? "core" : group.split(".")[0]}.${version}.${kind}`;
}

interface Part {
  readonly number: number;
  /** Of a field that is a number. */
  readonly value?: bigint;
  /** Of all others; eight bytes of a double. */
  readonly bytes?: Buffer;
}

/** The fields of a message as they lie in the bytes. */
function* partsOf(buffer: Buffer): Iterable<Part> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = buffer[at++];
      if (byte === undefined) throw new ProtobufError("the body ends within a number");
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new ProtobufError("a number has more than 64 bits");
  };
  const take = (length: number): Buffer => {
    if (at + length > buffer.length) throw new ProtobufError("the body ends within a field");
    at += length;
    return buffer.subarray(at - length, at);
  };
  while (at < buffer.length) {
    const key = varint();
    const number = Number(key >> 3n);
    switch (Number(key & 7n)) {
      case 0:
        yield { number, value: varint() };
        break;
      case 1:
        yield { number, bytes: take(8) };
        break;
      case 2:
        yield { number, bytes: take(Number(varint())) };
        break;
      case 5:
        yield { number, bytes: take(4) };
        break;
      default:
        throw new ProtobufError("a field has a wire type that Kubernetes does not use");
    }
  }
}

function decodeMessage(fields: ReadonlyMap<number, Field>, buffer: Buffer, depth: number): Record<string, unknown> {
  if (depth > maximumDepth) throw new ProtobufError("messages are nested too deep");
  const result: Record<string, unknown> = {};
  for (const part of partsOf(buffer)) {
    const field = fields.get(part.number);
    // a field of a newer client is passed over, as protobuf does
    if (field === undefined) continue;
    const value = decodeField(field, part, result[field.name], depth);
    if (field.name === "") Object.assign(result, value);
    else if (value !== undefined && (field.pointer || !isZero(value))) result[field.name] = value;
  }
  return result;
}

function decodeField({ kind }: Field, part: Part, before: unknown, depth: number): unknown {
  switch (kind.as) {
    case "list":
      return [...((before as unknown[] | undefined) ?? []), ...decodeItems(kind.of, part, depth)];
    case "map": {
      const [key, value] = decodeEntry(kind.of, part, depth);
      return { ...(before as object | undefined), [key]: value };
    }
    default:
      return decodeValue(kind, part, depth);
  }
}

/** Numbers may come many in one field. */
function decodeItems(kind: Kind, part: Part, depth: number): readonly unknown[] {
  if (kind.as !== "scalar" || kind.letter !== "n" || part.bytes === undefined) return [decodeValue(kind, part, depth)];
  throw new ProtobufError("packed numbers are not used by Kubernetes");
}

function decodeEntry(kind: Kind, part: Part, depth: number): readonly [string, unknown] {
  let key = "";
  let value: unknown;
  for (const { number, ...rest } of partsOf(bytesOf(part))) {
    if (number === 1) key = bytesOf({ number, ...rest }).toString();
    if (number === 2) value = decodeValue(kind, { number, ...rest }, depth);
  }
  return [key, value ?? (kind.as === "scalar" ? "" : {})];
}

function decodeValue(kind: Kind, part: Part, depth: number): unknown {
  switch (kind.as) {
    case "message":
      return decodeMessage(messageOf(kind.name) ?? new Map(), bytesOf(part), depth + 1);
    case "wrapped":
      return [...partsOf(bytesOf(part))].map((item) => decodeValue(kind.of.as === "list" ? kind.of.of : kind.of, item, depth));
    case "scalar":
      return decodeScalar(kind.letter, part);
    default:
      throw new ProtobufError("lists are not nested");
  }
}

function decodeScalar(letter: string, part: Part): unknown {
  switch (letter) {
    case "n":
      return Number(BigInt.asIntN(64, numberOf(part)));
    case "b":
      return numberOf(part) !== 0n;
    case "d":
      return bytesOf(part).readDoubleLE(0);
    case "y":
      return bytesOf(part).toString("base64");
    case "q":
      return textAt(part, 1);
    case "i":
      return decodeIntOrString(part);
    case "j":
      return decodeRawJson(part);
    case "t":
    case "m":
      return decodeTime(part, letter === "m");
    default:
      return bytesOf(part).toString();
  }
}

function bytesOf(part: Part): Buffer {
  if (part.bytes === undefined) throw new ProtobufError(`field ${part.number} is a number where bytes belong`);
  return part.bytes;
}

function numberOf(part: Part): bigint {
  if (part.value === undefined) throw new ProtobufError(`field ${part.number} has bytes where a number belongs`);
  return part.value;
}

function textAt(part: Part, number: number): string {
  return [...partsOf(bytesOf(part))].findLast((one) => one.number === number)?.bytes?.toString() ?? "";
}

function decodeIntOrString(part: Part): unknown {
  let isText = false;
  let whole = 0;
  let text = "";
  for (const one of partsOf(bytesOf(part))) {
    if (one.number === 1) isText = numberOf(one) !== 0n;
    if (one.number === 2) whole = Number(BigInt.asIntN(64, numberOf(one)));
    if (one.number === 3) text = bytesOf(one).toString();
  }
  return isText ? text : whole;
}

function decodeRawJson(part: Part): unknown {
  const text = textAt(part, 1);
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    throw new ProtobufError(`field ${part.number} should hold JSON`);
  }
}

/** Seconds and nanoseconds; an empty message is Go's zero time, which is none. */
function decodeTime(part: Part, micro: boolean): string | undefined {
  const bytes = bytesOf(part);
  if (bytes.length === 0) return undefined;
  let seconds = 0;
  let nanos = 0;
  for (const one of partsOf(bytes)) {
    if (one.number === 1) seconds = Number(BigInt.asIntN(64, numberOf(one)));
    if (one.number === 2) nanos = Number(BigInt.asIntN(64, numberOf(one)));
  }
  const milliseconds = seconds * 1_000 + nanos / 1e6;
  if (Math.abs(milliseconds) > 8.64e15) throw new ProtobufError("a time is out of range");
  return micro ? formatMicros(milliseconds) : formatSeconds(milliseconds);
}

/** What Go writes although nothing was given. */
function isZero(value: unknown): boolean {
  if (value === "" || value === 0 || value === false || value === undefined) return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
