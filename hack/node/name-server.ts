/**
 * The names of Services, for the pods of one node: <service>.<namespace>.svc.cluster.local has the addresses of the Service, or where it is headless those of
 * its ready endpoints. Asks the API server anew for every question, so an answer is never old. Knows no other name.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { CertificateClient } from "../control-plane/certificate-client.ts";

const typeA = 1;
const classInternet = 1;
const nameError = 3;
const serverFailure = 2;
const headerLength = 12;
const seconds = 5;

/** A question of one name, as it is in a message. */
export interface Question {
  /** Lower case, without a dot at the end. */
  readonly name: string;
  readonly type: number;
  /** Where the question ends in the message. */
  readonly end: number;
}

/** Starts the server on port 53 of an address; returns what stops it. */
export async function startNameServer(address: string, client: CertificateClient): Promise<() => Promise<void>> {
  const socket = createSocket("udp4");
  socket.on("message", (message, { address: asker, port }) => {
    answer(client, message).then(
      (reply) => reply !== undefined && send(socket, reply, port, asker),
      () => undefined,
    );
  });
  socket.bind(53, address);
  await once(socket, "listening");
  return async () => {
    const closed = once(socket, "close");
    socket.close();
    await closed;
  };
}

/** The name and the namespace of a Service in a name of the cluster; undefined for another name. */
export function serviceIn(name: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, service, namespace] = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc\.cluster\.local$/.exec(name) ?? [];
  return service === undefined || namespace === undefined ? undefined : { namespace, name: service };
}

/** The one question of a message; undefined where it has none that can be read. */
export function readQuestion(message: Buffer): Question | undefined {
  if (message.length < headerLength || message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = headerLength;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    // compressed names are for answers
    if (length > 63 || at + 1 + length >= message.length) return undefined;
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const end = at + 5;
  if (end > message.length) return undefined;
  return { name: labels.join(".").toLowerCase(), type: message.readUInt16BE(at + 1), end };
}

/** The reply to a message with this question: its addresses, or a code of refusal. */
export function writeReply(message: Buffer, question: Question, addresses: readonly string[], code = 0): Buffer {
  const header = Buffer.alloc(headerLength);
  message.copy(header, 0, 0, 2);
  // a reply, of the one who knows, to one that may have wanted recursion
  header.writeUInt16BE(0x8400 | (message.readUInt16BE(2) & 0x0100) | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses.length, 6);
  const records = addresses.map((address) => {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc000 | headerLength, 0);
    record.writeUInt16BE(typeA, 2);
    record.writeUInt16BE(classInternet, 4);
    record.writeUInt32BE(seconds, 6);
    record.writeUInt16BE(4, 10);
    for (const [index, part] of address.split(".").entries()) record[12 + index] = Number(part);
    return record;
  });
  return Buffer.concat([header, message.subarray(headerLength, question.end), ...records]);
}

async function answer(client: CertificateClient, message: Buffer): Promise<Buffer | undefined> {
  const question = readQuestion(message);
  if (question === undefined) return undefined;
  const service = serviceIn(question.name);
  if (service === undefined) return writeReply(message, question, [], nameError);
  const found = await addressesOf(client, service).catch(() => "failure" as const);
  if (found === "failure") return writeReply(message, question, [], serverFailure);
  if (found === undefined) return writeReply(message, question, [], nameError);
  return writeReply(message, question, question.type === typeA ? found : []);
}

async function addressesOf(
  client: CertificateClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<readonly string[] | undefined> {
  const reply = await client.send({ path: `/api/v1/namespaces/${namespace}/services/${name}` });
  if (reply.status === 404) return undefined;
  if (reply.status !== 200) throw new Error(reply.text);
  const { clusterIP } = JSON.parse(reply.text).spec as { readonly clusterIP?: string };
  if (clusterIP === undefined) return [];
  if (clusterIP !== "None") return [clusterIP];
  const selector = encodeURIComponent(`kubernetes.io/service-name=${name}`);
  const slices = await client.text({ path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}` });
  const { items } = JSON.parse(slices) as { readonly items: readonly Slice[] };
  return items.flatMap(({ endpoints }) =>
    (endpoints ?? []).flatMap(({ addresses, conditions }) => (conditions?.ready === false ? [] : addresses)),
  );
}

interface Slice {
  readonly endpoints?: readonly { readonly addresses: readonly string[]; readonly conditions?: { readonly ready?: boolean } }[];
}

function send(socket: Socket, reply: Buffer, port: number, address: string): void {
  // whoever asked may be gone, and so may be the socket
  try {
    socket.send(reply, port, address);
  } catch {
    // nobody waits any more
  }
}
