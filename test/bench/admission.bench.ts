/**
 * Pods of others that wait in 30 queues, each a workload of its own, all of which may begin at one moment: how fast the operator opens their gates,
 * with the statuses of the queues written beside, against a plain loader that sends byte-identical patches. The order of the two alternates, each
 * round takes fresh pods, and whichever is not measured does not run. Times are from the end of the hold until the answer to the last patch, by the
 * audit log of the API server.
 *
 * Not measured: scheduling and starting pods (nothing binds them), the creation of the pods, a network between.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { type ApiObject, BenchCluster, operatorAgent } from "./support/cluster.ts";
import { largest, median, rounded } from "./support/figures.ts";
import { loaderAgent, sendLoad } from "./support/loader.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { tell } from "./support/progress.ts";

const gate = "nuptse.dev/queue";
const queuesPath = "/apis/nuptse.dev/v1alpha1/tenantqueues";
const podsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;
const longestMs = 300_000;
/** What the operator watches while it opens gates. */
const watched = [
  "/api/v1/pods?",
  "/api/v1/pods?labelSelector=nuptse.dev%2Fqueue%2C%21nuptse.dev%2Fjob-uid",
  "/api/v1/nodes?",
  "/apis/nuptse.dev/v1alpha1/tenantqueues?",
];

interface Round {
  readonly seconds: number;
  /** Patches of statuses of queues meanwhile. */
  readonly statusPatches: number;
}

const bench: Bench = async (words) => {
  const { pods, queues, rounds, profile } = readArguments(words, { pods: 15_000, queues: 30, rounds: 3, profile: "" });
  const ours: Round[] = [];
  const loader: Round[] = [];
  const cluster = await BenchCluster.start({});
  try {
    await cluster.createAll(queuesPath, tree(queues, pods));
    for (let round = 1; round <= rounds; round++) {
      const turns = [
        async () => {
          const made = await admittedByOperator(cluster, `operator-${round}`, pods, queues, profile);
          tell(`round ${round}, operator: ${made.seconds.toFixed(2)} s, ${made.statusPatches} patches of statuses`);
          ours.push(made);
        },
        async () => {
          const made = await patchedByLoader(cluster, `loader-${round}`, pods, queues);
          tell(`round ${round}, loader: ${made.seconds.toFixed(2)} s`);
          loader.push(made);
        },
      ];
      for (const turn of round % 2 === 1 ? turns : turns.reverse()) await turn();
    }
  } finally {
    await cluster.stop();
  }
  const rate = (rows: readonly Round[]) => median(rows.map(({ seconds }) => pods / seconds));
  const ratios = ours.map(({ seconds }, at) => (loader[at]?.seconds ?? Number.NaN) / seconds);
  const row = (name: string, { seconds, statusPatches }: Round, ratio: string) => [
    name,
    seconds.toFixed(2),
    (pods / seconds).toFixed(0),
    String(statusPatches),
    ratio,
  ];
  return {
    name: "admission",
    figures: {
      rateToLoader: rounded(median(ratios)),
      admissionsPerSecond: Math.round(rate(ours)),
      loaderPerSecond: Math.round(rate(loader)),
      statusPatches: largest(ours.map(({ statusPatches }) => statusPatches)),
    },
    targets: { rateToLoader: { min: 0.8 }, statusPatches: { min: 1 } },
    table: {
      columns: ["", "seconds", "pods/s", "status patches", "rate to the loader's"],
      rows: ours.flatMap((made, at) => [
        row(`operator, round ${at + 1}`, made, (ratios[at] ?? Number.NaN).toFixed(2)),
        row(`plain loader, round ${at + 1}`, loader[at] as Round, ""),
      ]),
    },
  };
};

/** One root that has room for all, and leaves that share it; all namespaces may use all. */
function tree(queues: number, pods: number): readonly unknown[] {
  const queue = (name: string, spec: object) => ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "TenantQueue",
    metadata: { name },
    spec,
  });
  const resources = { cpu: String(pods), memory: `${pods}Gi`, pods: String(2 * pods) };
  return [
    queue("root", { stopPolicy: "Hold", capacity: { resources } }),
    ...Array.from({ length: queues }, (_, at) => queue(`leaf-${at}`, { parent: "root", namespaceSelector: {} })),
  ];
}

/** Pods behind the gate, spread over the queues. */
async function createGated(cluster: BenchCluster, namespace: string, pods: number, queues: number): Promise<void> {
  await cluster.createNamespaces([namespace]);
  await cluster.createAll(
    podsPath(namespace),
    Array.from({ length: pods }, (_, at) => ({
      metadata: { name: `p-${String(at).padStart(5, "0")}`, labels: { [gate]: `leaf-${at % queues}` } },
      spec: {
        schedulingGates: [{ name: gate }],
        containers: [{ name: "main", image: "busybox:1.37", resources: { requests: { cpu: "500m", memory: "64Mi" } } }],
      },
    })),
  );
}

async function admittedByOperator(
  cluster: BenchCluster,
  namespace: string,
  pods: number,
  queues: number,
  profileFolder: string,
): Promise<Round> {
  const { plane } = cluster;
  await hold(cluster, "Hold");
  await createGated(cluster, namespace, pods, queues);
  const operator = await OperatorProcess.start({ kubeconfig: cluster.operatorKubeconfig, logsFolder: plane.logsFolder, profileFolder });
  try {
    await operator.leading(pods);
    // Statuses that tell of those who wait are written, and nobody is told of anything yet.
    await sleep(15_000);
    const fromByte = await plane.auditPosition();
    const begun = Date.now();
    await hold(cluster, "None");
    await untilWritten(operator, pods, begun);
    // A few of those were statuses.
    await sleep(3_000);
    return await seenBy(cluster, { fromByte, agent: operatorAgent, namespace, pods, begun });
  } finally {
    await operator.stop();
    await cluster.deleteAll(podsPath(namespace));
  }
}

async function patchedByLoader(cluster: BenchCluster, namespace: string, pods: number, queues: number): Promise<Round> {
  await createGated(cluster, namespace, pods, queues);
  try {
    const made = await cluster.list(podsPath(namespace));
    const requests = made.map(({ metadata }: ApiObject) => ({
      path: `${podsPath(namespace)}/${metadata["name"]}`,
      body: JSON.stringify([
        { op: "test", path: "/metadata/uid", value: metadata["uid"] },
        { op: "test", path: "/spec/schedulingGates/0/name", value: gate },
        { op: "remove", path: "/spec/schedulingGates/0" },
      ]),
    }));
    let fromByte = 0;
    const load = { method: "PATCH", contentType: "application/json-patch+json", watched, requests } as const;
    const begun = await sendLoad(cluster, namespace, load, async () => {
      fromByte = await cluster.plane.auditPosition();
    });
    return await seenBy(cluster, { fromByte, agent: loaderAgent, namespace, pods, begun });
  } finally {
    await cluster.deleteAll(podsPath(namespace));
  }
}

async function hold(cluster: BenchCluster, stopPolicy: "Hold" | "None"): Promise<void> {
  await cluster.send("PATCH", `${queuesPath}/root`, { spec: { stopPolicy } });
}

/** Asks the operator how much it has written, which costs the API server nothing. */
async function untilWritten(operator: OperatorProcess, writes: number, begun: number): Promise<void> {
  const before = (await operator.metrics()).get("nuptse_api_writes_total") ?? 0;
  for (;;) {
    await sleep(500);
    const written = ((await operator.metrics()).get("nuptse_api_writes_total") ?? 0) - before;
    if (written >= writes) return;
    if (Date.now() - begun > longestMs) throw new Error(`${written} of ${writes} writes were made in ${longestMs} ms`);
  }
}

async function seenBy(
  cluster: BenchCluster,
  { fromByte, agent, namespace, pods, begun }: { fromByte: number; agent: string; namespace: string; pods: number; begun: number },
): Promise<Round> {
  const events = await cluster.audit({ fromByte, userAgentPrefix: agent });
  const done = events.filter(({ stage, responseStatus }) => stage === "ResponseComplete" && responseStatus.code === 200);
  const opened = done.filter(
    ({ verb, objectRef }) => verb === "patch" && objectRef?.resource === "pods" && objectRef.namespace === namespace,
  );
  if (opened.length !== pods) throw new Error(`${opened.length} patches were counted for ${pods} pods`);
  const statusPatches = done.filter(({ objectRef }) => objectRef?.resource === "tenantqueues" && objectRef.subresource === "status");
  return { seconds: (largest(opened.map(({ stageTimestamp }) => stageTimestamp)) - begun) / 1000, statusPatches: statusPatches.length };
}

export default bench;
