import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import { elasticJobs, pods } from "../../src/api/resource.ts";
import { parseTime } from "../../src/base/time.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { eventually } from "./support/eventually.ts";
import { armedSecond, elasticJob, every, onceAt, runId } from "./support/jobs.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";
import { TraceProcess, traceReader, traceTokens } from "./support/trace-process.ts";
import { fireTimesBetween } from "./support/witness.ts";

const namespace = "kept";
const periodSeconds = 3;

/** What docs/operations.md tells to do: objects and the trace's data are put away, all is lost, and they are brought back. */
describe("objects and a trace that are restored", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace] });
  const folder = mkdtempSync(join(tmpdir(), "nuptse-backup-"));
  const data = join(folder, "data");
  const tokenFile = join(folder, "token");
  const from = () => parseTime(backedUp("counted").spec.schedule?.startAt) ?? 0;
  const backedUp = (name: string) => backup.find(({ metadata }) => metadata.name === name) as ElasticJob;
  let kubectl: Kubectl;
  let trace: TraceProcess;
  let readerToken = "";
  let backup: readonly ElasticJob[] = [];
  let restoredAt = 0;

  const started = async (name: string) => {
    const url = `http://127.0.0.1:${await trace.port()}`;
    const operator = await cluster().operator(name, { args: ["--trace", url, "--trace-token-file", tokenFile] });
    await operator.leading();
    return operator;
  };
  /** Run and pod of everything that worked on a job, restored or not, in the order of the runs. */
  const worked = (job: string) =>
    cluster()
      .world.ledger.records()
      .filter((record) => record.namespace === namespace && record.job === job)
      .sort((a, b) => a.run.localeCompare(b.run));

  before("back up, lose and restore", async function () {
    this.timeout(timeLimits.settled);
    kubectl = await cluster().kubectl(namespace);
    const tokens = await traceTokens(cluster().plane, namespace);
    writeFileSync(tokenFile, tokens.writer);
    readerToken = tokens.reader;
    trace = TraceProcess.keptIn(data, cluster().plane, namespace);
    const operator = await started("operator-before");
    const begin = armedSecond();
    const schedule = every(periodSeconds, begin);
    const history = { succeeded: 20 };
    const misfire = { onDowntime: "FireAll", onOverlap: "FireAll", limit: 20 } as const;
    await cluster().create(elasticJob(namespace, "counted", { schedule, history, misfire }));
    await cluster().create(elasticJob(namespace, "bare", { schedule, history, misfire }));
    await cluster().create(elasticJob(namespace, "working", { schedule: onceAt(begin), script: { runMs: 60_000 } }));
    await cluster().ended(namespace, "counted", runId(begin + periodSeconds * 1000));
    await cluster().ended(namespace, "bare", runId(begin + periodSeconds * 1000));
    await cluster().until(namespace, "working", "its run to be at work", (job) => job.status?.active?.length === 1);
    await operator.stop();
    await trace.end("SIGTERM");

    backup = (JSON.parse(await kubectl.ok(["get", "elasticjobs", "-o", "json"])) as { items: readonly ElasticJob[] }).items;
    cpSync(data, join(folder, "copy"), { recursive: true });
    rmSync(data, { recursive: true });
    await kubectl.ok(["delete", "elasticjobs,pods,controllerrevisions", "--all", "--wait=false", "--grace-period=1"]);
    await eventually("everything to be gone", timeLimits.reaction, async () => {
      const left = [
        ...(await cluster().client.list(elasticJobs, { namespace })).items,
        ...(await cluster().client.list(pods, { namespace })).items,
      ];
      return left.length === 0 ? true : undefined;
    });
    // At least one fire time passes meanwhile.
    const missed = Date.now() + periodSeconds * 1000;
    await eventually("a fire time to pass", timeLimits.reaction, () => (Date.now() > missed ? true : undefined));

    const restored = backup.map(({ apiVersion, kind, metadata: { name }, spec, status }) => ({
      apiVersion,
      kind,
      metadata: { name, namespace },
      spec,
      ...(name === "bare" ? {} : { status }),
    }));
    restoredAt = Date.now();
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: restored });
    await kubectl.ok(["create", "-f", "-"], list);
    const withStatus = JSON.stringify({ apiVersion: "v1", kind: "List", items: restored.filter(({ status }) => status !== undefined) });
    await kubectl.ok(["apply", "--server-side", "--force-conflicts", "--subresource=status", "-f", "-"], withStatus);
    cpSync(join(folder, "copy"), data, { recursive: true });
    trace = TraceProcess.keptIn(data, cluster().plane, namespace);
    await started("operator-after");
  });
  after("end the trace", async () => {
    await trace?.end("SIGKILL").catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  });

  it("with its status a job makes up for the time between, and fires nothing again that it had fired", async () => {
    const until = from() + Math.ceil((Date.now() - from()) / (periodSeconds * 1000)) * periodSeconds * 1000;
    await cluster().ended(namespace, "counted", runId(until));
    const runs = worked("counted").map(({ run }) => run);
    const wanted = fireTimesBetween(periodSeconds, from(), until).map(runId);
    assert.deepEqual(
      runs.filter((run) => run <= runId(until)),
      wanted,
    );
  });

  it("without its status a job is new: nothing before that is fired", async () => {
    const next = from() + Math.ceil((Date.now() - from()) / (periodSeconds * 1000)) * periodSeconds * 1000;
    await cluster().ended(namespace, "bare", runId(next));
    const last = parseTime(backedUp("bare").status?.lastHandledFireTime) ?? 0;
    const between = worked("bare").filter(({ fireTime = 0 }) => fireTime > last && fireTime < restoredAt - 1000);
    assert.deepEqual(
      between.map(({ run }) => run),
      [],
    );
    const runs = worked("bare").map(({ run }) => run);
    assert.equal(new Set(runs).size, runs.length, `a run of ${runs.join(", ")} was played twice`);
  });

  it("a run that was at work goes on under its name, its lost pods being replaced", async () => {
    const run = backedUp("working").status?.active?.[0]?.run ?? "";
    const pods = await eventually("a second pod", timeLimits.run, () => (worked("working").length === 2 ? worked("working") : undefined));
    assert.deepEqual(
      pods.map((pod) => pod.run),
      [run, run],
    );
  });

  it("a trace goes on with what it held", async () => {
    const reader = traceReader(await trace.port(), readerToken);
    try {
      await eventually("runs from before and after", timeLimits.run, async () => {
        const { rows } = await reader.runs({ namespace, job: "counted" });
        const runs = rows.map(({ run }) => run);
        return runs.includes(runId(from())) && runs.some((run) => run > runId(restoredAt)) ? true : undefined;
      });
    } finally {
      await reader.close();
    }
  });
});
