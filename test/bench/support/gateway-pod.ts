import type { Pod } from "../../../src/api/core.ts";
import { pods } from "../../../src/api/resource.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { type GatewayProcess, startGateway } from "../../../src/gateway/gateway.ts";
import type { GatewaySettings } from "../../../src/haproxy/rules/settings.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { createPrometheusMetrics } from "../../../src/runtime/metrics.ts";
import { createTestHaproxy } from "../../gateway/support/haproxy.ts";
import { loopbackOf, throughPodNetwork } from "../../integration/support/pod-network.ts";

export interface GatewayPodOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** HAProxy's program. */
  readonly program: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the pod, in 10.64.0.0/10; its HAProxy listens at that address on loopback. */
  readonly address: string;
  readonly settings: Partial<GatewaySettings>;
}

/** A gateway pod: agent and HAProxy really run, in this process and beside it; the bench is its kubelet. */
export interface BenchGatewayPod {
  readonly address: string;
  /** performance.now() when it became Ready. */
  readonly readyAt: number;
  /** As `kubectl delete pod`: resolves with performance.now() when HAProxy has ended, by its own order. */
  delete(): Promise<number>;
  /** As a power cut of its containers; the kubelet tells that it is not Ready `after` so many ms. */
  kill(after: number): Promise<void>;
  close(): Promise<void>;
}

const graceSeconds = 300;
const pollMs = 50;

/** Creates the pod and resolves when it is Ready. */
export async function startGatewayPod(options: GatewayPodOptions): Promise<BenchGatewayPod> {
  const { client, clock, program, namespace, name, address } = options;
  const ref = { namespace, name };
  await client.create<Pod>(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...ref, labels: { "nuptse.dev/gateway": "" } },
    spec: { nodeName: "bench", terminationGracePeriodSeconds: graceSeconds, containers: [{ name: "haproxy", image: "haproxy:3" }] },
  } as Pod);
  const haproxy = await createTestHaproxy(program, { ...options.settings, bind: [loopbackOf(address)] });
  const gateway: GatewayProcess = await startGateway({
    settings: haproxy.settings,
    program,
    client: throughPodNetwork(client),
    clock,
    random: { next: () => Math.random() },
    logger: silentLogger,
    metrics: await createPrometheusMetrics({ process: false }),
    metricsAddress: { host: "127.0.0.1", port: 0 },
    stateAddress: { host: "127.0.0.1", port: 0 },
    stateReaders: [],
    pod: ref,
    signal: (pid, signal) => process.kill(pid, signal),
  });
  const tell = async (isReady: boolean) => {
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const status = {
      phase: "Running",
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [{ type: "Ready", status: isReady ? "True" : "False", lastTransitionTime }],
    };
    await client.patch(pods, ref, { type: "merge", body: { status } }, { subresource: "status" });
  };
  await haproxy.start();
  while (gateway.notReady() !== undefined) await clock.sleep(pollMs);
  await tell(true);
  const readyAt = performance.now();
  let isGone = false;
  const remove = async () => {
    isGone = true;
    await haproxy.stop();
    await client.delete(pods, ref, { gracePeriodSeconds: 0 });
  };
  return {
    address,
    readyAt,
    async delete() {
      await client.delete(pods, ref);
      await gateway.leave();
      const endedAt = performance.now();
      await remove();
      return endedAt;
    },
    async kill(after) {
      await haproxy.kill();
      await clock.sleep(after);
      await tell(false);
    },
    async close() {
      if (isGone) return;
      await gateway.stop();
      await remove();
    },
  };
}
