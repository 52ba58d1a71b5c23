/**
 * From the fire time until the API server has the request for the first pod, by the audit log: one job a second fires, of a thousand, in
 * an operator that has nothing else to do, and half way through it must list its pods anew.
 *
 * The operator talks to the API server through a proxy (TLS on both sides) that can end one of its watches with 410, as the API server
 * does when it has forgotten a version; the proxy's own time is in the figures.
 *
 * Not measured: the time from the request until the pod runs, a busy operator (that is tick-storm), a machine without other work to do.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { BenchCluster, operatorAgent } from "./support/cluster.ts";
import { ExpiringProxy } from "./support/expiring-proxy.ts";
import { largest, percentile, rounded } from "./support/figures.ts";
import { elasticJob, fullSecondAfter, podTemplate, yearlyAtSecond } from "./support/manifests.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { jobsIn, jobsPath, type Population, populate } from "./support/population.ts";
import { tell } from "./support/progress.ts";

const namespace = "ticks";
/** Fire times this soon after the relist was forced are shown apart, ms. */
const aftermathMs = 5000;

const bench: Bench = async (words) => {
  const choice = readArguments(words, { jobs: 1000, ticks: 500, pods: 15_000, profile: "" });
  const cluster = await BenchCluster.start();
  const { plane } = cluster;
  const proxy = await ExpiringProxy.start(cluster.operatorKubeconfig);
  let operator: OperatorProcess | undefined;
  try {
    const kubeconfig = join(plane.logsFolder, "proxy.kubeconfig");
    await writeFile(kubeconfig, proxy.kubeconfigContent, { mode: 0o600 });
    operator = await OperatorProcess.start({ kubeconfig, logsFolder: plane.logsFolder, profileFolder: choice.profile });
    await operator.leading();
    const others = choice.jobs - choice.ticks - choice.pods / 100;
    const population: Population = { namespace: "others", idle: Math.max(0, others), running: choice.pods, finished: 0 };
    await populate(cluster, population);
    await cluster.createNamespaces([namespace]);
    const first = fullSecondAfter(20_000 + choice.ticks * 40);
    const fireTimes = new Map(
      Array.from({ length: choice.ticks }, (_, index) => [`tick-${String(index).padStart(5, "0")}`, first + index * 1000]),
    );
    const jobs = [...fireTimes].map(([name, time]) => {
      return elasticJob(namespace, name, { schedule: { crons: [yearlyAtSecond(time)] }, template: podTemplate({}) });
    });
    await cluster.createAll(jobsPath(namespace), jobs);
    await cluster.armed(namespace, choice.ticks);
    if (Date.now() > first - 2000) throw new Error("the jobs were armed too late; is the machine very busy?");
    const fromByte = await plane.auditPosition();
    tell(`${choice.ticks} ticks begin in ${((first - Date.now()) / 1000).toFixed(0)} s`);
    // just before a fire time, so that the relist is at work when it comes
    const forcedAt = first + Math.floor(choice.ticks / 2) * 1000 - 100;
    await sleep(forcedAt - Date.now());
    if (proxy.expire("/api/v1/pods") === 0) throw new Error("there was no watch of pods to end");
    await sleep(first + choice.ticks * 1000 + 3000 - Date.now());
    const events = await cluster.audit({ fromByte, userAgentPrefix: operatorAgent });
    const delays = new Map<string, number>();
    for (const { objectRef, verb, stage, requestReceivedTimestamp } of events) {
      if (objectRef?.namespace !== namespace || objectRef.resource !== "pods" || verb !== "create" || stage !== "ResponseComplete")
        continue;
      const name = objectRef.name.slice(0, "tick-00000".length);
      const fireTime = fireTimes.get(name);
      if (fireTime !== undefined && !delays.has(name)) delays.set(name, requestReceivedTimestamp - fireTime);
    }
    const reads = events.filter((event) => {
      const { resource } = event.objectRef ?? {};
      const isRead = event.verb === "list" || event.requestUri.includes("sendInitialEvents=true");
      return resource === "pods" && isRead && event.requestReceivedTimestamp >= forcedAt;
    });
    if (reads.length === 0) throw new Error("the operator did not list its pods anew");
    const values = [...delays.values()];
    const aftermath = [...delays].filter(([name]) => {
      const fireTime = fireTimes.get(name) ?? 0;
      return fireTime >= forcedAt && fireTime < forcedAt + aftermathMs;
    });
    const milliseconds = (value: number) => value.toFixed(1);
    return {
      name: "latency",
      figures: {
        p50Milliseconds: rounded(percentile(values, 50)),
        p99Milliseconds: rounded(percentile(values, 99)),
        maxMilliseconds: rounded(largest(values)),
        maxMillisecondsAfterRelist: rounded(largest(aftermath.map(([, delay]) => delay))),
        early: values.filter((delay) => delay < 0).length,
        missing: choice.ticks - values.length,
      },
      targets: { p50Milliseconds: { max: 20 }, p99Milliseconds: { max: 50 }, early: { max: 0 }, missing: { max: 0 } },
      table: {
        columns: ["fire time to request, ms", "ticks", "p50", "p90", "p99", "most", "least"],
        rows: [
          row(`all, ${jobsIn(population) + choice.ticks} jobs, ${choice.pods} pods`, values),
          row(
            `within ${aftermathMs / 1000} s of the relist`,
            aftermath.map(([, delay]) => delay),
          ),
        ],
      },
    };

    function row(label: string, all: readonly number[]): readonly string[] {
      const least = -largest(all.map((value) => -value));
      return [
        label,
        String(all.length),
        ...[50, 90, 99].map((percent) => milliseconds(percentile(all, percent))),
        milliseconds(largest(all)),
        milliseconds(least),
      ];
    }
  } finally {
    await operator?.stop();
    proxy.close();
    await cluster.stop();
  }
};

export default bench;
