import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Watchdog } from "../../hack/control-plane/watchdog.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createHttpStore } from "../../src/trace/http-store.ts";
import type { TraceReader } from "../../src/trace/store.ts";
import { program } from "../support/program.ts";
import { eventually } from "./support/eventually.ts";
import { armedSecond, elasticJob, onceAt, runId } from "./support/jobs.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const namespace = "traced";

/** `nuptse trace` as a process of its own. */
class TraceProcess {
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

/** The operator process, `nuptse trace` and the API server that knows their tokens. */
describe("the event trace of an operator", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace] });
  const folder = mkdtempSync(join(tmpdir(), "nuptse-trace-operator-"));
  const tokenFile = join(folder, "token");
  let server: TraceProcess;
  let port = 0;
  let reader: TraceReader & { close(): Promise<void> };

  /** A token of a new ServiceAccount. */
  async function tokenOf(account: string): Promise<string> {
    const { client } = cluster().plane;
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await client.text({ method: "POST", path, body: { metadata: { name: account } } });
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600 } };
    const answer = await client.text({ method: "POST", path: `${path}/${account}/token`, body });
    return (JSON.parse(answer) as { readonly status: { readonly token: string } }).status.token;
  }

  const startServer = (listen: number) =>
    new TraceProcess([
      ...["--data-dir", join(folder, "data"), "--listen", `127.0.0.1:${listen}`, "--kubeconfig", cluster().plane.kubeconfig],
      ...["--writer", `system:serviceaccount:${namespace}:writer`, "--reader", `system:serviceaccount:${namespace}:reader`],
    ]);

  async function runOnce(name: string): Promise<string> {
    const at = armedSecond();
    await cluster().create(elasticJob(namespace, name, { schedule: onceAt(at), sharding: { total: 2 } }));
    await cluster().ended(namespace, name, runId(at));
    return runId(at);
  }

  before("start nuptse trace and an operator that writes to it", async function () {
    this.timeout(timeLimits.takeOver);
    writeFileSync(tokenFile, await tokenOf("writer"));
    const readerToken = await tokenOf("reader");
    server = startServer(0);
    port = await server.port();
    reader = createHttpStore({ url: `http://127.0.0.1:${port}`, clock: createSystemClock(), token: () => Promise.resolve(readerToken) });
    const operator = await cluster().operator("tracing", {
      args: [
        ...["--trace", `http://127.0.0.1:${port}`, "--trace-token-file", tokenFile],
        ...["--lease-namespace", namespace, "--deployment", "nuptse"],
      ],
    });
    await operator.leading();
  });
  after("end them", async () => {
    await reader?.close();
    await server?.end("SIGKILL").catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  });

  it("holds a run with its attempts soon after it has ended", async () => {
    const run = await runOnce("first");
    const history = await eventually("the run in the trace", timeLimits.reaction, async () => {
      const { rows } = await reader.runs({ namespace, job: "first" });
      return rows.length > 0 ? rows : undefined;
    });
    assert.deepEqual(
      history.map((row) => [row.run, row.state, row.total, row.succeeded, row.failed]),
      [[run, "Succeeded", 2, 2, 0]],
    );
    const { rows } = await reader.attempts({ namespace, job: "first", run });
    assert.deepEqual(
      rows.map(({ item, attempt, source, result, exitCode }) => [item, attempt, source, result, exitCode]),
      [
        [0, 1, "Schedule", "Succeeded", 0],
        [1, 1, "Schedule", "Succeeded", 0],
      ],
    );
    for (const row of rows) assert.match(row.host, /^n[123]$/);
  });

  it("nobody reads with the writer's token, nor with none", async () => {
    const ask = (headers: Record<string, string>) => fetch(`http://127.0.0.1:${port}/v1/runs`, { headers }).then(({ status }) => status);
    const token = await cluster().plane.client.text({
      method: "POST",
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/writer/token`,
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    });
    const writer = (JSON.parse(token) as { readonly status: { readonly token: string } }).status.token;
    assert.deepEqual(
      await Promise.all([ask({}), ask({ authorization: "Bearer x" }), ask({ authorization: `Bearer ${writer}` })]),
      [401, 401, 403],
    );
  });

  it("while it is killed jobs run on, an event on the operator's Deployment says so, and nothing is missing afterwards", async () => {
    await server.end("SIGKILL");
    const run = await runOnce("second");
    await eventually("an event on the Deployment", timeLimits.run, async () => {
      const events = await cluster().eventsOf(namespace, "nuptse");
      return events.find(({ reason, regarding }) => reason === "TraceUnavailable" && regarding?.kind === "Deployment");
    });
    server = startServer(port);
    await server.port();
    await eventually("the second run in the trace", timeLimits.run, async () => {
      const { rows } = await reader.runs({ namespace, job: "second" }).catch(() => ({ rows: [] }));
      return rows.some((row) => row.run === run) ? true : undefined;
    });
    await eventually("the event of its return", timeLimits.run, async () => {
      const events = await cluster().eventsOf(namespace, "nuptse");
      return events.find(({ reason }) => reason === "TraceRecovered");
    });
    assert.equal(await server.end("SIGTERM"), 0, server.text);
    server = startServer(port);
    await server.port();
    assert.equal((await reader.runs({ namespace })).rows.length, 2);
  });
});
