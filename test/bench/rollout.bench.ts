/**
 * The roll-out of a fleet beside that of a Deployment of the same size on the real kube-controller-manager with raised limits: what it takes from the edit
 * until there are exactly the new instances and all are Ready, and what the controllers write for it besides creating and deleting the pods.
 *
 * Both fleets stand all the time; their images are changed in turns, ours first in one round and last in the next. maxSurge and maxUnavailable are the
 * defaults of both (25 %). Kubelets and a scheduler without machines are another process, a watch of the bench's own sees the pods. What others write,
 * such as the status of our PodDisruptionBudget, is shown beside.
 *
 * Not measured: a network between, the time to pull and start an image, services.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type AuditEvent, countWrites } from "../../hack/control-plane/audit.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { BenchCluster, operatorAgent } from "./support/cluster.ts";
import { largest, median, rounded } from "./support/figures.ts";
import { appsPath } from "./support/fleets.ts";
import { type InstanceWatch, watchInstances } from "./support/instance-watch.ts";
import { instanceTemplate, runnerApp } from "./support/manifests.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { tell } from "./support/progress.ts";
import { startWorld } from "./support/world-process.ts";

const raisedLimits = [
  ...["--kube-api-qps=2000", "--kube-api-burst=4000"],
  ...["--concurrent-deployment-syncs=50", "--concurrent-replicaset-syncs=50", "--concurrent-gc-syncs=50"],
];
const controllerAgent = "kube-controller-manager/";
/** As in the figures of a Deployment elsewhere. */
const script = { startMs: 1000 };
/** The last status comes after the last pod. */
const afterwardsMs = 10_000;
const longestMs = 900_000;

/** One of the two, in a namespace of its own. */
interface Fleet {
  readonly name: string;
  readonly namespace: string;
  readonly path: string;
  readonly labels: Readonly<Record<string, string>>;
  /** User agents that write for it. */
  readonly agent: string;
  readonly object: unknown;
}

interface Rollout {
  readonly seconds: number;
  /** For each instance, without the creation and deletion of pods. */
  readonly writes: number;
  /** By verb and resource, all of its controllers. */
  readonly byRequest: ReadonlyMap<string, number>;
  /** Writes in its namespace by everybody else but kubelets and scheduler, for each instance. */
  readonly others: number;
}

const bench: Bench = async (words) => {
  const choice = readArguments(words, { instances: 1000, rounds: 5, profile: "" });
  const { instances } = choice;
  const cluster = await BenchCluster.start({ components: { controllerManager: { args: raisedLimits } } });
  const { plane } = cluster;
  const world = await startWorld(plane.kubeconfig, plane.logsFolder, 3);
  const operator = await OperatorProcess.start({
    kubeconfig: cluster.operatorKubeconfig,
    logsFolder: plane.logsFolder,
    profileFolder: choice.profile,
  });
  const ended = operator.ended();
  // At the end it is stopped, and nobody waits for it any more.
  ended.catch(() => undefined);
  const watch = await watchInstances(plane.kubeconfig);
  const [ours, theirs] = fleets(instances);
  const rollouts = { ours: [] as Rollout[], theirs: [] as Rollout[] };
  try {
    await operator.leading();
    await cluster.createNamespaces([ours.namespace, theirs.namespace]);
    for (const { path, object, namespace } of [theirs, ours]) {
      const begun = performance.now();
      await cluster.send("POST", path, object);
      const end = await Promise.race([watch.until(namespace, instances, imageOf(0), longestMs), ended]);
      tell(`${namespace}: ${instances} instances after ${((end - begun) / 1000).toFixed(1)} s`);
    }
    await sleep(afterwardsMs);
    for (let round = 1; round <= choice.rounds; round++) {
      const order = [
        { fleet: ours, told: rollouts.ours },
        { fleet: theirs, told: rollouts.theirs },
      ] as const;
      for (const { fleet, told } of round % 2 === 1 ? order : order.toReversed()) {
        const rollout = await Promise.race([roll(cluster, watch, fleet, round, instances), ended]);
        told.push(rollout);
        tell(`round ${round}, ${fleet.name}: ${rollout.seconds.toFixed(1)} s, ${rollout.writes.toFixed(3)} writes an instance`);
      }
    }
  } finally {
    watch.stop();
    await operator.stop();
    await world.end();
    await cluster.stop();
  }
  const seconds = (of: readonly Rollout[]) => median(of.map((each) => each.seconds));
  const writes = (of: readonly Rollout[]) => median(of.map((each) => each.writes));
  const ratio = median(rollouts.ours.map((each, round) => each.seconds / (rollouts.theirs[round]?.seconds ?? Number.NaN)));
  const row = (label: string, of: readonly Rollout[]): readonly string[] => [
    label,
    seconds(of).toFixed(1),
    largest(of.map((each) => each.seconds)).toFixed(1),
    writes(of).toFixed(3),
    median(of.map((each) => each.others)).toFixed(3),
    [...(of.at(-1)?.byRequest ?? [])].map(([request, count]) => `${count} ${request}`).join(", "),
  ];
  return {
    name: "rollout",
    figures: {
      secondsRatio: rounded(ratio),
      writesPerInstance: rounded(writes(rollouts.ours)),
      deploymentWritesPerInstance: rounded(writes(rollouts.theirs)),
      seconds: rounded(seconds(rollouts.ours)),
      deploymentSeconds: rounded(seconds(rollouts.theirs)),
    },
    targets: { secondsRatio: { max: 1.2 }, writesPerInstance: { max: 0.2 } },
    table: {
      columns: [
        `${instances} instances, ${choice.rounds} rounds`,
        "s, median",
        "s, worst",
        "writes an instance besides its pods",
        "by others",
        "of which in the last round",
      ],
      rows: [row("RunnerApp", rollouts.ours), row("Deployment", rollouts.theirs)],
    },
  };
};

const imageOf = (version: number): string => instanceTemplate(script, version).spec.containers[0]?.image ?? "";

function fleets(instances: number): readonly [Fleet, Fleet] {
  const labels = { app: "web" };
  const spec = { replicas: instances, selector: { matchLabels: labels }, template: instanceTemplate(script, 0, labels) };
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { namespace: "theirs", name: "web" }, spec };
  return [
    {
      name: "RunnerApp",
      namespace: "ours",
      path: appsPath("ours"),
      labels,
      agent: operatorAgent,
      object: runnerApp("ours", "web", spec),
    },
    {
      name: "Deployment",
      namespace: "theirs",
      path: "/apis/apps/v1/namespaces/theirs/deployments",
      labels,
      agent: controllerAgent,
      object: deployment,
    },
  ];
}

/** Changes the image, and measures until only the new instances are there and serve. */
async function roll(cluster: BenchCluster, watch: InstanceWatch, fleet: Fleet, version: number, instances: number): Promise<Rollout> {
  const fromByte = await cluster.plane.auditPosition();
  const begun = performance.now();
  await cluster.send("PATCH", `${fleet.path}/web`, { spec: { template: instanceTemplate(script, version, fleet.labels) } });
  const end = await watch.until(fleet.namespace, instances, imageOf(version), longestMs);
  await sleep(afterwardsMs);
  const events = await cluster.audit({ fromByte, namespace: fleet.namespace });
  const isOurs = ({ userAgent }: AuditEvent) => userAgent.startsWith(fleet.agent);
  const { total, byRequest } = await countWrites(events.filter(isOurs), fleet.agent);
  const pods = (byRequest.get("create pods") ?? 0) + (byRequest.get("delete pods") ?? 0);
  const rest = events.filter((event) => !isOurs(event) && !["bench", "bench-world"].includes(event.userAgent));
  const others = (await countWrites(rest, "")).total;
  return { seconds: (end - begun) / 1000, writes: (total - pods) / instances, byRequest, others: others / instances };
}

export default bench;
