/**
 * A backfill of 10,000 fire times, 20 of them at once: how long it takes, what it costs in writes, and by how much the operator's resident
 * memory grows over what it had when the job was armed. Kubelets and a scheduler without machines (another process) end each pod at once.
 *
 * Not measured: work of any length in the pods, which would take longer; a network between.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { countWrites } from "../../hack/control-plane/audit.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { BenchCluster, operatorAgent } from "./support/cluster.ts";
import { rounded } from "./support/figures.ts";
import { elasticJob, podTemplate } from "./support/manifests.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { jobsPath } from "./support/population.ts";
import { tell } from "./support/progress.ts";
import { startWorld } from "./support/world-process.ts";

const namespace = "backfill";
const requestsPath = `/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/jobrequests`;
const from = Date.parse("2025-01-01T00:00:00Z");
const minuteMs = 60_000;
const sampleMs = 1000;
const longestMs = 3_600_000;

const bench: Bench = async (words) => {
  const choice = readArguments(words, { runs: 10_000, parallelism: 20, profile: "" });
  const cluster = await BenchCluster.start();
  const { plane } = cluster;
  const operator = await OperatorProcess.start({
    kubeconfig: cluster.operatorKubeconfig,
    logsFolder: plane.logsFolder,
    profileFolder: choice.profile,
  });
  try {
    const world = await startWorld(plane.kubeconfig, plane.logsFolder, 3);
    await cluster.createNamespaces([namespace]);
    await operator.leading();
    const template = podTemplate({ runMs: 0 });
    await cluster.send("POST", jobsPath(namespace), elasticJob(namespace, "past", { schedule: { crons: ["* * * * *"] }, template }));
    await cluster.armed(namespace, 1);
    await cluster.send("PATCH", `${jobsPath(namespace)}/past`, { spec: { suspend: true } });
    await sleep(5000);
    const { now: before } = await operator.memory();
    const fromByte = await plane.auditPosition();
    const begun = performance.now();
    const iso = (instant: number) => new Date(instant).toISOString().replace(".000Z", "Z");
    await cluster.send("POST", requestsPath, {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "JobRequest",
      metadata: { name: "all" },
      spec: { jobName: "past", backfill: { from: iso(from), to: iso(from + choice.runs * minuteMs), parallelism: choice.parallelism } },
    });
    let phase: unknown;
    let most = before;
    for (let sample = 0; phase !== "Succeeded" && phase !== "Failed"; sample++) {
      await sleep(sampleMs);
      const { status } = await cluster.send("GET", `${requestsPath}/all`);
      phase = status?.["phase"];
      const { now } = await operator.memory();
      if (now > most) most = now;
      if (sample % 30 === 0) tell(`${now.toFixed(0)} MB: ${JSON.stringify(status?.["backfill"] ?? status?.["message"] ?? "")}`);
      if (performance.now() - begun > longestMs) throw new Error("the backfill has not ended after an hour");
    }
    const seconds = (performance.now() - begun) / 1000;
    const { total, byRequest } = await countWrites(await cluster.audit({ fromByte }), operatorAgent);
    const pods = byRequest.get("create pods") ?? 0;
    await world.end();
    return {
      name: "backfill",
      figures: {
        grownMegabytes: rounded(most - before, 1),
        failed: phase === "Succeeded" ? 0 : 1,
        missing: choice.runs - pods,
        seconds: rounded(seconds, 1),
        writesPerRun: rounded(total / choice.runs),
      },
      targets: { grownMegabytes: { max: 100 }, failed: { max: 0 }, missing: { max: 0 } },
      table: {
        columns: [`${choice.runs} runs, ${choice.parallelism} at once`, ""],
        rows: [
          ["resident memory before, MB", before.toFixed(0)],
          ["highest resident memory while at work, MB", most.toFixed(0)],
          ["from the request to its end, s", seconds.toFixed(1)],
          ["runs a second", (choice.runs / seconds).toFixed(1)],
          ["pods created", String(pods)],
          ["writes of the operator for each run", (total / choice.runs).toFixed(2)],
        ],
      },
    };
  } finally {
    await operator.stop();
    await cluster.stop();
  }
};

export default bench;
