import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TraceReader } from "../../src/trace/store.ts";
import { eventually } from "./support/eventually.ts";
import { armedSecond, elasticJob, onceAt, runId } from "./support/jobs.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";
import { TraceProcess, traceReader, traceTokens } from "./support/trace-process.ts";

const namespace = "traced";

/** The operator process, `nuptse trace` and the API server that knows their tokens. */
describe("the event trace of an operator", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace] });
  const folder = mkdtempSync(join(tmpdir(), "nuptse-trace-operator-"));
  const tokenFile = join(folder, "token");
  let server: TraceProcess;
  let port = 0;
  let reader: TraceReader & { close(): Promise<void> };

  const startServer = (listen: number) => TraceProcess.keptIn(join(folder, "data"), cluster().plane, namespace, listen);

  async function runOnce(name: string): Promise<string> {
    const at = armedSecond();
    await cluster().create(elasticJob(namespace, name, { schedule: onceAt(at), sharding: { total: 2 } }));
    await cluster().ended(namespace, name, runId(at));
    return runId(at);
  }

  before("start nuptse trace and an operator that writes to it", async function () {
    this.timeout(timeLimits.takeOver);
    const tokens = await traceTokens(cluster().plane, namespace);
    writeFileSync(tokenFile, tokens.writer);
    server = startServer(0);
    port = await server.port();
    reader = traceReader(port, tokens.reader);
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
