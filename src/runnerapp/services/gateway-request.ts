import { readFile } from "node:fs/promises";
import { request } from "node:https";
import type { GatewayQuestion, GatewayState } from "../../api/gateway-state.ts";

export interface GatewayRequestOptions {
  readonly port: number;
  /** PEM; of whoever signed the gateways' certificates. Read at each request. */
  readonly caFile: string;
  /** A name that those certificates are for: gateways are asked by their addresses. */
  readonly serverName: string;
  /** A token of the cluster, read at each request. */
  readonly tokenFile: string;
}

/** The agent holds an answer back for 25 s while nothing changes. */
const timeoutMs = 30_000;
/** Some 100 bytes an instance: 15,000 of them, and as much again. */
const mostBytes = 4 * 1024 * 1024;

/** Asks the gateway at this address what it has. Rejects with an error that says why not. */
export type AskGateway = (address: string, question: GatewayQuestion, signal: AbortSignal) => Promise<GatewayState>;

export function createGatewayRequest({ port, caFile, serverName, tokenFile }: GatewayRequestOptions): AskGateway {
  return async (address, { after, figures }, signal) => {
    const [ca, token] = await Promise.all([readFile(caFile, "utf8"), readFile(tokenFile, "utf8")]);
    const query = new URLSearchParams({ ...(after !== undefined && { after: String(after) }), ...(figures !== undefined && { figures }) });
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: address,
          port,
          path: `/v1/state${query.size === 0 ? "" : `?${query}`}`,
          ca,
          servername: serverName,
          headers: { authorization: `Bearer ${token.trim()}` },
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
          agent: false,
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (part: string) => {
            text += part;
            if (text.length > mostBytes) response.destroy(new Error(`more than ${mostBytes} characters`));
          });
          response.on("error", reject);
          response.on("end", () => {
            try {
              resolve(stateOf(response.statusCode, text));
            } catch (error) {
              reject(error);
            }
          });
        },
      );
      call.on("error", reject);
      call.end();
    });
  };
}

function stateOf(status: number | undefined, text: string): GatewayState {
  if (status !== 200) throw new Error(`answered ${status}: ${text.slice(0, 200).trim()}`);
  const state = JSON.parse(text) as Partial<GatewayState>;
  if (typeof state.version !== "number" || !Array.isArray(state.servers)) throw new Error("answered something that is no state");
  return state as GatewayState;
}
