/**
 * Many fleets on a real API server: what the operator writes while nothing happens, its memory, how long a new process needs until it has looked at
 * every fleet and what it writes then, and how soon it acts on an edit of one while many others are being rolled out.
 *
 * Each fleet has a namespace of its own, so that the audit log tells whose a request is. Kubelets and a scheduler without machines are another
 * process; meanwhile nodes are heard of, and somebody else's pod changes. The edits scale fleets out by one; what is timed ends with the request for
 * the new pod, by the API server's clock.
 *
 * Not measured: a network between, the time to pull and start an image, queues.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { countWrites } from "../../hack/control-plane/audit.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { BenchCluster, operatorAgent } from "./support/cluster.ts";
import { largest, median, percentile, rounded } from "./support/figures.ts";
import { appsPath, fleetsServing, isServing, reactionsOf } from "./support/fleets.ts";
import { instanceTemplate, runnerApp } from "./support/manifests.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { tell } from "./support/progress.ts";
import { sideBySide } from "./support/side-by-side.ts";
import { startWorld } from "./support/world-process.ts";
import { namesOf, writesWhileOthersGoOn } from "./support/write-load.ts";

const nodes = 3;
/** Ready soon after its start, and then for ever. */
const script = { startMs: 1000 };
/** Two at a time, so that a roll-out lasts. */
const strategy = { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } };
/** For what a process writes after it has looked at everything. */
const afterwardsMs = 10_000;
/** Roll-outs are under way before the first edit. */
const rollingFirstMs = 3000;

const bench: Bench = async (words) => {
  const choice = readArguments(words, {
    apps: 500,
    instances: 30,
    "rest-seconds": 300,
    restarts: 5,
    rolling: 100,
    edits: 100,
    "edits-per-second": 5,
    profile: "",
  });
  const { apps, instances, rolling, edits } = choice;
  if (rolling + edits > apps) throw new Error("there must be as many apps as are rolled out and edited together");
  const cluster = await BenchCluster.start();
  const { plane } = cluster;
  const world = await startWorld(plane.kubeconfig, plane.logsFolder, nodes);
  const start = () =>
    OperatorProcess.start({ kubeconfig: cluster.operatorKubeconfig, logsFolder: plane.logsFolder, profileFolder: choice.profile });
  const memory: number[] = [];
  const namespaces = namesOf("fleet", apps);
  const template = (version: number) => instanceTemplate(script, version);
  const edit = (namespace: string, spec: object) => cluster.send("PATCH", `${appsPath(namespace)}/web`, { spec });
  let operator = await start();
  try {
    await operator.leading();
    await cluster.createNamespaces(namespaces);
    await sideBySide(namespaces, 32, (name) =>
      cluster.send("POST", appsPath(name), runnerApp(name, "web", { replicas: instances, strategy, template: template(1) })),
    );
    await fleetsServing(cluster, apps);
    tell(`${apps} fleets of ${instances} serve`);
    await sleep(afterwardsMs);
    const rest = await writesWhileOthersGoOn(cluster, choice["rest-seconds"]);
    memory.push((await operator.memory()).peak);
    const resting = (await operator.memory()).now;
    tell(`at rest: ${rest.writes} writes besides ${rest.leases} of the lease; ${memory.at(-1)?.toFixed(0)} MB at most`);

    const settled: number[] = [];
    let restartWrites = 0;
    for (let turn = 1; turn <= choice.restarts; turn++) {
      await operator.stop();
      const fromByte = await plane.auditPosition();
      operator = await start();
      settled.push((await operator.leading(apps + nodes)) / 1000);
      await sleep(afterwardsMs);
      const events = (await cluster.audit({ fromByte })).filter(({ objectRef }) => objectRef?.resource !== "leases");
      const { total, byRequest } = await countWrites(events, operatorAgent);
      restartWrites += total;
      memory.push((await operator.memory()).peak);
      tell(`start ${turn}: settled after ${settled.at(-1)?.toFixed(2)} s, ${total} writes ${[...byRequest.keys()].join(", ")}`);
    }

    const others = namespaces.slice(0, rolling);
    const edited = namespaces.slice(rolling, rolling + edits);
    const fromByte = await plane.auditPosition();
    await sideBySide(others, 32, (name) => edit(name, { template: template(2) }));
    await sleep(rollingFirstMs);
    for (const name of edited) {
      await edit(name, { replicas: instances + 1 });
      await sleep(1000 / choice["edits-per-second"]);
    }
    const still = (await cluster.list("/apis/nuptse.dev/v1alpha1/runnerapps")).filter(
      (app) => others.includes(app.metadata["namespace"] ?? "") && !isServing(app),
    ).length;
    const reactions = reactionsOf(await cluster.audit({ fromByte }), edited);
    await fleetsServing(cluster, apps);
    memory.push((await operator.memory()).peak);
    const acts = { median: median(reactions.sinceAnswer), p99: percentile(reactions.sinceAnswer, 99) };
    tell(`acted after ${acts.median.toFixed(1)} ms, p99 ${acts.p99.toFixed(1)} ms; ${still} fleets still rolled at the end`);
    const megabytes = largest(memory);
    return {
      name: "fleet-steady",
      figures: {
        writesAtRest: rest.writes,
        peakMegabytes: rounded(megabytes, 1),
        settledSeconds: rounded(median(settled)),
        settledSecondsWorst: rounded(largest(settled)),
        writesAfterRestart: restartWrites,
        actMs: rounded(acts.median, 1),
        actMsP99: rounded(acts.p99, 1),
        editsMissed: reactions.missed,
        stillRolling: still,
      },
      targets: {
        writesAtRest: { max: 0 },
        peakMegabytes: { max: 600 },
        settledSecondsWorst: { max: 10 },
        writesAfterRestart: { max: 0 },
        actMs: { max: 50 },
        actMsP99: { max: 200 },
        editsMissed: { max: 0 },
        stillRolling: { min: 1 },
      },
      table: {
        columns: [`${apps} RunnerApps of ${instances} instances`, "median", "worst"],
        rows: [
          [`writes in ${choice["rest-seconds"]} s at rest, besides ${rest.leases} of the lease`, String(rest.writes), ""],
          ["resident memory at rest, MB", resting.toFixed(0), ""],
          ["highest resident memory, MB", "", megabytes.toFixed(0)],
          [
            `process start until every fleet was looked at, s (${settled.length} starts)`,
            median(settled).toFixed(2),
            largest(settled).toFixed(2),
          ],
          ["writes by then and in 10 s more, besides the lease", String(restartWrites), ""],
          [
            `from the answer to an edit to the first request for it, ms, while ${rolling} others roll (${edits} edits, worst = p99)`,
            acts.median.toFixed(1),
            acts.p99.toFixed(1),
          ],
          [
            "the same from the arrival of the edit on, ms",
            median(reactions.sinceRequest).toFixed(1),
            percentile(reactions.sinceRequest, 99).toFixed(1),
          ],
        ],
      },
    };
  } finally {
    await operator.stop();
    await world.end();
    await cluster.stop();
  }
};

export default bench;
