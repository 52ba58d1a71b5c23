import type { IncomingMessage } from "node:http";
import { CORE_SCHEMA, load } from "js-yaml";
import { mediaType } from "./negotiation.ts";
import { decodeProtobuf, ProtobufError } from "./protobuf.ts";
import { Refusal } from "./status.ts";

/** Kubernetes' own limit for a request. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

const protobufType = "application/vnd.kubernetes.protobuf";
const objectTypes = ["application/json", "application/yaml", protobufType];
const yamlTypes = new Set(["application/yaml", "application/apply-patch+yaml"]);

/** A body as the core takes it. */
export interface RequestBody {
  /** Without parameters; absent when there is no body. */
  readonly contentType?: string;
  readonly value?: unknown;
  /** Its length as it came. */
  readonly bytes?: number;
}

/**
 * Reads a body to its end and parses it. Throws a Refusal: 413 over {@link MAX_BODY_BYTES}, 415 for a type that the method does not take,
 * 400 for what cannot be parsed.
 */
export async function readBody(request: IncomingMessage): Promise<RequestBody> {
  const method = request.method ?? "GET";
  const bytes = await readBytes(request);
  if (method === "GET" || (bytes.length === 0 && method === "DELETE")) return {};
  const type = mediaType(request.headers["content-type"]) || "application/json";
  // which patches a kind takes, the core knows: custom ones take no strategic merge
  if (method !== "PATCH" && !objectTypes.includes(type)) {
    throw Refusal.of(415, `the body of the request was in an unknown format - accepted media types include: ${objectTypes.join(", ")}`);
  }
  if (bytes.length === 0 && method !== "PATCH") return { contentType: type };
  if (type === protobufType) return { contentType: "application/json", value: parseProtobuf(bytes), bytes: bytes.length };
  return { contentType: type, value: parse(new TextDecoder().decode(bytes), type), bytes: bytes.length };
}

/** Reads a body that nobody looks at, so that the connection can be used again. Throws a Refusal with 413 over the limit. */
export async function skipBody(request: IncomingMessage): Promise<void> {
  await readBytes(request);
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseProtobuf(bytes: Buffer): unknown {
  try {
    return decodeProtobuf(bytes);
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    throw unreadable(error);
  }
}

function parse(text: string, type: string): unknown {
  // apply patches are YAML by name, and JSON by what nearly all clients send
  const json = !yamlTypes.has(type) || /^\s*[{[]/.test(text);
  try {
    return json ? JSON.parse(text) : load(text, { schema: CORE_SCHEMA });
  } catch (error) {
    if (json && yamlTypes.has(type)) return parseYaml(text);
    throw unreadable(error);
  }
}

function parseYaml(text: string): unknown {
  try {
    return load(text, { schema: CORE_SCHEMA });
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): Refusal {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return Refusal.of(400, `the object provided is unrecognized: ${line}`);
}

function tooLarge(): Refusal {
  return Refusal.of(413, `Request entity too large: limit is ${MAX_BODY_BYTES}`);
}
