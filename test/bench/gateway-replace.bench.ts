/**
 * A gateway pod is replaced while clients connect: how soon the slices of all published services follow, and how many connections fail. Once in the planned
 * way, as `kubectl delete pod` does, with its successor beginning at that moment; and once by kill -9 of its HAProxy, which nobody announces.
 *
 * Real: API server, operator (a process), agents, HAProxies, 2,500 published services (fleets of one Service of somebody else, so that no pods of theirs are
 * needed). Modelled: the kubelet of the gateways' pods, which says at once that one is ready and a second after a kill that it is not; and the nodes, which
 * go by what the slices said a second ago. Each client opens a connection of its own for each request, to a service and a gateway by chance.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { type EndpointSlice, sliceServiceLabel } from "../../src/api/endpoint-slice.ts";
import { endpointSlices } from "../../src/api/resource.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import { createHttpTransport } from "../../src/kube/http-transport.ts";
import { createInformer } from "../../src/kube/informer.ts";
import { createKubeClient } from "../../src/kube/kube-client.ts";
import { startInstance } from "../gateway/support/instances.ts";
import { loadText, startLoad } from "../gateway/support/load.ts";
import { loopbackOf } from "../integration/support/pod-network.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { ChangeWaits } from "./support/change-waits.ts";
import { BenchCluster } from "./support/cluster.ts";
import { largest, percentile, rounded } from "./support/figures.ts";
import { startGatewayPod } from "./support/gateway-pod.ts";
import { gatewaySettings } from "./support/gateway-settings.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { tell } from "./support/progress.ts";

const namespace = "shop";
const gatewayNamespace = "edge";
const backs = { name: "backs", address: "10.127.0.1" };
const firstPort = 21_000;
/** Nodes go by what slices said so long ago. */
const nodeLagMs = 1000;
/** A readiness probe finds out so late. */
const probeMs = 1000;
const longestMs = 300_000;

const bench: Bench = async (words) => {
  const choice = readArguments(words, { services: 2500, clients: 8 });
  const [open, restricted] = gatewaySettings(firstPort, choice.services).pools;
  const cluster = await BenchCluster.start();
  const instance = await startInstance("back", loopbackOf(backs.address));
  const operator = await OperatorProcess.start({
    kubeconfig: cluster.operatorKubeconfig,
    logsFolder: cluster.plane.logsFolder,
    args: [
      ...["--gateway-namespace", gatewayNamespace, "--gateway-open-ports", `${open.first}-${open.last}`],
      ...["--gateway-restricted-ports", `${restricted.first}-${restricted.last}`],
    ],
  });
  const clock = createSystemClock();
  const random = { next: () => Math.random() };
  const credentials = await loadCredentials({ clock, kubeconfig: cluster.plane.kubeconfig });
  const transport = createHttpTransport({ credentials, clock, random, userAgent: "bench-gateway" });
  const client = createKubeClient(transport);
  const slices = watchSlices(client, choice.services);
  const program = await ensureHaproxy("3.0");
  const gateways: Awaited<ReturnType<typeof startGatewayPod>>[] = [];
  const addGateway = async (index: number) => {
    const address = `10.64.0.${index + 1}`;
    const settings = gatewaySettings(firstPort, choice.services, loopbackOf(address));
    const gateway = await startGatewayPod({
      ...{ client, clock, program, address, settings },
      namespace: gatewayNamespace,
      name: `gateway-${index}`,
    });
    gateways.push(gateway);
    return gateway;
  };
  try {
    await operator.leading();
    await cluster.createNamespaces([namespace, gatewayNamespace]);
    await publishBacks(cluster, instance.port);
    const [first, second] = [await addGateway(0), await addGateway(1)];
    await cluster.createAll(`/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/runnerapps`, appsOf(choice.services, instance.port));
    await slices.all(({ has }) => has(first.address) && has(second.address));
    tell(`${choice.services} services lead to two gateways`);
    const target = () => slices.somewhere();
    while (!(await answers(choice.services, target))) await sleep(200);
    const begin = () => startLoad({ port: 0, clients: choice.clients, keepAlive: false, target });

    let load = begin();
    await sleep(2000);
    const deletedAt = performance.now();
    const successor = addGateway(2);
    const left = first.delete();
    await slices.all(({ has }) => !has(first.address));
    const removed = slices.since(deletedAt, first.address, "without");
    const third = await successor;
    await slices.all(({ has }) => has(third.address));
    const added = slices.since(third.readyAt, third.address, "with");
    const endedAt = await left;
    await sleep(5000);
    const planned = await load.stop();
    tell(loadText("planned", planned).trim());

    load = begin();
    await sleep(2000);
    const killedAt = performance.now();
    await second.kill(probeMs);
    await slices.all(({ has }) => !has(second.address));
    const killed = slices.since(killedAt, second.address, "without");
    await sleep(nodeLagMs + 2000);
    const unplanned = await load.stop();
    tell(loadText("killed", unplanned).trim());
    return {
      name: "gateway-replace",
      figures: {
        lastSliceWithoutSeconds: rounded(largest(removed) / 1000),
        lastSliceWithSeconds: rounded(largest(added) / 1000),
        lastSliceAfterKillSeconds: rounded(largest(killed) / 1000),
        endedSeconds: rounded((endedAt - deletedAt) / 1000),
        plannedRequests: planned.sent,
        plannedFailed: planned.failed,
        killedRequests: unplanned.sent,
        killedFailed: unplanned.failed,
      },
      targets: { lastSliceWithoutSeconds: { max: 10 }, lastSliceWithSeconds: { max: 10 }, plannedFailed: { max: 0 } },
      table: {
        columns: ["slices follow, s", "n", "p50", "p99", "last"],
        rows: [
          row("a gateway is deleted, planned", removed),
          row("its successor is ready", added),
          row(`a gateway is killed (probe after ${probeMs / 1000} s)`, killed),
        ],
      },
    };
  } finally {
    slices.stop();
    for (const gateway of gateways) await gateway.close().catch((error: unknown) => tell(String(error)));
    await operator.stop();
    instance.kill();
    transport.close();
    await cluster.stop();
  }
};

interface SliceState {
  readonly port: number;
  has(address: string): boolean;
}

/** The slices that the operator writes, as a watch shows them, with the moments at which addresses came and went. */
function watchSlices(client: ReturnType<typeof createKubeClient>, count: number) {
  const now = new Map<string, { readonly port: number; readonly addresses: ReadonlySet<string> }>();
  /** The same a moment later. */
  const ofNodes = new Map<string, { readonly port: number; readonly addresses: readonly string[] }>();
  const moments = new Map<string, number>();
  const waits = new ChangeWaits();
  const clock = createSystemClock({ background: true });
  const informer = createInformer<EndpointSlice>({
    client,
    clock,
    random: { next: () => Math.random() },
    resource: endpointSlices,
    namespace,
    labelSelector: "nuptse.dev/service",
    onChange({ object }) {
      const service = object.metadata.labels?.[sliceServiceLabel] ?? "";
      const addresses = new Set((object.endpoints ?? []).map((endpoint) => endpoint.addresses[0] ?? ""));
      const before = now.get(service)?.addresses ?? new Set<string>();
      for (const address of addresses) if (!before.has(address)) moments.set(`${service} with ${address}`, performance.now());
      for (const address of before) if (!addresses.has(address)) moments.set(`${service} without ${address}`, performance.now());
      const port = object.ports?.[0]?.port ?? 0;
      now.set(service, { port, addresses });
      clock.after(nodeLagMs, () => ofNodes.set(service, { port, addresses: [...addresses] }));
      waits.changed();
    },
    onError: (error) => tell(String(error)),
  });
  const ending = new AbortController();
  informer.start(ending.signal);
  return {
    /** Resolves when all of them are so. */
    all(isSo: (state: SliceState) => boolean): Promise<void> {
      const fine = () => [...now.values()].filter(({ port, addresses }) => isSo({ port, has: (address) => addresses.has(address) })).length;
      return waits.until(
        () => now.size === count && fine() === count,
        longestMs,
        () => `of ${now.size} slices ${fine()} are as they should be`,
      );
    },
    /** Milliseconds until each had the address, or had it no more. */
    since: (from: number, address: string, change: "with" | "without"): readonly number[] =>
      [...now.keys()].map((service) => (moments.get(`${service} ${change} ${address}`) ?? Number.NaN) - from),
    /** A service and a gateway by chance, as a node sends to them. */
    somewhere(): { readonly host: string; readonly port: number } {
      const all = [...ofNodes.values()];
      const { port, addresses } = all[Math.floor(Math.random() * all.length)] ?? { port: 0, addresses: [] };
      return { host: loopbackOf(addresses[Math.floor(Math.random() * addresses.length)] ?? ""), port };
    },
    stop: () => ending.abort(),
  };
}

/** A Service of somebody else, whose one endpoint all fleets share. */
async function publishBacks(cluster: BenchCluster, port: number): Promise<void> {
  await cluster.send("POST", `/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: backs.name },
    spec: { clusterIP: "None", ports: [{ port }] },
  });
  await cluster.send("POST", `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
    metadata: { name: backs.name, labels: { [sliceServiceLabel]: backs.name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [backs.address], conditions: { ready: true } }],
    ports: [{ port }],
  });
}

const appsOf = (count: number, targetPort: number): readonly unknown[] =>
  Array.from({ length: count }, (_, index) => ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name: `app-${index}`, namespace },
    spec: { endpoints: { serviceName: backs.name }, services: [{ name: `app-${index}`, protocol: "HTTP", port: 80, targetPort }] },
  }));

/** Whether so many requests in a row are answered. */
async function answers(count: number, target: () => { readonly host: string; readonly port: number }): Promise<boolean> {
  for (let index = 0; index < count; index++) {
    const { host, port } = target();
    const isFine = await fetch(`http://${host}:${port}/`, { headers: { connection: "close" } }).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (!isFine) return false;
  }
  return true;
}

const row = (name: string, values: readonly number[]): readonly string[] => [
  name,
  String(values.length),
  ...[percentile(values, 50), percentile(values, 99), largest(values)].map((value) => (value / 1000).toFixed(2)),
];

export default bench;
