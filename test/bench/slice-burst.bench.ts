/**
 * Advice, not a target: how soon the slices of Kubernetes' own controller follow when many pods change at once, with the default limits of
 * kube-controller-manager and with raised ones. Agents of gateways see instances through these slices, so this is what a large roll-out, or the loss of
 * a zone, waits for before any of ours can act.
 *
 * Each pod is the only one of its Service: 500 pods that stop to be Ready are 500 slices to be written. Pods have no kubelet; the bench writes their status.
 */
import { type EndpointSlice, sliceServiceLabel } from "../../src/api/endpoint-slice.ts";
import { endpointSlices } from "../../src/api/resource.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import { createHttpTransport } from "../../src/kube/http-transport.ts";
import { createInformer } from "../../src/kube/informer.ts";
import { createKubeClient } from "../../src/kube/kube-client.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { ChangeWaits } from "./support/change-waits.ts";
import { BenchCluster } from "./support/cluster.ts";
import { largest, percentile, rounded } from "./support/figures.ts";
import { tell } from "./support/progress.ts";
import { sideBySide } from "./support/side-by-side.ts";

const namespace = "burst";
const width = 64;
const longestMs = 300_000;
/** The others would take away pods whose node does not live. */
const onlySlices = "--controllers=endpointslice-controller";
/** Four times the syncs of the default, and fifteen times the requests. */
const raisedLimits = ["--kube-api-qps=300", "--kube-api-burst=600", "--concurrent-service-endpoint-syncs=20"];

const bench: Bench = async (words) => {
  const { pods } = readArguments(words, { pods: 500 });
  const byDefault = await burst(pods, []);
  const raised = await burst(pods, raisedLimits);
  const row = (name: string, values: readonly number[]): readonly string[] => [
    name,
    ...[percentile(values, 50), percentile(values, 99), largest(values)].map((value) => (value / 1000).toFixed(2)),
  ];
  return {
    name: "slice-burst",
    figures: {
      defaultLastSeconds: rounded(largest(byDefault) / 1000),
      defaultP50Seconds: rounded(percentile(byDefault, 50) / 1000),
      raisedLastSeconds: rounded(largest(raised) / 1000),
      raisedP50Seconds: rounded(percentile(raised, 50) / 1000),
    },
    targets: {},
    table: {
      columns: [`slices of ${pods} pods that change at once follow, s`, "p50", "p99", "last"],
      rows: [row("kube-controller-manager with its defaults", byDefault), row(raisedLimits.join(" "), raised)],
    },
  };
};

/** Milliseconds from the status of each pod to its slice. */
async function burst(count: number, args: readonly string[]): Promise<readonly number[]> {
  const cluster = await BenchCluster.start({ components: { controllerManager: { args: [onlySlices, ...args] } } });
  const clock = createSystemClock();
  const random = { next: () => Math.random() };
  const credentials = await loadCredentials({ clock, kubeconfig: cluster.plane.kubeconfig });
  const transport = createHttpTransport({ credentials, clock, random, userAgent: "bench-slices" });
  const ready = new Map<string, boolean>();
  const seenAt = new Map<string, number>();
  const waits = new ChangeWaits();
  const informer = createInformer<EndpointSlice>({
    client: createKubeClient(transport),
    clock,
    random,
    resource: endpointSlices,
    namespace,
    onChange({ object }) {
      const service = object.metadata.labels?.[sliceServiceLabel] ?? "";
      const isReady = (object.endpoints ?? []).some(({ conditions }) => conditions?.ready === true);
      if (ready.get(service) !== isReady) seenAt.set(service, performance.now());
      ready.set(service, isReady);
      waits.changed();
    },
    onError: (error) => tell(String(error)),
  });
  const ending = new AbortController();
  const all = (isReady: boolean): Promise<void> => {
    const fine = () => [...ready.values()].filter((each) => each === isReady).length;
    return waits.until(
      () => fine() === count,
      longestMs,
      () => `${fine()} of ${count} slices are ${isReady ? "ready" : "not ready"}`,
    );
  };
  try {
    await cluster.createNamespaces([namespace]);
    // Of a pod whose node does not exist the controller tells nothing.
    await cluster.send("POST", "/api/v1/nodes", { metadata: { name: "n1" } });
    informer.start(ending.signal);
    const names = Array.from({ length: count }, (_, index) => `app-${index}`);
    await cluster.createAll(
      `/api/v1/namespaces/${namespace}/services`,
      names.map((name) => ({ metadata: { name }, spec: { clusterIP: "None", selector: { app: name }, ports: [{ port: 80 }] } })),
    );
    await cluster.createAll(
      `/api/v1/namespaces/${namespace}/pods`,
      names.map((name) => ({
        metadata: { name, labels: { app: name } },
        spec: { nodeName: "n1", containers: [{ name: "a", image: "a" }] },
      })),
    );
    const tellAll = (isReady: boolean) => {
      const toldAt = new Map<string, number>();
      const told = sideBySide(names, width, async (name, index) => {
        const podIP = `10.64.${index >> 8}.${index & 255}`;
        const conditions = [{ type: "Ready", status: isReady ? "True" : "False" }];
        const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions };
        await cluster.send("PATCH", `/api/v1/namespaces/${namespace}/pods/${name}/status`, { status });
        toldAt.set(name, performance.now());
      });
      return told.then(() => toldAt);
    };
    await tellAll(true);
    await all(true);
    tell(`${count} slices are ready, ${args.length === 0 ? "defaults" : args.join(" ")}`);
    // What is left of the burst that filled them is spent anew.
    await clock.sleep(5000);
    const toldAt = await tellAll(false);
    await all(false);
    return names.map((name) => Math.max(0, (seenAt.get(name) ?? Number.NaN) - (toldAt.get(name) ?? Number.NaN)));
  } finally {
    ending.abort();
    transport.close();
    await cluster.stop();
  }
}

export default bench;
