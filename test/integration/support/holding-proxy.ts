import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { dump } from "js-yaml";
import type { ControlPlane } from "../../../hack/control-plane/control-plane.ts";
import { operatorGroup } from "./operator-rights.ts";

/** The kinds of write that an operator makes, named as the audit log names them. */
export type WriteKind =
  | "create pods"
  | "delete pods"
  | "deletecollection pods"
  | "patch elasticjobs/status"
  | "create controllerrevisions"
  | "delete controllerrevisions"
  | "create events"
  | "update leases";

/** Before: the API server never gets the request. After: it has carried it out, and the answer never comes. */
export type Moment = "before" | "after";

/** A request that is held. */
export interface Held {
  readonly kind: WriteKind;
  readonly moment: Moment;
  /** What its user agent ended with, if it was passed on: the audit log knows it by that. */
  readonly mark: string;
  readonly path: string;
  /** HTTP status of the API server's answer, for `after`. */
  readonly status?: number;
}

interface Trap {
  readonly kind: WriteKind;
  readonly moment: Moment;
  readonly mark: string;
  readonly caught: (held: Held) => void;
}

let marks = 0;

/**
 * Stands between one operator process and the API server, on plain HTTP on loopback: it passes everything on as a user of its own, and can hold one
 * request of a kind, before it is passed on or when it has been answered. What is held is never let go; the process is to be killed meanwhile.
 */
export class HoldingProxy {
  /** A kubeconfig that leads here. */
  readonly kubeconfig: string;
  /** Whom the API server takes the process for. */
  readonly user: string;
  readonly #server: Server;
  readonly #agent: Agent;
  #trap: Trap | undefined;

  private constructor(server: Server, agent: Agent, kubeconfig: string, user: string) {
    this.#server = server;
    this.#agent = agent;
    this.kubeconfig = kubeconfig;
    this.user = user;
  }

  static async start(plane: ControlPlane, user: string): Promise<HoldingProxy> {
    const config = new KubeConfig();
    config.loadFromFile(await plane.kubeconfigFor(user, [operatorGroup]));
    const { certData = "", keyData = "" } = config.getCurrentUser() ?? {};
    const decoded = (data: string) => Buffer.from(data, "base64").toString();
    const agent = new Agent({ keepAlive: true, ca: plane.authorityPem, cert: decoded(certData), key: decoded(keyData) });
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const path = join(dirname(plane.kubeconfig), `${user}.proxy.kubeconfig`);
    const named = { name: "proxy" };
    await writeFile(
      path,
      dump({
        "current-context": "proxy",
        contexts: [{ ...named, context: { cluster: "proxy" } }],
        clusters: [{ ...named, cluster: { server: `http://127.0.0.1:${port}` } }],
      }),
    );
    const proxy = new HoldingProxy(server, agent, path, user);
    server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => proxy.#carry(plane.server, incoming, outgoing));
    return proxy;
  }

  /** Resolves with the next request of the kind, once it is held at the moment. Another call, or `release`, takes its place. */
  hold(kind: WriteKind, moment: Moment): Promise<Held> {
    return new Promise((caught) => {
      this.#trap = { kind, moment, mark: `held-${++marks}`, caught };
    });
  }

  /** Holds nothing any more, and breaks all connections: what was held is dropped. */
  release(): void {
    this.#trap = undefined;
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.release();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #carry(server: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const path = incoming.url ?? "/";
    const trap = this.#trap?.kind === kindOf(incoming.method ?? "GET", path) ? this.#trap : undefined;
    if (trap !== undefined) this.#trap = undefined;
    const held = trap === undefined ? undefined : { kind: trap.kind, moment: trap.moment, mark: trap.mark, path };
    if (trap?.moment === "before") {
      // The whole of it has arrived, and goes nowhere.
      incoming.resume().on("end", () => trap.caught(held as Held));
      return;
    }
    const { host: _ours, ...headers } = incoming.headers;
    if (trap !== undefined) headers["user-agent"] = `${headers["user-agent"] ?? ""} ${trap.mark}`;
    const onward = httpsRequest(`${server}${path}`, { method: incoming.method, headers, agent: this.#agent }, (answer) => {
      if (trap !== undefined) {
        answer.resume().on("end", () => trap.caught({ ...(held as Held), status: answer.statusCode ?? 0 }));
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    onward.on("error", () => outgoing.destroy());
    // A process that was killed takes its watches with it.
    outgoing.on("close", () => {
      if (!outgoing.writableFinished && trap === undefined) onward.destroy();
    });
    incoming.pipe(onward);
  }
}

const objectPath = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/namespaces\/[^/]+\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;

/** The kind of a write; undefined for reads, questions (dry runs) and what is of no kind above. */
function kindOf(method: string, url: string): WriteKind | undefined {
  const [path = "", query = ""] = url.split("?", 2);
  if (query.includes("dryRun=")) return undefined;
  const [, resource, name, subresource] = objectPath.exec(path) ?? [];
  const verbs: Readonly<Record<string, string>> = {
    POST: "create",
    PUT: "update",
    PATCH: "patch",
    DELETE: name === undefined ? "deletecollection" : "delete",
  };
  const verb = verbs[method];
  return verb === undefined || resource === undefined
    ? undefined
    : (`${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}` as WriteKind);
}
