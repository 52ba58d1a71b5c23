import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { ControlPlane } from "../../../hack/control-plane/control-plane.ts";
import { Watchdog } from "../../../hack/control-plane/watchdog.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createHttpStore } from "../../../src/trace/http-store.ts";
import { program } from "../../support/program.ts";
import { eventually } from "./eventually.ts";
import { timeLimits } from "./time-limits.ts";

/** The accounts of a namespace that write a trace and read it. */
const accounts = { writer: "writer", reader: "reader" } as const;

/** `nuptse trace` as a process of its own. */
export class TraceProcess {
  readonly #child: ChildProcess;
  readonly #watchdog = new Watchdog();
  text = "";

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, "trace", ...args, "--log-format", "json"], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    if (this.#child.pid !== undefined) this.#watchdog.guard(this.#child.pid);
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (this.text += chunk));
  }

  /** With SQLite in a folder, for the writer and the reader of a namespace. `listen` 0 = any port. */
  static keptIn(dataFolder: string, plane: ControlPlane, namespace: string, listen = 0): TraceProcess {
    const account = (name: string) => `system:serviceaccount:${namespace}:${name}`;
    return new TraceProcess([
      ...["--data-dir", dataFolder, "--listen", `127.0.0.1:${listen}`, "--kubeconfig", plane.kubeconfig],
      ...["--writer", account(accounts.writer), "--reader", account(accounts.reader)],
    ]);
  }

  port(): Promise<number> {
    return eventually(`nuptse trace to start; it said: ${this.text}`, timeLimits.operatorReady, () => {
      const line = this.text.split("\n").find((each) => each.includes("trace starts"));
      return line === undefined ? undefined : (JSON.parse(line) as { readonly port: number }).port;
    });
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const gone = once(this.#child, "exit");
    this.#child.kill(signal);
    const [code] = await gone;
    await this.#watchdog.close();
    return code as number | null;
  }
}

/** Makes the accounts of a trace in a namespace; resolves with a token of each. */
export async function traceTokens(plane: ControlPlane, namespace: string): Promise<Record<keyof typeof accounts, string>> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const tokenOf = async (name: string): Promise<string> => {
    await plane.client.text({ method: "POST", path, body: { metadata: { name } } });
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600 } };
    const answer = await plane.client.text({ method: "POST", path: `${path}/${name}/token`, body });
    return (JSON.parse(answer) as { readonly status: { readonly token: string } }).status.token;
  };
  return { writer: await tokenOf(accounts.writer), reader: await tokenOf(accounts.reader) };
}

/** What the reader sees at that port. */
export function traceReader(port: number, token: string): ReturnType<typeof createHttpStore> {
  return createHttpStore({ url: `http://127.0.0.1:${port}`, clock: createSystemClock(), token: () => Promise.resolve(token) });
}
