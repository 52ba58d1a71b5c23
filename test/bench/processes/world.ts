// Kubelets without machines, and if asked for a scheduler, as a client of a real API server, under a user agent of their own.
// Arguments: kubeconfig, number of nodes, "scheduler" or "no-scheduler", the first number of pods' addresses. It says "up" on stdout when it works,
// and ends when stdin does.
import type { Pod } from "../../../src/api/core.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";
import { createHttpTransport } from "../../../src/kube/http-transport.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { PodScript } from "../../../src/simulator/world/pod-script.ts";
import { createWorld } from "../../../src/simulator/world/world.ts";
import { type BenchScript, scriptAnnotation } from "../support/manifests.ts";

const [kubeconfig = "", nodeCount = "1", scheduler = "scheduler", podNetwork = "10"] = process.argv.slice(2);
const clock = createSystemClock();
const random = { next: () => Math.random() };
const credentials = await loadCredentials({ clock, kubeconfig });
const transport = createHttpTransport({ credentials, clock, random, userAgent: "bench-world", connections: 64 });
const failed = new Map<string, string>();

const world = await createWorld({
  client: createKubeClient(transport),
  clock,
  random,
  nodes: Array.from({ length: Number(nodeCount) }, (_, index) => ({ name: `world-${index}`, capacity: { pods: "100000", cpu: "100000" } })),
  kubelet: { kind: "stages", behaviour },
  scheduler: scheduler === "scheduler",
  nodeControllers: false,
  nodeLeases: true,
  podNetwork: Number(podNetwork),
});
process.stdout.write("up\n");
process.stdin.resume();
process.stdin.on("end", () => void world.close().then(() => process.exit(0)));

/** What fails first is remembered by owner, so that the pods of a Job and of an ElasticJob are played alike. */
function behaviour(pod: Pod): PodScript {
  const text = pod.metadata.annotations?.[scriptAnnotation];
  if (text === undefined) return {};
  const { failFirst, runMs, startMs } = JSON.parse(text) as BenchScript;
  const script: PodScript = { ...(runMs !== undefined && { runMs }), ...(startMs !== undefined && { startMs }) };
  const [owner] = pod.metadata.ownerReferences ?? [];
  if (!failFirst || owner === undefined) return script;
  if (!failed.has(owner.uid)) failed.set(owner.uid, pod.metadata.uid ?? "");
  return failed.get(owner.uid) === pod.metadata.uid ? { ...script, exitCode: 1 } : script;
}
