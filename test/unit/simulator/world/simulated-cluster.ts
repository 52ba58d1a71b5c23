import { namespaces, pods, resourcePath } from "../../../../src/api/resource.ts";
import type { KubeObject } from "../../../../src/api/meta.ts";
import type { Clock } from "../../../../src/base/clock.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import type { KubeClient } from "../../../../src/kube/client.ts";
import { createKubeClient } from "../../../../src/kube/kube-client.ts";
import { ApiServer } from "../../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../../src/simulator/apiserver/in-process-transport.ts";

// biome-ignore lint/suspicious/noExplicitAny: the tests look deep into objects whose shape is what they assert
export type Loose = any;

/** The embedded API server with a namespace "shop", and a log of what happened to its pods, one line a change. */
export class SimulatedCluster {
  readonly log: string[] = [];
  readonly server: ApiServer;
  readonly client: KubeClient;

  constructor(clock: Clock) {
    this.server = new ApiServer({ clock, random: createSeededRandom(99) });
    this.client = createKubeClient(inProcessTransport(this.server, { userAgent: "world-test" }));
    this.server.onCommit((commit) => {
      if (commit.resource.plural === "pods") this.log.push(describePod(commit.type, commit.object));
    });
    this.server.handle({ method: "POST", path: resourcePath(namespaces), userAgent: "world-test", body: { metadata: { name: "shop" } } });
  }

  /** The object as it is stored, or undefined. */
  object(plural: string, name: string, namespace?: string): Loose {
    const path = resourcePath({ ...pods, plural, namespaced: namespace !== undefined }, namespace, name);
    const { status, body } = this.server.handle({ method: "GET", path, userAgent: "world-test" });
    return status === 200 ? body : undefined;
  }
}

/** "MODIFIED Running sandbox ready main:running": what a table of a pod's life shows. */
function describePod(type: string, object: KubeObject): string {
  const pod: Loose = object;
  const condition = (name: string) => pod.status?.conditions?.find((each: Loose) => each.type === name);
  const ready = condition("Ready");
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].map((status: Loose) => {
    const { waiting, running, terminated } = status.state;
    const state = running ? "running" : waiting ? waiting.reason : `${terminated.reason}(${terminated.exitCode})`;
    return `${status.name}:${state}${status.restartCount > 0 ? `x${status.restartCount}` : ""}`;
  });
  return [
    type,
    pod.status?.phase,
    ...(pod.metadata.deletionTimestamp ? ["deleting"] : []),
    ...(condition("DisruptionTarget") ? [`disrupted:${condition("DisruptionTarget").reason}`] : []),
    ...(condition("PodReadyToStartContainers")?.status === "True" ? ["sandbox"] : []),
    ...(ready === undefined ? [] : [ready.status === "True" ? "ready" : `unready:${ready.reason ?? ""}`]),
    ...containers,
    ...(pod.status?.reason ? [pod.status.reason] : []),
  ].join(" ");
}
