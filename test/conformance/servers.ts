import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { customResourceDefinitions, namespaces, resourcePath } from "../../src/api/resource.ts";
import type { Transport } from "../../src/kube/transport.ts";
import { ApiServer } from "../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../src/simulator/apiserver/in-process-transport.ts";
import { Api } from "./api.ts";
import { definitions, plains, things } from "./fixtures.ts";
import type { Row } from "./row.ts";

/** The field manager of all writes that name none: the part of the user agent before the slash. */
export const userAgent = "conformance/1";

/** A transport to an embedded server, with our CRDs served. */
export async function simulatedServer(controllers: boolean): Promise<Transport> {
  const server = new ApiServer({ clock: createSystemClock({ background: true }), random: createSeededRandom(7), controllers });
  const transport = inProcessTransport(server, { userAgent });
  await install(transport);
  return transport;
}

const patienceMs = 20_000;

/** Makes the CRDs and waits until objects of them can be written. */
export async function install(transport: Transport): Promise<void> {
  for (const body of definitions) {
    const reply = await transport.request({
      method: "POST",
      path: resourcePath(customResourceDefinitions),
      contentType: "application/json",
      body,
    });
    if (reply.status !== 201 && reply.status !== 409) throw new Error(`a CRD was refused: ${JSON.stringify(reply.body)}`);
  }
  const end = performance.now() + patienceMs;
  for (const [resource, namespace] of [
    [things, "default"],
    [plains, undefined],
  ] as const) {
    const path = resourcePath(resource, namespace);
    const body = { apiVersion: "conformance.nuptse.dev/v1", kind: resource.kind, metadata: { name: "first" } };
    for (;;) {
      const reply = await transport.request({ method: "POST", path, contentType: "application/json", body });
      if (reply.status === 201 || reply.status === 409) break;
      if (performance.now() > end) throw new Error(`${resource.plural} are not served: ${JSON.stringify(reply.body)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

let count = 0;

/** Runs a row in a namespace of its own; what the server answered, made comparable. */
export async function transcriptOf(transport: Transport, row: Row): Promise<unknown> {
  const namespace = `conf-${process.pid}-${count++}`;
  const made = await transport.request({
    method: "POST",
    path: resourcePath(namespaces),
    contentType: "application/json",
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  });
  if (made.status !== 201) throw new Error(`no namespace: ${JSON.stringify(made.body)}`);
  const api = new Api(transport, namespace);
  try {
    await row.run(api);
  } finally {
    api.close();
  }
  return api.transcript.result();
}
