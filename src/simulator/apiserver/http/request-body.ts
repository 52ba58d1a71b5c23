import type { IncomingMessage } from "node:http";
import { CORE_SCHEMA, load } from "js-yaml";
import { mediaType } from "./negotiation.ts";
import { decodeProtobuf, ProtobufError } from "./protobuf.ts";
import { Refusal } from "./status.ts";

/** Kubernetes' own limit for a request. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** Deeper nobody nests, and deeper our own functions cannot go; Go ends at 10,000. */
const MAX_DEPTH = 1_000;
/** As many as Go's YAML lets aliases stand for without looking closer. */
const MAX_YAML_VALUES = 400_000;

const nothing = Buffer.alloc(0);
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
  return { contentType: type, value: parse(bytes.toString(), type), bytes: bytes.length };
}

/** Reads a body that nobody looks at, so that the connection can be used again. Throws a Refusal with 413 over the limit. */
export async function skipBody(request: IncomingMessage): Promise<void> {
  await readBytes(request);
}

/** Events and no async iterator: that costs promises for each piece, and most bodies are one. Rejects also when the client goes away. */
async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const { "content-length": announced, "transfer-encoding": encoding } = request.headers;
  if (announced === undefined && encoding === undefined) return nothing;
  if (Number(announced ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const take = (chunk: Buffer): void => {
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
    else reject(tooLarge());
  };
  request
    .on("data", take)
    .once("end", resolve)
    .once("error", reject)
    .once("close", () => reject(new Error("the client went away in the middle of a request")));
  try {
    await promise;
  } finally {
    request.off("data", take);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function parseProtobuf(bytes: Buffer): unknown {
  try {
    const value = decodeProtobuf(bytes);
    // there is JSON in it
    if (bytes.length > 2 * MAX_DEPTH) checkShape(value, Number.POSITIVE_INFINITY);
    return value;
  } catch (error) {
    if (!(error instanceof ProtobufError || error instanceof RangeError)) throw error;
    throw unreadable(error);
  }
}

function parse(text: string, type: string): unknown {
  // apply patches are YAML by name, and JSON by what nearly all clients send
  if (yamlTypes.has(type) && !/^\s*[{[]/.test(text)) return parseYaml(text);
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError && yamlTypes.has(type)) return parseYaml(text);
    throw unreadable(error);
  }
}

/** Throws a SyntaxError, or a RangeError for what is nested too deep. */
function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // what is shorter cannot be nested so deep
  if (text.length > 2 * MAX_DEPTH) checkShape(value, Number.POSITIVE_INFINITY);
  return value;
}

function parseYaml(text: string): unknown {
  try {
    const value = load(text, { schema: CORE_SCHEMA });
    checkShape(value, MAX_YAML_VALUES);
    return value;
  } catch (error) {
    throw unreadable(error);
  }
}

/** Throws a RangeError for a value that is nested too deep, or that aliases, which share their values, make too large. */
function checkShape(value: unknown, mostValues: number): void {
  let count = 0;
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new RangeError(`it is nested deeper than ${MAX_DEPTH} levels`);
    const next: unknown[] = [];
    for (const each of level) {
      if (typeof each !== "object" || each === null) continue;
      const inner = Object.values(each);
      count += inner.length;
      if (count > mostValues) throw new RangeError(`its aliases stand for more than ${mostValues} values`);
      for (const one of inner) next.push(one);
    }
    level = next;
  }
}

function unreadable(error: unknown): Refusal {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return Refusal.of(400, `the object provided is unrecognized: ${line}`);
}

function tooLarge(): Refusal {
  return Refusal.of(413, `Request entity too large: limit is ${MAX_BODY_BYTES}`);
}
