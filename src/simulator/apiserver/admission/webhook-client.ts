import { request } from "node:https";
import { keyOf } from "../collection.ts";
import type { ResourceType } from "../resource-type.ts";
import { type Endpoint, endpointOf, sliceLabel } from "../service-endpoints.ts";
import type { WebhookAnswer, WebhookCall, WebhookTarget } from "./webhook-session.ts";

/** Asks a webhook. Never rejects: what goes wrong is an answer too. */
export type AskWebhook = (call: WebhookCall) => Promise<WebhookAnswer>;

/** A Service that something in this process stands for; undefined = no such one. */
export type LocalService = (service: { readonly namespace: string; readonly name: string }) => Endpoint | undefined;

/** What the search for a Service needs of the server. */
export interface ServiceReader {
  typeOf(group: string, version: string, plural: string): ResourceType | undefined;
}

/** What an answer of a webhook may be long. */
const maxBytes = 3 * 1024 * 1024;

interface Destination {
  /** As errors tell it. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** The name that the certificate must be for. */
  readonly servername: string;
}

/** Asks over HTTPS: URLs as they are, Services at one of their ready endpoints on this machine. */
export function webhookClient(server: ServiceReader, local: LocalService): AskWebhook {
  return async (call) => {
    const destination = destinationOf(server, local, call.target);
    const url = "url" in destination ? destination.url : "";
    const where = `Post "${url}${url.includes("?") ? "&" : "?"}timeout=${call.timeoutMs / 1_000}s"`;
    if (!("host" in destination)) return { failure: `${where}: ${destination.why}` };
    try {
      const review = await post(destination, call);
      const { uid } = (call.body as { readonly request: { readonly uid: string } }).request;
      const found = (review as { readonly response?: { readonly uid?: unknown } } | null)?.response?.uid;
      if (found !== undefined && found !== uid)
        return { failure: `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(found)}` };
      return { review };
    } catch (error) {
      return { failure: `${where}: ${error instanceof Error ? error.message : String(error)}` };
    }
  };
}

function destinationOf(
  server: ServiceReader,
  local: LocalService,
  target: WebhookTarget,
): Destination | { readonly url: string; readonly why: string } {
  if (target.kind === "url") {
    const { hostname, port, pathname } = new URL(target.url);
    return { url: target.url, host: hostname, port: port === "" ? 443 : Number(port), path: pathname, servername: hostname };
  }
  const { namespace, name, port, path } = target;
  const servername = `${name}.${namespace}.svc`;
  const url = `https://${servername}:${port}${path}`;
  const own = local({ namespace, name });
  if (own !== undefined) return { url, ...own, path, servername };
  const service = server.typeOf("", "v1", "services")?.collection.get(keyOf(namespace, name));
  if (service === undefined) return { url, why: `service ${JSON.stringify(name)} not found` };
  const slices = server.typeOf("discovery.k8s.io", "v1", "endpointslices")?.collection.list({ namespace }) ?? [];
  const found = endpointOf(
    service,
    slices.filter(({ metadata }) => metadata.labels?.[sliceLabel] === name),
    String(port),
  );
  if (typeof found !== "string") return { url, ...found, path, servername };
  const named = JSON.stringify(name);
  return {
    url,
    why: found === "no port" ? `no service port ${port} found for service ${named}` : `no endpoints available for service ${named}`,
  };
}

function post({ host, port, path, servername }: Destination, call: WebhookCall): Promise<unknown> {
  const body = Buffer.from(JSON.stringify(call.body));
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host,
        port,
        path,
        method: "POST",
        // a name is checked even where the connection goes to an address; an address cannot be asked for by name
        ...(/^[\d.]+$|:/.test(servername) ? {} : { servername }),
        ...(call.caPem === undefined ? {} : { ca: call.caPem }),
        headers: { "content-type": "application/json", accept: "application/json, */*", "content-length": body.length },
        signal: AbortSignal.timeout(call.timeoutMs),
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length > maxBytes) sent.destroy(new Error(`the answer is longer than ${maxBytes} bytes`));
          else chunks.push(chunk);
        });
        response.on("error", reject);
        response.on("end", () => {
          const { statusCode = 0 } = response;
          if (statusCode < 200 || statusCode > 299) return reject(new Error("the server could not find the requested resource"));
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString()));
          } catch (error) {
            reject(error as Error);
          }
        });
      },
    );
    sent.on("error", (error) =>
      reject(error.name === "TimeoutError" || error.name === "AbortError" ? new Error("context deadline exceeded") : error),
    );
    sent.end(body);
  });
}
