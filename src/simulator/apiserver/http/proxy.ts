import { type IncomingHttpHeaders, type IncomingMessage, request as httpRequest, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Status } from "../../../api/meta.ts";
import { endpointSlices, pods, type Resource, resourcePath, services } from "../../../api/resource.ts";
import type { ApiReply } from "../reply.ts";
import { type Fields, isFields } from "../json.ts";
import { type Endpoint, endpointOf, isLoopback, sliceLabel } from "../service-endpoints.ts";
import type { RequestInfo } from "./request-info.ts";
import { Refusal } from "./status.ts";

/** The proxy of the API server: requests below services/x/proxy and pods/x/proxy go on to whoever listens there on this machine. */

export interface Destination extends Endpoint {
  readonly scheme: "http" | "https";
}

/** Reads an object or a list as the server itself. */
export type Read = (path: string, query?: Readonly<Record<string, string>>) => Promise<ApiReply>;

/** Whether a request is to be passed on. */
export const isProxied = ({ group, resource, subresource }: RequestInfo): boolean =>
  group === "" && (resource === "services" || resource === "pods") && (subresource === "proxy" || subresource.startsWith("proxy/"));

/** "name", "name:port" or "scheme:name:port"; undefined for anything else. */
function partsOf(id: string): { readonly scheme: "http" | "https"; readonly name: string; readonly port: string } | undefined {
  const [first = "", second, third, ...more] = id.split(":");
  if (more.length > 0) return undefined;
  if (third === undefined) return { scheme: "http", name: first, port: second ?? "" };
  if (!["", "http", "https"].includes(first)) return undefined;
  return { scheme: first === "https" ? "https" : "http", name: second ?? "", port: third };
}

/** Where a request goes. Throws a Refusal, in the words of the real server, where nobody listens. */
export async function destinationOf({ namespace, name: id, resource }: RequestInfo, read: Read): Promise<Destination> {
  const parts = partsOf(id);
  if (parts === undefined) throw Refusal.of(400, `invalid ${resource === "pods" ? "pod" : "service"} request ${JSON.stringify(id)}`);
  const object = async (kind: Resource): Promise<Fields> => bodyOf(await read(resourcePath(kind, namespace, parts.name)));
  if (resource === "pods") return { scheme: parts.scheme, ...podEndpoint(await object(pods), parts.port) };
  const service = await object(services);
  const slices = bodyOf(await read(resourcePath(endpointSlices, namespace), { labelSelector: `${sliceLabel}=${parts.name}` })).items;
  const found = endpointOf(service, Array.isArray(slices) ? slices.filter(isFields) : [], parts.port);
  if (found === "no port") throw Refusal.of(503, `no service port ${parts.port} found for service ${JSON.stringify(parts.name)}`);
  if (found === "no endpoints") throw Refusal.of(503, `no endpoints available for service ${JSON.stringify(id)}`);
  return { scheme: parts.scheme, ...found };
}

function bodyOf(reply: ApiReply): Fields {
  if (reply.status !== 200) throw new Refusal(reply.body as Status);
  return reply.body as Fields;
}

/** By the number that is asked for, else the first that a container names, else 80. */
function podEndpoint(pod: Fields, wanted: string): Endpoint {
  const { podIP } = isFields(pod.status) ? pod.status : {};
  if (typeof podIP !== "string" || !isLoopback(podIP)) throw Refusal.of(400, "address not allowed");
  const containers = isFields(pod.spec) && Array.isArray(pod.spec.containers) ? pod.spec.containers.filter(isFields) : [];
  const named = containers.flatMap((container) => (Array.isArray(container.ports) ? container.ports.filter(isFields) : []));
  const port = wanted === "" ? Number(named[0]?.containerPort ?? 80) : Number(wanted);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw Refusal.of(400, `invalid port ${JSON.stringify(wanted)}`);
  return { host: podIP, port };
}

/** What concerns one connection only, or is nobody's business behind this server. */
const withheld = /^(authorization|impersonate-.*|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host)$/;

function passedHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !withheld.test(name)));
}

/** Passes the request on and its answer back, as they come. Rejects with a Refusal where nobody answers. */
export function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  destination: Destination & { readonly path: string },
): Promise<void> {
  const { scheme, host, port, path } = destination;
  return new Promise((resolve, reject) => {
    const send = scheme === "https" ? httpsRequest : httpRequest;
    const sent = send(
      {
        host,
        port,
        path,
        method: request.method,
        headers: { ...passedHeaders(request.headers), host: `${host}:${port}` },
        agent: false,
        // as on a real cluster: nobody could have told this server who signs for a pod
        ...(scheme === "https" ? { rejectUnauthorized: false } : {}),
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, passedHeaders(answer.headers));
        answer.pipe(response);
        answer.on("end", resolve);
        answer.on("error", () => response.destroy());
      },
    );
    sent.on("error", (error) => reject(Refusal.of(503, `error trying to reach service: ${error.message}`)));
    response.on("close", () => {
      sent.destroy();
      resolve();
    });
    request.pipe(sent);
  });
}
