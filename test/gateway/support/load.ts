import { Agent, request } from "node:http";

/** What a load came to, each request counted once. */
export interface LoadResult {
  readonly sent: number;
  readonly failed: number;
  /** Why, and how often. */
  readonly errors: ReadonlyMap<string, number>;
  /** Answers by instance. */
  readonly by: ReadonlyMap<string, number>;
}

export interface Load {
  /** Requests answered so far. */
  readonly answered: number;
  /** Ends after the requests that are under way. */
  stop(): Promise<LoadResult>;
}

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
  readonly path?: string;
  readonly host?: string;
  /** Where each request goes; absent = to `port` of 127.0.0.1. */
  readonly target?: () => { readonly host: string; readonly port: number };
  /** Every other request is a POST. */
  readonly posts?: boolean;
  /** Each client reuses its connection; else a connection a request. */
  readonly keepAlive?: boolean;
  /** What an answer must be for the request not to count as failed; absent = any 200. */
  readonly accept?: (body: string) => boolean;
}

/** So long after its last answer a client ends by itself, lest a test that failed, and so never stopped its load, run on for ever. */
const mostSilenceMs = 30_000;

/** Clients that ask one after the other and never ask again what failed. */
export function startLoad(options: LoadOptions): Load {
  const { port, clients, path = "/", host = "test", posts = false, keepAlive = true, accept = () => true } = options;
  const { target = () => ({ host: "127.0.0.1", port }) } = options;
  let stopped = false;
  let sent = 0;
  let answered = 0;
  const errors = new Map<string, number>();
  const by = new Map<string, number>();
  const add = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);

  async function client(index: number): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    let heardAt = performance.now();
    for (let count = index; !stopped && performance.now() - heardAt < mostSilenceMs; count++) {
      sent++;
      const outcome = await ask(agent, posts && count % 2 === 0 ? "POST" : "GET");
      answered++;
      if (outcome.error === undefined) heardAt = performance.now();
      if (outcome.error === undefined && accept(outcome.body)) add(by, outcome.body);
      else add(errors, outcome.error ?? `answer: ${outcome.body}`);
    }
    agent.destroy();
  }

  function ask(agent: Agent, method: string): Promise<{ readonly body: string; readonly error?: string }> {
    return new Promise((resolve) => {
      const call = request({ ...target(), path, method, agent, headers: { host } }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => (body += text));
        response.on("end", () => resolve(response.statusCode === 200 ? { body } : { body, error: `status ${response.statusCode}` }));
        response.on("error", (error) => resolve({ body, error: error.message }));
      });
      call.on("error", (error: NodeJS.ErrnoException) => resolve({ body: "", error: `${method}: ${error.code ?? error.message}` }));
      call.end(method === "POST" ? "something" : undefined);
    });
  }

  const done = Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  return {
    get answered() {
      return answered;
    },
    async stop() {
      stopped = true;
      await done;
      return { sent, failed: [...errors.values()].reduce((sum, count) => sum + count, 0), errors, by };
    },
  };
}

/** The line that each test with a load prints. */
export function loadText(what: string, { sent, failed, errors }: LoadResult): string {
  const why = failed === 0 ? "" : ` (${[...errors].map(([error, count]) => `${count} x ${error}`).join(", ")})`;
  return `      ${what}: ${sent} requests sent, ${failed} failed${why}, 0 retried by the client`;
}
